"""What a host lends to the component: the interfaces `store` and `database` of wit/pagemark.wit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional, Protocol


class Failure(Exception):
    """Why a store or a database could not do something.

    `kind` is "exists", "missing", "changed", "canceled" or "failed"; of "failed" the code (shouted, stable) and the message
    come out again in a `StoreError`.
    """

    def __init__(self, kind: str, code: str = "", message: str = "") -> None:
        super().__init__(message or kind)
        self.kind = kind
        self.code = code
        self.message = message


@dataclass(frozen=True)
class StoredObject:
    """An object of a store."""

    key: str
    #: In bytes.
    size: int
    #: The time it was created with, in milliseconds since 1970.
    modified_ms: int


class Upload(Protocol):
    """An object that is written. `abort` when it was not finished: nothing of it stays."""

    def append(self, data: bytes) -> None: ...

    def finish(self) -> None:
        """Makes the object, durably and in one step, unless its key has one: `Failure("exists")`."""

    def abort(self) -> None: ...


class Store(Protocol):
    """Where backups go: objects under keys, which are never changed."""

    #: How LTX files are named: "folder" or "bucket".
    layout: str

    def list(self, prefix: str, cursor: Optional[str]) -> tuple[list[StoredObject], Optional[str]]:
        """A page of the objects whose keys begin with `prefix`, by key; and where to go on, if there are more."""

    def get(self, key: str, offset: int, length: int) -> bytes:
        """`length` bytes from `offset` on; fewer only where the object ends. `Failure("missing")`."""

    def delete(self, key: str) -> None:
        """Removes an object, whether it is there or not."""

    def create(self, key: str, modified_ms: int) -> Upload:
        """Begins an object, which stands for the time `modified_ms`."""


@dataclass(frozen=True)
class Files:
    """The files of a database that are kept as they are."""

    #: Of the database file, in bytes.
    main_size: int
    #: Of the write-ahead log, in bytes; 0 when there is none.
    wal_size: int = 0
    #: Real path of the database, if it has one.
    place: Optional[str] = None
    #: What names the file wherever it is moved to.
    file: Optional[str] = None
    #: When it came into being, in milliseconds since 1970.
    born_ms: Optional[int] = None


class Database(Protocol):
    """A database, lent as the files that it is."""

    def pin(self) -> Files:
        """Keeps the files as one committed moment from now on."""

    def read(self, part: str, offset: int, length: int) -> bytes:
        """Bytes of the file "main" or "wal", exactly `length`; `Failure("changed")` where it has become shorter."""

    def release(self) -> None:
        """Lets go; `Failure("changed")` when the files were not kept."""
