//! A folder that Litestream wrote, which has no records: which of its files make up a state.

use super::names::{LEVEL_SNAPSHOT, LtxName};
use super::when::Target;
use crate::error::{Error, ErrorKind, Result};

/// An LTX file that is in the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct File {
    /// Its level and TXIDs.
    pub name: LtxName,
    /// When it was made, in milliseconds since 1970.
    pub created_ms: i64,
}

/// The files that restore to `target`, oldest first: the newest snapshot that is not past it, then at each step
/// the file that reaches furthest without leaving a gap, as Litestream chooses them.
///
/// # Errors
/// `BackupNone`, `ChainNoSnapshot`, `ChainGap`, `BackupUnknown` for a TXID no file ends at, `TimeBeforeFirst`,
/// `AtSyntax` for an id or a bookmark, which Litestream's files do not have.
pub fn plan(files: &[File], target: &Target) -> Result<Vec<LtxName>> {
    let (last_txid, last_ms) = match target {
        Target::Unsaid | Target::Latest => (u64::MAX, i64::MAX),
        Target::Txid(txid) => (txid.0, i64::MAX),
        Target::Time(ms) => (u64::MAX, *ms),
        Target::Id(_) | Target::Bookmark(_) => return Err(ErrorKind::AtSyntax.into()),
    };
    if files.is_empty() {
        return Err(ErrorKind::BackupNone.into());
    }
    let fits = |file: &&File| file.name.max.0 <= last_txid && file.created_ms <= last_ms;
    let snapshots = files.iter().filter(fits).filter(|file| file.name.min.0 == 1);
    // Between snapshots of one state, Litestream's own level goes first.
    let snapshot = snapshots.max_by_key(|file| (file.name.max, file.name.level == LEVEL_SNAPSHOT));
    let Some(snapshot) = snapshot else {
        let before = matches!(target, Target::Time(_)) && files.iter().any(|file| file.name.min.0 == 1);
        return Err(if before { ErrorKind::TimeBeforeFirst } else { ErrorKind::ChainNoSnapshot }.into());
    };
    let mut plan = vec![snapshot.name];
    let mut reached = snapshot.name.max.0;
    loop {
        let next = files.iter().filter(fits);
        let next = next.filter(|file| file.name.min.0 <= reached.saturating_add(1) && file.name.max.0 > reached);
        // Prefer the higher level where two files reach equally far: it has fewer pages that later files replace.
        let Some(next) = next.max_by_key(|file| (file.name.max, file.name.level)) else { break };
        plan.push(next.name);
        reached = next.name.max.0;
    }
    match target {
        Target::Txid(txid) if reached != txid.0 => Err(Error::at_txid(ErrorKind::BackupUnknown, txid.0)),
        // A file beyond the reached state that cannot be joined means that one between is lost.
        _ => match files.iter().filter(fits).find(|file| file.name.max.0 > reached) {
            Some(_) => Err(Error::at_txid(ErrorKind::ChainGap, reached.saturating_add(1))),
            None => Ok(plan),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::Txid;

    fn file(level: u8, min: u64, max: u64) -> File {
        File { name: LtxName { level, min: Txid(min), max: Txid(max) }, created_ms: max as i64 * 1000 }
    }

    fn ranges(files: &[File], target: &Target) -> Result<Vec<(u64, u64)>> {
        plan(files, target).map(|plan| plan.iter().map(|name| (name.min.0, name.max.0)).collect())
    }

    #[test]
    fn joins_levels_and_prefers_what_reaches_furthest() {
        let files = [file(9, 1, 4), file(0, 5, 5), file(0, 6, 6), file(1, 3, 6), file(0, 7, 7)];
        assert_eq!(ranges(&files, &Target::Latest), Ok(vec![(1, 4), (3, 6), (7, 7)]));
        assert_eq!(ranges(&files, &Target::Txid(Txid(5))), Ok(vec![(1, 4), (5, 5)]));
        assert_eq!(ranges(&files, &Target::Time(6500)), Ok(vec![(1, 4), (3, 6)]));
    }

    #[test]
    fn names_the_gap_the_missing_snapshot_and_a_time_outside() {
        let kind = |files: &[File], target| plan(files, &target).unwrap_err();
        assert_eq!(kind(&[file(9, 1, 1), file(0, 3, 3)], Target::Latest), Error::at_txid(ErrorKind::ChainGap, 2));
        assert_eq!(kind(&[file(0, 3, 3)], Target::Latest).kind, ErrorKind::ChainNoSnapshot);
        assert_eq!(kind(&[file(9, 1, 4)], Target::Time(1)).kind, ErrorKind::TimeBeforeFirst);
        assert_eq!(ranges(&[file(9, 1, 4)], &Target::Time(4001)), Ok(vec![(1, 4)]));
        assert_eq!(kind(&[file(9, 1, 4)], Target::Txid(Txid(2))).kind, ErrorKind::ChainNoSnapshot);
    }
}
