"""SQLite with bookmarks, and with going back in time: the component `engine.wasm`."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Optional, Union

from .canonical import Case, result
from .engine_interface import ERROR, IMPORTS, SQLITE, SURE
from .errors import BY_CASE, CallerError, EngineFault
from .instance import Instance
from .page_store import Commit, CommitRecord, Keep, PageStore, StoreDamaged, StoreFull
from .results import Fault

Value = Union[None, int, float, str, bytes]

_PACKAGE = "pagemark:engine/"
_VERSION = "@0.1."
#: Of a file that is read or loaded, in bytes and in pages.
_PIECE, _PAGES = 1 << 20, 64
_LEASE_MS = 60_000
_DAY = 24 * 60 * 60


@dataclass(frozen=True)
class Rows:
    """What a statement gave. Text that is not UTF-8 comes as bytes."""

    columns: list[str]
    rows: list[tuple[Value, ...]]

    def __iter__(self) -> Iterator[tuple[Value, ...]]:
        return iter(self.rows)


@dataclass(frozen=True)
class Outcome:
    """What a statement, or an import, did."""

    #: Rows that it inserted, updated or deleted.
    changes: int
    last_insert_rowid: int


@dataclass(frozen=True)
class State(CommitRecord):
    """A committed state, with its name."""

    bookmark: str


@dataclass(frozen=True)
class Report:
    """What a check found; all empty when all is well."""

    integrity: list[str]
    foreign_keys: list[str]
    #: Why SQLite could not look at all of it.
    refused: list[str]


class Database:
    """An open database, in a store of pages or, without one, in memory. Not for several threads at once.

    Raises PagemarkError: `SqlError` for what SQLite refuses, `CallerError` for a state that is not kept, and so on; and
    whatever the store raised.
    """

    def __init__(
        self,
        store: Optional[PageStore] = None,
        *,
        page_size: Optional[int] = None,
        cache_kib: Optional[int] = None,
        foreign_keys: bool = False,
        history_commits: int = 0,
        history_seconds: float = 0,
    ) -> None:
        """States are kept `history_commits` commits back and `history_seconds` back; those that are held longer."""
        self._store = store
        #: What the store raised in the call that is under way.
        self._raised: Optional[BaseException] = None
        self._instance = Instance("engine.wasm", _PACKAGE, _VERSION, IMPORTS, self._functions())
        options = {
            "page_size": page_size,
            "cache_kib": cache_kib,
            "foreign_keys": foreign_keys,
            "history_commits": history_commits,
            "history_ms": round(history_seconds * 1000),
        }
        self._handle = self._call("[static]database.open", None if store is None else 1, options)

    def execute(self, sql: str) -> None:
        """Runs any number of statements, whose rows nobody looks at."""
        self._call("[method]database.execute", self._open, sql)

    def query(self, sql: str, *parameters: Value) -> Rows:
        """Runs one statement and gives all of its rows."""
        told = self._call("[method]database.query", self._open, sql, _cases(parameters))
        return Rows(told["columns"], [tuple(value.value for value in row) for row in told["rows"]])

    def run(self, sql: str, *parameters: Value) -> Outcome:
        """Runs one statement, whose rows nobody looks at."""
        return self.run_many(sql, [parameters])

    def run_many(self, sql: str, rows: Iterable[Sequence[Value]]) -> Outcome:
        """Runs one statement for each row of parameters; `transaction` around that makes it one commit."""
        changes = rowid = 0
        statement = self._call("[method]database.prepare", self._open, sql)
        try:
            for parameters in rows:
                told = self._call("[method]statement.run", statement, _cases(parameters))
                changes, rowid = changes + told["changes"], told["last_insert_rowid"]
        finally:
            self._drop("statement", statement)
        return Outcome(changes, rowid)

    @property
    def in_transaction(self) -> bool:
        return self._sure("[method]database.in-transaction", self._open)

    def bookmark(self, at: str = "latest") -> str:
        """Names a state: `at` is a bookmark, a TXID, a time (RFC 3339), an age such as `-1m`, or `latest`."""
        if at == "latest":
            return self._call("[method]database.bookmark", self._open)
        return self._call("[method]database.bookmark-at", self._open, at)

    def states(self) -> list[State]:
        """The states that can be read, the oldest first."""
        return [State(**state) for state in self._sure("[method]database.states", self._open)]

    def restore(self, at: str, undo_seconds: float = _DAY) -> str:
        """Goes back to a state, in a new commit. Gives the bookmark that undoes it, which is kept for so long."""
        return self._call("[method]database.restore", self._open, at, round(undo_seconds * 1000))

    def file(self, at: str = "latest") -> Iterator[bytes]:
        """A state as a database file, piece by piece; others may write meanwhile."""
        moment = self._call("[method]database.hold", self._open, at, _LEASE_MS)
        try:
            pages = self._sure("[method]moment.held", moment)["page_count"]
            for first in range(1, pages + 1, _PAGES):
                self._call("[method]moment.renew", moment, _LEASE_MS)
                yield self._call("[method]moment.read", moment, first, min(_PAGES, pages + 1 - first))
        finally:
            self._drop("moment", moment)

    def load(self, pieces: Iterable[bytes]) -> None:
        """Makes the content that of a database file, as one commit."""
        self._feed("loading", self._sure("[method]database.load", self._open), pieces)

    def import_sql(self, pieces: Iterable[bytes]) -> Outcome:
        """Runs SQL, a dump for one, as one commit: all of it or nothing takes effect."""
        return Outcome(**self._feed("script", self._sure("[method]database.import", self._open), pieces))

    def check(self, table: Optional[str] = None) -> Report:
        """Whether it, or one table of it, is whole, and its foreign keys refer to rows."""
        return Report(**self._call("[method]database.check", self._open, table))

    def close(self) -> None:
        """What is not committed is rolled back."""
        if self._handle:
            self._drop("database", self._handle)
            self._handle = 0

    def __enter__(self) -> Database:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _feed(self, resource: str, handle: int, pieces: Iterable[bytes]) -> Any:
        try:
            for piece in pieces:
                for at in range(0, len(piece), _PIECE):
                    self._call(f"[method]{resource}.feed", handle, piece[at : at + _PIECE])
            return self._call(f"[method]{resource}.finish", handle)
        finally:
            self._drop(resource, handle)

    @property
    def _open(self) -> int:
        """The component's number of the database."""
        if self._handle == 0:
            raise CallerError(Fault("ENGINE_CLOSED", "the database is closed; open it again", "whole", None, None))
        return self._handle

    def _call(self, name: str, *args: Any) -> Any:
        params, ok = SQLITE[name]
        self._raised = None
        told = self._instance.call("sqlite", name, params, result(ok, ERROR), *args)
        if told.name == "ok":
            return told.value
        if self._raised is not None:
            raise self._raised
        raise BY_CASE[told.value.name](EngineFault.of(told.value.value))

    def _sure(self, name: str, *args: Any) -> Any:
        params, returned = SURE[name]
        return self._instance.call("sqlite", name, params, returned, *args)

    def _drop(self, resource: str, handle: int) -> None:
        self._instance.drop("sqlite", resource, handle)

    def _functions(self) -> dict[str, dict[str, Callable[..., Any]]]:
        store = self._store
        guarded = self._guarded
        return {
            "store": {
                "[method]page-store.open": guarded(lambda: _plain(store.open())),
                "[method]page-store.read": guarded(lambda page, txid: bytes(store.read(page, txid))),
                "[method]page-store.commit": guarded(lambda commit: store.commit(_commit(commit))),
                "[method]page-store.retain": guarded(lambda keep: store.retain(Keep(**keep))),
                "[method]page-store.changed": guarded(lambda after, upto: store.changed(after, upto)),
                "[resource-drop]page-store": lambda _: None,
            },
            "clock": {"now-ms": lambda: time.time_ns() // 10**6, "utc-offset": _utc_offset},
            "random": {"bytes": secrets.token_bytes},
        }

    def _guarded(self, run: Callable[..., Any]) -> Callable[..., Case]:
        """As the component calls it, with the number of the store first: what it raises is told to the component."""

        def guarded(_: int, *args: Any) -> Case:
            try:
                return Case("ok", run(*args))
            except StoreFull as error:
                return Case("error", Case("full", str(error)))
            except StoreDamaged as error:
                return Case("error", Case("damaged", str(error)))
            except BaseException as error:  # noqa: BLE001
                self._raised = error
                return Case("error", Case("failed", str(error)))

        return guarded


def _cases(values: Sequence[Value]) -> list[Case]:
    return [_case(value) for value in values]


def _case(value: Value) -> Case:
    if value is None:
        return Case("null")
    if isinstance(value, int):
        if not -(2**63) <= value < 2**63:
            raise OverflowError("SQLite's integers have 64 bits; bind a larger one as text")
        return Case("integer", int(value))
    if isinstance(value, float):
        return Case("real", value)
    if isinstance(value, str):
        return Case("text", value)
    if isinstance(value, (bytes, bytearray, memoryview)):
        return Case("blob", bytes(value))
    raise TypeError(f"SQLite has no values such as {type(value).__name__}; use None, int, float, str or bytes")


def _plain(state: Any) -> Any:
    return None if state is None else asdict(state)


def _commit(commit: dict[str, Any]) -> Commit:
    pages = {page["number"]: page["bytes"] for page in commit["pages"]}
    return Commit(CommitRecord(**commit["record"]), commit["lineage"], pages, Keep(**commit["keep"]))


def _utc_offset(seconds: int) -> int:
    try:
        return time.localtime(seconds).tm_gmtoff
    except (OverflowError, OSError, ValueError):
        return 0
