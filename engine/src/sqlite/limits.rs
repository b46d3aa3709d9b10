//! What statements of strangers may take. Nothing here limits those of the program itself.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr;

use super::budget::Budget;
use super::connection::Connection;
use super::ffi;
use crate::error::{Error, ErrorKind, Result};

/// SQLite asks whether to go on after so many of its virtual machine's instructions. Each may be the call of a
/// function that makes [`LONGEST`] bytes, so these are not many.
const TURN: u32 = 100;
/// Longest text, BLOB or row, in bytes.
const LONGEST: c_int = 16 << 20;
/// Longest pattern of LIKE or GLOB, in bytes: a pattern is tried at every place of the text.
const LONGEST_PATTERN: c_int = 250;
/// Longest statement of strangers who may only read, in bytes, as in D1: what compiling takes grows with its square.
const LONGEST_READ: usize = 100_000;
/// Memory that SQLite may take beyond what was in use before, in bytes.
const MEMORY: i64 = 64 << 20;

/// What D1 allows, where it is less, for [`Connection::limit_as_d1`].
const D1: [(u32, c_int); 9] = [
    (ffi::SQLITE_LIMIT_LENGTH as u32, 2_000_000),
    (ffi::SQLITE_LIMIT_SQL_LENGTH as u32, 100_000),
    (ffi::SQLITE_LIMIT_COLUMN as u32, 100),
    (ffi::SQLITE_LIMIT_EXPR_DEPTH as u32, 100),
    (ffi::SQLITE_LIMIT_COMPOUND_SELECT as u32, 5),
    (ffi::SQLITE_LIMIT_FUNCTION_ARG as u32, 32),
    (ffi::SQLITE_LIMIT_LIKE_PATTERN_LENGTH as u32, 50),
    (ffi::SQLITE_LIMIT_VARIABLE_NUMBER as u32, 100),
    (ffi::SQLITE_LIMIT_TRIGGER_DEPTH as u32, 10),
];
/// Functions that D1 refuses.
const NOT_IN_D1: [&CStr; 4] = [c"sqlite_version", c"sqlite_source_id", c"unistr", c"unistr_quote"];

type Ask = unsafe extern "C" fn(*mut c_void) -> c_int;

/// Whether SQLite is to stop.
unsafe extern "C" fn ask(budget: *mut c_void) -> c_int {
    // SAFETY: `limit` gave SQLite this pointer, to a budget that lives as long as the connection.
    let budget = unsafe { &*budget.cast::<Budget>() };
    c_int::from(!budget.take(TURN))
}

type Authorizer =
    unsafe extern "C" fn(*mut c_void, c_int, *const c_char, *const c_char, *const c_char, *const c_char) -> c_int;

/// Pragmas that an import does without: they are not about what a database holds, cannot be set in a transaction, or
/// take from the engine what it has settled, and some are of all connections.
const PASSED_OVER: [&str; 14] = [
    "cache_size",
    "cache_spill",
    "data_store_directory",
    "default_cache_size",
    "hard_heap_limit",
    "journal_mode",
    "locking_mode",
    "mmap_size",
    "soft_heap_limit",
    "synchronous",
    "temp_store",
    "temp_store_directory",
    "threads",
    "wal_checkpoint",
];

