"""Names of temporary files: from one, others on this machine can tell whether the process that made it still runs."""

from __future__ import annotations

import hashlib
import os
import secrets


def process_tag() -> str:
    """As `pagemark` (npm) makes it, which sweeps what processes that have ended left."""
    return f"{_host_and_start()}.{secrets.token_hex(4)}"


def _host_and_start() -> str:
    pid = os.getpid()
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            boot = file.read()
        host = hashlib.sha256((boot + os.readlink("/proc/self/ns/pid")).encode()).hexdigest()[:12]
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            # proc_pid_stat(5), field 22; the second, a name in brackets, may hold anything.
            began = file.read().rpartition(") ")[2].split(" ")[19]
        return f"{host}.{pid}.{began}"
    except (OSError, IndexError):
        return f"{'0' * 12}.{pid}.0"
