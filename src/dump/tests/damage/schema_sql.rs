//! SQL in the schema that SQLite would not have written.

use std::time::Duration;

use super::*;
use crate::btree::sample::Sample;
use crate::dump::columns;
use crate::dump::default::Reader;
use crate::dump::parser;
use crate::dump::shape::Shape;
use crate::dump::virtual_table::{FullText, SpatialIndex, has_shadow};

/// A database in which the SQL of an object is another.
pub(super) fn with_sql(name: &str, sql: &str) -> Sample {
    Sample::new(4096, 0, |db| {
        db.execute_batch(
            "CREATE TABLE t (a, b); INSERT INTO t VALUES (1, 2); CREATE TABLE u (x); INSERT INTO u VALUES (3);
             CREATE INDEX i ON t (a); CREATE VIEW v AS SELECT 1; CREATE TRIGGER r AFTER INSERT ON u BEGIN SELECT 1; END;
             CREATE TRIGGER s INSTEAD OF INSERT ON v BEGIN SELECT 1; END; PRAGMA writable_schema = ON",
        )
        .unwrap();
        db.execute("UPDATE sqlite_schema SET sql = ?2 WHERE name = ?1", [name, sql]).unwrap();
    })
}

/// Wasm has a stack of 1 MiB; this is less, for code that needs more as it is not optimised.
fn on_a_small_stack(work: impl FnOnce() + Send + 'static) {
    std::thread::Builder::new().stack_size(512 << 10).spawn(work).unwrap().join().unwrap();
}

