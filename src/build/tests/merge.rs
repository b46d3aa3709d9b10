use std::collections::HashSet;

use proptest::prelude::*;

use super::*;
use crate::btree::sample::{Random, Sample};
use crate::build::batch::Field;
use crate::build::collate::put_same;
use crate::bytes::Reader;
use crate::error::ErrorKind;

const SCHEMA: &str = "CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT COLLATE NOCASE, b);
    CREATE INDEX i ON t (a DESC, b);
    CREATE INDEX p ON t (b COLLATE RTRIM) WHERE typeof(b) <> 'integer';
    CREATE TABLE w (k TEXT COLLATE NOCASE, n, v, PRIMARY KEY (n DESC, k)) WITHOUT ROWID;
    CREATE INDEX j ON w (v COLLATE RTRIM DESC, k);
    CREATE TABLE same (id INTEGER PRIMARY KEY, long);
    INSERT INTO same VALUES (1, printf('%.*c', 9000, 'x')), (2, 'y')";

fn term(place: usize, collation: Collation, is_descending: bool) -> Term {
    Term { place, collation, is_descending }
}

/// Each b-tree's name, how many values its records have, and its order; without the last.
fn trees() -> [(&'static str, usize, Order); 5] {
    let [binary, nocase, rtrim] = [Collation::Binary, Collation::Nocase, Collation::Rtrim];
    let order = |terms: Vec<Term>, key: Vec<Term>| Order { terms, key };
    let [n, k] = [term(0, binary, true), term(1, nocase, false)];
    [
        ("t", 3, Order::default()),
        (
            "i",
            3,
            order(
                vec![term(0, nocase, true), term(1, binary, false), term(2, binary, false)],
                vec![term(2, binary, false)],
            ),
        ),
        ("p", 2, order(vec![term(0, rtrim, false), term(1, binary, false)], vec![term(1, binary, false)])),
        ("w", 3, order(vec![n, k], vec![n, k])),
        ("j", 3, order(vec![term(0, rtrim, true), k, term(2, binary, true)], vec![term(2, binary, false), k])),
    ]
}

type Row = (Option<i64>, Vec<u8>);

/// The rows of a b-tree, as batches say them.
fn rows_of(file: &[u8], name: &str) -> Vec<Row> {
    let header = DatabaseHeader::parse(file).unwrap();
    let layout = Layout::new(&header, (file.len() / header.page_size.bytes()) as u32);
    let mut pages = Pages::with_capacity(header.page_size, usize::MAX);
    pages.add(Pgno::FIRST, file.to_vec());
    let mut root = None;
    for_each_row(Pgno::FIRST, layout, &pages, |_, values| {
        if let (Value::Text(found), Value::Integer(number)) = (values[1], values[3])
            && found == name.as_bytes()
        {
            root = Pgno::new(number as u32);
        }
    });
    let mut rows = Vec::new();
    for_each_row(root.unwrap(), layout, &pages, |rowid, values| {
        let mut batch = Batch::default();
        values.iter().for_each(|value| batch.value(*value));
        rows.push((rowid, batch.take()));
    });
    rows
}

/// The values of a row's key as a batch, and as what is the same for keys that are the same to SQLite.
fn key_of(row: &Row, order: &Order) -> (Vec<u8>, Vec<u8>) {
    let mut reader = Reader::new(&row.1, 0, ErrorKind::Usage);
    let mut values = Vec::new();
    while reader.remaining() > 0 {
        let Field::Value(value) = Field::read(&mut reader).unwrap() else { panic!("a part of a value") };
        values.push(value);
    }
    let mut batch = Batch::default();
    let mut same = Vec::new();
    match row.0 {
        Some(rowid) => {
            batch.rowid(rowid);
            put_same(Value::Integer(rowid), Collation::Binary, &mut same);
        }
        None => order.key.iter().for_each(|term| {
            batch.value(values[term.place]);
            put_same(values[term.place], term.collation, &mut same);
        }),
    }
    (batch.take(), same)
}

/// Builds `after` of `before` and of those of its rows alone that changed.
fn merged(before: &[u8], after: &[u8], page_size: u32) -> Vec<u8> {
    let mut previous = Previous::new(PageSize::new(page_size).unwrap());
    previous.feed(before).unwrap();
    let header = DatabaseHeader::parse(after).unwrap();
    let options = Options { schema_cookie: header.schema_cookie, ..options(page_size) };
    let mut builder = Builder::after(previous, options).unwrap();
    let objects = rows_of_schema(after);
    for object in &objects {
        builder.object(object.clone()).unwrap();
    }
    let mut out = File { bytes: before.to_vec(), order: Vec::new() };
    for (name, width, order) in trees() {
        let object = objects.iter().position(|object| object.name == name.as_bytes()).unwrap();
        let (old, new) = (rows_of(before, name), rows_of(after, name));
        let [olds, news] = [&old, &new].map(|rows| rows.iter().collect::<HashSet<_>>());
        let keys: HashSet<_> = olds.symmetric_difference(&news).map(|row| key_of(row, &order)).collect();
        let form = if order.key.is_empty() { Form::Table } else { Form::Index };
        assert!(builder.begin_after(object, form, vec![Column::Value; width], order.clone()).unwrap());
        builder.change(&keys.iter().flat_map(|(key, _)| key).copied().collect::<Vec<_>>()).unwrap();
        let same: HashSet<_> = keys.iter().map(|(_, same)| same).collect();
        for row in new.iter().filter(|row| same.contains(&key_of(row, &order).1)) {
            let rowid = row.0.map(|rowid| rowid.to_be_bytes().to_vec()).unwrap_or_default();
            builder.add(&[rowid, row.1.clone()].concat()).unwrap();
        }
        loop {
            let missing = builder.missing().unwrap();
            for range in &missing {
                let start = (range.first.value() as usize - 1) * page_size as usize;
                let bytes = &before[start..start + range.count as usize * page_size as usize];
                builder.supply(range.first, bytes.to_vec()).unwrap();
            }
            if missing.is_empty() {
                break;
            }
        }
        builder.end().unwrap();
        out.take(&mut builder, page_size as usize);
    }
    let same = objects.iter().position(|object| object.name == b"same").unwrap();
    assert!(builder.keep(same).unwrap());
    let page_count = builder.finish().unwrap();
    out.take(&mut builder, page_size as usize);
    out.bytes.truncate(page_count as usize * page_size as usize);
    out.bytes
}

fn rows_of_schema(file: &[u8]) -> Vec<Object> {
    let header = DatabaseHeader::parse(file).unwrap();
    let layout = Layout::new(&header, (file.len() / header.page_size.bytes()) as u32);
    let mut pages = Pages::with_capacity(header.page_size, usize::MAX);
    pages.add(Pgno::FIRST, file.to_vec());
    let mut objects = Vec::new();
    for_each_row(Pgno::FIRST, layout, &pages, |_, values| {
        let text = |value| if let Value::Text(bytes) = value { bytes.to_vec() } else { Vec::new() };
        let [kind, name, table, sql] = [0, 1, 2, 4].map(|column| text(values[column]));
        objects.push(Object { kind, name, table, sql: Some(sql).filter(|sql| !sql.is_empty()), has_tree: true });
    });
    objects
}

/// A value of any type, of those that SQL compares in ways of their own.
fn value(random: &mut Random) -> String {
    match random.below(9) {
        0 => "NULL".into(),
        1 => format!("{}", random.below(50)),
        2 => format!("{}.5", random.below(50)),
        3 => format!("{}.0", random.below(50)),
        4 => format!("x'{:02x}'", random.below(256)),
        5 => format!("printf('%.*c', {}, 'q')", random.below(700)),
        6 => format!("'Ab' || char({}) || 'c' || '{}'", random.below(2) * 65, random.below(9)),
        7 => format!("'{}' || printf('%.*c', {}, ' ')", ["a", "A", "b"][random.below(3)], random.below(3)),
        _ => format!("{}", i64::MAX - random.below(3) as i64),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_changed_is_enough_for_the_same_pages(seed in 1u64.., rows in 1usize..400, large in any::<bool>()) {
        let page_size = if large { 4096 } else { 512 };
        let mut random = Random(seed);
        let sample = Sample::of(page_size, SCHEMA);
        let write = |random: &mut Random, many: usize| {
            sample.db.execute_batch("BEGIN").unwrap();
            for _ in 0..many {
                let [a, b, c] = [value(random), value(random), value(random)];
                let id = random.below(3 * rows);
                let sql = match random.below(6) {
                    0 => format!("DELETE FROM t WHERE id BETWEEN {id} AND {id} + 9"),
                    1 => format!("DELETE FROM w WHERE v = {a}"),
                    2 | 3 => format!("INSERT OR REPLACE INTO t VALUES ({id}, {a}, {b})"),
                    _ => format!("INSERT OR REPLACE INTO w VALUES (ifnull({a}, 'k{id}'), ifnull({b}, {id}), {c})"),
                };
                sample.db.execute_batch(&sql).unwrap();
            }
            sample.db.execute_batch("COMMIT").unwrap();
            std::fs::read(sample.path()).unwrap()
        };
        let mut before = rebuild(&write(&mut random, 4 * rows), page_size, 50);
        for share in [1, 8, 1] {
            let file = write(&mut random, rows / share);
            let after = merged(&before, &file, page_size);
            Opened::new(&after);
            let wanted = rebuild_after(Some(&before), &file, page_size, 50);
            let names = trees().map(|(name, ..)| name);
            names.iter().for_each(|name| assert_eq!(rows_of(&after, name), rows_of(&wanted, name), "{name}"));
            prop_assert!(after == wanted);
            before = after;
        }
    }
}
