use super::*;
use crate::bookmark::Bookmark;
use crate::catalog::record::Encoded;
use crate::catalog::record::tests::record;

/// A full backup and three incrementals, TXIDs 1 to 4.
fn history() -> (History, Vec<String>) {
    let mut history = History::default();
    let (mut texts, mut previous) = (Vec::new(), None);
    for txid in 1..=4 {
        let kind = if txid == 1 { Kind::Full } else { Kind::Incremental };
        let link = previous.as_ref().map(|digest: &String| (txid - 1, digest.as_str()));
        let Encoded { text, digest } = record(txid, txid, kind, link).encode().unwrap();
        history.add(Txid(txid), &text);
        texts.push(text);
        previous = Some(digest);
    }
    (history, texts)
}

fn kind_of<T>(result: Result<T>) -> ErrorKind {
    result.err().map(|error| error.kind).unwrap()
}

#[test]
fn b4_a_missing_swapped_or_foreign_link_is_found_before_anything_is_read() {
    let (whole, texts) = history();
    let latest = whole.find(&Target::Latest).unwrap();
    assert_eq!(whole.chain(latest).unwrap().len(), 4);

    let rebuilt = |list: &[(u64, &str)]| {
        let mut history = History::default();
        list.iter().for_each(|&(first, text)| history.add(Txid(first), text));
        let record = history.find(&Target::Latest)?;
        history.chain(record).map(|chain| chain.len())
    };
    let text = |n: usize| texts[n - 1].as_str();
    assert_eq!(rebuilt(&[(1, text(1)), (3, text(3)), (4, text(4))]), Err(Error::at_txid(ErrorKind::ChainGap, 2)));
    assert_eq!(kind_of(rebuilt(&[(2, text(2))])), ErrorKind::ChainGap);
    assert_eq!(kind_of(rebuilt(&[(1, text(1)), (2, text(3)), (3, text(2)), (4, text(4))])), ErrorKind::RecordChain);
    let other = record(2, 2, Kind::Incremental, Some((1, &"1".repeat(64)))).encode().unwrap().text;
    assert_eq!(kind_of(rebuilt(&[(1, text(1)), (2, &other)])), ErrorKind::RecordChain);
}

#[test]
fn a2_records_of_another_database_are_told_from_those_of_one_that_had_another_name() {
    let settled = |names: &[(&str, u64)]| {
        let mut history = History::default();
        for (txid, &(name, lineage)) in (1..).zip(names) {
            let record = record(txid, txid, Kind::Full, None);
            let bookmark = Bookmark { lineage: Lineage(lineage), ..record.bookmark };
            history.add(Txid(txid), &Record { name: name.into(), bookmark, ..record }.encode().unwrap().text);
        }
        let other = history.settle(|name| name == "app");
        (other, history.checked().filter_map(|(first, entry)| entry.err().map(|_| first.0)).collect::<Vec<_>>())
    };
    assert_eq!(settled(&[("shop", 1), ("shop", 1), ("app", 1), ("app", 2)]), (None, vec![]));
    assert_eq!(settled(&[("app", 1), ("shop", 2), ("app", 1), ("shop", 2)]), (None, vec![2, 4]));
    assert_eq!(settled(&[("shop", 1), ("other", 1)]), (Some("other".into()), vec![]));
    assert_eq!(settled(&[]), (None, vec![]));
}

#[test]
fn each_backup_is_checked_once_and_one_on_top_of_a_damaged_one_says_why() {
    let (mut history, texts) = history();
    let kinds = |history: &History| {
        history.checked().map(|(_, record)| record.err().map(|error| (error.kind, error.at))).collect::<Vec<_>>()
    };
    assert_eq!(kinds(&history), [None; 4]);
    history.entries.remove(&Txid(2));
    let gap = Error::at_txid(ErrorKind::ChainGap, 2);
    assert_eq!(kinds(&history), [None, Some((gap.kind, gap.at)), Some((gap.kind, gap.at))]);
    history.add(Txid(2), &texts[1].replace("app", "apq"));
    assert!(kinds(&history)[1..].iter().all(|error| error.is_some_and(|(kind, _)| kind == ErrorKind::RecordDigest)));
}

