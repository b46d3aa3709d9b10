use super::*;
use crate::btree::sample::Sample;
use crate::page::Pgno;

/// A database at a path, as a file, with these counters and tables.
fn at(place: &str, file: &str, changes: u32, tables: &[&str]) -> Identity {
    let known = |text: &str| (!text.is_empty()).then(|| digest("0000000000000007", text));
    let tables = Identity::sketch(tables.iter().copied());
    Identity { place: known(place), file: known(file), changes, schema: changes, tables }
}

const BACKUP_MS: i64 = 1000;
/// Created before the last backup, after it, or on a file system that does not tell.
const BEFORE: Option<i64> = Some(500);
const AFTER: Option<i64> = Some(1500);
const UNKNOWN: Option<i64> = None;

fn judge(now: &Identity, born_ms: Option<i64>, contents: Option<(u32, u32)>) -> Verdict {
    let then = at("/a/app.db", "1:1", 10, &["users", "orders", "items"]);
    let contents = contents.map(|(rows, kept)| Contents { rows, kept, identical: false });
    then.judge(now, Times { born_ms, backup_ms: BACKUP_MS }, contents)
}

#[test]
fn a_database_stays_itself_wherever_it_goes_and_whatever_is_done_to_it() {
    let same = ["users", "orders", "items"];
    let cases = [
        ("not changed", at("/a/app.db", "1:1", 10, &same), BEFORE, None),
        ("changed, vacuumed, with another page size", at("/a/app.db", "1:1", 99, &same), BEFORE, None),
        (
            "upgraded in place: half of the tables are new",
            at("/a/app.db", "1:1", 30, &["users", "x", "y"]),
            BEFORE,
            None,
        ),
        ("all its tables renamed", at("/a/app.db", "1:1", 30, &["x", "y"]), BEFORE, None),
        ("its tables dropped", at("/a/app.db", "1:1", 30, &[]), BEFORE, None),
        ("moved within the file system, and vacuumed", at("/b/app.db", "1:1", 11, &same), BEFORE, None),
        ("an older copy written over it", at("/a/app.db", "1:1", 4, &same), BEFORE, None),
        ("restored: another file at its path", at("/a/app.db", "2:2", 4, &same), AFTER, None),
        ("made anew by its application, without rows in common", at("/a/app.db", "2:2", 2, &same), AFTER, None),
        ("re-encoded: made from its dump", at("/a/app.db", "2:2", 3, &same), AFTER, None),
        ("a file system without times of creation", at("/a/app.db", "", 12, &same), UNKNOWN, None),
        ("an older file moved in its place, with its rows", at("/a/app.db", "2:2", 5, &same), BEFORE, Some((40, 30))),
        ("other tables, but its rows", at("/a/app.db", "2:2", 20, &["x", "y"]), AFTER, Some((40, 20))),
        ("copied to another path, with rows added", at("/b/app.db", "2:2", 12, &same), AFTER, Some((40, 40))),
        ("copied and worked with", at("/b/app.db", "2:2", 40, &same), AFTER, Some((5000, 4900))),
        ("moved where files have no time of creation", at("/b/app.db", "", 12, &same), UNKNOWN, Some((40, 40))),
        ("an image in memory", at("", "", 12, &same), UNKNOWN, None),
    ];
    for (what, now, born_ms, contents) in cases {
        assert_eq!(judge(&now, born_ms, contents), Verdict::Same, "{what}");
    }
}

#[test]
fn another_database_is_told_by_its_place_its_age_and_its_rows() {
    let same = ["users", "orders", "items"];
    let cases = [
        ("another of the same name, with other tables", at("/b/app.db", "2:2", 9, &["x"]), BEFORE, None, Sign::Beside),
        ("a tenant with the same tables", at("/b/app.db", "2:2", 10, &same), BEFORE, None, Sign::Beside),
        ("a copy that lives on beside it", at("/b/app.db", "2:2", 10, &same), BEFORE, None, Sign::Beside),
        ("a new tenant", at("/b/app.db", "2:2", 10, &same), AFTER, Some((20, 0)), Sign::Elsewhere),
        (
            "a new tenant with most rows from a template",
            at("/b/app.db", "2:2", 10, &same),
            AFTER,
            Some((40, 39)),
            Sign::Elsewhere,
        ),
        ("a new and empty tenant", at("/b/app.db", "2:2", 10, &same), AFTER, Some((0, 0)), Sign::Elsewhere),
        (
            "the same path on another host, with other tables",
            at("/a/app.db", "2:2", 50, &["x"]),
            AFTER,
            Some((40, 0)),
            Sign::Contents,
        ),
        (
            "the same path on another host, with other rows",
            at("/a/app.db", "2:2", 50, &same),
            BEFORE,
            Some((40, 3)),
            Sign::Contents,
        ),
        (
            "another database copied into the file",
            at("/a/app.db", "1:1", 3, &["x"]),
            BEFORE,
            Some((40, 0)),
            Sign::Contents,
        ),
        ("an image in memory of something else", at("", "", 12, &["x", "y"]), UNKNOWN, Some((40, 1)), Sign::Contents),
    ];
    for (what, now, born_ms, contents, sign) in cases {
        assert_eq!(judge(&now, born_ms, contents), Verdict::Other(sign), "{what}");
    }
}

