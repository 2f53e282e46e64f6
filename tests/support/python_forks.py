"""Runs Python programs in processes forked from this one, which has Celery imported already: that takes longer than they do.

Reads requests from standard input, one JSON document a line: {"id", "script" or "code", "input"}. Writes an answer for each,
in any order: {"id", "exitCode", "stdout", "stderr"}. Ends when its input does.
"""
import fcntl
import gc
import json
import os
import runpy
import signal
import sys
import tempfile
import traceback

import celery
import celery.backends.rpc
import jsonpickle
import kombu
import kombu.transport.pyamqp


def redirect(request):
    """Gives this process files in place of its standard streams."""
    given, out, err = (tempfile.TemporaryFile() for _ in range(3))
    given.write(request["input"].encode())
    given.seek(0)
    for number, file in enumerate((given, out, err)):
        os.dup2(file.fileno(), number)
    sys.stdin, sys.stdout, sys.stderr = os.fdopen(0), os.fdopen(1, "w"), os.fdopen(2, "w")
    return out, err


def execute(request):
    try:
        if "script" in request:
            sys.argv = [request["script"]]
            sys.path[0] = os.path.dirname(request["script"])
            runpy.run_path(request["script"], run_name="__main__")
        else:
            exec(request["code"], {"__name__": "__main__"})
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


def answer(request, answers):
    out, err = redirect(request)
    code = execute(request)
    sys.stdout.flush()
    sys.stderr.flush()
    texts = []
    for file in (out, err):
        file.seek(0)
        texts.append(file.read().decode(errors="replace"))
    line = json.dumps({"id": request["id"], "exitCode": code, "stdout": texts[0], "stderr": texts[1]})
    with os.fdopen(answers, "w") as pipe:
        # Two long answers at a time would be mixed. A file that a fork inherits would share its lock.
        lock = os.open(lock_file.name, os.O_RDWR)
        fcntl.flock(lock, fcntl.LOCK_EX)
        pipe.write(line + "\n")
        pipe.flush()
        os.close(lock)


lock_file = tempfile.NamedTemporaryFile(prefix="dsa-python-")
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
gc.freeze()
for line in sys.stdin:
    if os.fork() == 0:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        answer(json.loads(line), os.dup(1))
        break
