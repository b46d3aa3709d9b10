"""The jobs of the component, an instance of it for each."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from typing import Any, Optional

from .canonical import Case, result
from .errors import BY_CASE, Canceled, PagemarkError
from .host import Database, Failure, Store, Upload
from .instance import Instance
from .interface import ERROR, IMPORTS, JOBS
from .results import Fault

#: Any 0.1 will do: https://semver.org.
_PACKAGE = "pagemark:core/"
_VERSION = "@0.1."

OnProgress = Callable[[str, int, int], Optional[bool]]


class Job:
    """What one call of the component works with."""

    def __init__(
        self,
        store: Store,
        database: Optional[Database] = None,
        write: Optional[Callable[[bytes], Any]] = None,
        on_progress: Optional[OnProgress] = None,
    ) -> None:
        self._store = store
        self._database = database
        self._write = write
        self._on_progress = on_progress
        self._uploads: dict[int, Upload] = {}
        #: What the host raised that is no `Failure`: raised again once the job has ended.
        self._raised: Optional[BaseException] = None

    def call(self, name: str, *args: Any) -> Any:
        """Calls a function of the interface `jobs`.

        Raises PagemarkError, or whatever a store, a database or `on_progress` raised.
        """
        instance = Instance("pagemark.wasm", _PACKAGE, _VERSION, IMPORTS, self._functions())
        params, ok = JOBS[name]
        try:
            told = instance.call("jobs", name, params, result(ok, ERROR), *args)
        finally:
            for upload in self._uploads.values():
                upload.abort()
            self._uploads.clear()
        if self._raised is not None:
            raise self._raised
        if told.name == "error":
            raise _error_of(told.value)
        return told.value

    def _functions(self) -> dict[str, dict[str, Callable[..., Any]]]:
        guarded = self._guarded
        return {
            "store": {
                "layout-of": lambda: self._store.layout,
                "list-page": guarded(self._list),
                "get": guarded(lambda key, offset, length: self._store.get(key, offset, length)),
                "delete": guarded(lambda key: self._store.delete(key)),
                "create": guarded(self._create),
                "[method]upload.append": guarded(lambda number, data: self._uploads[number].append(data)),
                "[method]upload.finish": guarded(lambda number: self._uploads[number].finish()),
                "[resource-drop]upload": self._drop,
            },
            "database": {
                "pin": guarded(self._pin),
                "read": guarded(lambda part, offset, length: self._lent().read(part, offset, length)),
                "release": guarded(lambda: self._lent().release()),
            },
            "output": {"write": guarded(self._take)},
            "clock": {"now-ms": lambda: time.time_ns() // 10**6, "wait": lambda ms: time.sleep(ms / 1000)},
            "random": {"bytes": secrets.token_bytes},
            "progress": {"report": self._report},
        }

    def _guarded(self, run: Callable[..., Any]) -> Callable[..., Case]:
        """As the component calls it: what it raises is told to the component, which cleans up."""

        def guarded(*args: Any) -> Case:
            try:
                return Case("ok", run(*args))
            except Failure as failure:
                reason = {"code": failure.code, "message": failure.message} if failure.kind == "failed" else None
                return Case("error", Case(failure.kind, reason))
            except OSError as error:
                message = f"{error.filename or 'the host'}: {error.strerror or error}"
                return Case("error", Case("failed", {"code": "STORE_FAILED", "message": message}))
            except BaseException as error:  # noqa: BLE001
                self._raised = self._raised or error
                return Case("error", Case("canceled"))

        return guarded

    def _list(self, prefix: str, cursor: Optional[str]) -> dict[str, Any]:
        found, cursor = self._store.list(prefix, cursor)
        objects = [{"key": each.key, "size": each.size, "modified_ms": each.modified_ms} for each in found]
        return {"objects": objects, "cursor": cursor}

    def _create(self, key: str, modified_ms: int) -> int:
        number = max(self._uploads, default=0) + 1
        self._uploads[number] = self._store.create(key, modified_ms)
        return number

    def _drop(self, number: int) -> None:
        upload = self._uploads.pop(number, None)
        if upload is not None:
            upload.abort()

    def _pin(self) -> dict[str, Any]:
        files = self._lent().pin()
        return {name: getattr(files, name) for name in ("main_size", "wal_size", "place", "file", "born_ms")}

    def _lent(self) -> Database:
        if self._database is None:
            raise Failure("failed", "HOST_ANSWER", "no database was lent for this job")
        return self._database

    def _take(self, data: bytes) -> None:
        if self._write is None:
            raise Failure("failed", "HOST_ANSWER", "nothing takes what this job writes")
        try:
            self._write(data)
        except OSError as error:
            # Not the store's failure: the caller's own, who gets it back.
            self._raised = error
            raise Failure("canceled") from error

    def _report(self, phase: str, done: int, total: int) -> bool:
        if self._on_progress is None:
            return True
        try:
            return self._on_progress(phase, done, total) is not False
        except BaseException as error:  # noqa: BLE001
            self._raised = self._raised or error
            return False


def fault_of(record: Any) -> Fault:
    place = record["at"]
    return Fault(record["code"], record["message"], place.name, place.value, record["name"])


def _error_of(case: Case) -> PagemarkError:
    if case.name == "canceled":
        return Canceled(Fault("CANCELED", "it was canceled; nothing half-done is left", "whole", None, None))
    return BY_CASE[case.name](fault_of(case.value))
