//! What can go wrong, as data: a kind with a stable code, and the place.

use core::fmt;

/// Every fallible call of the core returns this.
pub type Result<T, E = Error> = core::result::Result<T, E>;

/// A failure: what (`kind`) and where (`at`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Error {
    /// What went wrong.
    pub kind: ErrorKind,
    /// Where in the input it was found.
    pub at: At,
}

/// The place of a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    /// The input as a whole.
    Input,
    /// A byte offset from the start of the file.
    Offset(u64),
    /// A page number.
    Page(u32),
    /// A TXID.
    Txid(u64),
    /// The row of a table with this rowid.
    Row(i64),
}

impl Error {
    /// A failure at byte `offset` of the file being read.
    pub fn at_offset(kind: ErrorKind, offset: u64) -> Self {
        Self { kind, at: At::Offset(offset) }
    }

    /// A failure in page `pgno`.
    pub fn at_page(kind: ErrorKind, pgno: u32) -> Self {
        Self { kind, at: At::Page(pgno) }
    }

    /// A failure at the row with this rowid.
    pub fn at_row(kind: ErrorKind, rowid: i64) -> Self {
        Self { kind, at: At::Row(rowid) }
    }

    /// A failure at the committed state `txid`.
    pub fn at_txid(kind: ErrorKind, txid: u64) -> Self {
        Self { kind, at: At::Txid(txid) }
    }
}

impl From<ErrorKind> for Error {
    fn from(kind: ErrorKind) -> Self {
        Self { kind, at: At::Input }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.at {
            At::Input => write!(f, "{}", self.kind.message()),
            At::Offset(offset) => write!(f, "{} (byte {offset})", self.kind.message()),
            At::Page(pgno) => write!(f, "{} (page {pgno})", self.kind.message()),
            At::Txid(txid) => write!(f, "{} (TXID {txid:016x})", self.kind.message()),
            At::Row(rowid) => write!(f, "{} (rowid {rowid})", self.kind.message()),
        }
    }
}

impl core::error::Error for Error {}

/// Whose matter a failure is. Hosts choose by it: a class of exceptions, a status of HTTP, an exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Class {
    /// The caller's: what was asked for is not there, or cannot be.
    Caller,
    /// That of whoever handed in a database: it is none, or is damaged.
    Input,
    /// That of whoever keeps what is stored: bytes are not what was written.
    Damage,
    /// SQLite refused or failed the caller's SQL.
    Sql,
    /// Somebody else's at the moment; the same call may do later.
    Busy,
    /// The store's, or the host's: it failed, is full, or has no memory left.
    Store,
    /// Ours.
    Defect,
}

impl Class {
    /// The name that TypeScript shows.
    pub fn name(self) -> &'static str {
        match self {
            Self::Caller => "caller",
            Self::Input => "input",
            Self::Damage => "damage",
            Self::Sql => "sql",
            Self::Busy => "busy",
            Self::Store => "store",
            Self::Defect => "defect",
        }
    }
}

/// Declares the kinds once: variant, class, stable code, and one sentence that says what to do.
macro_rules! error_kinds {
    ($($(#[doc = $doc:literal])+ $variant:ident = $class:ident $code:literal: $message:literal,)+) => {
        /// The kinds of failure. Match on these (or on their codes), never on text.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum ErrorKind { $($(#[doc = $doc])+ $variant,)+ }

        impl ErrorKind {
            /// The stable code that TypeScript and `--json` show.
            pub fn code(self) -> &'static str {
                match self { $(Self::$variant => $code,)+ }
            }

            /// Whose matter it is.
            pub fn class(self) -> Class {
                match self { $(Self::$variant => Class::$class,)+ }
            }

            /// What happened and what to do, in one or two sentences.
            pub fn message(self) -> &'static str {
                match self { $(Self::$variant => $message,)+ }
            }

            /// Every kind, for tests and documentation.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];
        }
    };
}

