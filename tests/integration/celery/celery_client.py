"""The other end of the wire: a real Celery producer and remote control.

Reads one request from standard input, {"url", "steps": [...]}, and prints one JSON list with the answer of each step.
"""
import datetime
import decimal
import json
import logging
import os
import signal
import sys

from celery import Celery

request = json.load(sys.stdin)
# a worker writes its banner to standard output, which is for the answer only
answer_file = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)
app = Celery("girder_worker", broker=request["url"], backend="rpc://")
app.conf.accept_content = ["json", "pickle", "yaml"]


# everything that py-amqp can write
types = {
    "int": 7, "big": 2**40, "negative": -(2**40), "largest": 2**63 - 1, "smallest": -(2**63) + 1,
    "float": 2.5, "whole": 3.0, "text": "\u00e9", "bytes": b"\xff\x00", "none": None, "yes": True,
    "price": decimal.Decimal("3.14"), "debt": decimal.Decimal("-3.14"),
    "at": datetime.datetime(2026, 1, 2, 3, 4, 5),
}
headers_of_types = {**types, "table": {"deep": types}, "array": [list(types.values()), (2**40, {"n": 2**40})]}


def publish(name="some.task", args=(), kwargs=None, **options):
    result = app.send_task(name, args=list(args), kwargs=kwargs or {}, **options)
    return result.id


def advance_clock(value):
    """Everything from here on carries this logical clock, as in a cluster that is old."""
    app.clock.value = value


def publish_types(**options):
    return publish(headers=headers_of_types, **options)


def wait(timeout=20, name="some.task", with_types=False, headers=None, **options):
    """Publishes and waits for the result, as a caller of rpc:// does."""
    options["headers"] = {**(headers_of_types if with_types else {}), **(headers or {})}
    result = app.send_task(name, **options)
    try:
        return {"state": "SUCCESS", "value": result.get(timeout=timeout)}
    except Exception as error:
        return {"state": result.state, "error": type(error).__name__, "text": str(error)}


def control(method, timeout=3, **options):
    return app.control.broadcast(method, reply=True, timeout=timeout, **options)


def revoke(task_id, **options):
    """As Girder cancels: nobody waits for an answer."""
    app.control.revoke(task_id, **options)


def inspect(method, destination, args=()):
    return getattr(app.control.inspect(destination=destination, timeout=3), method)(*args)


def girder_page():
    """What Girder's page of workers shows, by the rules of its endpoint and of its script (contract, section g)."""
    every = app.control.inspect()
    answers = {method: getattr(every, method)() for method in ("report", "stats", "ping", "active", "reserved")}
    # Girder's REST answers with sorted keys, and the page takes the first of some
    answers = json.loads(json.dumps(answers, sort_keys=True))
    page = []
    for worker in answers["report"]:
        stats = answers["stats"][worker]
        active = (answers["active"] or {}).get(worker) or []
        accepted = next(iter(stats["total"].values()), 0)
        page.append(
            {
                "name": worker,
                "status": "Online" if answers["ping"][worker]["ok"] == "pong" else "Offline",
                "concurrency": stats["pool"]["max-concurrency"],
                "accepted": accepted,
                "running": len(active),
                "completed": accepted - len(active),
                "report": answers["report"][worker]["ok"],
                "uptime": stats["uptime"],
                "activeTasks": active,
                "reservedTasks": answers["reserved"][worker],
            }
        )
    return page


def ping(destination=None):
    return app.control.ping(destination=destination, timeout=3)


workers = []


def python_worker(queue, task):
    """A real Celery worker that answers `task` with its arguments, its id and its `headers_of_types` as Python has them."""
    other = Celery("other", broker=request["url"], backend="rpc://")

    @other.task(name=task, bind=True)
    def answer(self, *args, **kwargs):
        types = {name: repr(getattr(self.request, name, None)) for name in headers_of_types}
        return {"args": list(args), "kwargs": kwargs, "id": self.request.id, "types": types}

    process = os.fork()
    if process == 0:
        try:
            # not worker_main, which Celery 5.0 lacks
            other.Worker(queues=[queue], pool="solo", hostname=queue + "@python", loglevel=logging.ERROR).start()
        finally:
            os._exit(0)
    workers.append(process)


steps = {f.__name__: f for f in (publish, publish_types, advance_clock, wait, control, revoke, inspect, girder_page, ping, python_worker)}
answers = []
try:
    for step in request["steps"]:
        answers.append(steps[step.pop("step")](**step))
finally:
    for process in workers:
        os.kill(process, signal.SIGTERM)
        os.waitpid(process, 0)
print(json.dumps(answers), file=answer_file, flush=True)
