"""The other end of the wire: a real Celery producer and remote control.

Reads one request from standard input, {"url", "steps": [...]}, and prints one JSON list with the answer of each step.
"""
import json
import sys

from celery import Celery

request = json.load(sys.stdin)
app = Celery("girder_worker", broker=request["url"], backend="rpc://")
app.conf.accept_content = ["json", "pickle", "yaml"]


def publish(name="some.task", args=(), kwargs=None, **options):
    result = app.send_task(name, args=list(args), kwargs=kwargs or {}, **options)
    return result.id


def wait(timeout=20, **options):
    """Publishes and waits for the result, as a caller of rpc:// does."""
    result = app.send_task("some.task", **options)
    try:
        return {"state": "SUCCESS", "value": result.get(timeout=timeout)}
    except Exception as error:
        return {"state": result.state, "error": type(error).__name__, "text": str(error)}


def control(method, timeout=3, **options):
    return app.control.broadcast(method, reply=True, timeout=timeout, **options)


def revoke(task_id, **options):
    """As Girder cancels: nobody waits for an answer."""
    app.control.revoke(task_id, **options)


def inspect(method, destination):
    return getattr(app.control.inspect(destination=destination, timeout=3), method)()


def ping(destination=None):
    return app.control.ping(destination=destination, timeout=3)


steps = {f.__name__: f for f in (publish, wait, control, revoke, inspect, ping)}
answers = []
for step in request["steps"]:
    answers.append(steps[step.pop("step")](**step))
print(json.dumps(answers))
