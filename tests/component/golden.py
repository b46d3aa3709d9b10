"""Runs the component that was built for version 0.1.0, unpacked at the path given, in the host of today."""

import sys
from pathlib import Path

from pagemark import Backups, FileDatabase, FolderStore, instance

instance.component_path = lambda file: Path(sys.argv[1])
backups = Backups("proj", FolderStore("backups"))
made = backups.create(FileDatabase(sys.argv[2]))
backups.restore("restored.db")
assert Path("restored.db").read_bytes() == Path(sys.argv[2]).read_bytes()
assert backups.verify().problems == []
sql: list[bytes] = []
backups.dump(sql.append, tables=["metadata"])
assert b"CREATE TABLE" in b"".join(sql)
backups.remove([made.backup.id])
print(len(backups.list()))
