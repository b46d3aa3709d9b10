"""Bytes between Python and a component, all at once.

wasmtime 50 converts a `list<u8>` byte by byte, at some microseconds a byte, each of which lies in a C structure. Here the
structures are filled, and read, by slices with a step. Whatever else is a list goes the old way.
"""

from __future__ import annotations

import ctypes
import threading
from typing import Any

from wasmtime import _ffi as ffi
from wasmtime.component import _types

_VALUE = ffi.wasmtime_component_val_t
_STRIDE = ctypes.sizeof(_VALUE)
_AT = _VALUE.of.offset + ffi.wasmtime_component_valunion.u8.offset
_KIND = ctypes.c_uint8.from_buffer_copy(ctypes.c_uint8(ffi.WASMTIME_COMPONENT_U8.value)).value

#: Of each thread.
_kept = threading.local()

_old_to_c = _types.ListType.convert_to_c
_old_from_c = _types.ListType.convert_from_c


def _to_c(self: Any, store: Any, value: Any, into: Any) -> None:
    if not isinstance(value, bytes) or not self._is_bytes():
        return _old_to_c(self, store, value, into)
    raw = ffi.wasmtime_component_vallist_t()
    ffi.wasmtime_component_vallist_new_uninit(raw, len(value))
    if value:
        size = len(value) * _STRIDE
        filled = _filled(len(value))
        filled[_AT:size:_STRIDE] = value
        ctypes.memmove(raw.data, (ctypes.c_char * size).from_buffer(filled), size)
    into.contents.kind = ffi.WASMTIME_COMPONENT_LIST
    into.contents.of.list = raw
    return None


def _filled(count: int) -> bytearray:
    """At least so many structures, all but their bytes as they must be: to make them anew takes nine times as long."""
    filled: bytearray = getattr(_kept, "filled", bytearray())
    if len(filled) < count * _STRIDE:
        filled = _kept.filled = bytearray(bytes([_KIND]) + bytes(_STRIDE - 1)) * count
    return filled


def _from_c(self: Any, value: Any) -> Any:
    if not self._is_bytes():
        return _old_from_c(self, value)
    items = value.of.list
    try:
        return ctypes.string_at(items.data, items.size * _STRIDE)[_AT :: _STRIDE] if items.size else b""
    finally:
        ffi.wasmtime_component_vallist_delete(ctypes.byref(value.of.list))


def install() -> None:
    """Has `ListType` convert bytes this way. Once is enough."""
    if _VALUE.kind.offset != 0 or _VALUE.kind.size != 1:
        return  # Another layout than that of wasmtime 50: slow, and right.
    setattr(_types.ListType, "convert_to_c", _to_c)
    setattr(_types.ListType, "convert_from_c", _from_c)
