"""Mounts a file system over a directory that never answers: its driver, this program, reads no request.

Ends when its standard input does; whoever waits is then answered with an error.
"""
import ctypes
import os
import sys

target = sys.argv[1].encode()
libc = ctypes.CDLL(None, use_errno=True)
driver = os.open('/dev/fuse', os.O_RDWR)
options = f'fd={driver},rootmode=40000,user_id={os.getuid()},group_id={os.getgid()},allow_other'
if libc.mount(b'hanging', target, b'fuse', 0, options.encode()) != 0:
    sys.exit(os.strerror(ctypes.get_errno()))
print('hangs', flush=True)
sys.stdin.read()
# lazily: a process may still use it
libc.umount2(target, 2)
