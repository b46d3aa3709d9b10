//! What can go wrong in the engine: a kind with a stable code, SQLite's own code where it has one, and the detail.

use core::fmt;

use pagemark::error::{Class, Error as CoreError};

/// Every fallible call of the engine returns this.
pub type Result<T, E = Error> = core::result::Result<T, E>;

/// A failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// What went wrong.
    pub kind: ErrorKind,
    /// SQLite's message, or the store's own.
    pub detail: Option<Box<str>>,
    /// SQLite's extended result code, such as 2067 for a UNIQUE constraint.
    pub sqlite: Option<i32>,
    /// Where in the SQL text the failure lies, in bytes from its start.
    pub offset: Option<u32>,
    /// The line of an import where the statement that failed begins, counted from 1.
    pub line: Option<u64>,
}

impl Error {
    /// A failure with the words of whoever reported it.
    pub fn with_detail(kind: ErrorKind, detail: impl Into<Box<str>>) -> Self {
        Self { detail: Some(detail.into()), ..Self::from(kind) }
    }

    /// The stable code that TypeScript shows.
    pub fn code(&self) -> &'static str {
        self.kind.code()
    }
}

impl From<ErrorKind> for Error {
    fn from(kind: ErrorKind) -> Self {
        Self { kind, detail: None, sqlite: None, offset: None, line: None }
    }
}

impl From<CoreError> for Error {
    fn from(error: CoreError) -> Self {
        ErrorKind::Core(error).into()
    }
}

impl From<pagemark::error::ErrorKind> for Error {
    fn from(kind: pagemark::error::ErrorKind) -> Self {
        CoreError::from(kind).into()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.kind, &self.detail) {
            (ErrorKind::Core(error), _) => error.fmt(f),
            // SQLite's own words are the ones its users know.
            (ErrorKind::Sql | ErrorKind::Import, Some(detail)) => f.write_str(detail),
            (kind, Some(detail)) => write!(f, "{}: {detail}", kind.message()),
            (kind, None) => f.write_str(kind.message()),
        }
    }
}

impl core::error::Error for Error {}

/// Declares the kinds once: variant, class, stable code, and one sentence that says what to do.
macro_rules! error_kinds {
    ($($(#[doc = $doc:literal])+ $variant:ident = $class:ident $code:literal: $message:literal,)+) => {
        /// The kinds of failure. Match on these (or on their codes), never on text.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum ErrorKind {
            /// A failure of the core: a bookmark that does not parse or belongs to another database, and such.
            Core(CoreError),
            $($(#[doc = $doc])+ $variant,)+
        }

        impl ErrorKind {
            /// The stable code that TypeScript shows.
            pub fn code(self) -> &'static str {
                match self { Self::Core(error) => error.kind.code(), $(Self::$variant => $code,)+ }
            }

            /// Whose matter it is.
            pub fn class(self) -> Class {
                match self { Self::Core(error) => error.kind.class(), $(Self::$variant => Class::$class,)+ }
            }

            /// What happened and what to do, in one or two sentences.
            pub fn message(self) -> &'static str {
                match self { Self::Core(error) => error.kind.message(), $(Self::$variant => $message,)+ }
            }
        }
    };
}

error_kinds! {
    /// SQLite refused or failed a statement; `sqlite` and `detail` say why.
    Sql = Sql "SQL_ERROR": "SQLite refused the statement",
    /// The store could not read or commit.
    Store = Store "ENGINE_STORE": "the store of the database failed; the database is as its last commit left it",
    /// The store has no more space.
    Full = Store "ENGINE_FULL": "the store of the database is full, and the transaction was rolled back; make room in it",
    /// Memory ran out.
    Memory = Store "ENGINE_MEMORY": "memory ran out, and what was under way was undone; raise the limit, or do it in smaller transactions",
    /// A request that may only read would have changed something.
    ReadOnly = Caller "READ_ONLY": "this access may only read, and what was asked for writes",
    /// The store's content contradicts itself.
    Damaged = Damage "ENGINE_DAMAGED": "the store of the database is damaged: a page or a record in it is missing or wrong",
    /// The database has a connection already.
    InUse = Busy "ENGINE_IN_USE": "the database is open already, and takes one connection; close that one first",
    /// A statement or transaction is under way.
    Busy = Busy "ENGINE_BUSY": "a transaction or a statement that has not been read to its end is open; finish it first",
    /// The statement handle is not (or no longer) one.
    StatementUnknown = Caller "STATEMENT_UNKNOWN": "there is no such statement; it was finalised, or belongs to another database",
    /// The encoded values are not what the encoding allows.
    Values = Defect "ENGINE_VALUES": "the values are not encoded as documented; this is a defect of the caller",
    /// Another number of values than parameters.
    Parameters = Caller "ENGINE_PARAMETERS": "the statement takes another number of parameters",
    /// The state is no longer kept.
    HistoryGone = Caller "HISTORY_GONE": "the database no longer keeps that state; keep a longer history, or restore it from a backup",
    /// The state has not been.
    HistoryUnknown = Caller "HISTORY_UNKNOWN": "the database has never been in that state",
    /// The moment is before the first state.
    TimeBeforeFirst = Caller "TIME_BEFORE_FIRST": "that time is before the first commit that the database keeps",
    /// The moment is in the future.
    TimeAfterLast = Caller "TIME_AFTER_LAST": "that time is in the future, so what the database holds then is not known; leave out the time for the latest",
    /// The pin was released, or its lease ran out.
    PinUnknown = Busy "PIN_UNKNOWN": "the pin was released or its lease ran out; take it again",
    /// A statement of an import failed.
    Import = Sql "IMPORT_STATEMENT": "a statement of the import failed, and nothing of the import stays",
    /// What is to be imported is no SQL.
    ImportFormat = Sql "IMPORT_FORMAT": "what is to be imported is not SQL",
    /// What is imported rolls its transaction back.
    ImportRollback = Sql "IMPORT_ROLLBACK": "the SQL rolls its own transaction back, as a dump does that its maker could not finish; nothing of it stays",
    /// What is imported ends before its transaction does.
    ImportCutOff = Sql "IMPORT_CUT_OFF": "the SQL begins a transaction and does not end it, as a dump does whose end is missing; nothing of it stays",
    /// What is imported has rows that refer to none.
    ImportForeignKey = Sql "IMPORT_FOREIGN_KEY": "a foreign key refers to no row, and nothing of the import stays; correct the rows, or begin a dump that has them in another order with PRAGMA foreign_keys=OFF",
    /// A statement of an import is longer than is taken.
    ImportSize = Sql "IMPORT_SIZE": "a statement of the import is longer than 256 MiB, or a quote in it is not closed; nothing of the import stays",
    /// The bytes to load are not a whole database.
    LoadSize = Input "LOAD_SIZE": "the bytes end before the database does, or go on after it",
    /// Something was committed while a large file came in.
    LoadStale = Caller "LOAD_STALE": "the database was written to while a large file was coming in to replace it, and nothing of that file stays; load it again while nobody writes",
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_happened_in_the_words_of_whoever_knows() {
        let sql = Error { sqlite: Some(1), ..Error::with_detail(ErrorKind::Sql, "no such table: t") };
        assert_eq!(sql.to_string(), "no such table: t");
        let store = Error::with_detail(ErrorKind::Full, "quota");
        assert!(store.to_string().ends_with("make room in it: quota"));
        let core = Error::from(pagemark::error::ErrorKind::BookmarkSyntax);
        assert_eq!(core.code(), "BOOKMARK_SYNTAX");
    }
}
