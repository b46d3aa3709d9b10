//! What the tests share: databases, stores that can be opened again, and a model that says what they should hold.

use std::cell::RefCell;
use std::rc::Rc;

use pagemark::bookmark::Lineage;
use pagemark::page::checksum::PageChecksummer;
use pagemark::page::{Checksum, Crc64, Pgno, Txid};

use crate::database::{Fetched, StatementId};
use crate::history::Window;
use crate::rows::{Value, Values, encode};
use crate::store::{Commit, Keep, MemoryStore, PageStore, StoreError, StoreState};
use crate::{Database, Options, Result};

/// 2026-01-01.
pub(super) const T0: i64 = 1_767_225_600_000;
pub(super) const LINEAGE: Lineage = Lineage(0x0123_4567_89ab_cdef);

pub(super) fn options() -> Options {
    Options::new(LINEAGE)
}

pub(super) fn with_history(commits: u32) -> Options {
    Options { window: Window { commits, age_ms: 0 }, ..options() }
}

pub(super) fn open(options: Options) -> Database {
    Database::open(Box::new(MemoryStore::default()), options, T0).unwrap()
}

/// A store that outlives its database, as one on disk does.
#[derive(Clone, Default)]
pub(super) struct Shared(pub(super) Rc<RefCell<MemoryStore>>);

impl PageStore for Shared {
    fn open(&mut self) -> Result<StoreState, StoreError> {
        self.0.borrow_mut().open()
    }
    fn read(&mut self, pgno: Pgno, txid: Txid, page: &mut [u8]) -> Result<(), StoreError> {
        self.0.borrow_mut().read(pgno, txid, page)
    }
    fn commit(&mut self, commit: &mut Commit) -> Result<(), StoreError> {
        self.0.borrow_mut().commit(commit)
    }
    fn retain(&mut self, keep: &Keep) -> Result<(), StoreError> {
        self.0.borrow_mut().retain(keep)
    }
    fn changed(&mut self, after: Txid, upto: Txid) -> Result<Vec<Pgno>, StoreError> {
        self.0.borrow_mut().changed(after, upto)
    }
    fn size(&self) -> u64 {
        self.0.borrow().size()
    }
}

/// A value that owns its bytes.
#[derive(Clone, PartialEq)]
pub(super) enum Owned {
    Null,
    Integer(i64),
    /// By its bits, so that it can be compared.
    Real(u64),
    Text(Vec<u8>),
    Blob(Vec<u8>),
}

impl std::fmt::Debug for Owned {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Null => f.write_str("NULL"),
            Self::Integer(value) => value.fmt(f),
            Self::Real(bits) => f64::from_bits(*bits).fmt(f),
            Self::Text(bytes) => String::from_utf8_lossy(bytes).fmt(f),
            Self::Blob(bytes) => write!(f, "x'{bytes:02x?}'"),
        }
    }
}

impl From<Value<'_>> for Owned {
    fn from(value: Value<'_>) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Integer(value) => Self::Integer(value),
            Value::Real(value) => Self::Real(value.to_bits()),
            Value::Text(bytes) => Self::Text(bytes.to_vec()),
            Value::Blob(bytes) => Self::Blob(bytes.to_vec()),
        }
    }
}

pub(super) type Rows = Vec<Vec<Owned>>;

pub(super) fn decode(bytes: &[u8], columns: usize) -> Rows {
    let mut values = Values::new(bytes);
    let mut all = Vec::new();
    while !values.is_empty() {
        all.push((0..columns).map(|_| values.read().unwrap().into()).collect());
    }
    all
}

pub(super) fn encoded(values: &[Value<'_>]) -> Vec<u8> {
    let mut bytes = Vec::new();
    values.iter().for_each(|&value| encode(&mut bytes, value).unwrap());
    bytes
}

/// Fetches all rows, a few at a time.
pub(super) fn fetch_all(db: &mut Database, id: StatementId, now_ms: i64) -> Result<Rows> {
    let columns = db.column_names(id)?.len();
    let mut rows = Vec::new();
    loop {
        let mut out = Vec::new();
        let Fetched { rows: count, done, .. } = db.fetch(id, 7, 1 << 20, &mut out, now_ms)?;
        let fetched = decode(&out, columns);
        assert!(columns == 0 || fetched.len() == count as usize);
        rows.extend(fetched);
        if done {
            return Ok(rows);
        }
    }
}

pub(super) fn query(db: &mut Database, sql: &str, now_ms: i64) -> Result<Rows> {
    let (Some(id), _) = db.prepare(sql, now_ms)? else { return Ok(Vec::new()) };
    let rows = fetch_all(db, id, now_ms);
    db.finalize(id);
    rows
}

/// The first column of the first row.
pub(super) fn integer(db: &mut Database, sql: &str) -> i64 {
    match query(db, sql, T0).unwrap().first().and_then(|row| row.first()) {
        Some(Owned::Integer(value)) => *value,
        other => panic!("{sql}: {other:?}"),
    }
}

/// The state that `at` names, as a file.
pub(super) fn file_at(db: &mut Database, at: &str, now_ms: i64) -> Result<Vec<u8>> {
    let (pin, record) = db.pin(at, 1000, now_ms)?;
    let mut file = Vec::new();
    for pgno in (1..=record.page_count).filter_map(Pgno::new) {
        let mut page = vec![0; record.page_size.bytes()];
        db.page_at(pin, pgno, &mut page, now_ms)?;
        file.extend_from_slice(&page);
    }
    let checksummer = PageChecksummer::new(record.page_size);
    let mut checksum = Checksum::EMPTY;
    for (pgno, page) in (1..).filter_map(Pgno::new).zip(file.chunks(record.page_size.bytes())) {
        if pgno != record.page_size.lock_page() {
            checksum.toggle(checksummer.page(pgno, Crc64::of(page)));
        }
    }
    assert_eq!(checksum, record.checksum, "the rolling checksum of TXID {}", record.txid);
    db.release(pin, now_ms)?;
    Ok(file)
}

/// What SQLite, started on that file, reads of a query.
pub(super) fn rows_of_file(file: &[u8], sql: &str) -> Vec<Vec<String>> {
    let mut connection = rusqlite::Connection::open_in_memory().unwrap();
    connection.deserialize_read_exact(rusqlite::MAIN_DB, file, file.len(), true).unwrap();
    let mut statement = connection.prepare(sql).unwrap();
    let columns = statement.column_count();
    let row = |row: &rusqlite::Row<'_>| {
        (0..columns).map(|i| row.get_ref(i).map(|value| format!("{value:?}"))).collect::<rusqlite::Result<Vec<_>>>()
    };
    statement.query_map([], row).unwrap().map(|row| row.unwrap()).collect()
}

/// splitmix64.
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    pub(super) fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    pub(super) fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    pub(super) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len() as u64) as usize]
    }
}

/// A number from the environment.
pub(super) fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}
