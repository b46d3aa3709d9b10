"""The engine's component as users of the Python package have it: SQL, bookmarks, going back, files in and out, over two kinds of stores."""

import sqlite3
import sys
from pathlib import Path

from pagemark import CallerError, SqlError
from pagemark.engine import Database
from pagemark.page_store import FilePages, StoreFull


def refused(kind, run):
    try:
        run()
    except kind as error:
        return error
    raise AssertionError(f"no {kind.__name__}")


# Values of every kind, errors with SQLite's codes, one statement where one is taken.
with Database(history_commits=100) as database:
    database.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, v UNIQUE); CREATE VIEW twice AS SELECT 2 * id AS d FROM t")
    values = [None, 0, -(2**63), 2**63 - 1, 0.1, float("inf"), "ä🜁\0b", b"", b"\xff\0"]
    assert database.run_many("INSERT INTO t (v) VALUES (?)", [[value] for value in values]).changes == len(values)
    read = database.query("SELECT v FROM t ORDER BY id")
    assert (read.columns, [v for (v,) in read]) == (["v"], values), read
    assert database.query("SELECT CAST(x'ff41' AS TEXT)").rows == [(b"\xffA",)]
    assert database.run("UPDATE t SET v = ?2 WHERE id = ?1", 1, "new").changes == 1
    error = refused(SqlError, lambda: database.run("INSERT INTO t (v) VALUES (?)", "new"))
    assert (error.code, error.fault.sqlite) == ("SQL_ERROR", 2067), error.fault
    assert refused(SqlError, lambda: database.query("SELECT 1; SELECT nonsense(")).code == "SQL_ERROR"
    assert refused(SqlError, lambda: database.query("SELECT 1; SELECT 2")).fault.offset == 9
    assert refused(SqlError, lambda: database.query(" -- nothing")).code == "SQL_ERROR"
    assert refused(CallerError, lambda: database.query("SELECT ?")).code == "ENGINE_PARAMETERS"
    assert len(database.query("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 30000) SELECT i FROM n").rows) == 30000
    refused(TypeError, lambda: database.run("SELECT ?", object()))
    refused(OverflowError, lambda: database.run("SELECT ?", 2**63))
    assert database.query("SELECT length(randomblob(40)), abs(unixepoch() - ?) < 5", __import__("time").time()).rows == [(40, 1)]

    # Going back, and undoing that.
    before = database.bookmark()
    database.execute("BEGIN; DELETE FROM t; DROP VIEW twice; COMMIT")
    assert not database.in_transaction
    undo = database.restore(before)
    assert database.query("SELECT count(*), max(d) FROM t, twice").rows == [(len(values) ** 2, 2 * len(values))]
    database.restore(undo)
    assert database.query("SELECT count(*) FROM t").rows == [(0,)]
    assert [state.txid for state in database.states()] == list(range(1, len(database.states()) + 1))
    assert refused(CallerError, lambda: database.restore("no bookmark")).code == "AT_SYNTAX"

    # A file of a state, which SQLite opens; others write meanwhile.
    pieces = database.file(before)
    first = next(pieces)
    database.execute("CREATE TABLE later (a)")
    Path("before.db").write_bytes(first + b"".join(pieces))
    file = sqlite3.connect("before.db")
    assert file.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert file.execute("SELECT v FROM t ORDER BY id").fetchall() == [("new",), *[(v,) for v in values[1:]]]

    # SQL and files, all of them or nothing.
    error = refused(SqlError, lambda: database.import_sql([b"CREATE TABLE dumped (a);\nINSERT INTO dumped VALUES ", b"(1);\nINSERT INTO nowhere VALUES (1);"]))
    assert (error.code, error.fault.line) == ("IMPORT_STATEMENT", 3), error.fault
    assert database.query("SELECT count(*) FROM sqlite_schema WHERE name = 'dumped'").rows == [(0,)]
    assert database.import_sql([b"CREATE TABLE dumped (a);", b"INSERT INTO dumped VALUES (1);"]).changes == 1
    assert database.check().integrity == [] and database.check("t").refused == []
    proj = Path(sys.argv[1])
    with proj.open("rb") as file:
        database.load(iter(lambda: file.read(300_000), b""))
    loaded = b"".join(database.file())
    # But for the counters of changes and of the schema on the first page.
    assert loaded[:24] + loaded[96:] == proj.read_bytes()[:24] + proj.read_bytes()[96:]
    assert refused(Exception, lambda: database.load([b"no database"])).code == "DATABASE_NOT_SQLITE"
    assert b"".join(database.file()) == loaded

for what in (lambda: database.execute("SELECT 1"), database.states, database.bookmark, lambda: next(database.file())):
    assert refused(CallerError, what).code == "ENGINE_CLOSED"
database.close()

# A store in a file: what was committed is there again, and so is history.
store = FilePages("app.pages")
with Database(store, history_seconds=3600, page_size=1024) as database:
    database.execute("CREATE TABLE t (a)")
    marks = []
    for number in range(20):
        database.run("INSERT INTO t VALUES (?)", "x" * number * 100)
        marks.append(database.bookmark())
    database.execute("BEGIN; DELETE FROM t")
store.close()
store = FilePages("app.pages")
with Database(store, history_seconds=3600) as database:
    assert database.bookmark() == marks[-1]
    for number in (0, 7, 18):
        database.restore(marks[number])
        assert database.query("SELECT count(*), max(length(a)) FROM t").rows == [(number + 1, number * 100)]
store.close()

# One that keeps no history drops what is replaced; one that is full, or raises, leaves the last commit.
store = FilePages("small.pages")
with Database(store) as database:
    database.execute("CREATE TABLE t (a); INSERT INTO t VALUES (zeroblob(100000))")
    for _ in range(10):
        database.execute("UPDATE t SET a = randomblob(100000)")
    assert store._file.execute("SELECT count(*) <= 2 * max(page) FROM pages").fetchone() == (1,)
    for failure in (StoreFull("quota"), ConnectionError("away")):
        def commit(_, failure=failure):
            raise failure

        store.commit = commit
        error = refused(Exception, lambda: database.execute("INSERT INTO t VALUES (1)"))
        assert error is failure if isinstance(failure, ConnectionError) else error.code == "ENGINE_FULL", error
        del store.commit
        assert database.query("SELECT count(*) FROM t").rows == [(1,)]
    database.execute("INSERT INTO t VALUES (2)")
    assert database.query("SELECT count(*) FROM t").rows == [(2,)]

    # What a state that is held shows stays, and goes with it; so do pages that a VACUUM gives up.
    held = database.file()
    first = next(held)
    shown = database.query("SELECT max(length(a)), count(*) FROM t").rows
    database.execute("DELETE FROM t")
    database.execute("VACUUM")
    database.execute("CREATE TABLE other (a)")
    Path("held.db").write_bytes(first + b"".join(held))
    assert sqlite3.connect("held.db").execute("SELECT max(length(a)), count(*) FROM t").fetchall() == shown
    database.execute("INSERT INTO other VALUES (1)")
    now = b"".join(database.file())
    assert store._file.execute("SELECT count(*) FROM pages").fetchone()[0] <= len(now) // 4096 + 3
    assert store._file.execute("SELECT count(*) FROM replaced").fetchone()[0] <= 3
damaged = sqlite3.connect("small.pages")
damaged.execute("UPDATE kept SET lineage = 'no number'")
damaged.commit()
assert refused(Exception, lambda: Database(FilePages("small.pages"))).code == "ENGINE_DAMAGED"
print("all of it")
