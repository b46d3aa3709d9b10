"""The component, compiled once a process, and one instance of it for each job."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Optional

from wasmtime import Config, Engine, Func, FuncType, Linker, Module, ValType, WasmtimeError
from wasmtime import Store as WasmStore

from .canonical import I64, Case, Memory, Type, core_module, result
from .errors import BY_CASE, Canceled, PagemarkError
from .host import Database, Failure, Store, Upload
from .interface import ERROR, IMPORTS, JOBS
from .results import Fault

#: Any 0.1 will do: https://semver.org.
_PACKAGE = "pagemark:core/"
_VERSION = "@0.1."

OnProgress = Callable[[str, int, int], Optional[bool]]

_lock = threading.Lock()
_compiled: Optional[tuple[Engine, Module]] = None


def component_path() -> Path:
    """Where the component lies, beside this module."""
    return Path(__file__).with_name("pagemark.wasm")


def _load() -> tuple[Engine, Module]:
    global _compiled
    with _lock:
        if _compiled is None:
            config = Config()
            try:
                config.cache = True  # Compiling takes a second or two.
            except WasmtimeError:
                pass  # There is no home directory, say.
            engine = Engine(config)
            _compiled = engine, Module(engine, core_module(component_path().read_bytes()))
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
        self._memory: Optional[Memory] = None
        #: What the host raised that is no `Failure`: raised again once the job has ended.
        self._raised: Optional[BaseException] = None

    def call(self, name: str, *args: Any) -> Any:
        """Calls a function of the interface `jobs`.

        Raises PagemarkError, or whatever a store, a database or `on_progress` raised.
        """
        engine, module = _load()
        wasm = WasmStore(engine)
        exports = self._link(engine, module, wasm).instantiate(wasm, module).exports(wasm)
        data, allocate = exports["memory"], exports["cabi_realloc"]
        memory = self._memory = Memory(
            lambda: data.data_ptr(wasm), lambda: data.data_len(wasm), lambda size, align: allocate(wasm, 0, 0, align, size)
        )
        params, ok = JOBS[name]
        ending = f"#{name}"
        run, done = _find(exports, f"{_PACKAGE}jobs{_VERSION}", ending), _find(exports, "cabi_post_", ending)
        flat = [each for of, value in zip(params, args) for each in of.lower(memory, value)]
        try:
            at = run(wasm, *flat)
            told = result(ok, ERROR).load(memory, at)
            done(wasm, at)
        finally:
            for upload in self._uploads.values():
                upload.abort()
            self._uploads.clear()
        if self._raised is not None:
            raise self._raised
        if told.name == "error":
            raise _error_of(told.value)
        return told.value

    def _link(self, engine: Engine, module: Module, wasm: WasmStore) -> Linker:
        """What the module imports, under the names by which it does."""
        linker = Linker(engine)
        run = self._functions()
        for each in module.imports:
            if each.module.startswith("[export]"):
                # Handles of a resource that the component exports, and this host does not use.
                handle = Func(wasm, each.type, lambda handle, each=each: handle if each.type.results else None)
                linker.define(wasm, each.module, each.name, handle)
                continue
            interface = each.module.removeprefix(_PACKAGE).split("@")[0]
            params, returned = IMPORTS.get(interface, {}).get(each.name or "", (None, None))
            if params is None or _VERSION not in each.module:
                raise ImportError(f"the component imports {each.module} {each.name}: it is of another version")
            function = self._function(wasm, params, returned, run[interface][each.name])
            linker.define(wasm, each.module, each.name, function)
        return linker

    def _function(self, wasm: WasmStore, params: list[Type], returned: Optional[Type], run: Callable[..., Any]) -> Func:
        """A function of the host, as the module calls it: what does not fit into one integer goes to an address that it gives."""
        flat = [each for of in params for each in of.flat]
        is_pointed = returned is not None and len(returned.flat) > 1
        types = [ValType.i64() if each == I64 else ValType.i32() for each in flat]
        if is_pointed:
            types.append(ValType.i32())
        results = [ValType.i64() if each == I64 else ValType.i32() for each in (returned.flat if returned else [])]

        def called(*flat: int) -> Optional[int]:
            memory = self._memory
            assert memory is not None
            values = iter(flat)
            answer = run(*[of.lift(memory, values) for of in params])
            if returned is None:
                return None
            if is_pointed:
                returned.store(memory, next(values) & 0xFFFFFFFF, answer)
                return None
            return returned.lower(memory, answer)[0]

        return Func(wasm, FuncType(types, [] if is_pointed else results), called)

    def _functions(self) -> dict[str, dict[Optional[str], Callable[..., Any]]]:
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


def _find(exports: Any, beginning: str, ending: str) -> Any:
    for name in exports:
        if name.startswith(beginning) and name.endswith(ending) and f"{_PACKAGE}jobs{_VERSION}" in name:
            return exports[name]
    raise ImportError(f"the component has no jobs{ending}: it is of another version")
