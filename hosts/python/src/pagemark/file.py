"""A SQLite file as what is backed up, also while others read and write it.

SQLite's own locks hold the moment: a read transaction of a connection that may only read, and so never checkpoints. In WAL
mode it keeps nobody from writing; in rollback mode writers wait until the backup is done. The component reads the file and
its write-ahead log as they lie.
"""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import Optional, Union

from .folder import _read_fully
from .host import Failure, Files

#: Descriptors on databases, by device and inode. POSIX drops every lock that a process holds on a file as soon as it closes
#: any descriptor of that file (https://www.sqlite.org/howtocorrupt.html, section 2.2): those of SQLite in this process,
#: ours and the application's. So none is ever closed.
_descriptors: dict[tuple[int, int], int] = {}

_Stamp = Optional[tuple[int, int, int, int]]


class FileDatabase:
    """The database at a path. `busy_timeout` is how long to wait for a writer to let go of its lock, in seconds."""

    def __init__(self, path: Union[str, os.PathLike[str]], *, busy_timeout: float = 10.0) -> None:
        self.path = os.fspath(path)
        self.busy_timeout = busy_timeout
        self._connection: Optional[sqlite3.Connection] = None
        self._main = -1
        self._wal = -1
        self._stamps: Optional[list[_Stamp]] = None
        self._real = ""

    @property
    def name(self) -> str:
        """What its backups are called unless another name is given: that of the file without its ending."""
        return Path(self.path).stem

    def pin(self) -> Files:
        self._real = real = os.path.realpath(self.path)
        self._main = _open_main(real, self.path)
        try:
            wal = f"{real}-wal"
            # Without both files nobody uses the database in WAL mode, and SQLite would make them.
            if not self._is_wal() or (os.path.exists(wal) and os.path.exists(f"{real}-shm")):
                self._begin()
            if self._connection is None:
                self._stamps = self._stamp()
            found = os.fstat(self._main)
            if _key(os.stat(real)) != _key(found):
                raise Failure("changed")
            wal_size = 0
            if self._is_wal() and os.path.exists(wal):
                self._wal = os.open(wal, os.O_RDONLY)
                wal_size = os.fstat(self._wal).st_size
            born_ns = getattr(found, "st_birthtime_ns", None)
            if not born_ns:
                return Files(found.st_size, wal_size, real)
            return Files(found.st_size, wal_size, real, f"{found.st_ino}:{born_ns}", born_ns // 10**6)
        except BaseException:
            self._close()
            raise

    def read(self, part: str, offset: int, length: int) -> bytes:
        data = _read_fully(self._main if part == "main" else self._wal, offset, length)
        if len(data) < length:
            raise Failure("changed")
        return data

    def release(self) -> None:
        held = self._stamps is None or self._stamps == self._stamp()
        self._close()
        if not held:
            raise Failure("changed")

    def _begin(self) -> None:
        """Begins a read transaction, if SQLite can."""
        uri = f"{Path(self._real).as_uri()}?mode=ro"
        connection = sqlite3.connect(
            uri, uri=True, timeout=self.busy_timeout, isolation_level=None, check_same_thread=False
        )
        try:
            connection.execute("BEGIN")
            connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone()
        except sqlite3.Error as error:
            connection.close()
            text = str(error)
            if "locked" in text or "busy" in text:
                message = (
                    f"{self.path}: another process has kept it locked for {self.busy_timeout:g} s; let it end its "
                    "transaction or its exclusive locking mode, then try again"
                )
                raise Failure("failed", "SOURCE_BUSY", message) from error
            if _has_bytes(f"{self._real}-journal"):
                message = (
                    f"{self.path}: a process ended within a transaction and left a journal; let SQLite open the database "
                    f'once, which rolls it back (sqlite3 "{self.path}" "PRAGMA schema_version"), then try again'
                )
                raise Failure("failed", "SOURCE_JOURNAL", message) from error
            # Not a database, or one that SQLite cannot lock here: the component says what is wrong with it, if anything is.
            return
        self._connection = connection

    def _is_wal(self) -> bool:
        return os.pread(self._main, 2, 18) == b"\x02\x02"

    def _stamp(self) -> list[_Stamp]:
        return [_stamp_of(self._real + ending) for ending in ("", "-wal", "-journal")]

    def _close(self) -> None:
        if self._wal >= 0:
            os.close(self._wal)  # SQLite holds no lock on it.
        if self._connection is not None:
            self._connection.close()
        self._wal, self._connection, self._stamps = -1, None, None


def _open_main(real: str, shown: str) -> int:
    try:
        found = os.stat(real)
        if not os.path.isfile(real):
            raise Failure("failed", "SOURCE_NOT_A_FILE", f"{shown}: is not a file; give the database file itself")
        known = _descriptors.get(_key(found))
        if known is not None:
            return known
        fd = os.open(real, os.O_RDONLY | getattr(os, "O_BINARY", 0))
    except FileNotFoundError:
        raise Failure("failed", "SOURCE_MISSING", f"{shown}: there is no such file; check the path") from None
    except PermissionError:
        raise Failure("failed", "SOURCE_DENIED", f"{shown}: may not be read by this user") from None
    # The file at the path may be another one by now.
    return _descriptors.setdefault(_key(os.fstat(fd)), fd)


def _key(found: os.stat_result) -> tuple[int, int]:
    return found.st_dev, found.st_ino


def _has_bytes(path: str) -> bool:
    try:
        return os.stat(path).st_size > 0
    except OSError:
        return False


def _stamp_of(path: str) -> _Stamp:
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns
