//! What a host lends to the engine: a store of pages, the time, random bytes.

use std::time::{SystemTime, UNIX_EPOCH};

use rusqlite::Connection;

use super::bindings::pagemark::engine::{store, types};

pub use store::{Commit, Failure, Page, State as StoreState};
pub use types::{CommitRecord, Keep};

/// Keeps the page versions of one database, named by page number and TXID.
///
/// `Failure::Full` lets the engine give up history and ask again; any failure leaves the last commit as it is.
pub trait PageStore: Send {
    /// What is there; none where nothing was ever committed.
    ///
    /// # Errors
    /// What the store fails with.
    fn open(&mut self) -> Result<Option<StoreState>, Failure>;

    /// The newest version of a page at or before a state.
    ///
    /// # Errors
    /// `Damaged` when there is none; what the store fails with.
    fn read(&mut self, page: u32, txid: u64) -> Result<Vec<u8>, Failure>;

    /// Makes a new state, atomically and durably: after a failure, or a crash at any moment, the store shows the state before,
    /// or the new one if this had returned.
    ///
    /// # Errors
    /// What the store fails with.
    fn commit(&mut self, commit: Commit) -> Result<(), Failure>;

    /// Says what has to stay readable from now on.
    ///
    /// # Errors
    /// What the store fails with.
    fn retain(&mut self, keep: Keep) -> Result<(), Failure>;

    /// The pages whose newest version at or before `upto` is newer than `after`, ascending.
    ///
    /// # Errors
    /// What the store fails with.
    fn changed(&mut self, after: u64, upto: u64) -> Result<Vec<u32>, Failure>;
}

/// The time that SQL sees and commits are recorded with, and random bytes.
pub trait Surroundings: Send {
    /// In milliseconds since 1970.
    fn now_ms(&mut self) -> i64;

    /// Local time minus UTC, in seconds, at a time in seconds since 1970: for SQL's `localtime`.
    fn utc_offset(&mut self, seconds: i64) -> i32;

    /// So many random bytes that nobody can guess; fewer stop the component.
    fn random(&mut self, count: u32) -> Vec<u8>;
}

/// Those of this machine.
#[derive(Default)]
pub struct System {
    /// SQLite of this process, which knows the local time.
    clock: Option<Connection>,
}

impl Surroundings for System {
    fn now_ms(&mut self) -> i64 {
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64)
    }

    fn utc_offset(&mut self, seconds: i64) -> i32 {
        if self.clock.is_none() {
            self.clock = Connection::open_in_memory().ok();
        }
        let sql = "SELECT unixepoch(?1, 'unixepoch', 'localtime') - ?1";
        let asked = self.clock.as_ref().and_then(|clock| clock.query_row(sql, [seconds], |row| row.get(0)).ok());
        asked.unwrap_or(0)
    }

    fn random(&mut self, count: u32) -> Vec<u8> {
        let mut bytes = vec![0; count.min(1 << 20) as usize];
        getrandom::fill(&mut bytes).map_or(Vec::new(), |()| bytes)
    }
}

/// A store, as the component holds it.
pub struct Lent(pub(super) Box<dyn PageStore>);

macro_rules! values {
    ($($from:ty => $value:ident),*) => {$(
        impl From<$from> for types::Value {
            fn from(value: $from) -> Self {
                Self::$value(value.into())
            }
        }
    )*};
}

values!(i64 => Integer, i32 => Integer, u32 => Integer, f64 => Real, &str => Text, String => Text, Vec<u8> => Blob, &[u8] => Blob);

impl<T: Into<types::Value>> From<Option<T>> for types::Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}
