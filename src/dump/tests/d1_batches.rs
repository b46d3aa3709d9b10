//! SQL for D1 that is cut into transactions.

use rusqlite::Connection;

use super::d1::{contents, d1_dump, d1_options, rows};
use crate::btree::sample::Sample;
use crate::dump::Options;

/// Runs each statement as a transaction, as a restore into D1 may.
fn load(statements: &[String]) -> Connection {
    let db = Connection::open_in_memory().unwrap();
    db.execute_batch("PRAGMA foreign_keys = ON").unwrap();
    for statement in statements {
        db.execute_batch("BEGIN; PRAGMA defer_foreign_keys = TRUE").unwrap();
        db.execute_batch(statement).unwrap_or_else(|error| panic!("{error}: {statement}"));
        db.execute_batch("PRAGMA defer_foreign_keys = FALSE; COMMIT").unwrap();
    }
    db
}

#[test]
fn b24_rows_that_refer_to_each_other_go_in_with_a_transaction_for_each_statement() {
    let cases = [
        // A chain to rows behind, and columns that are named as rowids are.
        ("CREATE TABLE t(\"rowid\" REFERENCES t(oid2), oid2 INTEGER PRIMARY KEY); INSERT INTO t SELECT min(i + 1, 40), i FROM n", true),
        // Where NULL is refused, they refer to themselves first.
        ("CREATE TABLE t(id INTEGER PRIMARY KEY, p INT NOT NULL REFERENCES t); INSERT INTO t SELECT i, 41 - i FROM n", true),
        ("CREATE TABLE t(k TEXT COLLATE NOCASE PRIMARY KEY, p REFERENCES t ON DELETE CASCADE, CHECK (p IS NOT NULL)) WITHOUT ROWID;
          INSERT INTO t SELECT 'k' || i, 'K' || (41 - i) FROM n", true),
        // Two columns, of which one is part of another key.
        ("CREATE TABLE u(id INTEGER PRIMARY KEY); INSERT INTO u SELECT i FROM n;
          CREATE TABLE t(u NOT NULL REFERENCES u, id, p, x, PRIMARY KEY(u, id), FOREIGN KEY(u, p) REFERENCES t(u, id), FOREIGN KEY(p) REFERENCES u);
          INSERT INTO t SELECT 1, i, 41 - i, 9e999 FROM n", true),
        ("CREATE TABLE t(a, p, g AS (coalesce(p, 'none')) STORED, FOREIGN KEY(p) REFERENCES t(a)); CREATE UNIQUE INDEX i ON t(a);
          INSERT INTO t SELECT CAST(X'61ff' || i AS TEXT), CAST(X'61ff' || (41 - i) AS TEXT) FROM n", true),
        // A circle, opened where that can be.
        ("CREATE TABLE a(id INTEGER PRIMARY KEY, b NOT NULL REFERENCES b); CREATE TABLE b(id INTEGER PRIMARY KEY, c REFERENCES c);
          CREATE TABLE c(id INTEGER PRIMARY KEY REFERENCES A); CREATE TABLE d(a REFERENCES a, b REFERENCES b);
          INSERT INTO a SELECT i, 41 - i FROM n; INSERT INTO b SELECT i, 41 - i FROM n; INSERT INTO c SELECT i FROM n; INSERT INTO d SELECT i, i FROM n", true),
        // What cannot wait: NULL is refused, others refer to it, what is computed of it is refused, or nothing finds the row.
        ("CREATE TABLE a(id INTEGER PRIMARY KEY, b NOT NULL REFERENCES b); CREATE TABLE x(a REFERENCES a);
          CREATE TABLE b(id INTEGER PRIMARY KEY, a NOT NULL REFERENCES a); INSERT INTO a SELECT i, 41 - i FROM n; INSERT INTO b SELECT i, i FROM n", false),
        ("CREATE TABLE t(a UNIQUE REFERENCES t(b), b UNIQUE REFERENCES t(a)); INSERT INTO t SELECT i, 41 - i FROM n", false),
        ("CREATE TABLE t(id INTEGER PRIMARY KEY, p INT NOT NULL REFERENCES t); CREATE UNIQUE INDEX i ON t(P); INSERT INTO t SELECT i, 41 - i FROM n", false),
        ("CREATE TABLE t(id INTEGER PRIMARY KEY, p REFERENCES t, g AS (p + 1) NOT NULL); INSERT INTO t SELECT i, 41 - i FROM n", false),
        ("CREATE TABLE t(rowid, oid UNIQUE, _rowid_ REFERENCES t(oid)); INSERT INTO t SELECT i, i, 41 - i FROM n", false),
        ("CREATE TABLE t(a, p REFERENCES t(a), PRIMARY KEY(a, p)) WITHOUT ROWID; CREATE UNIQUE INDEX i ON t(a); INSERT INTO t SELECT i, 41 - i FROM n", false),
    ];
    for (sql, waits) in cases {
        let numbers = "CREATE TEMP TABLE n AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 40) SELECT i FROM n;";
        let sample = Sample::of(4096, &format!("{numbers} {}", sql.replace("FROM n", "FROM temp.n")));
        assert_eq!(rows(&sample.db, "PRAGMA foreign_key_check"), Vec::<String>::new(), "{sql}");
        let (statements, _) = d1_dump(&sample, &Options { in_batches: true, ..d1_options() });
        let db = load(&statements);
        assert_eq!(contents(&db), contents(&sample.db), "{sql}");
        assert_eq!(statements.iter().any(|statement| statement.contains("later0")), waits, "{sql}");
        assert_eq!(rows(&db, "PRAGMA foreign_key_check"), Vec::<String>::new(), "{sql}");
    }
}
