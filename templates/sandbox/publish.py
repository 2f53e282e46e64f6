"""Publishes to RabbitMQ as Girder does, with the real Celery. Reads one JSON document on standard input:
{"broker": url, "tasks": [{"id", "task", "args", "kwargs", "kwargsrepr", "headers", "queue"?, "options"?}], "revoke": [task ids]}
Prints the id of each task once it is published. The graphs in args and kwargs are pickled already (jsonpickle's own
format), so the serializer only wraps them."""

import json
import sys

from celery import Celery
from kombu.serialization import register


def dumps(body):
    args, kwargs, embed = body
    return json.dumps({"py/tuple": [{"py/tuple": list(args)}, kwargs, embed]})


request = json.load(sys.stdin)
# The serializer that girder_worker registers under JSON's content type.
register("girder_io", dumps, json.loads, content_type="application/json", content_encoding="utf-8")
app = Celery("girder_worker", broker=request["broker"], backend="rpc://")

for task in request.get("tasks", []):
    options = dict(task.get("options", {}))
    if task.get("queue"):
        options["queue"] = task["queue"]
    app.send_task(
        task["task"],
        args=task["args"],
        kwargs=task["kwargs"],
        task_id=task["id"],
        serializer="girder_io",
        headers=task["headers"],
        argsrepr="()",
        kwargsrepr=task["kwargsrepr"],
        **options,
    )
    print(task["id"], flush=True)

# What Girder's cancel does: a broadcast to the workers that are connected now.
for task_id in request.get("revoke", []):
    app.AsyncResult(task_id).revoke()
