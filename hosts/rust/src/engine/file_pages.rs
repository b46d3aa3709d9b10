//! Page versions in a file of SQLite's, as the package for Python keeps them: each opens what the other has written.

use std::path::Path;

use rusqlite::types::Type;
use rusqlite::{Connection, ErrorCode, OptionalExtension, Transaction, TransactionBehavior, params};

use super::lend::{Commit, CommitRecord, Failure, Keep, PageStore, StoreState};

const SCHEMA: &str = "
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = FULL;
    CREATE TABLE IF NOT EXISTS pages (page INTEGER, txid INTEGER, bytes BLOB, PRIMARY KEY (page, txid)) WITHOUT ROWID;
    CREATE INDEX IF NOT EXISTS written ON pages (txid);
    -- Versions that the commit `until` replaced or shrank away: only these can ever be dropped.
    CREATE TABLE IF NOT EXISTS replaced (until INTEGER, page INTEGER, txid INTEGER, PRIMARY KEY (until, page)) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS commits (txid INTEGER PRIMARY KEY, time_ms, page_size, page_count, checksum TEXT);
    CREATE TABLE IF NOT EXISTS kept (lineage TEXT, first INTEGER, pins TEXT);";

/// Page versions in a file.
pub struct FilePages {
    file: Connection,
}

impl FilePages {
    /// In the file at `path`, which is made unless it is there.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn new(path: impl AsRef<Path>) -> rusqlite::Result<Self> {
        let file = Connection::open(path)?;
        file.execute_batch(SCHEMA)?;
        Ok(Self { file })
    }

    fn begin(&mut self) -> rusqlite::Result<Transaction<'_>> {
        self.file.transaction_with_behavior(TransactionBehavior::Immediate)
    }

    fn commits(&self) -> rusqlite::Result<Vec<CommitRecord>> {
        let sql = "SELECT txid, time_ms, page_size, page_count, checksum FROM commits ORDER BY txid";
        let mut statement = self.file.prepare(sql)?;
        let records = statement.query_map([], |row| {
            Ok(CommitRecord {
                txid: row.get(0)?,
                time_ms: row.get(1)?,
                page_size: row.get(2)?,
                page_count: row.get(3)?,
                checksum: hex(&row.get::<_, String>(4)?)?,
            })
        })?;
        records.collect()
    }
}

impl PageStore for FilePages {
    fn open(&mut self) -> Result<Option<StoreState>, Failure> {
        let kept = self.file.query_row("SELECT lineage, first, pins FROM kept", [], |row| {
            let (lineage, pins): (String, String) = (row.get(0)?, row.get(2)?);
            let pins = pins.split(' ').filter(|pin| !pin.is_empty()).map(decimal).collect::<Result<_, _>>()?;
            Ok((hex(&lineage)?, Keep { first: row.get(1)?, pins }))
        });
        let Some((lineage, keep)) = kept.optional()? else { return Ok(None) };
        Ok(Some(StoreState { lineage, commits: self.commits()?, keep }))
    }

    fn read(&mut self, page: u32, txid: u64) -> Result<Vec<u8>, Failure> {
        let newest = "SELECT bytes FROM pages WHERE page = ? AND txid <= ? ORDER BY txid DESC LIMIT 1";
        let found = self.file.prepare_cached(newest)?.query_row(params![page, txid], |row| row.get(0)).optional()?;
        found.ok_or_else(|| Failure::Damaged(format!("there is no page {page} of state {txid}")))
    }