fn objects_of(sql: &[u8]) -> Vec<String> {
    let db = rusqlite::Connection::open_in_memory().unwrap();
    db.execute_batch(core::str::from_utf8(sql).unwrap()).unwrap();
    let mut statement = db.prepare("SELECT name FROM sqlite_schema ORDER BY name").unwrap();
    statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

#[test]
fn a_table_whose_sql_does_not_parse_is_refused_or_left_out_by_name() {
    for broken in ["CREATE TABLE t (a", "CREATE TABLE other (a, b)", "CREATE TABLE t (a, 'b)", "gibberish", ""] {
        let sample = with_sql("t", broken);
        for dialect in [Dialect::Sqlite, Dialect::D1] {
            // One statement is left out, with another name or without an end; what is none could be more than one.
            let ended = run(&sample.bytes, &options(dialect, false)).unwrap().ended;
            let is_one = matches!(broken, "CREATE TABLE t (a" | "CREATE TABLE other (a, b)");
            assert_eq!(ended.map_err(|error| error.kind), if is_one { Ok(()) } else { Err(ErrorKind::SchemaSql) });
            let ran = run(&sample.bytes, &options(dialect, true)).unwrap();
            ran.ended.unwrap();
            let warnings = [
                "t: its SQL does not parse, so that it is left out",
                "i: what it is on is not there, so that it is left out",
            ];
            // Its rows are there, in no table.
            let found = "lost_and_found: 1 rows of 1 pages belong to no table for certain";
            assert_eq!(ran.warnings, [warnings[0], warnings[1], found], "{broken}");
            let sql = String::from_utf8(ran.sql.clone()).unwrap();
            assert!(warnings.iter().all(|warning| sql.contains(&format!("-- WARNING: {warning}\n"))), "{sql}");
            assert_eq!(objects_of(&ran.sql), ["lost_and_found", "r", "s", "u", "v"]);
        }
    }
}

#[test]
fn other_sql_that_is_not_one_statement_is_refused_or_left_out_by_name() {
    let broken = [
        ("v", "CREATE VIEW v AS SELECT 1; DROP TABLE u", ["r", "t", "u"].as_slice()),
        ("v", "CREATE VIEW v AS SELECT 'open", &["i", "r", "t", "u"]),
        ("i", "CREATE INDEX i ON t (a);\n.shell echo", &["r", "s", "t", "u", "v"]),
        ("r", "CREATE TRIGGER r AFTER INSERT ON u BEGIN SELECT 1; END; DELETE FROM u; END", &["i", "s", "t", "u", "v"]),
        ("r", "ATTACH 'x' AS y", &["i", "s", "t", "u", "v"]),
    ];
    for (name, sql, left) in broken {
        let sample = with_sql(name, sql);
        for dialect in DIALECTS {
            let ended = run(&sample.bytes, &options(dialect, false)).unwrap().ended;
            assert_eq!(ended.unwrap_err().kind, ErrorKind::SchemaSql, "{sql}");
            let ran = run(&sample.bytes, &options(dialect, true)).unwrap();
            ran.ended.unwrap();
            assert!(ran.warnings.contains(&format!("{name}: its SQL does not parse, so that it is left out")));
            let objects = objects_of(&ran.sql);
            assert!(left.iter().all(|name| objects.iter().any(|object| object == name)), "{objects:?}");
            assert!(!objects.iter().any(|object| object == name));
        }
    }
}

#[test]
fn what_sqlite_does_not_take_of_a_schema_is_left_out_by_name() {
    for (name, sql) in [
        ("v", "CREATE VIEW v AS SELEC 1"),
        ("v", "CREATE VIEW v AS SELECT 1 FROM"),
        ("v", "CREATE VIEW v AS SELECT ?1"),
        ("v", "CREATE VIEW v AS SELECT x FROM other.u"),
        ("i", "CREATE INDEX i ON t (nosuch)"),
        ("i", "CREATE INDEX i ON t (abs(nosuch))"),
        ("i", "CREATE INDEX i ON t (a) WHERE nosuch > 1"),
        ("i", "CREATE INDEX i ON nosuch (a)"),
        ("i", "CREATE INDEX i ON u (x)"),
        ("i", "CREATE INDEX i ON t (random())"),
        ("i", "CREATE INDEX i ON t ((SELECT 1))"),
        ("i", "CREATE INDEX i ON t (a"),
        ("i", "CREATE INDEX i ON t (a, b DESC NULLS LAST)"),
        ("i", "CREATE INDEX i ON t (t.a)"),
        ("i", "CREATE INDEX i ON t (rowid)"),
        ("i", "CREATE INDEX i ON t (sum(a))"),
        ("r", "CREATE TRIGGER r AFTER INSERT ON u BEGIN SELEC 1; END"),
        ("r", "CREATE TRIGGER r AFTER INSERT ON nosuch BEGIN SELECT 1; END"),
        ("r", "CREATE TRIGGER r INSTEAD OF INSERT ON u BEGIN SELECT 1; END"),
        ("r", "CREATE TRIGGER r AFTER INSERT ON u BEGIN SELECT :a; END"),
        ("r", "CREATE TRIGGER r AFTER INSERT ON u BEGIN INSERT INTO main.t VALUES (1, 2); END"),
        ("s", "CREATE TRIGGER s BEFORE INSERT ON v BEGIN SELECT 1; END"),
    ] {
        let sample = with_sql(name, sql);
        for dialect in [Dialect::Sqlite, Dialect::D1] {
            for salvage in [false, true] {
                let ran = run(&sample.bytes, &options(dialect, salvage)).unwrap();
                ran.ended.unwrap();
                let is_said =
                    |warning: &String| warning.starts_with(&format!("{name}: ")) && warning.ends_with("left out");
                assert!(ran.warnings.iter().any(is_said), "{sql}: {:?}", ran.warnings);
                let objects = objects_of(&ran.sql);
                assert!(!objects.iter().any(|object| object == name) && objects.iter().any(|object| object == "t"));
            }
        }
    }
    for (name, sql) in [
        ("v", "CREATE VIEW v AS SELECT x IS DISTINCT FROM main.u.x AS y FROM main.u, u AS other WHERE other.x NOTNULL"),
        (
            "v",
            "CREATE VIEW v AS SELECT group_concat(x, ',' ORDER BY x), '{}' ->> '$', 1_000 FROM u GROUP BY x HAVING (SELECT 1) ORDER BY 1 NULLS LAST",
        ),
        (
            "v",
            "CREATE VIEW v AS WITH w AS MATERIALIZED (SELECT 1) SELECT iif(1, 2, 3) FROM w FULL OUTER JOIN u ON TRUE",
        ),
        (
            "i",
            "CREATE INDEX i ON t (a COLLATE nocase DESC, CAST(b AS big integer), \"nosuch\") WHERE a IS NOT NULL AND b IN (1, 2) OR true",
        ),
        ("i", "CREATE INDEX i ON t (a) WHERE t.b > 1 AND rowid > 1 AND main.t.a NOT NULL"),
        (
            "r",
            "CREATE TRIGGER r BEFORE UPDATE OF x ON u FOR EACH ROW WHEN new.x > 1 BEGIN UPDATE t SET a = 1 FROM u WHERE u.x = t.b; SELECT RAISE(ABORT, 'no' || new.x); END",
        ),
        (
            "r",
            "CREATE TRIGGER r AFTER DELETE ON main.u BEGIN INSERT INTO t VALUES (1, 2) ON CONFLICT DO UPDATE SET a = excluded.a; DELETE FROM t WHERE a NOT LIKE 'x' ESCAPE '!'; END",
        ),
    ] {
        let sample = with_sql(name, sql);
        let ran = run(&sample.bytes, &options(Dialect::Sqlite, false)).unwrap();
        ran.ended.unwrap();
        assert_eq!(ran.warnings, [""; 0], "{sql}");
    }
}

#[test]
fn sql_that_sqlite_takes_though_it_would_not_have_written_it_is_carried() {
    for sql in ["CREATE TEMP TABLE t (a, b)", "CREATE TABLE t (a, b);", "create\ntemporary/**/table t (a, b) ;\n"] {
        for salvage in [false, true] {
            for dialect in [Dialect::Sqlite, Dialect::D1] {
                let ran = run(&with_sql("t", sql).bytes, &options(dialect, salvage)).unwrap();
                ran.ended.unwrap();
                assert_eq!(ran.warnings, [""; 0], "{sql}");
                let db = rusqlite::Connection::open_in_memory().unwrap();
                db.execute_batch(core::str::from_utf8(&ran.sql).unwrap()).unwrap();
                let row = db.query_row("SELECT a + b FROM main.t", [], |row| row.get::<_, i64>(0));
                assert_eq!(row, Ok(3), "{sql}");
            }
        }
    }
}

#[test]
fn what_the_shell_prints_as_temporary_is_warned_of() {
    for (name, sql) in [("t", "create temp TABLE t (a, b)"), ("v", "CREATE TEMPORARY VIEW v AS SELECT 1")] {
        for shell in [Shell::V3_40, Shell::V3_54] {
            let ran = run(&with_sql(name, sql).bytes, &options(Dialect::Shell(shell), false)).unwrap();
            ran.ended.unwrap();
            assert_eq!(
                ran.warnings,
                [format!("{name}: its SQL says TEMP, so that it is gone when what loads it ends")]
            );
        }
    }
}

#[test]
fn a_comment_that_only_looks_open_is_not_closed() {
    for sql in
        ["CREATE VIEW v AS SELECT '/*' AS a", "CREATE VIEW v AS SELECT 1 /* open", "CREATE VIEW v AS SELECT 1 -- /*"]
    {
        let sample = with_sql("v", sql);
        for dialect in DIALECTS {
            // The shell of 2022 does not close it either.
            if dialect == Dialect::Shell(Shell::V3_40) && sql.ends_with("/* open") {
                continue;
            }
            let ran = run(&sample.bytes, &options(dialect, false)).unwrap();
            ran.ended.unwrap();
            assert_eq!(objects_of(&ran.sql), ["i", "r", "s", "t", "u", "v"], "{}", String::from_utf8_lossy(&ran.sql));
        }
    }
}

/// `count` times `open`, around `inner`.
fn nested(open: &str, inner: &str, close: &str, count: usize) -> String {
    format!("{}{inner}{}", open.repeat(count), close.repeat(count))
}

#[test]
fn no_nesting_and_no_length_of_sql_takes_the_stack_or_the_day() {
    on_a_small_stack(|| {
        for count in [999, 100_000] {
            let expressions = [
                nested("(", "1", ")", count),
                nested("(", "", "", count),
                nested("- ", "1", "", count),
                nested("+ ", "1.5", "", count),
                nested("-(", "1", ")", count),
                nested("NOT ", "1", "", count),
                nested("CASE WHEN ", "1", " THEN 1 END", count),
                nested("CAST(", "1", " AS INT)", count),
                nested("(SELECT ", "1", ")", count),
                nested("1 + ", "1", "", count),
                nested("1 = ", "1", "", count),
                nested("1 COLLATE a || ", "1", "", count),
                nested("f(", "", ")", count),
                nested("x IN (", "1", ")", count),
                nested("'a', ", "'a'", "", count),
            ];
            let tables = expressions.iter().flat_map(|expression| {
                [
                    format!("CREATE TABLE t (a DEFAULT {expression}, b)"),
                    format!("CREATE TABLE t (a, b, CHECK ({expression}))"),
                    format!("CREATE TABLE t (a, b AS ({expression}), PRIMARY KEY ({expression})) WITHOUT ROWID"),
                    format!("CREATE VIRTUAL TABLE t USING fts5(a, b = {expression})"),
                    format!("CREATE TABLE t ({expression}"),
                ]
            });
            let lists = [
                format!("CREATE TABLE t ({})", (0..count).map(|n| format!("c{n}")).collect::<Vec<_>>().join(",")),
                format!("CREATE TABLE t (a, b, {})", vec!["UNIQUE(a)"; count].join(",")),
                format!("CREATE TABLE t (a {}, b)", "CHECK(a) ".repeat(count)),
                format!("CREATE TABLE t (a {}, b)", "REFERENCES t ".repeat(count)),
                format!("CREATE TABLE t (a {}, b)", "long type ".repeat(count)),
                format!("CREATE TABLE t (a, b, PRIMARY KEY ({})) WITHOUT ROWID", vec!["a"; count].join(",")),
            ];
            for sql in tables.chain(lists) {
                let started = Work::now();
                let _ = columns::parse(&sql, Reader::Current);
                let _ = parser::name_of(&sql);
                assert!(started.done_since() < Duration::from_secs(2), "{:?}: {}", started.done_since(), &sql[..60]);
            }
            let sample = with_sql("t", &format!("CREATE TABLE t (a DEFAULT {}, b)", expressions[0]));
            for dialect in DIALECTS {
                let ran = run(&sample.bytes, &options(dialect, false)).unwrap();
                let refused = ran.ended.map_err(|error| error.kind);
                // D1 takes no SQL of that length, which is said before it is parsed.
                let is_taken = count < 1000 || dialect == Dialect::D1;
                assert_eq!(refused, if is_taken { Ok(()) } else { Err(ErrorKind::SchemaSql) });
                let ran = run(&sample.bytes, &options(dialect, true)).unwrap();
                assert_eq!((ran.ended, ran.warnings.is_empty()), (Ok(()), count < 1000));
            }
        }
    });
}

const TEXTS: [&str; 10] = [
    "CREATE TABLE t (a INTEGER PRIMARY KEY AUTOINCREMENT, b TEXT DEFAULT ('x' || 1) COLLATE NOCASE, c AS (a + 1) STORED, FOREIGN KEY (b) REFERENCES u (x) ON DELETE SET NULL DEFERRABLE)",
    "CREATE TABLE t (a TEXT, \"b c\" INT NOT NULL ON CONFLICT IGNORE, [d] REAL DEFAULT -1.5e3, PRIMARY KEY (d COLLATE nocase DESC, a)) STRICT, WITHOUT ROWID",
    "CREATE TABLE t (a CONSTRAINT n CHECK (a IN (SELECT 1 UNION SELECT 2) AND CASE WHEN a THEN x'00' ELSE NULL END), b DEFAULT CURRENT_TIME, c `odd` UNIQUE)",
    "CREATE TABLE t (a -- one\n, b /* two */ DEFAULT '--', c VARCHAR(10, 5) DEFAULT TRUE, d DEFAULT 0x1F, e DEFAULT (+ - 4))",
    "CREATE UNIQUE INDEX i ON t (a COLLATE rtrim DESC, lower(b), c || 'x') WHERE a > 5 AND b IS NOT NULL",
    "CREATE TRIGGER r AFTER UPDATE OF x ON u FOR EACH ROW WHEN new.x > 1 BEGIN INSERT INTO t VALUES (new.x, 2); UPDATE t SET a = CASE 1 WHEN 2 THEN 3 END; END",
    "CREATE VIEW v (a, b) AS WITH RECURSIVE n (i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n LIMIT 5) SELECT sum(a) OVER (PARTITION BY b ORDER BY c), '/*' FROM t LEFT JOIN u USING (x) GROUP BY 1 HAVING count(*) > 1",
    "CREATE VIRTUAL TABLE t USING fts5(a, 'b c' UNINDEXED, content=\"u\", content_rowid='x', tokenize = \"porter 'ascii'\", prefix='2 3')",
    "CREATE VIRTUAL TABLE t USING rtree_i32(id, \"min x\", maxX, + note TEXT, +[b c])",
    "CREATE VIRTUAL TABLE t USING fts5(t, content='')",
];

/// Words, numbers and quoted texts; and all else a character each.
fn tokens(sql: &str) -> Vec<String> {
    let mut tokens: Vec<String> = Vec::new();
    let mut quote = None;
    for char in sql.chars() {
        let joins = tokens.last().and_then(|token| token.chars().last()).is_some_and(char::is_alphanumeric);
        match tokens.last_mut() {
            Some(last) if quote.is_some() || joins && char.is_alphanumeric() => last.push(char),
            _ => tokens.push(char.to_string()),
        }
        quote = match quote {
            Some(open) if open == char => None,
            None if matches!(char, '\'' | '"' | '`') => Some(char),
            quote => quote,
        };
    }
    tokens
}

/// Takes out, doubles, swaps, repeats and replaces a few tokens.
pub(super) fn mutate(sql: &str, random: &mut Random) -> String {
    let mut tokens = tokens(sql);
    let others = self::tokens(TEXTS[random.below(TEXTS.len())]);
    for _ in 0..=random.below(3) {
        let (at, other) = (random.below(tokens.len()), random.below(tokens.len()));
        match random.below(8) {
            0 => drop(tokens.remove(at)),
            1 => tokens.insert(other, tokens[at].clone()),
            2 => tokens.swap(at, other),
            3 => tokens[at] = tokens[at].repeat(1 + random.below(40)),
            4 => tokens[at] = others[random.below(others.len())].clone(),
            5 => tokens.truncate(at.max(1)),
            6 => tokens[at].push(['(', ')', ',', ';', '\'', '"', '[', '\0', 'ä', '😀', '-', '\u{1}'][random.below(12)]),
            _ => drop(tokens[at].pop()),
        }
        if tokens.is_empty() {
            break;
        }
    }
    tokens.concat()
}

#[test]
fn no_change_of_a_few_tokens_does_harm() {
    on_a_small_stack(|| {
        let random = &mut Random(0x5c4e);
        let started = Work::now();
        let cases = if cfg!(debug_assertions) { 20_000 } else { 200_000 };
        let mut parsed = 0;
        for case in 0..cases {
            let sql = mutate(TEXTS[case % TEXTS.len()], random);
            let shape = columns::parse(&sql, Reader::Current);
            parsed += usize::from(shape.is_ok());
            if let Ok(Shape::Virtual(shape)) = &shape {
                let _ = (FullText::of(shape), SpatialIndex::of(shape), has_shadow(shape, &sql, "data"));
            }
            // What reads the whole statement, reads what reads a part of it.
            if parser::name_of(&sql).is_ok() {
                assert!(crate::dump::statement::end_of(&sql).is_some(), "{sql}");
            }
        }
        assert!(parsed > cases / 20 && parsed < cases * 9 / 10, "{parsed}");
        eprintln!("{cases} texts in {:?}, of which {parsed} are a table's", started.done_since());
    });
}

#[test]
fn no_sql_in_the_schema_does_harm_to_a_dump() {
    on_a_small_stack(|| {
        let random = &mut Random(0xd0c5);
        let cases = if cfg!(debug_assertions) { 300 } else { 3_000 };
        // Room for SQL that is put there later; spaces behind it do no harm.
        let room = 2000;
        let mut samples = Vec::new();
        for name in ["t", "i", "r", "v"] {
            let mut sample = with_sql(name, &"~".repeat(room));
            let at = memchr::memmem::find(&sample.bytes, b"~~~~~~~~").unwrap();
            sample.bytes[at..at + room].fill(b' ');
            samples.push((name, sample, at));
        }
        let mut loaded = [0; 2];
        for case in 0..cases {
            let sql = mutate(TEXTS[random.below(TEXTS.len())], random);
            let (name, sample, at) = &mut samples[case % 4];
            let Some(bytes) = sql.as_bytes().get(..sql.len().min(room)) else { continue };
            sample.bytes[*at..*at + room].fill(b' ');
            sample.bytes[*at..*at + bytes.len()].copy_from_slice(bytes);
            for dialect in DIALECTS {
                for salvage in [false, true] {
                    let ran = run(&sample.bytes, &options(dialect, salvage)).unwrap();
                    match ran.ended {
                        Err(error) => assert!(!salvage && error.kind == ErrorKind::SchemaSql, "{error:?}: {sql}"),
                        Ok(()) if salvage && dialect == Dialect::Sqlite => {
                            let db = rusqlite::Connection::open_in_memory().unwrap();
                            let text = String::from_utf8(ran.sql).unwrap();
                            loaded[usize::from(db.execute_batch(&text).is_ok())] += 1;
                            // Whatever else: what is not damaged is there, and nothing was run that is not a CREATE.
                            let x = db.query_row("SELECT x FROM u", [], |row| row.get(0));
                            assert!(x == Ok(3) || name == &"t", "{name}: {x:?}: {sql}");
                        }
                        Ok(()) => {}
                    }
                }
            }
        }
        eprintln!("{} of {} load", loaded[1], loaded[0] + loaded[1]);
    });
}