#[test]
fn an_exact_copy_elsewhere_is_itself_unless_it_lies_there_for_long() {
    let then = at("/a/app.db", "1:1", 10, &["users"]);
    let copy = at("/b/app.db", "2:2", 10, &["users"]);
    let exact = Some(Contents { rows: 5, kept: 0, identical: true });
    let judge = |born_ms| then.judge(&copy, Times { born_ms, backup_ms: BACKUP_MS }, exact);
    assert_eq!([AFTER, BEFORE].map(judge), [Verdict::Same, Verdict::Other(Sign::Beside)]);
}

#[test]
fn what_the_file_does_not_tell_is_looked_for_in_the_contents() {
    let same = ["users", "orders", "items"];
    assert_eq!(judge(&at("/b/app.db", "2:2", 12, &same), AFTER, None), Verdict::Unsure);
    assert_eq!(judge(&at("/a/app.db", "2:2", 12, &same), BEFORE, None), Verdict::Unsure);
    assert_eq!(judge(&at("", "", 12, &["x"]), UNKNOWN, None), Verdict::Unsure);
}

#[test]
fn an_empty_database_that_has_grown_and_one_without_evidence_are_themselves() {
    let times = Times { born_ms: BEFORE, backup_ms: BACKUP_MS };
    let empty = at("/a/app.db", "", 0, &[]);
    assert_eq!(empty.judge(&at("/a/app.db", "", 5, &["users"]), Times { born_ms: None, ..times }, None), Verdict::Same);
    let older = Identity { tables: Identity::sketch(["users"]), ..Identity::default() };
    assert_eq!(older.judge(&at("/a/app.db", "1:1", 5, &["users"]), times, None), Verdict::Same);
    assert_eq!(older.judge(&at("/a/app.db", "1:1", 5, &["x"]), times, None), Verdict::Unsure);
}

#[test]
fn of_many_tables_a_sample_tells_how_many_are_in_common() {
    let names = |range: core::ops::Range<u32>| range.map(|n| format!("t{n}")).collect::<Vec<_>>();
    let of = |names: &[String]| Identity {
        tables: Identity::sketch(names.iter().map(String::as_str)),
        ..Identity::default()
    };
    let then = of(&names(0..1000));
    assert_eq!(then.tables.len(), SKETCH);
    assert_eq!(then.shares_tables(&of(&names(100..1100))), Some(true));
    assert_eq!(then.shares_tables(&of(&names(950..1950))), Some(false));
    assert_eq!(then.shares_tables(&of(&names(0..3))), Some(false));
}

#[test]
fn rows_are_found_again_after_vacuum_and_on_other_pages() {
    let sample = Sample::of(
        1024,
        "CREATE TABLE t (a, b); CREATE INDEX i ON t (a); CREATE TABLE w (k PRIMARY KEY, v) WITHOUT ROWID;
         WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500) INSERT INTO t SELECT i, hex(randomblob(i % 90)) FROM n;
         INSERT INTO t VALUES ('long', hex(zeroblob(4000))); INSERT INTO w SELECT a, b FROM t WHERE a < 50",
    );
    let then = sample.bytes.clone();
    let then_layout = sample.layout();
    sample.db.execute_batch("DELETE FROM t WHERE a % 2; VACUUM").unwrap();
    let now = std::fs::read(sample.path()).unwrap();
    let layout = Layout::new(&sample.header, (now.len() / 1024) as u32);
    let mut search = RowSearch::default();
    for (pgno, page) in (2..).zip(now.chunks(1024).skip(1)) {
        search.add(page, Pgno::new(pgno).unwrap(), layout);
    }
    for (pgno, page) in (2..).zip(then.chunks(1024).skip(1)) {
        search.look_for(page, Pgno::new(pgno).unwrap(), then_layout);
    }
    let (rows, kept) = search.found();
    // Rows and index entries with odd numbers are gone, some 250 each of 501; none of `w` is.
    assert!((900..=1052).contains(&rows) && (520..=560).contains(&kept), "{kept} of {rows}");
}
