"""Errors: one class for whose matter it is. Match on `code`, which is stable."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Optional

from .results import Fault


@dataclass(frozen=True)
class EngineFault(Fault):
    """What went wrong in a database of the engine's."""

    #: SQLite's extended result code, such as 2067 for a UNIQUE constraint.
    sqlite: Optional[int] = None
    #: Where in the SQL, in bytes from its start.
    offset: Optional[int] = None
    #: The line of an import where the statement that failed begins, counted from 1.
    line: Optional[int] = None

    @classmethod
    def of(cls, record: dict[str, Any]) -> EngineFault:
        return cls(place="whole", number=None, name=None, **record)


class PagemarkError(Exception):
    """A job came to nothing."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(f"{fault.code}: {fault.message}")
        self.fault = fault

    @property
    def code(self) -> str:
        return self.fault.code

    @property
    def name(self) -> Optional[str]:
        return self.fault.name


class CallerError(PagemarkError):
    """The caller's matter: what was asked for is not there, or cannot be."""


class SqlError(PagemarkError):
    """SQLite refused or failed what was to be run; `fault` is an `EngineFault`."""


class InputError(PagemarkError):
    """It is no database, or is damaged."""


class DamageError(PagemarkError):
    """What is stored is not what was stored."""


class BusyError(PagemarkError):
    """Somebody else's matter at the moment: the same call may do later."""


class StoreError(PagemarkError):
    """The store or the host failed."""


class DefectError(PagemarkError):
    """A defect of the host or of Pagemark."""


class Canceled(PagemarkError):
    """The job was canceled; nothing half-done is left."""


BY_CASE: dict[str, type[PagemarkError]] = {
    "caller": CallerError,
    "sql": SqlError,
    "input": InputError,
    "damage": DamageError,
    "busy": BusyError,
    "store": StoreError,
    "defect": DefectError,
}