/// Refuses what would outlive the request on the connection, or reach other files, however it is spelled. Strangers who may
/// only read are refused whatever is not known to change nothing.
unsafe extern "C" fn authorize(
    budget: *mut c_void,
    action: c_int,
    first: *const c_char,
    second: *const c_char,
    database: *const c_char,
    _: *const c_char,
) -> c_int {
    // SAFETY: SQLite passes what it was given, a budget that lives as long as the connection, and text that ends with
    // NUL, or null.
    let (budget, [first, second, database]) = unsafe {
        let budget = &*budget.cast::<Budget>();
        (budget, [first, second, database].map(|text| (!text.is_null()).then(|| CStr::from_ptr(text))))
    };
    if !budget.limited.get() {
        budget.checked.set(None);
    }
    if !budget.as_d1.get() {
        budget.checked_as_d1.set(false);
    }
    let is = |name: &&str| first.unwrap_or_default().to_bytes().eq_ignore_ascii_case(name.as_bytes());
    let is_refused = match action as _ {
        ffi::SQLITE_INSERT if budget.entering.get() && is(&"sqlite_master") => false,
        _ if budget.entering.get() => true,
        ffi::SQLITE_PRAGMA if budget.importing.get() && PASSED_OVER.iter().any(is) => {
            return ffi::SQLITE_IGNORE as c_int;
        }
        _ if !budget.limited.get() => false,
        // All that is made there is entered in its schema.
        ffi::SQLITE_INSERT if database == Some(c"temp") => true,
        ffi::SQLITE_FUNCTION if budget.as_d1.get() && second.is_some_and(|name| NOT_IN_D1.contains(&name)) => true,
        ffi::SQLITE_ATTACH
        | ffi::SQLITE_DETACH
        | ffi::SQLITE_CREATE_TEMP_INDEX
        | ffi::SQLITE_CREATE_TEMP_TABLE
        | ffi::SQLITE_CREATE_TEMP_TRIGGER
        | ffi::SQLITE_CREATE_TEMP_VIEW => true,
        _ => budget.read_only.get() && !is_look(action, first, second),
    };
    (if is_refused { ffi::SQLITE_DENY } else { ffi::SQLITE_OK }) as c_int
}

/// Whether it leaves everything as it is.
fn is_look(action: c_int, first: Option<&CStr>, second: Option<&CStr>) -> bool {
    let name = first.unwrap_or_default().to_bytes();
    match action as _ {
        ffi::SQLITE_SELECT | ffi::SQLITE_READ | ffi::SQLITE_FUNCTION | ffi::SQLITE_RECURSIVE => true,
        // Every request is one.
        ffi::SQLITE_TRANSACTION => true,
        ffi::SQLITE_PRAGMA => {
            let is_one_of = |names: &[&str]| names.iter().any(|it| it.as_bytes().eq_ignore_ascii_case(name));
            is_one_of(&LOOKS) || second.is_none() && is_one_of(&SETTINGS)
        }
        // R-Tree compiles its writes when it is first looked at; nothing runs them. See `Volume::refuse_commits`.
        ffi::SQLITE_INSERT | ffi::SQLITE_UPDATE | ffi::SQLITE_DELETE => {
            [&b"_node"[..], b"_rowid", b"_parent"].iter().any(|end| name.ends_with(end))
        }
        _ => false,
    }
}

/// PRAGMAs that change nothing that lasts, whatever their argument is.
const LOOKS: [&str; 23] = [
    "case_sensitive_like",
    "collation_list",
    "compile_options",
    "database_list",
    "defer_foreign_keys",
    "foreign_key_check",
    "foreign_key_list",
    "foreign_keys",
    "function_list",
    "ignore_check_constraints",
    "index_info",
    "index_list",
    "index_xinfo",
    "integrity_check",
    "legacy_alter_table",
    "module_list",
    "pragma_list",
    "quick_check",
    "recursive_triggers",
    "reverse_unordered_selects",
    "table_info",
    "table_list",
    "table_xinfo",
];
/// PRAGMAs that look when they have no argument.
const SETTINGS: [&str; 10] = [
    "application_id",
    "auto_vacuum",
    "data_version",
    "encoding",
    "freelist_count",
    "journal_mode",
    "page_count",
    "page_size",
    "schema_version",
    "user_version",
];

impl Connection {
    /// Refuses, as SQLite says it when it is told to stop, a statement for which nothing is left: one of few
    /// instructions is not asked whether it may go on. What ends a transaction is not to be looked at.
    pub(crate) fn check_limit(&self) -> Result<()> {
        let budget = self.budget();
        if !budget.limited.get() || budget.steps.get() > 0 {
            return Ok(());
        }
        let mut error = Error::with_detail(ErrorKind::Sql, "interrupted");
        error.sqlite = Some(ffi::SQLITE_INTERRUPT as c_int);
        Err(error)
    }

    /// In bytes.
    pub(super) fn longest_statement(&self) -> usize {
        let budget = self.budget();
        if budget.limited.get() && budget.read_only.get() { LONGEST_READ } else { usize::MAX }
    }

