//! States between backups: what dates them, and what makes a plan's backup one of them.

use super::*;
use crate::bookmark::Lineage;
use crate::catalog::Kind;
use crate::catalog::names::Layout;
use crate::catalog::record::tests::record;
use crate::page::{Checksum, PageSize};

/// What every object here has as its time in the store: that of a copy, long after.
const COPIED_MS: i64 = 1_900_000_000_000;
/// When the backup was made; the states after it, one a minute later each.
const MADE_MS: i64 = 1_800_000_000_000;
const MINUTE: i64 = 60_000;

fn state(txid: u64) -> String {
    format!("app/ltx/1/{}-{}.ltx", Txid(txid), Txid(txid))
}

/// A backup of TXID 1 and the states 2, 3 and 4 after it.
fn folder() -> Folder {
    let mut folder = Folder::new("app", Layout::Folder);
    let mut made = record(1, 1, Kind::Full, None);
    made.created_at = format_rfc3339(MADE_MS);
    let key = folder.record_key(Txid(1));
    let listed = |size| Listed { size, modified_ms: COPIED_MS };
    folder.see(&key, listed(1));
    folder.read(&key, &made.encode().unwrap().text);
    let ltx = folder.link(&made).ltx;
    folder.see(&ltx, listed(made.ltx.size));
    (2..=4).for_each(|txid| folder.see(&state(txid), listed(txid)));
    folder
}

fn checksum(of: u64) -> Checksum {
    Checksum::new(1 << 63 | of).unwrap()
}

fn lineage() -> Lineage {
    record(1, 1, Kind::Full, None).lineage()
}

fn header(txid: u64) -> Header {
    let taken_ms = MADE_MS + (txid as i64 - 1) * MINUTE;
    Header {
        node_id: lineage().0,
        after: Some(checksum(txid)),
        ..Header::new(PageSize::new(512).unwrap(), 7, Txid(txid), Txid(txid), taken_ms)
    }
}

/// The states that a restore to `minutes` after the backup puts on top of it, and what it tells.
fn planned(folder: &Folder, minutes: i64) -> (Vec<String>, Option<String>) {
    let plan = folder.plan(&Target::Time(MADE_MS + minutes * MINUTE)).unwrap();
    (plan.files.into_iter().skip(1).map(|file| file.key).collect(), plan.note)
}

#[test]
fn b11_a_state_is_dated_by_its_own_header_not_by_the_store() {
    let mut folder = folder();
    assert_eq!(planned(&folder, 2), (vec![], None), "before anything is dated, all came with the copy");
    let wanted = folder.undated(&Target::Time(MADE_MS));
    assert_eq!(wanted, [state(2), state(3), state(4)]);
    (2..=4).for_each(|txid| folder.date(&state(txid), &header(txid).encode()));
    assert_eq!(planned(&folder, 0), (vec![], None));
    assert_eq!(planned(&folder, 2), (vec![state(2), state(3)], None));
    assert_eq!(planned(&folder, 9), (vec![state(2), state(3), state(4)], None));
}

#[test]
fn f2_a_state_that_is_left_out_as_nothing_dates_it_is_told() {
    let mut damaged = header(3).encode();
    damaged[0] ^= 1;
    let nameless = Header { timestamp_ms: 0, ..header(3) }.encode();
    for start in [&damaged[..], &nameless[..], &header(3).encode()[..99], &[]] {
        let mut folder = folder();
        folder.date(&state(2), &header(2).encode());
        folder.date(&state(3), start);
        folder.date(&state(4), &header(4).encode());
        let (files, note) = planned(&folder, 3);
        assert_eq!(files, [state(2)]);
        assert!(note.unwrap().starts_with(&state(3)));
        assert_eq!(planned(&folder, 0).1, None, "the state before it is not missed");
        assert_eq!(folder.plan(&Target::Latest).unwrap().note, None, "without a time nothing is left out");
        let late = folder.plan(&Target::Time(COPIED_MS)).unwrap();
        assert_eq!((late.files.len(), late.note), (4, None), "the store's time will do where it is early enough");
    }
}

