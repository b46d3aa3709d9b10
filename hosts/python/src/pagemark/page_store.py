"""Where the engine's databases keep their pages: the interface `store` of engine.wit, and a store in a file."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from os import PathLike
from typing import Optional, Protocol, Union


@dataclass(frozen=True)
class CommitRecord:
    """A committed state."""

    txid: int
    #: In milliseconds since 1970.
    time_ms: int
    #: In bytes.
    page_size: int
    page_count: int
    checksum: int


@dataclass(frozen=True)
class Keep:
    """Which states have to stay readable: all from `first` on, and those in `pins`, ascending, all before it."""

    first: int
    pins: list[int]


@dataclass(frozen=True)
class StoreState:
    """What a store holds when it is opened."""

    lineage: int
    #: Ascending.
    commits: list[CommitRecord]
    #: As it was given last.
    keep: Keep


@dataclass(frozen=True)
class Commit:
    """Everything in it becomes visible at once, or nothing does."""

    record: CommitRecord
    lineage: int
    #: What has a new version, by page number. Pages beyond `record.page_count` are gone.
    pages: dict[int, bytes]
    #: Versions that none of these states shows may be dropped.
    keep: Keep


class StoreFull(Exception):
    """There is no more room: the engine lets history go, and asks again."""


class StoreDamaged(Exception):
    """What is held contradicts itself."""


class PageStore(Protocol):
    """Keeps the page versions of one database. Any other exception than those above says that it failed, and comes out again."""

    def open(self) -> Optional[StoreState]: ...

    def read(self, page: int, txid: int) -> bytes:
        """The newest version of a page at or before a state."""

    def commit(self, commit: Commit) -> None:
        """Makes a new state, atomically and durably."""

    def retain(self, keep: Keep) -> None:
        """Says what has to stay readable from now on."""

    def changed(self, after: int, upto: int) -> list[int]:
        """The pages whose newest version at or before `upto` is newer than `after`, ascending."""


class FilePages:
    """Page versions in a file of SQLite's, which Python has."""

    def __init__(self, path: Union[str, PathLike[str]]) -> None:
        self._file = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._file.executescript(
            """
            PRAGMA journal_mode = WAL;
            PRAGMA synchronous = FULL;
            CREATE TABLE IF NOT EXISTS pages (page INTEGER, txid INTEGER, bytes BLOB, PRIMARY KEY (page, txid)) WITHOUT ROWID;
            CREATE INDEX IF NOT EXISTS written ON pages (txid);
            -- Versions that the commit `until` replaced or shrank away: only these can ever be dropped.
            CREATE TABLE IF NOT EXISTS replaced (until INTEGER, page INTEGER, txid INTEGER, PRIMARY KEY (until, page)) WITHOUT ROWID;
            CREATE TABLE IF NOT EXISTS commits (txid INTEGER PRIMARY KEY, time_ms, page_size, page_count, checksum TEXT);
            CREATE TABLE IF NOT EXISTS kept (lineage TEXT, first INTEGER, pins TEXT);
            """
        )

    def close(self) -> None:
        self._file.close()

    def open(self) -> Optional[StoreState]:
        kept = self._file.execute("SELECT lineage, first, pins FROM kept").fetchone()
        if kept is None:
            return None
        rows = self._file.execute("SELECT txid, time_ms, page_size, page_count, checksum FROM commits ORDER BY txid")
        try:
            commits = [CommitRecord(*row[:4], int(row[4], 16)) for row in rows]
            return StoreState(int(kept[0], 16), commits, Keep(kept[1], [int(pin) for pin in kept[2].split()]))
        except (AttributeError, TypeError, ValueError) as error:
            raise StoreDamaged(f"what it says of its commits cannot be read: {error}") from error

    def read(self, page: int, txid: int) -> bytes:
        newest = "SELECT bytes FROM pages WHERE page = ? AND txid <= ? ORDER BY txid DESC LIMIT 1"
        found = self._file.execute(newest, (page, txid)).fetchone()
        if found is None:
            raise StoreDamaged(f"there is no page {page} of state {txid}")
        return found[0]

    def commit(self, commit: Commit) -> None:
        record = commit.record
        with self._transaction():
            self._note_replaced(commit)
            versions = ((page, record.txid, data) for page, data in commit.pages.items())
            self._file.executemany("INSERT OR REPLACE INTO pages VALUES (?, ?, ?)", versions)
            row = (record.txid, record.time_ms, record.page_size, record.page_count, f"{record.checksum:016x}")
            self._file.execute("INSERT OR REPLACE INTO commits VALUES (?, ?, ?, ?, ?)", row)
            self._file.execute("DELETE FROM kept")
            self._file.execute("INSERT INTO kept VALUES (?, ?, ?)", (f"{commit.lineage:016x}", *_columns(commit.keep)))
            self._drop(commit.keep)

    def retain(self, keep: Keep) -> None:
        with self._transaction():
            self._file.execute("UPDATE kept SET first = ?, pins = ?", _columns(keep))
            self._drop(keep)

    def changed(self, after: int, upto: int) -> list[int]:
        # A page has been written since then if its newest version is of then.
        written = "SELECT DISTINCT page FROM pages WHERE txid > ? AND txid <= ? ORDER BY page"
        return [page for (page,) in self._file.execute(written, (after, upto))]

    def _note_replaced(self, commit: Commit) -> None:
        note = "INSERT OR IGNORE INTO replaced SELECT ?1, page, max(txid) FROM pages WHERE page = ?2 HAVING count(*)"
        txid, count = commit.record.txid, commit.record.page_count
        self._file.executemany(note, ((txid, page) for page in commit.pages))
        last = self._file.execute("SELECT page_count FROM commits ORDER BY txid DESC LIMIT 1").fetchone()
        if last is not None and last[0] > count:
            gone = "INSERT OR IGNORE INTO replaced SELECT ?, page, max(txid) FROM pages WHERE page > ? GROUP BY page"
            self._file.execute(gone, (txid, count))

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        try:
            self._file.execute("BEGIN IMMEDIATE")
            yield
            self._file.execute("COMMIT")
        except BaseException as error:
            if self._file.in_transaction:
                self._file.execute("ROLLBACK")
            if getattr(error, "sqlite_errorname", "") == "SQLITE_FULL":
                raise StoreFull(str(error)) from error
            raise

    def _drop(self, keep: Keep) -> None:
        """Versions that no state shows any more that has to stay: each is shown from its TXID until it was replaced."""
        pins = ", ".join(f"({pin})" for pin in keep.pins) or "(0)"
        unneeded = f"""WITH pins (pin) AS (VALUES {pins}) SELECT until, page, txid FROM replaced
            WHERE until <= ? AND NOT EXISTS (SELECT 1 FROM pins WHERE pin >= txid AND pin < until)"""
        for until, page, txid in self._file.execute(unneeded, (keep.first,)).fetchall():
            self._file.execute("DELETE FROM pages WHERE page = ? AND txid = ?", (page, txid))
            self._file.execute("DELETE FROM replaced WHERE until = ? AND page = ?", (until, page))
        # The commit after one that is kept says until when that one lasted.
        kept = ", ".join(str(txid) for state in keep.pins for txid in (state, state + 1)) or "0"
        self._file.execute(f"DELETE FROM commits WHERE txid < ? AND txid NOT IN ({kept})", (keep.first,))


def _columns(keep: Keep) -> tuple[int, str]:
    return keep.first, " ".join(str(pin) for pin in keep.pins)