    fn commit(&mut self, commit: Commit) -> Result<(), Failure> {
        let Commit { record, lineage, pages, keep } = commit;
        let file = self.begin()?;
        {
            let note =
                "INSERT OR IGNORE INTO replaced SELECT ?1, page, max(txid) FROM pages WHERE page = ?2 HAVING count(*)";
            let mut note = file.prepare_cached(note)?;
            let mut version = file.prepare_cached("INSERT OR REPLACE INTO pages VALUES (?, ?, ?)")?;
            let last = "SELECT page_count FROM commits ORDER BY txid DESC LIMIT 1";
            let last: Option<u32> = file.query_row(last, [], |row| row.get(0)).optional()?;
            for page in &pages {
                note.execute(params![record.txid, page.number])?;
            }
            if last.is_some_and(|last| last > record.page_count) {
                let gone =
                    "INSERT OR IGNORE INTO replaced SELECT ?, page, max(txid) FROM pages WHERE page > ? GROUP BY page";
                file.execute(gone, params![record.txid, record.page_count])?;
            }
            for page in &pages {
                version.execute(params![page.number, record.txid, page.bytes])?;
            }
        }
        let CommitRecord { txid, time_ms, page_size, page_count, checksum } = record;
        let row = params![txid, time_ms, page_size, page_count, format!("{checksum:016x}")];
        file.execute("INSERT OR REPLACE INTO commits VALUES (?, ?, ?, ?, ?)", row)?;
        file.execute("DELETE FROM kept", [])?;
        let row = params![format!("{lineage:016x}"), keep.first, pins(&keep)];
        file.execute("INSERT INTO kept VALUES (?, ?, ?)", row)?;
        drop_unneeded(&file, &keep)?;
        Ok(file.commit()?)
    }

    fn retain(&mut self, keep: Keep) -> Result<(), Failure> {
        let file = self.begin()?;
        file.execute("UPDATE kept SET first = ?, pins = ?", params![keep.first, pins(&keep)])?;
        drop_unneeded(&file, &keep)?;
        Ok(file.commit()?)
    }

    fn changed(&mut self, after: u64, upto: u64) -> Result<Vec<u32>, Failure> {
        let written = "SELECT DISTINCT page FROM pages WHERE txid > ? AND txid <= ? ORDER BY page";
        let mut statement = self.file.prepare_cached(written)?;
        let pages = statement.query_map(params![after, upto], |row| row.get(0))?;
        Ok(pages.collect::<rusqlite::Result<_>>()?)
    }
}

/// Drops versions that no state shows any more that has to stay: each is shown from its TXID until it was replaced.
fn drop_unneeded(file: &Connection, keep: &Keep) -> rusqlite::Result<()> {
    let sql = "SELECT until, page, txid FROM replaced WHERE until <= ?";
    let mut statement = file.prepare_cached(sql)?;
    let replaced = statement.query_map([keep.first], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    let replaced: Vec<(u64, u32, u64)> = replaced.collect::<rusqlite::Result<_>>()?;
    for (until, page, txid) in replaced {
        if keep.pins.iter().any(|&pin| pin >= txid && pin < until) {
            continue;
        }
        file.prepare_cached("DELETE FROM pages WHERE page = ? AND txid = ?")?.execute(params![page, txid])?;
        file.prepare_cached("DELETE FROM replaced WHERE until = ? AND page = ?")?.execute(params![until, page])?;
    }
    let mut statement = file.prepare_cached("SELECT txid FROM commits WHERE txid < ?")?;
    let old: Vec<u64> = statement.query_map([keep.first], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    // The commit after one that is kept says until when that one lasted.
    for txid in old.into_iter().filter(|txid| !keep.pins.iter().any(|pin| [pin, &(pin + 1)].contains(&txid))) {
        file.execute("DELETE FROM commits WHERE txid = ?", [txid])?;
    }
    Ok(())
}

fn pins(keep: &Keep) -> String {
    keep.pins.iter().map(u64::to_string).collect::<Vec<_>>().join(" ")
}

fn hex(text: &str) -> rusqlite::Result<u64> {
    u64::from_str_radix(text, 16).map_err(no_number)
}

fn decimal(text: &str) -> rusqlite::Result<u64> {
    text.parse().map_err(no_number)
}

fn no_number(error: std::num::ParseIntError) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(0, Type::Text, error.into())
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::Full(error.to_string()),
            // Without a code, a column holds another kind of value than this store writes.
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) | None => Self::Damaged(error.to_string()),
            Some(_) => Self::Failed(error.to_string()),
        }
    }
}
