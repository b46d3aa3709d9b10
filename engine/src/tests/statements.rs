//! Statements by handle, values as bytes, errors as SQLite has them.

use super::support::{Owned, T0, decode, encoded, fetch_all, integer, open, options, query};
use crate::database::StatementId;
use crate::rows::Value;
use crate::{Database, Options};

fn prepare(db: &mut Database, sql: &str) -> StatementId {
    db.prepare(sql, T0).unwrap().0.unwrap()
}

#[test]
fn values_come_back_exactly() {
    let mut db = open(options());
    let id = prepare(&mut db, "SELECT ?1, typeof(?1), ?2, ?3, ?4, typeof(?4), ?5, length(?6), typeof(?6)");
    let values = [
        Value::Integer(i64::MIN),
        Value::Real(-0.0),
        Value::Text(b"a\0b\xff"),
        Value::Blob(b""),
        Value::Null,
        Value::Text(b""),
    ];
    db.bind(id, &encoded(&values)).unwrap();
    let row = fetch_all(&mut db, id, T0).unwrap().remove(0);
    let text = |text: &str| Owned::Text(text.as_bytes().to_vec());
    assert_eq!(row[0], Owned::Integer(i64::MIN));
    assert_eq!(row[1], text("integer"));
    assert_eq!(row[2], Owned::Real((-0.0f64).to_bits()));
    assert_eq!(row[3], Owned::Text(b"a\0b\xff".to_vec()));
    assert_eq!((&row[4], &row[5]), (&Owned::Blob(vec![]), &text("blob")));
    assert_eq!(row[6], Owned::Null);
    assert_eq!((&row[7], &row[8]), (&Owned::Integer(0), &text("text")));
}

#[test]
fn rows_come_in_batches_and_begin_anew_after_the_end() {
    let mut db = open(options());
    let id =
        prepare(&mut db, "WITH RECURSIVE r(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM r LIMIT 10) SELECT i FROM r");
    for _ in 0..2 {
        let mut all = Vec::new();
        for (rows, done) in [(4, false), (4, false), (2, true)] {
            let mut out = Vec::new();
            let fetched = db.fetch(id, 4, 1000, &mut out, T0).unwrap();
            assert_eq!((fetched.rows, fetched.done), (rows, done));
            all.extend(decode(&out, 1));
        }
        assert_eq!(all.len(), 10);
    }
    let mut out = Vec::new();
    let fetched = db.fetch(id, 1000, 12, &mut out, T0).unwrap();
    assert_eq!((fetched.rows, out.len()), (3, 15), "stops once there are 12 bytes");
}

#[test]
fn wrong_parameters_are_refused() {
    let mut db = open(options());
    let id = prepare(&mut db, "SELECT :a, ?5, $b");
    let names = db.parameter_names(id).unwrap();
    assert_eq!(names, [Some(":a".into()), None, None, None, Some("?5".into()), Some("$b".into())]);
    let seven = encoded(&[Value::Null; 7]);
    assert_eq!(db.bind(id, &seven).unwrap_err().code(), "ENGINE_PARAMETERS");
    assert_eq!(db.bind(id, &encoded(&[Value::Null; 5])).unwrap_err().code(), "ENGINE_PARAMETERS");
    assert_eq!(db.bind(id, &[1, 2, 3]).unwrap_err().code(), "ENGINE_VALUES");
    db.bind(id, &encoded(&[Value::Null; 6])).unwrap();
    assert!(db.finalize(id));
    assert!(!db.finalize(id));
    assert_eq!(db.bind(id, &[]).unwrap_err().code(), "STATEMENT_UNKNOWN");
}

#[test]
fn a_script_says_where_it_failed() {
    let mut db = open(options());
    let sql = "CREATE TABLE t(a);\n-- a comment\nINSERT INTO t VALUES (1);\nINSERT INTO t VALUS (2); SELECT 1";
    let error = db.exec(sql, T0).unwrap_err();
    assert_eq!((error.code(), error.sqlite), ("SQL_ERROR", Some(1)));
    assert_eq!(error.offset, sql.find("VALUS").map(|at| at as u32));
    assert_eq!(error.to_string(), "near \"VALUS\": syntax error");
    assert_eq!(integer(&mut db, "SELECT count(*) FROM t"), 1);
    let error = db.exec("CREATE TABLE u(a UNIQUE); INSERT INTO u VALUES (1), (1)", T0).unwrap_err();
    assert_eq!((error.to_string().as_str(), error.sqlite), ("UNIQUE constraint failed: u.a", Some(2067)));
}

#[test]
fn prepare_hands_back_the_text_that_follows() {
    let mut db = open(options());
    let (first, rest) = db.prepare(" /* x */ SELECT 'é'; SELECT 2;", T0).unwrap();
    assert_eq!((first.is_some(), rest), (true, " SELECT 2;"));
    assert_eq!(db.prepare("  -- nothing", T0).unwrap().0, None);
    assert_eq!(db.prepare("", T0).unwrap().0, None);
    assert_eq!(query(&mut db, ";;; SELECT 3", T0).unwrap(), [[Owned::Integer(3)]]);
}

#[test]
fn a_batch_is_all_or_nothing() {
    let mut db = open(options());
    db.exec("CREATE TABLE t(a UNIQUE)", T0).unwrap();
    let insert = prepare(&mut db, "INSERT INTO t VALUES (?) RETURNING a * 2");
    let (one, two) = (encoded(&[Value::Integer(1)]), encoded(&[Value::Integer(2)]));
    let before = db.bookmark().unwrap();
    let error = db.batch(&[(insert, &one), (insert, &two), (insert, &one)], T0, |_, _, _| {}).unwrap_err();
    assert_eq!(error.sqlite, Some(2067));
    assert_eq!(db.bookmark().unwrap(), before);
    let mut seen = Vec::new();
    db.batch(&[(insert, &one), (insert, &two)], T0, |index, rows, fetched| {
        seen.push((index, decode(rows, 1), fetched.rows));
    })
    .unwrap();
    assert_eq!(seen, [(0, vec![vec![Owned::Integer(2)]], 1), (1, vec![vec![Owned::Integer(4)]], 1)]);
    assert_eq!(db.bookmark().unwrap().txid.0, before.txid.0 + 1);
}

