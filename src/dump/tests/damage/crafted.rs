//! Databases that were made to do harm: what is small in the file and large in the dump, or goes in circles.

use super::*;
use crate::btree::sample::{PAGE_SIZES, Sample};

/// The first page of the b-tree of a table or an index.
fn root(sample: &Sample, name: &str) -> usize {
    let sql = "SELECT rootpage FROM sqlite_schema WHERE name = ?";
    sample.db.query_row(sql, [name], |row| row.get::<_, u32>(0)).unwrap() as usize
}

/// Where a page begins, which is not the first.
fn start(sample: &Sample, pgno: usize) -> usize {
    (pgno - 1) * sample.header.page_size.bytes()
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([bytes[at], bytes[at + 1]])
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap())
}

/// A leaf gets as many cells as it can have, all of them the first.
fn repeat_first_cell(bytes: &mut [u8], page: usize) -> usize {
    let first = u16_at(bytes, page + 8);
    let count = usize::from(first - 8) / 2;
    bytes[page + 3..page + 5].copy_from_slice(&(count as u16).to_be_bytes());
    for cell in 0..count {
        bytes[page + 8 + 2 * cell..][..2].copy_from_slice(&first.to_be_bytes());
    }
    count
}

#[test]
fn cells_that_lie_one_over_the_other_are_no_more_than_their_page() {
    for page_size in PAGE_SIZES {
        let row = page_size as usize - 35 - page_size as usize / 8;
        let sample = Sample::of(
            page_size,
            &format!(
                "CREATE TABLE t (a); INSERT INTO t VALUES (zeroblob({row}));
                 CREATE TABLE k (a PRIMARY KEY) WITHOUT ROWID; INSERT INTO k VALUES (zeroblob({}));",
                page_size / 5
            ),
        );
        let mut bytes = sample.bytes.clone();
        let (t, k) = (root(&sample, "t"), root(&sample, "k"));
        for page in [t, k] {
            assert!(repeat_first_cell(&mut bytes, start(&sample, page)) > 20);
        }
        for dialect in DIALECTS {
            let ended = run(&bytes, &options(dialect, false)).unwrap().ended;
            assert_eq!(ended, Err(Error::at_page(ErrorKind::BtreePage, t as u32)));
            let ran = run(&bytes, &options(dialect, true)).unwrap();
            ran.ended.unwrap();
            assert!(ran.sql.len() < 2000 + 3 * bytes.len(), "{} of {}", ran.sql.len(), bytes.len());
            for (table, page) in [("t", t), ("k", k)] {
                let warning =
                    |said: &String| said.starts_with(&format!("{table}: ")) && said.contains(&page.to_string());
                assert!(ran.warnings.iter().any(warning), "{:?}", ran.warnings);
            }
        }
    }
}

#[test]
fn chains_that_many_cells_share_are_no_more_than_the_file() {
    let sample = Sample::of(
        4096,
        "CREATE TABLE t (a); INSERT INTO t VALUES (zeroblob(1000000));
         WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100) INSERT INTO t SELECT zeroblob(5000) FROM n;
         CREATE TABLE u (a); INSERT INTO u VALUES ('there')",
    );
    let mut bytes = sample.bytes.clone();
    // The cell of the long row, in place of those of the others on its page.
    let leaf = (2..sample.page_count() as usize).find(|&page| bytes[start(&sample, page)] == 13).unwrap();
    let page = start(&sample, leaf);
    let count = usize::from(u16_at(&bytes, page + 3));
    let first = u16_at(&bytes, page + 8);
    assert!(count > 2);
    for cell in 0..count {
        bytes[page + 8 + 2 * cell..][..2].copy_from_slice(&first.to_be_bytes());
    }
    for dialect in DIALECTS {
        let error = run(&bytes, &options(dialect, false)).unwrap().ended.unwrap_err();
        assert_eq!(error, Error::at_page(ErrorKind::BtreePage, leaf as u32));
        let ran = run(&bytes, &options(dialect, true)).unwrap();
        ran.ended.unwrap();
        assert!(ran.sql.len() <= 5 * bytes.len(), "{} of {}", ran.sql.len(), bytes.len());
        assert!(ran.polls < 200 && ran.fed < 20 * sample.page_count() as usize, "{} {}", ran.polls, ran.fed);
    }
}