error_kinds! {
    /// The file has no bytes.
    DatabaseEmpty = Input "DATABASE_EMPTY": "the file is empty: SQLite has not written a database into it yet; write a table first",
    /// The first 16 bytes are not SQLite's.
    DatabaseNotSqlite = Input "DATABASE_NOT_SQLITE": "the file is not a SQLite database; check the path",
    /// The first bytes are those of a compressed file or an archive.
    DatabasePacked = Input "DATABASE_PACKED": "the file is compressed or an archive (gzip, zip, zstd, xz, bzip2, 7z, lz4 or tar), not a database; unpack it first",
    /// The first page is not SQLite's and looks random.
    DatabaseEncrypted = Input "DATABASE_ENCRYPTED": "the file is not a plain SQLite database and looks encrypted; decrypt it first, Pagemark reads plain pages only",
    /// A header field has a value that SQLite never writes.
    DatabaseHeader = Input "DATABASE_HEADER": "the database header is damaged; run PRAGMA integrity_check, or restore an earlier backup",
    /// The file ends before the page count that its header states.
    DatabaseTruncated = Input "DATABASE_TRUNCATED": "the database file is shorter than its header says; it was cut off or is a torn copy",
    /// The WAL's header is not one SQLite writes.
    WalHeader = Input "WAL_HEADER": "the -wal file has a damaged header and cannot belong to this database",
    /// The WAL has another page size than the database.
    WalPageSize = Input "WAL_PAGE_SIZE": "the -wal file has another page size than the database: it belongs to another file",
    /// The pinned frame is not in the WAL.
    WalFrameMissing = Input "WAL_FRAME_MISSING": "the -wal file ends before the commit that was pinned; take the backup again",
    /// The journal's header is not one SQLite writes.
    JournalHeader = Input "JOURNAL_HEADER": "the -journal file is damaged; let SQLite open the database once to recover it",
    /// The LTX file ends early.
    LtxTruncated = Damage "LTX_TRUNCATED": "the LTX file ends too early; restore from another backup or fetch the object again",
    /// The LTX file's magic is wrong.
    LtxMagic = Damage "LTX_MAGIC": "the object is not an LTX file",
    /// A field of the LTX header is not valid.
    LtxHeader = Damage "LTX_HEADER": "the LTX header is damaged or from an unknown version",
    /// Page frames out of order, doubled, or beyond the commit size.
    LtxPageOrder = Damage "LTX_PAGE_ORDER": "the LTX file's pages are out of order",
    /// The page that holds byte 2^30 was present.
    LtxLockPage = Damage "LTX_LOCK_PAGE": "the LTX file holds the lock page, which has no data",
    /// A snapshot lacks a page.
    LtxPageMissing = Damage "LTX_PAGE_MISSING": "the LTX snapshot lacks a page",
    /// A page frame's flags or size are not valid.
    LtxFrame = Damage "LTX_FRAME": "a page frame of the LTX file is damaged",
    /// A page does not decompress to one page.
    LtxCompression = Damage "LTX_COMPRESSION": "a page of the LTX file does not decompress",
    /// The page index does not match the frames.
    LtxIndex = Damage "LTX_INDEX": "the LTX file's page index is damaged",
    /// The file checksum does not match.
    LtxChecksum = Damage "LTX_CHECKSUM": "the LTX file's checksum does not match: the object is damaged",
    /// Bytes follow the trailer.
    LtxTrailing = Damage "LTX_TRAILING": "bytes follow the end of the LTX file",
    /// The file's own TXIDs or page size are not those its name or record say.
    LtxMismatch = Damage "LTX_MISMATCH": "the LTX file is not the one its name says: objects were swapped or copied",
    /// Not `%08x-%08x-%08x-%032x`.
    BookmarkSyntax = Caller "BOOKMARK_SYNTAX": "that is not a bookmark; a bookmark looks like 00000000-00000003-00005037-<32 hex digits>",
    /// The bookmark names a state of another database.
    BookmarkLineage = Caller "BOOKMARK_LINEAGE": "the bookmark belongs to another database (its lineage differs)",
    /// No backup has that bookmark.
    BookmarkUnknown = Caller "BOOKMARK_UNKNOWN": "no backup has that bookmark",
    /// The database checksum after restoring is not the recorded one.
    ChainChecksum = Damage "CHAIN_CHECKSUM": "the restored pages do not have the recorded database checksum: an object was replaced; nothing was written to the target",
    /// A link of the chain is missing.
    ChainGap = Damage "CHAIN_GAP": "the chain of backups has a gap; restore an earlier backup",
    /// A link belongs to another database.
    ChainLineage = Damage "CHAIN_LINEAGE": "an object of the chain belongs to another database (its lineage differs)",
    /// The links have different page sizes.
    ChainPageSize = Damage "CHAIN_PAGE_SIZE": "the files of the chain have different page sizes",
    /// There is no snapshot to start from.
    ChainNoSnapshot = Damage "CHAIN_NO_SNAPSHOT": "there is no snapshot to start from: an incremental alone cannot be restored",
    /// The folder is a replica of Litestream 0.3.
    ReplicaOld = Caller "REPLICA_OLD": "this is a replica of Litestream 0.3, which has no LTX files; restore it with Litestream 0.3, or replicate the database anew with 0.5",
    /// Nothing is stored under that name.
    BackupNone = Caller "BACKUP_NONE": "there is no backup under that name in this store; check the name, and where its backups are",
    /// No backup has that id.
    BackupUnknown = Caller "BACKUP_UNKNOWN": "no backup has that id",
    /// An id prefix fits several backups.
    BackupAmbiguous = Caller "BACKUP_AMBIGUOUS": "that prefix fits several backups; give more of the id",
    /// The moment is before the first backup.
    TimeBeforeFirst = Caller "TIME_BEFORE_FIRST": "that time is before the first backup",
    /// Not an id, bookmark, TXID or time.
    AtSyntax = Caller "AT_SYNTAX": "give a backup id, a bookmark, a TXID of 16 hex digits, a time such as 2026-11-20T10:00:00Z or 1795168800 (seconds since 1970; 13 digits are milliseconds), or an age such as -1h",
    /// The store is a part of another.
    StoreNested = Caller "STORE_NESTED": "this store is the folder of one database in another store; give the one above, in which that folder is",
    /// The name cannot be a database's name.
    NameInvalid = Caller "NAME_INVALID": "a database name is 1 to 128 bytes of text without / or \\, control or direction-changing characters, and not . or ..",
    /// Not `default`, and not one tier.
    LocalitySyntax = Caller "LOCALITY_SYNTAX": "a tier must be in the form \"key=value\", such as region=eu; a store has one tier or is the default",
    /// A locality in a URL is not encoded, or twice.
    LocalityEncoding = Caller "LOCALITY_ENCODING": "a locality in a URL must be URL-encoded, once: region%3Deu for region=eu",
    /// No store is the default.
    LocalityDefault = Caller "LOCALITY_DEFAULT": "none of the stores is the default, which keeps account of what the others hold; give one of them the locality default",
    /// Two stores have one locality.
    LocalityTwice = Caller "LOCALITY_TWICE": "two stores have the same locality; give each its own",
    /// The name of a store fits none, or several.
    LocalityUnknown = Caller "LOCALITY_UNKNOWN": "the stores have no such locality, or several; give one as key=value",
    /// The object's name is not one that Pagemark or Litestream writes.
    ObjectName = Damage "OBJECT_NAME": "the object's name is not one of this layout",
    /// The record's digest does not match its bytes.
    RecordDigest = Damage "RECORD_DIGEST": "the backup's record is damaged (its digest does not match)",
    /// The record does not parse.
    RecordSyntax = Damage "RECORD_SYNTAX": "the backup's record is not valid",
    /// The record is of a newer format.
    RecordVersion = Damage "RECORD_VERSION": "the backup was written by a newer Pagemark; update Pagemark to read it",
    /// A record does not follow from its predecessor.
    RecordChain = Damage "RECORD_CHAIN": "the backup's record does not follow from the one before it: records were swapped, replayed or removed",
    /// The page fingerprints are damaged.
    Fingerprints = Damage "FINGERPRINTS": "the stored page fingerprints are damaged; the next backup will be a full one",
    /// What was saved of a job under way is not what was saved.
    SavedState = Damage "SAVED_STATE": "what was saved of the backup under way is damaged or of another version; abort it and begin anew",
    /// A b-tree page is not valid.
    BtreePage = Damage "BTREE_PAGE": "a b-tree page is damaged; run PRAGMA integrity_check",
    /// A b-tree is deeper than SQLite allows or refers to itself.
    BtreeDepth = Damage "BTREE_DEPTH": "a b-tree refers to itself or is too deep; run PRAGMA integrity_check",
    /// The schema's SQL takes too much memory.
    SchemaSize = Caller "SCHEMA_SIZE": "the schema is larger than 16 MiB, which is more than Pagemark reads; dump it with the sqlite3 shell",
    /// The SQL of a schema object is not what SQLite writes.
    SchemaSql = Damage "SCHEMA_SQL": "the SQL of a table in the schema does not parse; with salvage its rows are left out",
    /// A text is too long for the shell's dialect, which has to see it whole.
    TextSize = Caller "TEXT_SIZE": "a text is longer than 8 MiB, which Pagemark does not write as the sqlite3 shell does; use the sqlite dialect",
    /// A table was asked for that the database does not have.
    TableUnknown = Caller "TABLE_UNKNOWN": "the database has no such table; leave the names out for all tables",
    /// A restore of a whole database from a backup of some of its tables.
    BackupPartial = Caller "BACKUP_PARTIAL": "the backup holds some tables of its database only, with which no database is restored; restore the tables into one, or download them",
    /// A backup of some tables among backups of others, or of whole databases.
    OtherTables = Caller "OTHER_TABLES": "the backups under that name are of other tables, or of the whole database; give these another name",
    /// Tables cannot be taken out of a database page by page.
    PageReserve = Caller "PAGE_RESERVE": "each page of the database has room for an extension (checksums, say), with which its tables cannot be taken out page by page; dump them as SQL",
    /// Rows to build a database from do not ascend.
    BuildOrder = Busy "BUILD_ORDER": "the rows of a table do not come in the order of their rowids, each once: the source changed while it was read; take the backup again",
    /// A row to build a database from is longer than SQLite takes.
    BuildRow = Caller "BUILD_ROW": "a row is longer than 1,000,000,000 bytes, or has more than 32,767 values, which SQLite does not take",
    /// The database to build needs too many pages.
    BuildSize = Caller "BUILD_SIZE": "the database needs more than 4,294,967,294 pages; use larger pages",
    /// A saved job does not parse.
    JobSyntax = Damage "JOB_SYNTAX": "the saved state of an export or import is damaged; start it again",
    /// A call in an order or with a value the API does not allow.
    Usage = Caller "USAGE": "the call is not allowed here; this is a defect of the caller",
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_shouted() {
        let mut codes: Vec<_> = ErrorKind::ALL.iter().map(|k| k.code()).collect();
        assert!(codes.iter().all(|c| c.chars().all(|c| c.is_ascii_uppercase() || c == '_')));
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), ErrorKind::ALL.len());
    }

    #[test]
    fn display_names_the_place() {
        let error = Error::at_page(ErrorKind::LtxFrame, 7);
        assert!(error.to_string().ends_with("(page 7)"));
    }
}
