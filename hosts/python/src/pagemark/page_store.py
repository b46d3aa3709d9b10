"""Where the engine's databases keep their pages: the interface `store` of engine.wit, and a store in a file."""

from __future__ import annotations

import sqlite3
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

    def holds(self, txid: int) -> bool:
        return txid >= self.first or txid in self.pins


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
        commits = [CommitRecord(*row[:4], int(row[4], 16)) for row in rows]
        return StoreState(int(kept[0], 16), commits, Keep(kept[1], [int(pin) for pin in kept[2].split()]))

    def read(self, page: int, txid: int) -> bytes:
        newest = "SELECT bytes FROM pages WHERE page = ? AND txid <= ? ORDER BY txid DESC LIMIT 1"
        found = self._file.execute(newest, (page, txid)).fetchone()
        if found is None:
            raise StoreDamaged(f"there is no page {page} of state {txid}")
        return found[0]

    def commit(self, commit: Commit) -> None:
        record = commit.record
        try:
            self._file.execute("BEGIN IMMEDIATE")
            versions = ((page, record.txid, data) for page, data in commit.pages.items())
            self._file.executemany("INSERT OR REPLACE INTO pages VALUES (?, ?, ?)", versions)
            row = (record.txid, record.time_ms, record.page_size, record.page_count, f"{record.checksum:016x}")
            self._file.execute("INSERT OR REPLACE INTO commits VALUES (?, ?, ?, ?, ?)", row)
            self._keep(commit.keep, commit.lineage)
            self._file.execute("COMMIT")
        except sqlite3.Error as error:
            if self._file.in_transaction:
                self._file.execute("ROLLBACK")
            if getattr(error, "sqlite_errorname", "") == "SQLITE_FULL":
                raise StoreFull(str(error)) from error
            raise

    def retain(self, keep: Keep) -> None:
        self._file.execute("UPDATE kept SET first = ?, pins = ?", (keep.first, _pins(keep)))
        self._drop(keep)

    def changed(self, after: int, upto: int) -> list[int]:
        newest = "SELECT page FROM pages WHERE txid <= ? GROUP BY page HAVING max(txid) > ? ORDER BY page"
        return [page for (page,) in self._file.execute(newest, (upto, after))]

    def _keep(self, keep: Keep, lineage: int) -> None:
        self._file.execute("DELETE FROM kept")
        self._file.execute("INSERT INTO kept VALUES (?, ?, ?)", (f"{lineage:016x}", keep.first, _pins(keep)))
        self._drop(keep)

    def _drop(self, keep: Keep) -> None:
        """What no state shows that has to stay: a version ends where the page's next one begins."""
        states = [*keep.pins, keep.first]
        for begin, end in zip([0, *states], states):
            # States after `begin` and before `end` are not kept: of versions up to `end` the newest is enough.
            replaced = """DELETE FROM pages WHERE txid > ?1 AND txid < ?2 AND EXISTS
                (SELECT 1 FROM pages newer WHERE newer.page = pages.page AND newer.txid > pages.txid AND newer.txid <= ?2)"""
            self._file.execute(replaced, (begin, end))
        # The commit after one that is kept says until when that one lasted.
        kept = ", ".join(str(txid) for state in keep.pins for txid in (state, state + 1)) or "0"
        self._file.execute(f"DELETE FROM commits WHERE txid < ? AND txid NOT IN ({kept})", (keep.first,))


def _pins(keep: Keep) -> str:
    return " ".join(str(pin) for pin in keep.pins)
