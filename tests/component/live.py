"""Backs a database up ten times while a writer commits without pause; every backup is one committed state."""

import sqlite3
import threading

from pagemark import Backups, FileDatabase, FolderStore, PagemarkError

STOP = threading.Event()


def write() -> None:
    writer = sqlite3.connect("live.db", isolation_level=None)
    number = 0
    while not STOP.is_set():
        number += 1
        # Both tables say the same in every committed state.
        writer.execute("BEGIN")
        writer.execute("UPDATE a SET n = ?", (number,))
        writer.execute("UPDATE b SET n = ?", (number,))
        writer.execute("INSERT INTO log VALUES (?, zeroblob(500))", (number,))
        writer.execute("COMMIT")
        if number % 50 == 0:
            writer.execute("PRAGMA wal_checkpoint(RESTART)")
    writer.close()


setup = sqlite3.connect("live.db", isolation_level=None)
setup.executescript(
    "PRAGMA journal_mode = wal; CREATE TABLE a (n); CREATE TABLE b (n); INSERT INTO a VALUES (0); INSERT INTO b VALUES (0);"
    "CREATE TABLE log (n, filler);"
)
thread = threading.Thread(target=write)
thread.start()
backups = Backups("live", FolderStore("backups"))
try:
    for _ in range(10):
        backups.create(FileDatabase("live.db"))
finally:
    STOP.set()
    thread.join()
setup.close()

whole = 0
for backup in backups.list():
    path = f"{backup.txid}.db"
    backups.restore(path, backup.id)
    restored = sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True)
    (count, last), (a,), (b,) = (
        restored.execute(sql).fetchone() for sql in ("SELECT count(*), max(n) FROM log", "SELECT n FROM a", "SELECT n FROM b")
    )
    sound = restored.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    whole += sound and a == b == (last or 0) == count
    restored.close()
assert backups.verify().problems == []
print(f"{whole} states, all whole")

other = sqlite3.connect("other.db")
other.executescript("CREATE TABLE quite_another (n); INSERT INTO quite_another VALUES (1);")
other.close()
try:
    backups.create(FileDatabase("other.db"))
except PagemarkError as error:
    print(error.code)