#[test]
fn f2_states_behind_one_that_is_missing_are_told() {
    let mut folder = folder();
    for txid in [2, 4] {
        folder.date(&state(txid), &header(txid).encode());
    }
    // As if flipped bits had made it of next year: what is after it is of before.
    folder.date(&state(3), &Header { timestamp_ms: COPIED_MS, ..header(3) }.encode());
    let (files, note) = planned(&folder, 9);
    assert_eq!(files, [state(2)]);
    assert!(note.unwrap().starts_with("the file that follows state 0000000000000002 is missing or damaged"));
    assert_eq!(planned(&folder, 1), (vec![state(2)], None), "what is after the time is not missed");

    let mut cut = Folder::new("app", Layout::Folder);
    for (key, listed) in folder.objects().iter().filter(|(key, _)| *key != state(3)) {
        cut.see(key, *listed);
    }
    cut.read(&cut.record_key(Txid(1)), &record(1, 1, Kind::Full, None).encode().unwrap().text);
    for target in [Target::Latest, Target::Unsaid] {
        let plan = cut.plan(&target).unwrap();
        assert_eq!(plan.after.unwrap().txid, "0000000000000002");
        assert!(plan.note.is_some());
    }
    let id = Target::Id("00000001-0000-4000-8000-000000000000".into());
    assert_eq!(cut.plan(&id).unwrap().note, None, "a backup is what it is");
}

#[test]
fn f2_a_state_of_litestreams_that_nothing_dates_is_told() {
    let mut folder = Folder::new("app", Layout::Folder);
    let snapshot = format!("app/ltx/9/{}-{}.ltx", Txid(1), Txid(1));
    for key in [&snapshot, &state(2)] {
        folder.see(key, Listed { size: 1, modified_ms: COPIED_MS });
    }
    folder.date(&snapshot, &header(1).encode());
    folder.date(&state(2), &[]);
    let plan = folder.plan(&Target::Time(MADE_MS + 9 * MINUTE)).unwrap();
    assert_eq!(plan.files.len(), 1);
    assert!(plan.note.unwrap().starts_with(&state(2)));
}

#[test]
fn a_plan_is_completed_by_the_header_of_its_last_file() {
    let folder = folder();
    let plan = || folder.plan(&Target::Latest).unwrap();
    let mut completed = plan();
    completed.complete(&header(4).encode(), &Target::Latest).unwrap();
    let backup = completed.backup.as_ref().unwrap();
    let bookmark = Bookmark::new(Txid(4), MADE_MS + 3 * MINUTE, checksum(4), lineage());
    assert_eq!((&backup.view.bookmark, &backup.checksum), (&bookmark.to_string(), &bookmark.checksum.to_string()));
    assert_eq!((backup.view.txid.as_str(), backup.view.page_count), ("0000000000000004", 7));
    assert_eq!(backup.view.size, 7 * u64::from(backup.view.page_size));
    assert_eq!(backup.view.created_at, format_rfc3339(MADE_MS + 3 * MINUTE));

    let fails = |start: &[u8], target: &Target| plan().complete(start, target).unwrap_err().kind;
    plan().complete(&header(4).encode(), &Target::Bookmark(bookmark)).unwrap();
    let other = Bookmark { checksum: checksum(5), ..bookmark };
    assert_eq!(fails(&header(4).encode(), &Target::Bookmark(other)), ErrorKind::BookmarkUnknown);
    for foreign in [Header { node_id: 5, ..header(4) }, Header { after: None, ..header(4) }] {
        assert_eq!(fails(&foreign.encode(), &Target::Latest), ErrorKind::ChainLineage);
    }
    assert_eq!(fails(&header(4).encode()[..99], &Target::Latest), ErrorKind::LtxTruncated);
}

#[test]
fn a_plan_that_ends_at_its_backup_is_complete_as_it_is() {
    let mut plan = folder().plan(&Target::Txid(Txid(1))).unwrap();
    let before = plan.clone();
    plan.complete(&[], &Target::Latest).unwrap();
    assert_eq!(plan, before);
}