    /// From now on nothing is larger than D1 allows, and the functions that it refuses are refused, or no longer so. Only
    /// while steps are limited, which comes first.
    pub(crate) fn limit_as_d1(&self, limited: bool) {
        self.budget().as_d1.set(limited);
        if limited && !self.budget().checked_as_d1.replace(true) {
            self.authorize();
        }
        for (limit, most) in D1 {
            // SAFETY: the connection is open.
            unsafe { ffi::sqlite3_limit(self.db(), limit as c_int, if limited { most } else { c_int::MAX }) };
        }
    }

    /// From now on statements are a stranger's. Whatever takes more than about `steps` of SQLite's instructions, or
    /// of four bytes that it allocates, all statements counted together, is interrupted: a host whose clock stands still while
    /// it computes has no other way to stop it. Values, patterns and memory have bounds of their own, and nothing
    /// reaches past SQL into the database file (`SQLITE_DBCONFIG_DEFENSIVE`), into others, or stays on the connection as
    /// temporary tables would. With `read_only` nothing can be changed, either. 0 steps end all of that.
    ///
    /// To switch the authorizer, or `SQLITE_DBCONFIG_DEFENSIVE`, has SQLite compile every statement again. So both stay as
    /// they are when the limit ends, until something is compiled that is no stranger's ([`Self::trust`]).
    pub(crate) fn limit_steps(&self, steps: u64, read_only: bool) {
        let (budget, db) = (self.budget(), self.db());
        let limited = steps > 0;
        budget.read_only.set(limited && read_only);
        budget.limited.set(limited);
        budget.steps.set(steps);
        let (turn, ask) = if limited { (TURN as c_int, Some(ask as Ask)) } else { (0, None) };
        let (longest, pattern) = if limited { (LONGEST, LONGEST_PATTERN) } else { (c_int::MAX, c_int::MAX) };
        // SAFETY: the connection is open. SQLite calls `ask` with the budget only while it is, and the handle, on the
        // heap, outlives that. What is larger than SQLite's own limits sets these.
        unsafe {
            ffi::sqlite3_progress_handler(db, turn, ask, ptr::from_ref(budget).cast_mut().cast());
            ffi::sqlite3_limit(db, ffi::SQLITE_LIMIT_LENGTH as c_int, longest);
            ffi::sqlite3_limit(db, ffi::SQLITE_LIMIT_LIKE_PATTERN_LENGTH as c_int, pattern);
            if limited {
                let before = ffi::sqlite3_hard_heap_limit64(ffi::sqlite3_memory_used() + MEMORY);
                budget.heap.set(budget.heap.take().or(Some(before)));
            } else if let Some(before) = budget.heap.take() {
                ffi::sqlite3_hard_heap_limit64(before);
            }
        }
        let importing = budget.importing.get();
        if importing || limited && budget.checked.replace(Some(read_only)) != Some(read_only) {
            self.authorize();
        }
        if importing || limited {
            self.defend(limited);
        }
    }

    /// Before something is compiled that is no stranger's, unless it is.
    pub(super) fn trust(&self) {
        let budget = self.budget();
        if !budget.limited.get() && !budget.importing.get() && budget.defensive.get() {
            self.defend(false);
        }
    }

    fn defend(&self, defensive: bool) {
        self.budget().defensive.set(defensive);
        self.configure(ffi::SQLITE_DBCONFIG_DEFENSIVE as c_int, Some(defensive));
    }

    /// Has everything that is compiled from now on looked at, and what is compiled already compiled again.
    fn authorize(&self) {
        let budget = ptr::from_ref(self.budget()).cast_mut().cast();
        // SAFETY: the connection is open, and the budget is on the heap as long as it is.
        unsafe { ffi::sqlite3_set_authorizer(self.db(), Some(authorize as Authorizer), budget) };
    }

    /// From now on the connection is that of an import, which is done without some pragmas.
    pub(crate) fn set_importing(&self) {
        self.budget().importing.set(true);
    }

    /// Runs `action`, in which a stranger may enter something in the schema as in a table, and nothing else.
    pub(crate) fn entering<T>(&self, action: impl FnOnce() -> T) -> T {
        let allow = |allowed: bool| {
            self.configure(ffi::SQLITE_DBCONFIG_DEFENSIVE as c_int, Some(!allowed));
            self.configure(ffi::SQLITE_DBCONFIG_WRITABLE_SCHEMA as c_int, Some(allowed));
            self.budget().entering.set(allowed);
        };
        allow(true);
        let result = action();
        allow(false);
        result
    }
}
