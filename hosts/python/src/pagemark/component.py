"""The component, compiled once a process, and one instance of it for each job."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Optional

from wasmtime import Config, Engine, Store as WasmStore, WasmtimeError
from wasmtime.component import Component, Linker, Record, ResourceHost, ResourceType, Variant

from . import fast_bytes
from .errors import BY_CASE, Canceled, PagemarkError
from .host import Database, Failure, Store, Upload
from .results import Fault

PACKAGE = "pagemark:core"
VERSION = "0.1.0"
_UPLOAD = 1

OnProgress = Callable[[str, int, int], Optional[bool]]

_lock = threading.Lock()
_compiled: Optional[tuple[Engine, Component]] = None


def component_path() -> Path:
    """Where the component lies, beside this module."""
    return Path(__file__).with_name("pagemark.wasm")


def _load() -> tuple[Engine, Component]:
    global _compiled
    with _lock:
        if _compiled is None:
            fast_bytes.install()
            config = Config()
            try:
                config.cache = True  # Compiling takes a second or two.
            except WasmtimeError:
                pass  # There is no home directory, say.
            engine = Engine(config)
            _compiled = engine, Component.from_file(engine, component_path())
        return _compiled


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

    def call(self, interface: str, function: str, *args: Any) -> Any:
        """Calls an export; what comes back of a `result` is its first case, or is raised.

        Raises PagemarkError, or whatever a store, a database or `on_progress` raised.
        """
        engine, component = _load()
        linker = Linker(engine)
        with linker.root() as root:
            for name, functions in self._imports().items():
                with root.add_instance(f"{PACKAGE}/{name}@{VERSION}") as instance:
                    if name == "store":
                        instance.add_resource("upload", ResourceType.host(_UPLOAD), self._drop)
                    for each, run in functions.items():
                        instance.add_func(each, run)
        wasm = WasmStore(engine)
        try:
            instance = linker.instantiate(wasm, component)
            index = instance.get_export_index(wasm, f"{PACKAGE}/{interface}@{VERSION}")
            found = instance.get_func(wasm, instance.get_export_index(wasm, function, index)) if index else None
            if found is None:
                raise ImportError(f"the component has no {interface}.{function}: it is of another version")
            result = found(wasm, *args)
        finally:
            for upload in self._uploads.values():
                upload.abort()
            self._uploads.clear()
        if self._raised is not None:
            raise self._raised
        if isinstance(result, Variant):
            raise _error_of(result)
        return result

    def _imports(self) -> dict[str, dict[str, Callable[..., Any]]]:
        guarded = self._guarded
        return {
            "types": {},
            "store": {
                "layout-of": lambda _: self._store.layout,
                "list-page": guarded(self._list),
                "get": guarded(lambda key, offset, length: bytes(self._store.get(key, offset, length))),
                "delete": guarded(lambda key: self._store.delete(key)),
                "create": guarded(self._create),
                "[method]upload.append": self._on_upload(lambda upload, data: upload.append(data)),
                "[method]upload.finish": self._on_upload(lambda upload: upload.finish()),
            },
            "database": {
                "pin": guarded(self._pin),
                "read": guarded(lambda part, offset, length: bytes(self._lent().read(part, offset, length))),
                "release": guarded(lambda: self._lent().release()),
            },
            "output": {"write": guarded(self._take)},
            "clock": {"now-ms": lambda _: time.time_ns() // 10**6, "wait": lambda _, ms: time.sleep(ms / 1000)},
            "random": {"bytes": lambda _, count: secrets.token_bytes(count)},
            "progress": {"report": self._report},
        }

    def _guarded(self, run: Callable[..., Any]) -> Callable[..., Any]:
        """As the component calls it: what it raises is told to the component, which cleans up."""

        def guarded(wasm: Any, *args: Any) -> Any:
            try:
                return run(*args)
            except Failure as failure:
                reason = _record(code=failure.code, message=failure.message) if failure.kind == "failed" else None
                return Variant(failure.kind, reason)
            except OSError as error:
                message = f"{error.filename or 'the host'}: {error.strerror or error}"
                return Variant("failed", _record(code="STORE_FAILED", message=message))
            except BaseException as error:  # noqa: BLE001
                self._raised = self._raised or error
                return Variant("canceled")

        return guarded

    def _on_upload(self, run: Callable[..., Any]) -> Callable[..., Any]:
        guarded = self._guarded(lambda number, *args: run(self._uploads[number], *args))

        def method(wasm: Any, borrowed: Any, *args: Any) -> Any:
            return guarded(wasm, borrowed.to_host(wasm).rep, *args)

        return method

    def _list(self, prefix: str, cursor: Optional[str]) -> Record:
        found, cursor = self._store.list(prefix, cursor)
        objects = [_record(**{"key": each.key, "size": each.size, "modified-ms": each.modified_ms}) for each in found]
        return _record(objects=objects, cursor=cursor)

    def _create(self, key: str, modified_ms: int) -> ResourceHost:
        number = max(self._uploads, default=0) + 1
        self._uploads[number] = self._store.create(key, modified_ms)
        return ResourceHost.own(number, _UPLOAD)

    def _drop(self, _: Any, number: int) -> None:
        upload = self._uploads.pop(number, None)
        if upload is not None:
            upload.abort()

    def _pin(self) -> Record:
        files = self._lent().pin()
        fields = {"main-size": files.main_size, "wal-size": files.wal_size, "place": files.place, "file": files.file}
        return _record(**fields, **{"born-ms": files.born_ms})

    def _lent(self) -> Database:
        if self._database is None:
            raise Failure("failed", "HOST_ANSWER", "no database was lent for this job")
        return self._database

    def _take(self, data: bytes) -> None:
        if self._write is None:
            raise Failure("failed", "HOST_ANSWER", "nothing takes what this job writes")
        self._write(data)

    def _report(self, _: Any, phase: str, done: int, total: int) -> bool:
        if self._on_progress is None:
            return True
        try:
            return self._on_progress(phase, done, total) is not False
        except BaseException as error:  # noqa: BLE001
            self._raised = self._raised or error
            return False


def fault_of(record: Any) -> Fault:
    place = record.at
    return Fault(record.code, record.message, place.tag, place.payload, record.name)


def _error_of(variant: Variant) -> PagemarkError:
    if variant.tag == "canceled":
        return Canceled(Fault("CANCELED", "it was canceled; nothing half-done is left", "whole", None, None))
    return BY_CASE[variant.tag](fault_of(variant.payload))


def _record(**fields: Any) -> Record:
    record = Record()
    record.__dict__.update(fields)
    return record
