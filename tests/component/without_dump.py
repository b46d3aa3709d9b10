"""Runs the build without the dump, at the path given: it backs up and restores, and says that it makes no dumps."""

import sqlite3
import sys
from pathlib import Path

from pagemark import Backups, FileDatabase, FolderStore, PagemarkError, instance

instance.component_path = lambda file: Path(sys.argv[1])
database = sqlite3.connect("app.db")
database.executescript("CREATE TABLE t (a); INSERT INTO t VALUES (1);")
database.close()
backups = Backups("app", FolderStore("backups"))
backups.create(FileDatabase("app.db"))
backups.restore("restored.db")
assert Path("restored.db").read_bytes() == Path("app.db").read_bytes()
for database in (None, FileDatabase("app.db")):
    try:
        backups.dump(print, database)
    except PagemarkError as error:
        print(error.code)
