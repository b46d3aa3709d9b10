"""The backups of a database."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import Any, Optional, Union

from .component import Job, OnProgress, fault_of
from .host import Database, Failure, Store
from .results import Backup, Made, Restored, StoredDatabase, StoredFile, Verification
from .tag import process_tag

#: Names of dialects, and of `pagemark.wit`.
DIALECTS = {"sqlite": "sqlite", "d1": "d1", "sqlite3-cli-3.40": "shell340", "sqlite3-cli-3.54": "shell354"}


class Backups:
    """The backups of the database that goes by `name` in `store`.

    `at` is a backup's id or the first digits of it, a bookmark, a TXID, a time (RFC 3339), an age such as "-1h", or "latest";
    empty, it is the newest backup that no restore made of what it replaced.

    `on_progress(phase, done, total)` is told how far a job is, and cancels it by returning `False`, or by raising. Every
    method raises PagemarkError.
    """

    def __init__(self, name: str, store: Store) -> None:
        self.name = name
        self.store = store

    def create(
        self,
        database: Database,
        *,
        full: bool = False,
        same_database: bool = False,
        on_progress: Optional[OnProgress] = None,
    ) -> Made:
        """Makes a backup: incremental when it can be. Once this returns it is in the store, and is listed."""
        flags = {name for name, is_set in {"full": full, "same-database": same_database}.items() if is_set}
        made = Job(self.store, database, on_progress=on_progress).call("create", self.name, flags)
        return Made(_backup(made["backup"]), made["full_because"], made["warnings"])

    def list(self) -> list[Backup]:
        """Every backup, newest first; one whose record is damaged is listed as such."""
        return [_backup(each) for each in Job(self.store).call("list-all", self.name)]

    def find(self, at: str = "") -> Backup:
        """The backup that `at` means."""
        return _backup(Job(self.store).call("find", self.name, at))

    def restore(
        self,
        path: Union[str, os.PathLike[str]],
        at: str = "",
        *,
        on_progress: Optional[OnProgress] = None,
    ) -> Restored:
        """Writes the database as it was to a new file. A crash leaves the whole file, or none."""
        target = os.fspath(path)
        for ending in ("", "-wal", "-journal"):
            if os.path.lexists(target + ending):
                raise FileExistsError(f"{target}{ending} is there; give a new path, or move it away")
        folder = os.path.dirname(target) or "."
        if not os.path.isdir(folder):
            raise FileNotFoundError(f"{folder} is no folder; make it, or give another path")
        temporary = f"{target}.{process_tag()}~"
        with open(temporary, "xb") as file:
            try:
                restored = self.restore_to(file.write, at, on_progress=on_progress)
                file.flush()
                os.fsync(file.fileno())
                _give_name(temporary, target)
            except BaseException:
                file.close()
                os.unlink(temporary)
                raise
        return restored

    def restore_to(
        self, write: Callable[[bytes], Any], at: str = "", *, on_progress: Optional[OnProgress] = None
    ) -> Restored:
        """Gives `write` the bytes of the database file, in order: of use only once this has returned."""
        job = Job(self.store, write=write, on_progress=on_progress)
        restored = job.call("restore", self.name, at)
        return Restored(_backup(restored["backup"]) if restored["backup"] else None, restored["note"])

    def verify(self, at: Optional[str] = None, *, on_progress: Optional[OnProgress] = None) -> Verification:
        """Reads every object of every backup, or of the one that `at` means, and puts the newest of them together."""
        found = Job(self.store, on_progress=on_progress).call("verify", self.name, at)
        problems = [fault_of(each) for each in found["problems"]]
        return Verification([_backup(each) for each in found["sound"]], problems, found["bytes"])

    def dump(
        self,
        write: Callable[[bytes], Any],
        database: Optional[Database] = None,
        *,
        at: str = "",
        dialect: str = "sqlite",
        tables: Iterable[str] = (),
        no_data: bool = False,
        no_schema: bool = False,
        salvage: bool = False,
        on_progress: Optional[OnProgress] = None,
    ) -> list[str]:
        """Gives `write` SQL, in order: of `database` as it is now, or without one of the backup that `at` means.

        Returns what the SQL does not carry, a sentence each.
        """
        if dialect not in DIALECTS:
            raise ValueError(f"there is no dialect {dialect!r}; there are {', '.join(DIALECTS)}")
        options = {"dialect": DIALECTS[dialect], "tables": list(tables), "no_data": no_data, "no_schema": no_schema}
        job = Job(self.store, database, write, on_progress)
        return job.call("dump", self.name, None if database else at, {**options, "salvage": salvage})

    def remove(self, ids: Iterable[str]) -> None:
        """Removes backups by their ids, with all that belongs to them. One that another is made of is refused."""
        Job(self.store).call("remove", self.name, list(ids))

    def files(self, at: str = "") -> list[StoredFile]:
        """The LTX files that a restore reads, oldest first."""
        found = Job(self.store).call("ltx", self.name, at)
        return [StoredFile(**each) for each in found]


def databases(store: Store) -> list[StoredDatabase]:
    """The databases that have backups in a store, by name."""
    found = Job(store).call("databases")
    return [StoredDatabase(**{**each, "newest": _backup(each["newest"]) if each["newest"] else None}) for each in found]


class NoStore:
    """The store of a dump of a database as it is now, which needs none."""

    layout = "folder"

    def list(self, prefix: str, cursor: Optional[str]) -> Any:
        raise Failure("failed", "HOST_ANSWER", "there is no store")

    def get(self, key: str, offset: int, length: int) -> bytes:
        raise Failure("failed", "HOST_ANSWER", "there is no store")

    def delete(self, key: str) -> None:
        raise Failure("failed", "HOST_ANSWER", "there is no store")

    def create(self, key: str, modified_ms: int) -> Any:
        raise Failure("failed", "HOST_ANSWER", "there is no store")


def _backup(record: dict[str, Any]) -> Backup:
    damage = record["damage"]
    return Backup(**{**record, "damage": fault_of(damage) if damage else None})


def _give_name(temporary: str, target: str) -> None:
    """Fails where the name was taken meanwhile, which a rename would not."""
    try:
        os.link(temporary, target)
    except FileExistsError:
        raise
    except OSError:
        if os.path.lexists(target):
            raise FileExistsError(f"{target} is there; give a new path, or move it away") from None
        os.rename(temporary, target)
        return
    os.unlink(temporary)
