"""Runs a command and prints, as JSON, its exit code, wall and processor seconds and peak memory in bytes.

The peak is the kernel's own (ru_maxrss), so that nothing is missed between two looks.
"""
import json
import os
import sys
import time

start = time.monotonic()
pid = os.fork()
if pid == 0:
    # What the command prints is not part of the measurement's answer.
    os.dup2(2, 1)
    os.execvp(sys.argv[1], sys.argv[1:])
_, status, usage = os.wait4(pid, 0)
print(json.dumps({
    "code": os.waitstatus_to_exitcode(status),
    "wall": time.monotonic() - start,
    "cpu": usage.ru_utime + usage.ru_stime,
    "memory": usage.ru_maxrss * 1024,
}))
