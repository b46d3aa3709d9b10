//! Databases of SQLite, built again from their rows, and what SQLite says of them.

mod hostile;
mod merge;
mod previous;
mod random;
mod sizes;
mod values;

use rusqlite::Connection;

use super::*;
use crate::btree::sample::{Sample, page_of};
use crate::btree::{Budget, Encoding, Entries, Kind, Layout, Next, Pages, Record, Row, Value};
use crate::error::{ErrorKind, Result};
use crate::page::{DatabaseHeader, PageSize, Pgno};

fn options(page_size: u32) -> Options {
    Options {
        page_size: PageSize::new(page_size).unwrap(),
        encoding: Encoding::Utf8,
        change_counter: 1,
        schema_cookie: 1,
        user_version: 0,
        application_id: 0,
    }
}

/// A table in the schema.
fn table(name: &str, sql: &str) -> Object {
    let [kind, name] = ["table", name].map(|text| text.as_bytes().to_vec());
    Object { kind, table: name.clone(), name, sql: Some(sql.as_bytes().to_vec()), has_tree: true }
}

/// An index in the schema.
fn index(name: &str, of: &str, sql: &str) -> Object {
    Object { kind: b"index".to_vec(), table: of.as_bytes().to_vec(), ..table(name, sql) }
}

/// The pages of a builder, put where they belong.
#[derive(Default)]
struct File {
    bytes: Vec<u8>,
    /// In the order in which they came.
    order: Vec<u32>,
}

impl File {
    fn take(&mut self, builder: &mut Builder, page_size: usize) {
        let (runs, pages) = builder.take();
        let mut pages = pages.chunks_exact(page_size);
        for run in runs {
            for pgno in run.first.value()..run.first.value() + run.count {
                let start = (pgno as usize - 1) * page_size;
                if self.bytes.len() < start + page_size {
                    self.bytes.resize(start + page_size, 0);
                }
                self.bytes[start..start + page_size].copy_from_slice(pages.next().unwrap());
                self.order.push(pgno);
            }
        }
        assert!(pages.next().is_none());
    }
}

/// Builds a database with one table of these columns.
fn build_table(page_size: u32, sql: &str, columns: &[Column], add: impl FnOnce(&mut Builder)) -> Result<Vec<u8>> {
    let mut builder = Builder::new(options(page_size));
    let object = builder.object(table("t", sql))?;
    builder.begin(object, Form::Table, columns.to_vec())?;
    add(&mut builder);
    builder.end()?;
    builder.finish()?;
    let mut file = File::default();
    file.take(&mut builder, page_size as usize);
    Ok(file.bytes)
}

/// Builds a database file again, with pages of another size if need be, from what its b-trees hold; batches have so
/// many rows.
fn rebuild(file: &[u8], page_size: u32, rows: usize) -> Vec<u8> {
    rebuild_after(None, file, page_size, rows)
}

/// The same, as what comes after a database.
fn rebuild_after(previous: Option<&[u8]>, file: &[u8], page_size: u32, rows: usize) -> Vec<u8> {
    let header = DatabaseHeader::parse(file).unwrap();
    let layout = Layout::new(&header, (file.len() / header.page_size.bytes()) as u32);
    let mut pages = Pages::with_capacity(header.page_size, usize::MAX);
    pages.add(Pgno::FIRST, file.to_vec());
    let encoding = Encoding::new(header.encoding);
    let options = Options {
        encoding,
        schema_cookie: header.schema_cookie,
        user_version: header.user_version,
        application_id: header.application_id,
        ..options(page_size)
    };
    let mut builder = match previous {
        None => Builder::new(options),
        Some(file) => {
            let mut previous = Previous::new(options.page_size);
            file.chunks(3000).for_each(|bytes| previous.feed(bytes).unwrap());
            Builder::after(previous, options).unwrap()
        }
    };
    let mut roots = Vec::new();
    let mut objects = Vec::new();
    for_each_row(Pgno::FIRST, layout, &pages, |_, values| {
        let text = |value| if let Value::Text(bytes) = value { bytes } else { panic!("no text") };
        let Value::Integer(root) = values[3] else { panic!("no root") };
        let sql = if values[4] == Value::Null { None } else { Some(text(values[4]).to_vec()) };
        let [kind, name, table] = [0, 1, 2].map(|column| text(values[column]).to_vec());
        objects.push(Object { kind, name, table, sql, has_tree: root != 0 });
        builder.object(objects.last().unwrap().clone()).unwrap();
        roots.push(Pgno::new(root as u32));
    });
    let mut out = File { bytes: previous.unwrap_or_default().to_vec(), order: Vec::new() };
    for (object, root) in roots.into_iter().enumerate() {
        let Some(root) = root else { continue };
        let kind = Kind::new(page_of(file, &header, root)[0]).unwrap();
        let form = if kind.is_table() { Form::Table } else { Form::Index };
        let mut batch = Batch::default();
        let mut count = 0;
        let mut columns = 0;
        for_each_row(root, layout, &pages, |rowid, values| {
            if columns == 0 {
                columns = widest(root, layout, &pages);
                builder.begin(object, form, vec![Column::Value; columns]).unwrap();
            }
            rowid.into_iter().for_each(|rowid| batch.rowid(rowid));
            values.iter().for_each(|value| batch.value(*value));
            if values.len() < columns {
                batch.end_row();
            }
            count += 1;
            if count % rows == 0 {
                builder.add(&batch.take()).unwrap();
                out.take(&mut builder, page_size as usize);
                if previous.is_none() {
                    builder = gone_on(&builder, options, &objects);
                }
            }
        });
        if columns == 0 {
            builder.begin(object, form, vec![Column::Value]).unwrap();
        }
        builder.add(&batch.take()).unwrap();
        builder.end().unwrap();
        out.take(&mut builder, page_size as usize);
    }
    let page_count = builder.finish().unwrap();
    out.take(&mut builder, page_size as usize);
    if let Some(previous) = previous {
        // Those that come differ, and each comes once; all others are those of the database before.
        let size = page_size as usize;
        let page = |file: &[u8], pgno: u32| file.chunks(size).nth(pgno as usize - 1).map(<[u8]>::to_vec);
        assert!(out.order.iter().all(|&pgno| page(&out.bytes, pgno) != page(previous, pgno)));
        assert!(out.order.iter().rev().skip(1).all(|&pgno| pgno != 1));
        let count = out.order.len();
        out.order.sort_unstable();
        out.order.dedup();
        assert_eq!(out.order.len(), count);
        out.bytes.truncate(page_count as usize * size);
    } else {
        let lock_page = PageSize::new(page_size).unwrap().lock_page().value();
        let ascending: Vec<u32> = (2..=page_count).filter(|&pgno| pgno != lock_page).chain([1]).collect();
        assert_eq!(out.order, ascending);
    }
    assert_eq!(out.bytes.len(), page_count as usize * page_size as usize);
    out.bytes
}

