"""What jobs come to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

@dataclass(frozen=True)
class Fault:
    """What went wrong, and where."""

    #: Stable: match on it.
    code: str
    message: str
    #: Where in what is named: "whole", or "offset" (bytes), "page", "txid", "row", with its number in `number`.
    place: str
    number: Optional[int]
    #: Key of the object, or name of the database.
    name: Optional[str]

@dataclass(frozen=True)
class Backup:
    """A backup."""

    #: UUID; empty where the record is damaged.
    id: str
    #: Names the state it restores to, and proves it.
    bookmark: str
    #: Number of that state, 16 hex digits.
    txid: str
    #: RFC 3339 in UTC.
    created_at: str
    #: "full" or "incremental".
    kind: str
    #: User tables.
    tables: int
    #: Of the database, in bytes.
    size: int
    #: What was stored for it, in bytes.
    stored_size: int
    #: Of a page, in bytes.
    page_size: int
    #: Pages of the database.
    page_count: int
    #: Pages stored.
    changed_pages: int
    #: Whether a restore made it of what it then replaced.
    safety: bool
    #: Why its record cannot be read.
    damage: Optional[Fault]

@dataclass(frozen=True)
class Made:
    """A backup that was just made."""

    backup: Backup
    #: Why it is a full one; `None` when it is incremental.
    full_because: Optional[str]
    #: What was found on the way; the backup itself is whole.
    warnings: list[str]

@dataclass(frozen=True)
class StoredDatabase:
    """A database that has backups in a store."""

    name: str
    #: How many; 0 where Litestream wrote the folder.
    backups: int
    newest: Optional[Backup]
    #: Of all its objects, in bytes.
    stored_size: int

@dataclass(frozen=True)
class Restored:
    """What a restore came to."""

    #: `None` where Litestream wrote the folder.
    backup: Optional[Backup]
    #: What a user should know of what was found.
    note: Optional[str]

@dataclass(frozen=True)
class Verification:
    """What a verification found."""

    #: Backups that can be restored.
    sound: list[Backup]
    #: What is wrong; empty when all is well.
    problems: list[Fault]
    #: Stored bytes that were read.
    bytes: int

@dataclass(frozen=True)
class StoredFile:
    """A stored LTX file."""

    key: str
    #: In bytes.
    size: int
    #: 64 hex digits; `None` where there is no record.
    sha256: Optional[str]

