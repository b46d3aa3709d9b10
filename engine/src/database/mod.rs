//! A database: SQL in, rows and states out.

mod held;
mod import;
mod names;
mod sql;
mod states;
mod whole;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use pagemark::bookmark::Lineage;
use pagemark::page::PageSize;

pub use held::{Fetched, StatementId};
pub use import::{Import, Imported};
pub use whole::{Compacted, ForeignKeyProblem, Loading, Report};

use self::held::Held;
use self::names::Name;
use crate::error::{ErrorKind, Result};
use crate::history::{History, Window};
use crate::scratch::Blocks;
use crate::sqlite::Connection;
use crate::store::{PageStore, SharedStore};
use crate::volume::Volume;

/// How a database is opened.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// Refuses a second database of this name in the same module; `None` allows any number of nameless ones.
    pub name: Option<String>,
    /// Random bits that tell this database from any other, for a store that holds none yet.
    pub lineage: Lineage,
    /// Page size of a database that holds nothing yet.
    pub page_size: Option<PageSize>,
    /// Limit of SQLite's page cache, in KiB. Over a store without [`crate::store::Scratch`] a transaction that changes
    /// more pages than fit takes more.
    pub cache_kib: u32,
    /// What memory holds of transactions and of temporary files that is not in SQLite's cache, in bytes, roughly: the
    /// store takes what is beyond, if it can.
    pub spill_after: u64,
    /// Whether foreign keys are enforced; SQLite's own default is not to.
    pub foreign_keys: bool,
    /// How far back states are kept without a pin.
    pub window: Window,
}

impl Options {
    /// Defaults: nameless, 16 MiB of cache and 8 MiB before the store takes more, as SQLite is otherwise, no history.
    pub fn new(lineage: Lineage) -> Self {
        let (cache_kib, spill_after) = (16 << 10, 8 << 20);
        let window = Window::default();
        Self { name: None, lineage, page_size: None, cache_kib, spill_after, foreign_keys: false, window }
    }
}

/// An open database.
///
/// Every call takes the time, in milliseconds since 1970: it is the time that SQL sees, that a commit is recorded
/// with, and that leases are measured by.
pub struct Database {
    // Dropped in this order: statements, connection, name.
    statements: BTreeMap<StatementId, Held>,
    next_statement: u32,
    connection: Option<Connection>,
    /// Connection of the import under way; nothing else runs on it, and it ends with the import.
    importing: Option<Connection>,
    volume: Rc<RefCell<Volume>>,
    blocks: Blocks,
    options: Options,
    _name: Option<Name>,
}

impl Database {
    /// Opens the database in `store`, whose newest commit it shows. An empty store is an empty database.
    ///
    /// Nothing is written. States that `store` still has stay readable until the next commit, so a caller that knows
    /// of pins from before takes them again first.
    ///
    /// # Errors
    /// `InUse`, what the store says, `Memory`.
    pub fn open(mut store: Box<dyn PageStore>, options: Options, now_ms: i64) -> Result<Self> {
        let name = options.name.as_deref().map(Name::take).transpose()?;
        let history = History::new(store.open()?, options.lineage, options.window);
        let store = SharedStore::new(store);
        // Half of it is for the pages of a transaction, the other for temporary files.
        let spill_after = options.spill_after / 2;
        let blocks = Blocks::new(store.clone(), spill_after);
        let volume = Rc::new(RefCell::new(Volume::new(store, history, spill_after, now_ms)));
        let mut database = Self {
            statements: BTreeMap::new(),
            next_statement: 1,
            connection: None,
            importing: None,
            volume,
            blocks,
            options,
            _name: name,
        };
        database.connect()?;
        Ok(database)
    }

    /// Closes it. What was not committed is rolled back.
    ///
    /// # Errors
    /// `Busy`, which only a store can see that is called by this very database.
    pub fn close(self) -> Result<()> {
        let Self { statements, connection, importing, volume, .. } = self;
        drop(statements);
        drop((connection, importing));
        Rc::into_inner(volume).ok_or(ErrorKind::Busy)?.into_inner().end();
        Ok(())
    }

    /// Limits the memory of SQLite itself over all databases of the module, in bytes; 0 is no limit. Reaching it is
    /// the error `Memory`. Pages that a memory store keeps are limited by [`crate::store::MemoryStore::with_limit`].
    pub fn set_heap_limit(bytes: u64) {
        crate::sqlite::set_heap_limit(bytes);
    }

    /// Connects, or connects anew: statements are compiled again when they are next used.
    fn connect(&mut self) -> Result<()> {
        self.statements.values_mut().for_each(Held::drop_compiled);
        self.connection = None;
        self.connection = Some(self.new_connection()?);
        Ok(())
    }

    /// A connection as the options have it.
    fn new_connection(&self) -> Result<Connection> {
        let connection = Connection::open(&self.volume, &self.blocks)?;
        let Options { cache_kib, foreign_keys, page_size, .. } = &self.options;
        // Without a store to take it, a page that SQLite's cache gives up would be kept in memory all the same, and its
        // original in a journal beside it; and what temporary files hold would be, too.
        let (spill, temp) = if self.volume.borrow().spills() { ("ON", "FILE") } else { ("OFF", "DEFAULT") };
        connection.exec(format!(
            "PRAGMA cache_size = -{cache_kib}; PRAGMA cache_spill = {spill}; PRAGMA temp_store = {temp}; \
             PRAGMA foreign_keys = {foreign_keys}"
        ))?;
        if let Some(page_size) = page_size.filter(|_| self.volume.borrow().newest().is_none()) {
            connection.exec(format!("PRAGMA page_size = {}", page_size.value()))?;
        }
        Ok(connection)
    }

    /// Has SQLite read the schema again, after a commit that SQLite did not make.
    ///
    /// Running a statement does that by itself; compiling one does so only for most errors that an outdated schema
    /// leads to, not for all (ALTER TABLE on a column that was not there before).
    fn replaced(&mut self, other_encoding: bool) -> Result<()> {
        if other_encoding {
            // SQLite cannot change the text encoding of a connection.
            return self.connect();
        }
        // If it cannot be read now, the next statement says so; what was committed stays committed.
        let _ = self.connection()?.exec("SELECT 1 FROM sqlite_schema LIMIT 1");
        Ok(())
    }

    /// Begins a call: notes its time.
    fn at(&self, now_ms: i64) -> Result<&Connection> {
        if self.importing.is_some() {
            return Err(ErrorKind::Busy.into());
        }
        self.note(now_ms)?;
        Ok(self.connection.as_ref().ok_or(ErrorKind::Busy)?)
    }

    fn note(&self, now_ms: i64) -> Result<()> {
        self.volume(|volume| {
            volume.now_ms = now_ms;
            // The failure of an earlier call is forgotten if nobody asked for it.
            volume.take_failure();
            Ok(())
        })
    }

    /// Borrows the volume. It is in use only when a store calls back into the database that called it.
    fn volume<T>(&self, action: impl FnOnce(&mut Volume) -> Result<T>) -> Result<T> {
        let mut volume = self.volume.try_borrow_mut().map_err(|_| ErrorKind::Busy)?;
        action(&mut volume)
    }
}