/// What another process goes on with.
fn gone_on(builder: &Builder, options: Options, objects: &[Object]) -> Builder {
    let saved = builder.save().unwrap();
    let mut other = Builder::new(options);
    for object in objects {
        other.object(object.clone()).unwrap();
    }
    let cut = saved.len() - 1;
    assert_eq!(other.clone().restore(&saved[..cut]).unwrap_err().kind, ErrorKind::SavedState);
    other.restore(&saved).unwrap();
    other
}

/// How many values the widest record of a b-tree has.
fn widest(root: Pgno, layout: Layout, pages: &Pages) -> usize {
    let mut widest = 0;
    for_each_row(root, layout, pages, |_, values| widest = widest.max(values.len()));
    widest
}

fn for_each_row(root: Pgno, layout: Layout, pages: &Pages, mut row: impl FnMut(Option<i64>, &[Value<'_>])) {
    let mut entries = Entries::new(root, layout);
    let mut budget = Budget::new(layout);
    loop {
        match entries.next(pages, &mut budget).unwrap() {
            Next::Row(Row { pgno, rowid, record, rest }) => {
                let mut whole = record.to_vec();
                let mut rest = rest;
                while let Some(overflow) = rest {
                    let page = pages.page(overflow.next).unwrap();
                    let (bytes, after) = overflow.step(page, layout).unwrap();
                    whole.extend_from_slice(bytes);
                    rest = after;
                }
                let values: Result<Vec<_>> = Record::parse(&whole, pgno).unwrap().values().collect();
                row(rowid, &values.unwrap());
            }
            Next::Need(ranges) => panic!("{ranges:?} of a file that is all here"),
            Next::Given => panic!("nothing was given away"),
            Next::End => return,
        }
    }
}

/// SQLite's own view of a file.
struct Opened {
    db: Connection,
    path: std::path::PathBuf,
}

impl Opened {
    /// Opens one that is sound.
    fn new(file: &[u8]) -> Self {
        let opened = Self::any(file);
        assert_eq!(opened.ask("PRAGMA integrity_check"), ["ok"]);
        opened
    }

    fn any(file: &[u8]) -> Self {
        static NEXT: core::sync::atomic::AtomicU32 = core::sync::atomic::AtomicU32::new(0);
        let number = NEXT.fetch_add(1, core::sync::atomic::Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("pagemark-build-{}-{number}.db", std::process::id()));
        std::fs::write(&path, file).unwrap();
        let db = Connection::open(&path).unwrap();
        Self { db, path }
    }

    /// The first column of what a query gives, as text.
    fn ask(&self, sql: &str) -> Vec<String> {
        ask(&self.db, sql)
    }

    /// The size that VACUUM gives it, in bytes.
    fn vacuumed(&self) -> u64 {
        self.db.execute_batch("VACUUM").unwrap();
        std::fs::metadata(&self.path).unwrap().len()
    }
}

fn ask(db: &Connection, sql: &str) -> Vec<String> {
    let mut statement = db.prepare(sql).unwrap();
    let rows = statement.query_map([], |row| row.get::<_, rusqlite::types::Value>(0)).unwrap();
    rows.map(|value| match value.unwrap() {
        rusqlite::types::Value::Text(text) => text,
        other => format!("{other:?}"),
    })
    .collect()
}

impl Drop for Opened {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

/// That a database built again is the same to SQLite, and not larger.
fn assert_rebuilt(bytes: &[u8], db: &Connection, page_size: u32, rows: usize) {
    let rebuilt = rebuild(bytes, page_size, rows);
    assert_eq!(rebuilt, rebuild(bytes, page_size, 1 + rows / 2), "equal rows, equal bytes");
    let opened = Opened::any(&rebuilt);
    // What its own rows break, such as NOT NULL in a column that came later, they break again.
    assert_eq!(opened.ask("PRAGMA integrity_check"), ask(db, "PRAGMA integrity_check"));
    let contents = |db| {
        let mut lines = crate::btree::sample::contents::contents(db);
        lines.retain(|line| !line.starts_with("page_size ") && !line.starts_with("auto_vacuum "));
        lines
    };
    assert_eq!(contents(&opened.db), contents(db));
    let vacuumed = opened.vacuumed();
    let most = (vacuumed * 105 / 100).max(vacuumed + u64::from(page_size));
    assert!(rebuilt.len() as u64 <= most, "{} bytes, and {vacuumed} after VACUUM", rebuilt.len());
}

/// How many random databases; `PROPTEST_CASES` says otherwise.
fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(12)
}
