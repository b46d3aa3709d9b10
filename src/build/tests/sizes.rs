use super::*;
use crate::btree::sample::contents::EVERYTHING;
use crate::btree::sample::random::quote;
use crate::btree::sample::{ENCODINGS, PAGE_SIZES};

#[test]
fn every_object_and_value_is_the_same_in_pages_of_every_size() {
    for encoding in ENCODINGS {
        let sample = Sample::of(4096, &format!("PRAGMA encoding = '{encoding}'; {EVERYTHING}"));
        for page_size in PAGE_SIZES {
            assert_rebuilt(&sample.bytes, &sample.db, page_size, 100);
        }
    }
}

#[test]
fn a_database_that_others_made_is_the_same() {
    // Fetched by `scripts/setup.sh`; there need not be one.
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/.cache/proj.db");
    let Ok(bytes) = std::fs::read(path) else { return };
    let page_size = DatabaseHeader::parse(&bytes).unwrap().page_size.value();
    let ours = Opened::new(&rebuild(&bytes, page_size, 1000));
    let db = &ours.db;
    db.execute_batch(&format!("ATTACH '{path}' AS theirs")).unwrap();
    for name in ask(db, "SELECT name FROM theirs.sqlite_schema WHERE type = 'table' OR type = 'view'") {
        let name = quote(&name);
        let differ = format!("SELECT count(*) FROM (SELECT * FROM main.{name} EXCEPT SELECT * FROM theirs.{name})");
        let counts = format!("SELECT (SELECT count(*) FROM main.{name}) - (SELECT count(*) FROM theirs.{name})");
        assert_eq!([ask(db, &differ), ask(db, &counts)].concat(), ["Integer(0)", "Integer(0)"], "{name}");
    }
    let schema = |of| ask(db, &format!("SELECT type || name || tbl_name || ifnull(sql, '') FROM {of}.sqlite_schema"));
    assert_eq!(schema("main"), schema("theirs"));
}

#[test]
fn a_schema_of_many_tables_takes_several_levels() {
    let sample = Sample::new(512, 0, |db| {
        let tables: String = (0..700).map(|n| format!("CREATE TABLE table_{n} (id INTEGER PRIMARY KEY, x);")).collect();
        db.execute_batch(&format!("BEGIN; {tables} INSERT INTO table_7 VALUES (1, 2); COMMIT")).unwrap();
    });
    assert_rebuilt(&sample.bytes, &sample.db, 512, 100);
}

/// The first page has 100 bytes less: schemas of every length around its end.
#[test]
fn a_schema_that_just_fits_page_1_or_not_is_sound() {
    for length in 0..600 {
        let sql = format!("CREATE TABLE t (a /* {} */)", "x".repeat(length));
        let mut builder = Builder::new(options(512));
        let mut file = File::default();
        for name in ["t", "u"] {
            let object = builder.object(table(name, &sql.replace(" t ", &format!(" {name} ")))).unwrap();
            builder.begin(object, Form::Table, vec![Column::Value]).unwrap();
            builder.end().unwrap();
        }
        builder.finish().unwrap();
        file.take(&mut builder, 512);
        let opened = Opened::new(&file.bytes);
        assert_eq!(opened.ask("SELECT count(*) FROM t, u"), ["Integer(0)"], "{length}");
    }
}

#[test]
fn a_database_of_nothing_is_one_page() {
    let mut builder = Builder::new(options(4096));
    assert_eq!(builder.finish(), Ok(1));
    let mut file = File::default();
    file.take(&mut builder, 4096);
    assert_eq!(Opened::new(&file.bytes).ask("SELECT count(*) FROM sqlite_schema"), ["Integer(0)"]);
}

#[test]
fn the_page_that_holds_byte_2_to_the_30_is_left_out() {
    const PAGE_SIZE: u32 = 65_536;
    const LOCK_PAGE: u32 = (1 << 30) / PAGE_SIZE + 1;
    let mut builder = Builder::new(options(PAGE_SIZE));
    let object = builder.object(table("t", "CREATE TABLE t (a)")).unwrap();
    builder.begin(object, Form::Table, vec![Column::Value]).unwrap();
    let piece = vec![7; 1 << 20];
    let mut next = 2;
    let mut last_of_chain = 0;
    for rowid in 0..2 {
        let mut batch = Batch::default();
        batch.rowid(rowid);
        batch.long(false, 600 << 20);
        builder.add(&batch.take()).unwrap();
        for _ in 0..600 {
            builder.piece(&piece).unwrap();
            let (runs, pages) = builder.take();
            let mut pages = pages.chunks_exact(PAGE_SIZE as usize);
            for pgno in runs.iter().flat_map(|run| run.first.value()..run.first.value() + run.count) {
                assert_eq!(pgno, next);
                next += if next + 1 == LOCK_PAGE { 2 } else { 1 };
                let link = pages.next().unwrap().first_chunk().map(|link| u32::from_be_bytes(*link)).unwrap();
                // A leaf begins with 13.
                assert!(link == next || link == 0 || link >> 24 == 13, "{pgno} -> {link}");
                last_of_chain += u32::from(link == 0);
            }
        }
    }
    assert_eq!(last_of_chain, 2);
    assert!(next > LOCK_PAGE);
}
