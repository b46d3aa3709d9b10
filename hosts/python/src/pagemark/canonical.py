"""The component model's canonical ABI, for the types of `pagemark.wit` and `engine.wit`.

wasmtime's own interface for Python converts lists element by element: 32 bytes and some 100 ns for each byte of a database.
So this host runs the core module that the component wraps, and reads and writes its memory as the canonical ABI says
(https://github.com/WebAssembly/component-model/blob/main/design/mvp/CanonicalABI.md). Here a record is a dict, a variant and a
result are a `Case`, an option is `None` or its value, an enum is its name, flags are a set of names.
"""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Callable, Optional, Sequence

#: wasm's two types of integers, of which all parameters here are made.
I32, I64 = "i32", "i64"


@dataclass(frozen=True)
class Case:
    """A case of a variant or of a result, with what belongs to it."""

    name: str
    value: Any = None


class Memory:
    """The memory of an instance."""

    def __init__(self, data: Callable[[], Any], length: Callable[[], int], allocate: Callable[[int, int], int]) -> None:
        self._data = data
        self._length = length
        #: Bytes of that size and alignment, which the instance takes over.
        self.allocate = allocate

    def read(self, at: int, size: int) -> bytes:
        self._check(at, size)
        return ctypes.string_at(self._address() + at, size)

    def write(self, at: int, data: bytes) -> None:
        self._check(at, len(data))
        ctypes.memmove(self._address() + at, data, len(data))

    def _address(self) -> int:
        return ctypes.cast(self._data(), ctypes.c_void_p).value or 0

    def _check(self, at: int, size: int) -> None:
        if at < 0 or at + size > self._length():
            raise IndexError(f"{size} bytes at {at} are outside of the component's memory")


class Type:
    """A type: how it lies in memory, and which integers it is as a parameter."""

    size: int
    align: int
    flat: Sequence[str]

    def load(self, memory: Memory, at: int) -> Any:
        raise NotImplementedError

    def store(self, memory: Memory, at: int, value: Any) -> None:
        raise NotImplementedError

    def lift(self, memory: Memory, flat: Iterator[int]) -> Any:
        """From parameters."""
        raise NotImplementedError

    def lower(self, memory: Memory, value: Any) -> list[int]:
        """To parameters."""
        raise NotImplementedError


class Integer(Type):
    """`form` is that of `struct`."""

    def __init__(self, form: str) -> None:
        self._form = f"<{form}"
        self.size = self.align = struct.calcsize(self._form)
        self._mask = (1 << 8 * self.size) - 1
        self.flat = [I64 if self.size == 8 else I32]

    def load(self, memory: Memory, at: int) -> Any:
        return struct.unpack(self._form, memory.read(at, self.size))[0]

    def store(self, memory: Memory, at: int, value: Any) -> None:
        memory.write(at, struct.pack(self._form, value))

    def lift(self, memory: Memory, flat: Iterator[int]) -> Any:
        # Parameters come as signed integers, whatever they are.
        return struct.unpack(self._form, (next(flat) & self._mask).to_bytes(self.size, "little"))[0]

    def lower(self, memory: Memory, value: Any) -> list[int]:
        return [int(value)]


class Real(Type):
    """`f64`, in memory only: nothing here takes one as a parameter."""

    size = align = 8
    flat: Sequence[str] = ()

    def load(self, memory: Memory, at: int) -> Any:
        return struct.unpack("<d", memory.read(at, 8))[0]

    def store(self, memory: Memory, at: int, value: Any) -> None:
        memory.write(at, struct.pack("<d", value))


class Bool(Integer):
    def __init__(self) -> None:
        super().__init__("?")


class Enum(Integer):
    def __init__(self, *names: str) -> None:
        super().__init__("B")
        self._names = names

    def load(self, memory: Memory, at: int) -> Any:
        return self._names[super().load(memory, at)]

    def store(self, memory: Memory, at: int, value: Any) -> None:
        super().store(memory, at, self._names.index(value))

    def lift(self, memory: Memory, flat: Iterator[int]) -> Any:
        return self._names[next(flat)]

    def lower(self, memory: Memory, value: Any) -> list[int]:
        return [self._names.index(value)]


class Flags(Integer):
    def __init__(self, *names: str) -> None:
        super().__init__("B")
        self._names = names

    def lower(self, memory: Memory, value: Any) -> list[int]:
        return [sum(1 << bit for bit, name in enumerate(self._names) if name in value)]


class Pointed(Type):
    """An address and a length."""

    size, align, flat = 8, 4, [I32, I32]

    def get(self, memory: Memory, at: int, length: int) -> Any:
        raise NotImplementedError

    def put(self, memory: Memory, value: Any) -> tuple[int, int]:
        raise NotImplementedError

    def load(self, memory: Memory, at: int) -> Any:
        return self.get(memory, *struct.unpack("<II", memory.read(at, 8)))

    def store(self, memory: Memory, at: int, value: Any) -> None:
        memory.write(at, struct.pack("<II", *self.put(memory, value)))

    def lift(self, memory: Memory, flat: Iterator[int]) -> Any:
        at, length = next(flat) & 0xFFFFFFFF, next(flat) & 0xFFFFFFFF
        return self.get(memory, at, length)

    def lower(self, memory: Memory, value: Any) -> list[int]:
        return list(self.put(memory, value))


