"""Errors: one class for whose matter it is. Match on `code`, which is stable."""

from __future__ import annotations

from typing import Optional

from .results import Fault


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
    "input": InputError,
    "damage": DamageError,
    "busy": BusyError,
    "store": StoreError,
    "defect": DefectError,
}