/// Points a chain's page to itself, to the one before, and to a page that is none.
#[test]
fn overflow_pages_that_go_in_circles_end() {
    let sample = Sample::of(
        1024,
        "CREATE TABLE t (a, b); INSERT INTO t VALUES (1, 'before'), (zeroblob(30000), 'long'), (3, 'after');
         CREATE TABLE u (a); INSERT INTO u VALUES ('there')",
    );
    let first = sample.bytes.len() / 1024 - 20;
    for to in [first, first - 1, first + 1, 1, 0, 9999] {
        let mut bytes = sample.bytes.clone();
        bytes[(first - 1) * 1024..][..4].copy_from_slice(&(to as u32).to_be_bytes());
        for dialect in DIALECTS {
            for salvage in [false, true] {
                let ran = run(&bytes, &options(dialect, salvage)).unwrap();
                assert!(ran.polls < 100 && ran.sql.len() < 4 * bytes.len());
                assert!(salvage <= ran.ended.is_ok());
                if salvage {
                    assert!(memchr::memmem::find(&ran.sql, b"'there'").is_some());
                }
            }
        }
    }
}

/// A database whose table `t` is three levels deep, with tables before and behind it.
fn deep() -> Sample {
    Sample::of(
        512,
        "CREATE TABLE a (x); INSERT INTO a VALUES ('before'); CREATE TABLE t (x);
         WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000) INSERT INTO t SELECT 'row ' || i FROM n;
         CREATE TABLE k (x PRIMARY KEY) WITHOUT ROWID; INSERT INTO k SELECT 'key ' || x FROM t;
         CREATE TABLE z (x); INSERT INTO z VALUES ('behind')",
    )
}

#[test]
fn a_page_below_itself_is_refused_and_costs_nothing_else() {
    let sample = deep();
    for table in ["t", "k"] {
        let top = root(&sample, table);
        let child = u32_at(&sample.bytes, start(&sample, top) + 8);
        // The right-most child of the root, and of what is below it.
        for (page, to) in [(top, top as u32), (child as usize, top as u32), (child as usize, child)] {
            let mut bytes = sample.bytes.clone();
            let at = start(&sample, page) + 8;
            assert!(bytes[at - 8] == 5 || bytes[at - 8] == 2);
            bytes[at..at + 4].copy_from_slice(&to.to_be_bytes());
            for dialect in DIALECTS {
                let ended = run(&bytes, &options(dialect, false)).unwrap().ended;
                assert_eq!(ended, Err(Error::at_page(ErrorKind::BtreeDepth, page as u32)));
                let ran = run(&bytes, &options(dialect, true)).unwrap();
                ran.ended.unwrap();
                assert!(ran.warnings[0].starts_with(&format!("{table}: ")), "{:?}", ran.warnings);
                for text in ["'before'", "'behind'", if table == "t" { "'key row 3000'" } else { "'row 3000'" }] {
                    assert!(memchr::memmem::find(&ran.sql, text.as_bytes()).is_some(), "{text}");
                }
            }
        }
    }
}

