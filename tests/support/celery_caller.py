"""A caller in Python that publishes one task as Girder does, does something about it, and waits for its result.

Reads {"broker", "queue", "message", "options", "revoke"} from standard input. Prints "published" once RabbitMQ has the
task; goes on when there is a further line of input, and revokes the task with those arguments if there are any. Then
prints, as JSON, what AsyncResult.get() came to.
"""
import json
import sys

from celery import Celery
from kombu.serialization import register


def dumps(body):
    args, kwargs, embed = body
    return json.dumps({"py/tuple": [{"py/tuple": list(args)}, kwargs, embed]})


request = json.loads(sys.stdin.readline())
message = request["message"]
register("girder_io", dumps, json.loads, content_type="application/json", content_encoding="utf-8")
app = Celery("girder_worker", broker=request["broker"], backend="rpc://")
result = app.send_task(
    message["task"],
    args=message["args"],
    kwargs=message["kwargs"],
    task_id=message["id"],
    headers=message["headers"],
    queue=request["queue"],
    **{"serializer": "girder_io", **request["options"]},
)
print("published", flush=True)
sys.stdin.readline()
if request["revoke"] is not None:
    result.revoke(**request["revoke"])
try:
    answer = {"value": result.get(timeout=30)}
except Exception as error:
    answer = {"error": type(error).__name__, "text": str(error)}
print(json.dumps({"state": result.state, **answer}), flush=True)
