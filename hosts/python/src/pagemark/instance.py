"""An instance of a component: the core module in it, and the functions that its host lends."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Optional

from wasmtime import Config, Engine, Func, FuncType, Linker, Module, ValType, WasmtimeError
from wasmtime import Store as WasmStore

from .canonical import I64, Memory, Type, core_module

#: Of each function of an interface: its parameters, and what comes back.
Signatures = Mapping[str, tuple[list[Type], Optional[Type]]]

_lock = threading.Lock()
_engine: Optional[Engine] = None
_modules: dict[str, Module] = {}


def component_path(file: str = "pagemark.wasm") -> Path:
    """Where a component lies, beside this module."""
    return Path(__file__).with_name(file)


def _load(file: str) -> tuple[Engine, Module]:
    """Compiles a component, once a process."""
    global _engine
    with _lock:
        if _engine is None:
            config = Config()
            try:
                config.cache = True  # Compiling takes a second or two.
            except WasmtimeError:
                pass  # There is no home directory, say.
            _engine = Engine(config)
        if file not in _modules:
            _modules[file] = Module(_engine, core_module(component_path(file).read_bytes()))
        return _engine, _modules[file]


class Instance:
    """
    `package` is how the names of its interfaces begin, such as `pagemark:core/`, and `version` how they end; `signatures` and
    `functions` say by interface and name what the host lends.
    """

    def __init__(
        self,
        file: str,
        package: str,
        version: str,
        signatures: Mapping[str, Signatures],
        functions: Mapping[str, Mapping[str, Callable[..., Any]]],
    ) -> None:
        engine, module = _load(file)
        self._package = package
        self._version = version
        self._wasm = WasmStore(engine)
        linker = self._link(engine, module, signatures, functions)
        self._exports = linker.instantiate(self._wasm, module).exports(self._wasm)
        data, allocate, wasm = self._exports["memory"], self._exports["cabi_realloc"], self._wasm
        self._memory = Memory(
            lambda: data.data_ptr(wasm), lambda: data.data_len(wasm), lambda size, align: allocate(wasm, 0, 0, align, size)
        )

    def call(self, interface: str, name: str, params: list[Type], returned: Optional[Type], *args: Any) -> Any:
        """Calls a function of an interface that the component exports."""
        memory, wasm = self._memory, self._wasm
        flat = [each for of, value in zip(params, args) for each in of.lower(memory, value)]
        answer = self._find(interface, name, "")(wasm, *flat)
        if returned is None:
            return None
        if len(returned.flat) == 1:
            return returned.lift(memory, iter([answer]))
        told = returned.load(memory, answer)
        self._find(interface, name, "cabi_post_")(wasm, answer)
        return told

    def drop(self, interface: str, resource: str, handle: int) -> None:
        """Drops a resource that the component gave."""
        self._find(interface, f"[dtor]{resource}", "")(self._wasm, handle)

    def _find(self, interface: str, name: str, prefix: str) -> Any:
        beginning, ending = f"{prefix}{self._package}{interface}{self._version}", f"#{name}"
        for each in self._exports:
            if each.startswith(beginning) and each.endswith(ending):
                return self._exports[each]
        raise ImportError(f"the component has no {interface}{ending}: it is of another version")

    def _link(
        self,
        engine: Engine,
        module: Module,
        signatures: Mapping[str, Signatures],
        functions: Mapping[str, Mapping[str, Callable[..., Any]]],
    ) -> Linker:
        """What the module imports, under the names by which it does."""
        linker = Linker(engine)
        for each in module.imports:
            if each.module.startswith("[export]"):
                # A resource that the component exports is known to this host by the component's own number of it.
                handle = Func(self._wasm, each.type, lambda handle, each=each: handle if each.type.results else None)
                linker.define(self._wasm, each.module, each.name, handle)
                continue
            interface = each.module.removeprefix(self._package).split("@")[0]
            params, returned = signatures.get(interface, {}).get(each.name or "", (None, None))
            if params is None or self._version not in each.module:
                raise ImportError(f"the component imports {each.module} {each.name}: it is of another version")
            run = functions[interface][each.name or ""]
            linker.define(self._wasm, each.module, each.name, self._function(params, returned, run))
        return linker

    def _function(self, params: list[Type], returned: Optional[Type], run: Callable[..., Any]) -> Func:
        """A function of the host, as the module calls it: what does not fit into one integer goes to an address that it gives."""
        flat = [each for of in params for each in of.flat]
        is_pointed = returned is not None and len(returned.flat) > 1
        types = [ValType.i64() if each == I64 else ValType.i32() for each in flat]
        if is_pointed:
            types.append(ValType.i32())
        results = [ValType.i64() if each == I64 else ValType.i32() for each in (returned.flat if returned else [])]

        def called(*flat: int) -> Optional[int]:
            memory = self._memory
            values = iter(flat)
            answer = run(*[of.lift(memory, values) for of in params])
            if returned is None:
                return None
            if is_pointed:
                returned.store(memory, next(values) & 0xFFFFFFFF, answer)
                return None
            return returned.lower(memory, answer)[0]

        return Func(self._wasm, FuncType(types, [] if is_pointed else results), called)
