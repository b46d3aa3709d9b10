"""Which names are keys of a store, as `pagemark` (npm) has it."""

from __future__ import annotations

import re

from .host import Failure

_SEGMENT = re.compile(r"[A-Za-z0-9._%-]+")
_RESERVED = {".", "..", ".pagemark"}
#: In bytes.
MOST_KEY = 1024


def is_segment(name: str) -> bool:
    """Whether a name may stand between two slashes of a key."""
    return _SEGMENT.fullmatch(name) is not None and name.lower() not in _RESERVED


def is_key(name: str) -> bool:
    return len(name) <= MOST_KEY and all(map(is_segment, name.split("/")))


def check_key(key: str) -> None:
    """Refuses what is no key, so that none leads out of a store."""
    if not is_key(key):
        raise Failure("failed", "STORE_KEY", f"{key!r} is no key: use segments of A-Z a-z 0-9 . _ - % joined by '/'")
