//! A thousand commits with history on: every state can be found and read back as it was.

use pagemark::bookmark::{Bookmark, Lineage};
use pagemark::page::Txid;

use super::support::{Random, Shared, T0, file_at, integer, open, options, query, rows_of_file, with_history};
use crate::history::Window;
use crate::{Database, Options};

/// What the table held, and what names the state.
struct Model {
    rows: Vec<Vec<String>>,
    bookmark: Bookmark,
    time_ms: i64,
}

const ALL: &str = "SELECT a, b FROM t ORDER BY a";

fn thousand(db: &mut Database) -> Vec<Model> {
    let mut random = Random(7);
    let mut models = Vec::new();
    let mut time_ms = T0;
    db.exec("CREATE TABLE t(a INTEGER PRIMARY KEY, b)", time_ms).unwrap();
    for n in 0..1000 {
        time_ms += 1 + random.below(50) as i64;
        let sql = match random.below(10) {
            0..6 => {
                format!("INSERT OR REPLACE INTO t VALUES ({}, printf('%0*d', {}, {n}))", random.below(300), n % 700)
            }
            6..8 => format!("UPDATE t SET b = {n} WHERE a % 7 = {}", n % 7),
            8 => format!("DELETE FROM t WHERE a % 11 = {}", n % 11),
            _ if n % 20 == 0 => "VACUUM".into(),
            _ => format!("CREATE INDEX IF NOT EXISTS i{} ON t(b)", n % 5),
        };
        let before = db.bookmark().unwrap();
        db.exec(&sql, time_ms).unwrap();
        let bookmark = db.bookmark().unwrap();
        if bookmark != before {
            let rows = query(db, ALL, time_ms).unwrap();
            let rows = rows.iter().map(|row| row.iter().map(|value| format!("{value:?}")).collect()).collect();
            models.push(Model { rows, bookmark, time_ms });
        }
    }
    models
}

/// As a file's rows print.
fn plain(rows: &[Vec<String>]) -> Vec<Vec<String>> {
    let strip = |text: &String| {
        let inner = text.strip_prefix("Integer(").and_then(|text| text.strip_suffix(')'));
        match inner.or_else(|| text.strip_prefix("Text(\"").and_then(|text| text.strip_suffix("\")"))) {
            Some(inner) => inner.to_owned(),
            None => text.trim_matches('"').to_owned(),
        }
    };
    rows.iter().map(|row| row.iter().map(strip).collect()).collect()
}

fn as_text(rows: &[Vec<String>]) -> Vec<Vec<String>> {
    // rusqlite prints a text as its bytes.
    let text = |value: &String| match value.strip_prefix("Text([").and_then(|value| value.strip_suffix("])")) {
        Some("") => String::new(),
        Some(bytes) => bytes.split(", ").map(|byte| char::from(byte.parse::<u8>().unwrap())).collect(),
        None => value.clone(),
    };
    plain(&rows.iter().map(|row| row.iter().map(text).collect()).collect::<Vec<_>>())
}

#[test]
fn b12_each_of_100_random_commits_of_1000_reads_back_as_it_was() {
    let mut db = open(with_history(2000));
    let models = thousand(&mut db);
    assert!(models.len() > 500, "{}", models.len());
    let now = models.last().unwrap().time_ms + 5;
    let mut random = Random(8);
    for _ in 0..100 {
        let at = random.below(models.len() as u64) as usize;
        let model = &models[at];
        let file = file_at(&mut db, &model.bookmark.to_string(), now).unwrap();
        assert_eq!(as_text(&rows_of_file(&file, ALL)), plain(&model.rows), "{}", model.bookmark);
        assert_eq!(file_at(&mut db, &model.bookmark.txid.to_string(), now).unwrap(), file);
        // Any time from the commit until the next one.
        let until = models.get(at + 1).map_or(now, |next| next.time_ms - 1);
        let between = model.time_ms + random.below((until - model.time_ms + 1) as u64) as i64;
        let (pin, found) = db.pin(&rfc3339(between), 10, now).unwrap();
        assert_eq!(found.txid, model.bookmark.txid, "at {between}");
        db.release(pin, now).unwrap();
    }
    let newest = models.last().unwrap().bookmark;
    let minute_later = newest_time(&db) + 60_000;
    assert_eq!(db.bookmark_at("-1m", minute_later).unwrap(), newest);
    assert_eq!(db.bookmark_at(&(minute_later / 1000).to_string(), minute_later).unwrap(), newest);
    assert_eq!(db.bookmark_at("latest", now).unwrap(), newest);
}

fn newest_time(db: &Database) -> i64 {
    db.states().last().unwrap().time_ms
}

fn rfc3339(ms: i64) -> String {
    // Every time of these tests is on the first day of 2026.
    let ms = ms - T0;
    let (hours, minutes, seconds) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60);
    format!("2026-01-01T{hours:02}:{minutes:02}:{seconds:02}.{:03}Z", ms % 1000)
}

