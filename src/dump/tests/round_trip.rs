use std::fs;
use std::io::Write;
use std::process::Stdio;

use proptest::prelude::*;
use rusqlite::Connection;

use super::against_the_shell::EVERYTHING;
use super::random;
use super::*;
use crate::btree::sample::contents::contents;
use crate::btree::sample::{ENCODINGS, PAGE_SIZES, Random, Sample};

/// A database that a shell made from SQL.
pub(super) struct Loaded(pub(super) std::path::PathBuf);

impl Drop for Loaded {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

pub(super) fn load(program: &str, sql: &[u8], name: &str) -> Loaded {
    let path = std::env::temp_dir().join(format!("pagemark-load-{}-{name}.db", std::process::id()));
    let _ = fs::remove_file(&path);
    run(program, &path, sql);
    Loaded(path)
}

/// Has a shell of its own run SQL.
pub(super) fn run(program: &str, path: &Path, sql: &[u8]) {
    let mut child = Command::new(program)
        .args(["-batch", "-bail"])
        .arg(path)
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let sql = sql.to_vec();
    let writer = std::thread::spawn(move || input.write_all(&sql));
    let output = child.wait_with_output().unwrap();
    let _ = writer.join();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Dumps, loads with each shell, and compares; gives the warnings.
pub(super) fn round_trip(sample: &Sample, name: &str) -> Vec<String> {
    let (sql, warnings) = dump(&sample.bytes, &Options::default()).unwrap();
    let before = contents(&sample.db);
    // What its own rows break, they break again.
    let is_sound = sample
        .db
        .query_row("PRAGMA integrity_check", [], |row| row.get::<_, String>(0))
        .is_ok_and(|first| first == "ok");
    for (shell, program) in shells() {
        let loaded = load(&program, &sql, &format!("{name}-{shell:?}"));
        let db = Connection::open(&loaded.0).unwrap();
        let after = contents(&db);
        for (old, new) in before.iter().zip(&after) {
            assert_eq!(old, new, "{name}, {shell:?}");
        }
        assert_eq!(before.len(), after.len());
        let mut check = db.prepare("PRAGMA integrity_check").unwrap();
        let problems = check.query_map([], |row| row.get::<_, String>(0)).unwrap().map_while(Result::ok);
        let own: &[&str] = if is_sound {
            &["ok"]
        } else {
            &["ok", "NULL value in ", "CHECK constraint failed ", "NUMERIC value in ", "TEXT value in ", "non-"]
        };
        for problem in problems {
            assert!(own.iter().any(|own| problem.starts_with(own)), "{name}, {shell:?}: {problem}");
        }
    }
    warnings
}

#[test]
fn c14_what_is_loaded_again_is_the_same_to_the_last_bit() {
    for (index, page_size) in PAGE_SIZES.into_iter().enumerate() {
        let encoding = ENCODINGS[index % 3];
        let set_up = format!(
            "PRAGMA encoding = '{encoding}'; PRAGMA auto_vacuum = {}; PRAGMA user_version = -7; PRAGMA application_id = 3000000000; {EVERYTHING}
             INSERT INTO many VALUES ('a' || char(0) || 'b', CAST(x'ff41fe42' AS TEXT)), (1, CAST(x'00d8' AS TEXT)), (-0.0, 5e-324);
             CREATE TABLE hidden (rowid, _rowid_, oid INTEGER); INSERT INTO hidden VALUES (1, 2, 3);",
            index % 3
        );
        let sample = Sample::of(page_size, &set_up);
        let warnings = round_trip(&sample, &format!("all-{page_size}"));
        let expected = [
            "hidden: rowids are not carried, as columns have all their names",
            "sqlite_stat4: not every SQLite has such a table; run ANALYZE",
        ];
        assert_eq!(warnings, expected);
    }
}

#[test]
fn b26_full_text_and_r_tree_work_after_loading() {
    let sample = Sample::of(4096, EVERYTHING);
    let (sql, _) = dump(&sample.bytes, &Options::default()).unwrap();
    let loaded = load("sqlite3", &sql, "virtual");
    let db = Connection::open(&loaded.0).unwrap();
    let one = |sql: &str| db.query_row(sql, [], |row| row.get::<_, String>(0)).unwrap();
    assert_eq!(one("SELECT t FROM ft WHERE ft MATCH 'world'"), "hello world");
    assert_eq!(one("SELECT t FROM f4 WHERE f4 MATCH 'again'"), "hello again");
    assert_eq!(one("SELECT e FROM rt WHERE a < 1 AND b > 1"), "aux");
    db.execute_batch("INSERT INTO ft (ft) VALUES ('integrity-check'); INSERT INTO ft VALUES ('more', 'm')").unwrap();
}

/// Tables of random shape in a database.
const TABLES: usize = 20;

proptest! {
    // 500 of these are 10,000 random schemas: PROPTEST_CASES=500.
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_schemas_and_rows(seed in 1u64.., page_size in 0usize..8, encoding in 0usize..3) {
        let sample = Sample::new(PAGE_SIZES[page_size], 0, |db| {
            db.execute_batch(&format!("PRAGMA encoding = '{}'", ENCODINGS[encoding])).unwrap();
            random::fill(db, &mut Random(seed), TABLES);
        });
        for (shell, program) in shells() {
            let ours = dump(&sample.bytes, &shell_options(shell)).unwrap().0;
            assert_same(&ours, &shell_dump(&program, sample.path()), &format!("{shell:?}, seed {seed}"));
        }
        round_trip(&sample, &seed.to_string());
    }
}

pub(super) fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(12)
}
