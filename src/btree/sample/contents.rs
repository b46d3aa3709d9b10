//! What a database holds, as lines to compare; and one that holds something of everything.

use rusqlite::Connection;
use rusqlite::types::ValueRef;

use super::random::quote;

/// One of each kind of schema object, and values of every kind.
pub(crate) const EVERYTHING: &str = r#"
    CREATE TABLE plain (id INTEGER PRIMARY KEY AUTOINCREMENT, a DEFAULT 5, v AS (a + 1), s AS (a * 2) STORED, "E-E" TEXT, r REAL);
    INSERT INTO plain (a, "E-E", r) VALUES (1, 'ä', 2), (9007199254740993, 'it''s', 0.1), (NULL, NULL, -1e300),
        (x'00ff', char(10) || '\n' || char(13, 10), 9e999), (-9223372036854775808, '', -9e999);
    CREATE TABLE "odd name" (x, "y z" TEXT, 'q' INT);
    INSERT INTO "odd name" VALUES (-0.0, 'a', 1), (1.0, char(1, 2, 9, 27, 127), 2), (x'', '\\', 'text');
    CREATE TABLE "select" ("order" INT, "table" PRIMARY KEY);
    INSERT INTO "select" VALUES (1, 2), (3, 'x');
    CREATE TABLE [br] (a); INSERT INTO br VALUES (1);
    CREATE TABLE wr (a TEXT, b INT, c, PRIMARY KEY (b, a)) WITHOUT ROWID;
    INSERT INTO wr VALUES ('z', 2, 3), ('y', 1, 4), ('x', 2, 5);
    CREATE TABLE wr2 (a, b COLLATE NOCASE, c, PRIMARY KEY (b, c, b COLLATE BINARY)) WITHOUT ROWID;
    INSERT INTO wr2 VALUES (1, 'B', 2), (2, 'a', 1), (3, 'b', 1);
    CREATE TABLE strict (a ANY, b INT, c REAL, d BLOB) STRICT;
    INSERT INTO strict VALUES (1, 2, 3, x'04'), ('1', NULL, 2.5, NULL);
    CREATE TABLE later (a); INSERT INTO later VALUES (1), (2);
    ALTER TABLE later ADD COLUMN b DEFAULT 'd''d';
    ALTER TABLE later ADD COLUMN c INT DEFAULT '12';
    ALTER TABLE later ADD COLUMN d REAL DEFAULT 3;
    ALTER TABLE later ADD COLUMN e DEFAULT 1.0;
    ALTER TABLE later ADD COLUMN f DEFAULT -5;
    ALTER TABLE later ADD COLUMN g DEFAULT x'0a0b';
    ALTER TABLE later ADD COLUMN h DEFAULT TRUE;
    ALTER TABLE later ADD COLUMN i DEFAULT (+1.5e3);
    ALTER TABLE later ADD COLUMN j TEXT DEFAULT 7;
    ALTER TABLE later ADD COLUMN k AS (a + 1);
    ALTER TABLE later ADD COLUMN l DEFAULT "word";
    INSERT INTO later (a) VALUES (3);
    CREATE TABLE long (id INTEGER PRIMARY KEY, t, b);
    INSERT INTO long VALUES (1, hex(zeroblob(40000)), zeroblob(70000)), (-7, printf('%.*c', 5000, 'x') || char(10), 1);
    CREATE TABLE many (a, b);
    WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000) INSERT INTO many SELECT i, 'row ' || i FROM n;
    DELETE FROM many WHERE a % 3 = 0;
    CREATE TABLE commented (a -- one
        , b /* two */ DEFAULT '--');
    CREATE INDEX i1 ON plain (a); CREATE UNIQUE INDEX "i 2" ON many (a) WHERE a > 5;
    CREATE VIEW v1 AS SELECT * FROM plain -- comment
    ; CREATE VIEW v2 AS SELECT '--' FROM many;
    CREATE TRIGGER t1 AFTER INSERT ON plain BEGIN SELECT 1; SELECT 2 /* ; */; END;
    CREATE TRIGGER t2 INSTEAD OF INSERT ON v1 BEGIN INSERT INTO many VALUES (1, 2); END;
    CREATE VIRTUAL TABLE ft USING fts5 (t, u); INSERT INTO ft VALUES ('hello world', 'x'), ('it''s', 'y');
    CREATE VIRTUAL TABLE f4 USING fts4 (t); INSERT INTO f4 VALUES ('hello again');
    CREATE VIRTUAL TABLE rt USING rtree (id, a, b, c, d, +e); INSERT INTO rt VALUES (1, 0.5, 1.5, 2, 3, 'aux');
    ANALYZE;
"#;

/// Everything that SQL can see of a database, in order.
pub(crate) fn contents(db: &Connection) -> Vec<String> {
    let mut lines = Vec::new();
    for pragma in ["page_size", "encoding", "auto_vacuum", "user_version", "application_id"] {
        let value: rusqlite::types::Value = db.query_row(&format!("PRAGMA {pragma}"), [], |row| row.get(0)).unwrap();
        lines.push(format!("{pragma} {value:?}"));
    }
    let mut statement = db
        .prepare(
            "SELECT type, name, tbl_name, sql FROM sqlite_schema WHERE name <> 'sqlite_stat4' ORDER BY name LIKE 'sqlite!_%' ESCAPE '!', type, name",
        )
        .unwrap();
    let objects: Vec<(String, String, String, Option<String>)> = statement
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    for (kind, name, table, sql) in objects {
        lines.push(format!("{kind} {name} on {table}: {sql:?}"));
        if kind == "table" && !sql.is_some_and(|sql| sql.starts_with("CREATE VIRTUAL")) {
            // Name the main database: a temporary table with AUTOINCREMENT has a sqlite_sequence of its own.
            let query = format!("SELECT rowid AS \"the rowid\", * FROM main.{}", quote(&name));
            // Not all have a rowid that can be asked for.
            let mut rows =
                db.prepare(&query).or_else(|_| db.prepare(&query.replace("rowid AS \"the rowid\", ", ""))).unwrap();
            let count = rows.column_count();
            let mut rows = rows.query([]).unwrap();
            let from = lines.len();
            while let Some(row) = rows.next().unwrap() {
                lines.push((0..count).map(|index| show(row.get_ref(index).unwrap())).collect::<Vec<_>>().join(", "));
            }
            lines[from..].sort();
        }
    }
    lines
}

pub(crate) fn show(value: ValueRef<'_>) -> String {
    match value {
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) if bytes.len() > 10_000 => {
            format!("{:?} of {} bytes, {}", value.data_type(), bytes.len(), blake3::hash(bytes))
        }
        ValueRef::Real(real) => format!("real {real:e} {:016x}", real.to_bits()),
        ValueRef::Text(text) => format!("text {:?}", String::from_utf8_lossy(text)) + &format!("{text:02x?}"),
        other => format!("{other:?}"),
    }
}
