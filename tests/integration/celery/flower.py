"""What Flower knows: reads events with Celery's own Receiver into its State, turns task events on as Flower does.

Reads {"url", "node"} from standard input, prints a line of JSON with each change, and goes on until it is ended.
"""
import json
import sys

from celery import Celery
from celery.events.dumper import Dumper
from celery.events.state import State

request = json.loads(sys.stdin.readline())
app = Celery("flower", broker=request["url"])
state = State()
# `celery events --dump`: it ends with an error where a field is not there
dumper = Dumper(out=sys.stderr)


def on_event(event):
    state.event(dict(event))
    dumper.on_event(dict(event))
    if event["hostname"] != request["node"]:
        return
    worker = state.workers[request["node"]]
    tasks = {
        key: {name: getattr(task, name) for name in ("name", "state", "received", "exception")}
        for key, task in state.tasks.items()
    }
    print(json.dumps({"type": event["type"], "alive": worker.alive, "tasks": tasks}), flush=True)


with app.connection_for_read() as connection:
    receiver = app.events.Receiver(connection, handlers={"*": on_event})
    app.control.enable_events()
    receiver.capture(limit=None, timeout=None, wakeup=False)
