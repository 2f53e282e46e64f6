"""A Celery application with the names of container tasks, whose tasks do nothing: what a real worker publishes after them is
what dsa-slurm has to publish. As a program it publishes a canvas, described in JSON on standard input, to a queue."""

import json
import os
import sys

import jsonpickle
from celery import Celery, Task, chain, group
from kombu.serialization import register

# As girder_worker does: jsonpickle takes the place of JSON in the whole process.
register("girder_io", jsonpickle.encode, jsonpickle.decode, content_type="application/json", content_encoding="utf-8")
app = Celery("canvas_app", broker=os.environ["CANVAS_BROKER"], backend="rpc://")


class GirderTask(Task):
    def apply_async(self, args=None, kwargs=None, **options):
        return super().apply_async(args, kwargs, serializer="girder_io", **options)


def run(*args, container_args=(), **kwargs):
    if container_args[:1] == ["Fail"]:
        raise RuntimeError("the slide has no tissue")


def nothing(*args, **kwargs):
    pass


def failed(task_id, **kwargs):
    """Errbacks of one argument are published; others a worker calls itself where it knows them."""


app.task(run, name="girder_worker.docker.tasks.docker_run")
app.task(run, base=GirderTask, name="slicer_cli_web.girder_worker_plugin.direct_docker_run.run")
app.task(nothing, name="canvas.next")
app.task(nothing, base=GirderTask, name="canvas.next_pickled")
app.task(failed, name="canvas.failed")
app.task(failed, base=GirderTask, name="canvas.failed_pickled")


def build(part):
    """A signature from JSON: a list is a chain, `{"group": [...]}` a group, anything else a task."""
    if isinstance(part, list):
        return chain(*map(build, part))
    if "group" in part:
        return group(*map(build, part["group"]))
    signature = app.signature(
        part["task"], args=tuple(part.get("args", ())), kwargs=part.get("kwargs", {}), immutable=part.get("immutable", False)
    )
    return signature.set(**part.get("options", {}))


if __name__ == "__main__":
    for wish in json.load(sys.stdin):
        options = dict(wish.get("options", {}))
        for name in ("link", "link_error"):
            if name in wish:
                options[name] = [build(part) for part in wish[name]]
        first = build(wish["first"])
        if "rest" in wish:
            first = first | build(wish["rest"])
        print(first.apply_async(**options).id, flush=True)