class Bytes(Pointed):
    """`list<u8>`."""

    def get(self, memory: Memory, at: int, length: int) -> Any:
        return memory.read(at, length)

    def put(self, memory: Memory, value: Any) -> tuple[int, int]:
        data = bytes(value)
        at = memory.allocate(len(data), 1)
        memory.write(at, data)
        return at, len(data)


class String(Bytes):
    def get(self, memory: Memory, at: int, length: int) -> Any:
        return memory.read(at, length).decode()

    def put(self, memory: Memory, value: Any) -> tuple[int, int]:
        return super().put(memory, value.encode())


class List(Pointed):
    def __init__(self, of: Type) -> None:
        self._of = of

    def get(self, memory: Memory, at: int, length: int) -> Any:
        return [self._of.load(memory, at + index * self._of.size) for index in range(length)]

    def put(self, memory: Memory, value: Any) -> tuple[int, int]:
        at = memory.allocate(len(value) * self._of.size, self._of.align)
        for index, each in enumerate(value):
            self._of.store(memory, at + index * self._of.size, each)
        return at, len(value)


class Record(Type):
    def __init__(self, **fields: Type) -> None:
        self._fields: list[tuple[str, Type, int]] = []
        at = 0
        for name, of in fields.items():
            at = _aligned(at, of.align)
            self._fields.append((name, of, at))
            at += of.size
        self.align = max(of.align for of in fields.values())
        self.size = _aligned(at, self.align)
        self.flat = [each for of in fields.values() for each in of.flat]

    def load(self, memory: Memory, at: int) -> Any:
        return {name: of.load(memory, at + offset) for name, of, offset in self._fields}

    def store(self, memory: Memory, at: int, value: Any) -> None:
        for name, of, offset in self._fields:
            of.store(memory, at + offset, value[name])

    def lift(self, memory: Memory, flat: Iterator[int]) -> Any:
        return {name: of.lift(memory, flat) for name, of, _ in self._fields}

    def lower(self, memory: Memory, value: Any) -> list[int]:
        return [each for name, of, _ in self._fields for each in of.lower(memory, value[name])]


class Variant(Type):
    def __init__(self, **cases: Optional[Type]) -> None:
        self._cases = list(cases.items())
        types = [of for of in cases.values() if of is not None]
        self.align = max((of.align for of in types), default=1)
        self._at = _aligned(1, self.align)
        self.size = _aligned(self._at + max((of.size for of in types), default=0), self.align)
        # All that is passed as parameters here has one case at most that holds something.
        self.flat = [I32, *(types[0].flat if types else [])]

    def load(self, memory: Memory, at: int) -> Any:
        name, of = self._cases[memory.read(at, 1)[0]]
        return Case(name, of.load(memory, at + self._at) if of else None)

    def store(self, memory: Memory, at: int, value: Any) -> None:
        number = [name for name, _ in self._cases].index(value.name)
        of = self._cases[number][1]
        memory.write(at, bytes([number]))
        if of is not None:
            of.store(memory, at + self._at, value.value)


class Option(Variant):
    def __init__(self, of: Type) -> None:
        super().__init__(none=None, some=of)
        self._of = of

    def load(self, memory: Memory, at: int) -> Any:
        return super().load(memory, at).value

    def store(self, memory: Memory, at: int, value: Any) -> None:
        super().store(memory, at, Case("none") if value is None else Case("some", value))

    def lift(self, memory: Memory, flat: Iterator[int]) -> Any:
        is_some, value = next(flat), [next(flat) for _ in self._of.flat]
        return self._of.lift(memory, iter(value)) if is_some else None

    def lower(self, memory: Memory, value: Any) -> list[int]:
        return [0] * len(self.flat) if value is None else [1, *self._of.lower(memory, value)]


def result(ok: Optional[Type], error: Type) -> Variant:
    """`result<ok, error>`, whose cases are `ok` and `error`."""
    return Variant(ok=ok, error=error)


def core_module(component: bytes) -> bytes:
    """The module that a component wraps: the largest of those in it, beside which there are only adapters."""
    if component[:8] != b"\0asm\x0d\0\x01\0":
        raise ImportError("this is no component")
    found, at = b"", 8
    while at < len(component):
        kind = component[at]
        size, at = _leb128(component, at + 1)
        # Section 1 holds a module.
        if kind == 1 and size > len(found):
            found = component[at : at + size]
        at += size
    return found


def _leb128(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at


def _aligned(at: int, align: int) -> int:
    return -(-at // align) * align
