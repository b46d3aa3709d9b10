"""What a host and its users are told when something goes wrong, as JSON."""

import glob
import json
import os
from typing import Any, Callable

from pagemark import Backups, Canceled, Failure, FileDatabase, FolderStore, PagemarkError


class FullStore(FolderStore):
    """Room for a few hundred kilobytes."""

    def create(self, key: str, modified_ms: int) -> Any:
        upload = super().create(key, modified_ms)
        append = upload.append

        def fill(data: bytes) -> None:
            if os.path.getsize(upload._temporary) > 300_000:
                raise Failure("failed", "STORE_FULL", "the disk is full; make room")
            append(data)

        upload.append = fill  # type: ignore[method-assign]
        return upload


def told(run: Callable[[], Any]) -> list[Any]:
    try:
        run()
    except PagemarkError as error:
        return [type(error).__name__, error.code]
    raise AssertionError("nothing was raised")


def objects() -> int:
    return len([path for path in glob.glob("backups/**", recursive=True, include_hidden=True) if os.path.isfile(path)])


database = FileDatabase("proj.db")
backups = Backups("proj", FolderStore("backups"))
found: dict[str, Any] = {}
canceled = told(lambda: backups.create(database, on_progress=lambda phase, done, total: done < total / 2))
found["canceled"] = [*canceled, objects()]
assert canceled[0] == Canceled.__name__
try:
    backups.create(database, on_progress=lambda *_: 1 // 0 > 0)
except ZeroDivisionError as error:
    found["raised"] = [type(error).__name__, objects()]
found["none"] = told(lambda: backups.restore("r.db"))
with open("text.db", "w", encoding="ascii") as file:
    file.write("This is text, and no database at all. " * 100)
try:
    Backups("text", FolderStore("backups")).create(FileDatabase("text.db"))
except PagemarkError as error:
    found["text"] = [type(error).__name__, error.code, error.name]
found["missing"] = told(lambda: backups.create(FileDatabase("gone.db")))
found["full"] = [*told(lambda: Backups("proj", FullStore("backups")).create(database)), objects()]
backups.create(database)
[ltx] = glob.glob("backups/proj/ltx/9/*.ltx")
os.chmod(ltx, 0o600)
with open(ltx, "r+b") as file:
    file.seek(100_000)
    file.write(b"damage")
found["damaged"] = told(lambda: backups.restore("r.db"))
assert not glob.glob("r.db*")
found["problems"] = [each.code for each in backups.verify().problems]
try:
    Backups("a/b", FolderStore("backups")).list()
except PagemarkError as error:
    found["name"] = [type(error).__name__, error.code, error.fault.place, error.fault.number]
print(json.dumps(found))