/// Not a circle, but the same rows again and again.
#[test]
fn a_page_below_many_is_read_no_more_often_than_there_are_pages() {
    let sample = deep();
    for table in ["t", "k"] {
        let top = root(&sample, table);
        let mut bytes = sample.bytes.clone();
        let inner: Vec<usize> = (2..=sample.page_count() as usize)
            .filter(|&page| bytes[start(&sample, page)] == if table == "t" { 5 } else { 2 })
            .collect();
        // All children of all pages above the leaves are one page, each page above the leaves has the next below it.
        for (index, &page) in inner.iter().enumerate() {
            let below = *inner.get(index + 1).unwrap_or(&(top + 1)) as u32;
            let page = start(&sample, page);
            for cell in 0..usize::from(u16_at(&bytes, page + 3)) {
                let at = page + usize::from(u16_at(&bytes, page + 12 + 2 * cell));
                bytes[at..at + 4].copy_from_slice(&below.to_be_bytes());
            }
            bytes[page + 8..page + 12].copy_from_slice(&below.to_be_bytes());
        }
        for dialect in DIALECTS {
            for salvage in [false, true] {
                let started = Work::now();
                let ran = run(&bytes, &options(dialect, salvage)).unwrap();
                assert_eq!(ran.ended.is_ok(), salvage);
                assert!(ran.polls <= 20 + 4 * sample.page_count() as usize, "{}", ran.polls);
                assert!(ran.sql.len() <= 6 * bytes.len(), "{} of {}", ran.sql.len(), bytes.len());
                assert!(started.done_since() < Duration::from_secs(10), "{:?}", started.done_since());
            }
        }
    }
}

#[test]
fn rows_of_another_page_are_refused() {
    let sample = deep();
    let mut bytes = sample.bytes.clone();
    let top = root(&sample, "t");
    // Two children of the root become one.
    let page = start(&sample, top);
    let first = page + usize::from(u16_at(&bytes, page + 12));
    let child = u32_at(&bytes, first);
    bytes[page + 8..page + 12].copy_from_slice(&child.to_be_bytes());
    for dialect in [Dialect::Sqlite, Dialect::D1] {
        let error = run(&bytes, &options(dialect, false)).unwrap().ended.unwrap_err();
        assert_eq!(error.kind, ErrorKind::BtreePage);
        let ran = run(&bytes, &options(dialect, true)).unwrap();
        ran.ended.unwrap();
        let db = rusqlite::Connection::open_in_memory().unwrap();
        db.execute_batch(core::str::from_utf8(&ran.sql).unwrap()).unwrap();
        let missing: i64 = db.query_row("SELECT 3000 - count(*) FROM t", [], |row| row.get(0)).unwrap();
        // They are found without the page that pointed to them.
        assert_eq!(missing, 0);
    }
}

#[test]
fn a_record_with_more_values_than_any_has_is_refused() {
    let sample =
        Sample::of(4096, "CREATE TABLE t (a); INSERT INTO t VALUES (zeroblob(200000)); INSERT INTO t VALUES (2)");
    let mut bytes = sample.bytes.clone();
    let page = start(&sample, root(&sample, "t"));
    // Its header becomes all of it: two hundred thousand NULLs.
    let cell = page + usize::from(u16_at(&bytes, page + 8));
    let record = cell + 4;
    bytes[record..record + 3].copy_from_slice(&[0x8c, 0x9a, 0x40]);
    for dialect in DIALECTS {
        let ended = run(&bytes, &options(dialect, false)).unwrap().ended;
        assert!(ended.is_err_and(|error| error.kind == ErrorKind::BtreePage), "{ended:?}");
        let ran = run(&bytes, &options(dialect, true)).unwrap();
        assert_eq!((ran.ended, ran.warnings.is_empty()), (Ok(()), false));
    }
}

/// The marks that stand for line ends must not be in the text: it has the first hundred thousand of them.
#[test]
fn a_text_with_all_marks_in_it_does_not_take_the_day() {
    let numbers = 100_000;
    let marks: String = (0..numbers).map(|n| format!("(\\n{n})(\\r{n})")).collect();
    let text = format!("\\n\\012\\r\\015{marks}\n\r");
    let sample = Sample::new(4096, 0, |db| {
        db.execute_batch("CREATE TABLE t (a)").unwrap();
        db.execute("INSERT INTO t VALUES (?1)", [&text]).unwrap();
    });
    for dialect in DIALECTS {
        let started = Work::now();
        let ran = run(&sample.bytes, &options(dialect, false)).unwrap();
        ran.ended.unwrap();
        assert!(started.done_since() < Duration::from_secs(5), "{:?}", started.done_since());
        if dialect != Dialect::D1 {
            let db = rusqlite::Connection::open_in_memory().unwrap();
            db.execute_batch(core::str::from_utf8(&ran.sql).unwrap()).unwrap();
            assert_eq!(db.query_row("SELECT a FROM t", [], |row| row.get::<_, String>(0)).unwrap(), text);
        }
    }
}