#[test]
fn run_counts_changes() {
    let mut db = open(options());
    db.exec("CREATE TABLE t(a); INSERT INTO t VALUES (1), (2), (3)", T0).unwrap();
    let update = prepare(&mut db, "UPDATE t SET a = a + 1 WHERE a > ?");
    assert_eq!(db.run(update, &encoded(&[Value::Integer(1)]), T0).unwrap(), 2);
    let select = prepare(&mut db, "SELECT 1");
    assert_eq!(db.run(select, &[], T0).unwrap(), 0);
    assert!(db.is_readonly(select).unwrap() && !db.is_readonly(update).unwrap());
    assert_eq!(db.total_changes(), 5);
}

#[test]
fn run_forgets_the_values_it_was_lent() {
    let mut db = open(options());
    db.exec("CREATE TABLE t(a UNIQUE, b)", T0).unwrap();
    let insert = prepare(&mut db, "INSERT INTO t VALUES (?, ?) RETURNING a, b");
    let mut values = encoded(&[Value::Text(b"one"), Value::Blob(b"\0\xff")]);
    assert_eq!(db.run(insert, &values, T0).unwrap(), 1);
    assert_eq!(db.run(insert, &values, T0).unwrap_err().sqlite, Some(2067));
    assert!(db.run(insert, &encoded(&[Value::Text(b"two")]), T0).is_err(), "a value is missing");
    values.fill(b'x');
    // Without values of its own it has none of those before.
    assert_eq!(fetch_all(&mut db, insert, T0).unwrap(), [[Owned::Null, Owned::Null]]);
    let select = prepare(&mut db, "SELECT a, b FROM t WHERE a IS NOT NULL");
    let row = [Owned::Text("one".into()), Owned::Blob(vec![0, 0xff])];
    assert_eq!(fetch_all(&mut db, select, T0).unwrap(), [row]);
}

#[test]
fn several_databases_side_by_side_and_no_second_of_one_name() {
    let named = |name: &str| Options { name: Some(name.into()), ..options() };
    let open_named = |name: &str| Database::open(Box::new(crate::store::MemoryStore::default()), named(name), T0);
    let mut a = open_named("a").unwrap();
    let mut b = open_named("b").unwrap();
    a.exec("CREATE TABLE t(x); INSERT INTO t VALUES ('in a')", T0).unwrap();
    b.exec("CREATE TABLE t(x); INSERT INTO t VALUES ('in b')", T0).unwrap();
    assert_eq!(query(&mut a, "SELECT x FROM t", T0).unwrap(), [[Owned::Text(b"in a".to_vec())]]);
    assert_eq!(open_named("a").err().map(|error| error.code()), Some("ENGINE_IN_USE"));
    a.close().unwrap();
    open_named("a").unwrap();
}

#[test]
fn attaching_a_file_is_refused_and_memory_is_not() {
    let mut db = open(options());
    db.exec("CREATE TABLE t(a)", T0).unwrap();
    for name in ["database", "other.db", "compacted", "file:x?mode=rwc"] {
        let error = db.exec(&format!("ATTACH '{name}' AS x"), T0).unwrap_err();
        assert_eq!(error.sqlite.map(|code| code & 0xff), Some(14), "{name}");
    }
    db.exec("ATTACH ':memory:' AS m; CREATE TABLE m.u(a); INSERT INTO m.u VALUES (1)", T0).unwrap();
    let before = db.bookmark().unwrap();
    db.exec("BEGIN; INSERT INTO t SELECT * FROM m.u; INSERT INTO m.u VALUES (2); COMMIT", T0).unwrap();
    assert_eq!(db.bookmark().unwrap().txid.0, before.txid.0 + 1);
    db.exec("ATTACH '' AS temporary; CREATE TABLE temporary.v(a)", T0).unwrap();
    db.exec("BEGIN; INSERT INTO t VALUES (3); INSERT INTO temporary.v VALUES (2); COMMIT", T0).unwrap();
    assert_eq!(integer(&mut db, "SELECT count(*) FROM t, temporary.v"), 2);
}

#[test]
fn a_statement_has_the_columns_that_the_schema_has_when_it_runs() {
    let mut db = open(options());
    db.exec("CREATE TABLE t(a); INSERT INTO t VALUES (1)", T0).unwrap();
    let (Some(select), _) = db.prepare("SELECT * FROM t", T0).unwrap() else { panic!() };
    db.exec("ALTER TABLE t ADD COLUMN b DEFAULT 2", T0).unwrap();
    let mut out = Vec::new();
    db.fetch(select, 1, 1000, &mut out, T0).unwrap();
    assert_eq!(out, [1, 1, 0, 0, 0, 1, 2, 0, 0, 0]);
}

#[test]
fn sql_with_a_nul_is_refused_instead_of_cut_off() {
    let mut db = open(options());
    let error = db.exec("CREATE TABLE t(a);\0 DROP TABLE t", T0).unwrap_err();
    assert_eq!((error.code(), error.to_string().contains("NUL")), ("SQL_ERROR", true));
    assert!(db.prepare("SELECT 1 \0 FROM nowhere", T0).is_err());
}