#[test]
fn ltx_files_that_were_copied_in_the_other_layout_are_found_there() {
    let (mut history, _) = history();
    history.see("0009/0000000000000001-0000000000000001.ltx", Layout::Folder);
    let keys: Vec<_> = history.checked().map(|(_, record)| history.ltx_key(record.unwrap(), Layout::Folder)).collect();
    assert_eq!(
        keys[..2],
        ["0009/0000000000000001-0000000000000001.ltx", "ltx/0/0000000000000002-0000000000000002.ltx"]
    );
    assert_eq!(History::default().check_kind(), Ok(()));
    let mut old = History::default();
    old.see("generations/16b6ff4ba0cf7b09/snapshots/00000000.snapshot.lz4", Layout::Folder);
    assert_eq!(kind_of(old.find(&Target::Latest)), ErrorKind::ReplicaOld);
}

#[test]
fn b11_a_time_means_the_newest_backup_at_or_before_it() {
    let (history, _) = history();
    let at = |text: &str| history.find(&Target::parse(text, 0).unwrap()).map(|record| record.txid().0);
    assert_eq!(at("2026-11-21T02:30:00Z"), Ok(2));
    assert_eq!(at("2026-11-21T04:00:00Z"), Ok(4));
    assert_eq!(kind_of(at("2026-11-21T00:30:00Z")), ErrorKind::TimeBeforeFirst);
    assert_eq!(at("2026-11-21T04:00:01Z"), Ok(4));
}

#[test]
fn a13_what_a_restore_put_aside_is_not_what_the_next_one_takes_unless_it_is_asked_for() {
    let (mut history, texts) = history();
    let digest = Record::decode(&texts[3]).unwrap().1;
    let aside = Record { safety: true, ..record(5, 5, Kind::Incremental, Some((4, &digest))) };
    history.add(Txid(5), &aside.encode().unwrap().text);
    let txid = |text: &str| history.find(&Target::parse(text, 0).unwrap()).map(|record| record.txid().0);
    assert_eq!((txid(""), txid("latest"), txid("0000000000000005")), (Ok(4), Ok(5), Ok(5)));
    let mut only = History::default();
    only.add(Txid(1), &Record { safety: true, ..record(1, 1, Kind::Full, None) }.encode().unwrap().text);
    assert_eq!(only.find(&Target::Unsaid).map(|record| record.txid().0), Ok(1));
}

#[test]
fn a6_an_id_prefix_is_unique_or_refused() {
    let (history, _) = history();
    let by_id = |id: &str| history.find(&Target::Id(id.into())).map(|record| record.txid().0);
    assert_eq!(by_id("00000003"), Ok(3));
    assert_eq!(kind_of(by_id("0000000")), ErrorKind::BackupAmbiguous);
    assert_eq!(kind_of(by_id("00000009")), ErrorKind::BackupUnknown);
}

#[test]
fn b9_after_a_damaged_record_the_next_backup_is_a_full_one_above_it() {
    let (mut history, _) = history();
    assert_eq!(history.next().full_because, None);
    assert_eq!((history.next().first, history.next().txid), (Txid(5), Txid(5)));
    history.add(Txid(5), "{ torn");
    let next = history.next();
    assert!(next.full_because.is_some() && next.lineage.is_some());
    assert_eq!((next.first, next.previous), (Txid(6), None));
    assert_eq!(kind_of(history.find(&Target::Latest)), ErrorKind::RecordSyntax);
}

#[test]
fn a_file_left_by_a_run_that_died_is_stepped_over() {
    let (mut history, _) = history();
    history.add_file(Txid(5));
    assert_eq!((history.next().first, history.next().txid), (Txid(5), Txid(6)));
    let mut none = History::default();
    none.add_file(Txid(1));
    assert_eq!((none.next().first, none.next().txid), (Txid(1), Txid(2)));
}