/// As many objects as there is room for, with names that are looked for.
#[test]
fn a_schema_of_many_objects_does_not_take_the_day() {
    let sample = Sample::new(65536, 0, |db| {
        let count = if cfg!(debug_assertions) { 10_000 } else { 50_000 };
        db.execute_batch("CREATE TABLE t (a); INSERT INTO t VALUES (1); PRAGMA writable_schema = ON").unwrap();
        db.execute(
            "WITH n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < ?1) INSERT INTO sqlite_schema
             SELECT 'table', 'pieces' || i, 'pieces' || i, 0, 'CREATE TABLE pieces' || i || '(a REFERENCES x_y)' FROM n
             UNION ALL SELECT 'table', 'x_' || i, 'x_' || i, 2, 'CREATE TABLE x_' || i || '(a)' FROM n",
            [count],
        )
        .unwrap();
    });
    for dialect in DIALECTS {
        for salvage in [false, true] {
            let started = Work::now();
            let ran = run(&sample.bytes, &options(dialect, salvage)).unwrap();
            assert_eq!(ran.ended.is_ok(), salvage);
            assert!(
                started.done_since() < Duration::from_secs(20),
                "{dialect:?}, {salvage}: {:?}",
                started.done_since()
            );
        }
    }
}

#[test]
fn more_schema_than_there_is_room_for_is_refused_or_left_out() {
    let add = |sql: &str| {
        let sample = Sample::new(4096, 0, |db| {
            db.execute_batch("CREATE TABLE t (a); INSERT INTO t VALUES ('there'); PRAGMA writable_schema = ON")
                .unwrap();
            db.execute_batch(sql).unwrap();
        });
        sample.bytes
    };
    let long = "INSERT INTO sqlite_schema VALUES ('view', 'v', 'v', 0, 'CREATE VIEW v AS SELECT ''' || hex(zeroblob(5000000)) || '''');";
    let many = "WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20) INSERT INTO sqlite_schema
        SELECT 'view', 'v' || i, 'v' || i, 0, 'CREATE VIEW v' || i || ' AS SELECT ''' || hex(zeroblob(500000)) || '''' FROM n;";
    // Columns take more than their SQL.
    let wide = "WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1500), c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 200),
        l(l) AS (SELECT group_concat(printf('c%d', i)) FROM c) INSERT INTO sqlite_schema
        SELECT 'table', 't' || i, 't' || i, 2, 'CREATE TABLE t' || i || '(' || l || ')' FROM n, l;";
    for sql in [long, many, wide] {
        let bytes = add(sql);
        let error = run(&bytes, &options(Dialect::Sqlite, false)).unwrap().ended.unwrap_err();
        assert_eq!(error.kind, ErrorKind::SchemaSize);
        if sql != wide {
            let ran = run(&bytes, &options(Dialect::Sqlite, true)).unwrap();
            assert_eq!((ran.ended, ran.warnings.len()), (Ok(()), 1), "{:?}", ran.warnings);
            assert!(memchr::memmem::find(&ran.sql, b"'there'").is_some());
        }
    }
}

/// A name of megabytes, in a table with many pages that are damaged.
#[test]
fn a_long_name_is_not_said_whole() {
    let name = "n".repeat(300_000);
    let sample = Sample::new(512, 0, |db| {
        db.execute_batch(&format!(
            "CREATE TABLE {name} (a); WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300)
             INSERT INTO {name} SELECT zeroblob(300) FROM n"
        ))
        .unwrap();
    });
    let mut bytes = sample.bytes.clone();
    for page in bytes.chunks_mut(512).skip(1).filter(|page| page[0] == 13) {
        page.fill(0xff);
    }
    let ran = run(&bytes, &options(Dialect::Sqlite, true)).unwrap();
    ran.ended.unwrap();
    assert!(ran.warnings.len() > 10 && ran.warnings.iter().map(String::len).sum::<usize>() < 2 << 20);
}