#[test]
fn b12_states_that_are_not_there_are_typed_errors() {
    let mut db = open(with_history(3));
    assert_eq!(db.bookmark().unwrap_err().code(), "DATABASE_EMPTY");
    assert_eq!(db.bookmark_at(&rfc3339(T0), T0).unwrap_err().code(), "TIME_BEFORE_FIRST");
    for n in 0..10 {
        db.exec(&format!("CREATE TABLE t{n}(a)"), T0 + n * 1000).unwrap();
    }
    let now = T0 + 20_000;
    let code = |at: &str| db.bookmark_at(at, now).map_or_else(|error| error.code(), |_| "found");
    assert_eq!(code(&rfc3339(T0 - 1).replace("-1", "00")), "AT_SYNTAX");
    assert_eq!(code("2025-12-31T23:59:59Z"), "TIME_BEFORE_FIRST");
    assert_eq!(code(&rfc3339(T0 + 20_001)), "TIME_AFTER_LAST");
    assert_eq!(code(&rfc3339(T0 + 20_000)), "found");
    assert_eq!(code(&rfc3339(T0 + 6000)), "found", "three before the newest");
    assert_eq!(code("0000000000000007"), "found");
    assert_eq!(code("0000000000000006"), "HISTORY_GONE");
    assert_eq!(code("000000000000000b"), "HISTORY_UNKNOWN");
    assert_eq!(code("0000000000000000"), "HISTORY_UNKNOWN");
    assert_eq!(code("12345678-1234-4123-8123-123456789abc"), "AT_SYNTAX");
    assert_eq!(code(&format!("00000000-00000000-00000000-{:032}", 0)), "BOOKMARK_LINEAGE");
    let good = db.bookmark().unwrap();
    let code = |bookmark: Bookmark| db.bookmark_at(&bookmark.to_string(), now).map_or_else(|e| e.code(), |_| "found");
    assert_eq!(code(good), "found");
    assert_eq!(code(Bookmark { lineage: Lineage(1), ..good }), "BOOKMARK_LINEAGE");
    assert_eq!(code(Bookmark { txid: Txid(8), ..good }), "CHAIN_CHECKSUM");
}

#[test]
fn b12_a_time_whose_state_went_between_two_pins_is_gone_not_the_one_before() {
    let mut db = open(options());
    let mut pins = Vec::new();
    for n in 0..10 {
        db.exec(&format!("CREATE TABLE t{n}(a)"), T0 + n * 1000).unwrap();
        if n == 2 || n == 6 {
            pins.push(db.pin("latest", 1_000_000, T0 + n * 1000).unwrap());
        }
    }
    let now = T0 + 20_000;
    let code = |ms: i64| db.bookmark_at(&rfc3339(ms), now).map_or_else(|e| e.code(), |_| "found");
    assert_eq!(code(T0 + 2500), "found");
    assert_eq!(code(T0 + 4000), "HISTORY_GONE");
    assert_eq!(code(T0 + 6999), "found");
    assert_eq!(code(T0 + 8000), "HISTORY_GONE");
    assert_eq!(code(T0 + 9000), "found");
}

#[test]
fn b12_a_window_by_age_keeps_every_state_the_database_was_in() {
    let window = Window { commits: 0, age_ms: 3000 };
    let mut db = open(Options { window, ..options() });
    for n in 0..10 {
        db.exec(&format!("CREATE TABLE t{n}(a)"), T0 + n * 1000).unwrap();
    }
    let kept: Vec<u64> = db.states().iter().map(|state| state.txid.0).collect();
    assert_eq!(kept, [7, 8, 9, 10]);
    let half_an_hour_ago = db.bookmark_at(&rfc3339(T0 + 6000), T0 + 9000).unwrap();
    assert_eq!(half_an_hour_ago.txid, Txid(7));
}

#[test]
fn b12_a_clock_set_back_does_not_put_states_out_of_order() {
    let mut db = open(with_history(10));
    db.exec("CREATE TABLE a(x)", T0 + 5000).unwrap();
    db.exec("CREATE TABLE b(x)", T0).unwrap();
    assert_eq!(db.bookmark_at(&rfc3339(T0 + 5000), T0 + 5000).unwrap().txid, Txid(2));
}

#[test]
fn b12_history_outlives_the_database_where_the_store_does() {
    let store = Shared::default();
    let mut db = Database::open(Box::new(store.clone()), with_history(5), T0).unwrap();
    db.exec("CREATE TABLE t(a); INSERT INTO t VALUES (1); INSERT INTO t VALUES (2)", T0).unwrap();
    let first = db.bookmark_at("0000000000000002", T0).unwrap();
    let lineage = db.lineage();
    db.close().unwrap();
    // Another random number makes no other database of it.
    let again = Options { lineage: Lineage(99), ..with_history(5) };
    let mut db = Database::open(Box::new(store), again, T0).unwrap();
    assert_eq!(db.lineage(), lineage);
    assert_eq!(integer(&mut db, "SELECT count(*) FROM t"), 2);
    db.restore(&first.to_string(), 0, T0).unwrap();
    assert_eq!(integer(&mut db, "SELECT count(*) FROM t"), 1);
}
