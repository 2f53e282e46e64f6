"""The Python girder_worker if it is installed, otherwise a plain Celery worker: `old_worker.py <queue> <node> <directory>`.

The broker is in GIRDER_WORKER_BROKER.

Its task `old.hold` appends "start <id>" to the file `log`, waits until the file `go` exists, and appends "end <id>".
"""
import logging
import os
import sys
import time

try:
    from girder_worker.app import app
except ImportError:
    from celery import Celery

    app = Celery("girder_worker", broker=os.environ["GIRDER_WORKER_BROKER"], backend="rpc://")

queue, node, directory = sys.argv[1:]
app.conf.worker_prefetch_multiplier = 1


def note(text):
    with open(os.path.join(directory, "log"), "a") as log:
        log.write(text + "\n")


@app.task(name="old.hold", bind=True)
def hold(self):
    note("start " + self.request.id)
    while not os.path.exists(os.path.join(directory, "go")):
        time.sleep(0.05)
    note("end " + self.request.id)


app.Worker(queues=[queue], concurrency=2, hostname=node, loglevel=logging.ERROR).start()
