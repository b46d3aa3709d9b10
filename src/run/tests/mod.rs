//! Every backup machine run to its end by a host in memory: with each request failing once, its answer lost, answered in
//! another order, twice, and begun again from each saved state.

mod remove;
mod simulation;
mod stored;
mod world;

use proptest::prelude::*;
use world::{Manner, PREFIX, World};

use super::{Backup, BackupOptions, Failure, Known, Place};
use crate::catalog::{Kind, Layout};

fn options(in_steps: bool) -> BackupOptions {
    BackupOptions {
        place: Place { segment: "app".into(), layout: Layout::Folder },
        name: "app".into(),
        safety: false,
        label: crate::catalog::Label::default(),
        full: false,
        same_database: false,
        watching: false,
        pages: Some(2),
        in_steps,
        at: None,
        random: *b"sixteen randoms!lineage!",
    }
}

/// A database of eleven pages with one full backup of before, and what has changed in it since.
fn changed(tells: bool, in_steps: bool) -> World {
    let mut world = World { tells, names: in_steps, ..World::of(&[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]) };
    world.run(Backup::new(options(false), None), Manner::default()).outcome.unwrap();
    world.before = Some(world.checksum());
    world.pages = vec![2, 2, 3, 44, 5, 6, 7, 8, 9, 10, 11, 12, 13];
    world.changed = tells.then(|| vec![1, 4, 12, 13]);
    world
}

fn check_made(world: &World, backups: usize) {
    assert_eq!(world.restored(), world.bytes());
    assert_eq!(world.folder().history.entries().count(), backups);
    let of_records = world.objects.keys().filter(|key| key.ends_with(".json")).count();
    assert_eq!(world.objects.len(), 3 * of_records, "{:?}", world.objects.keys());
}

#[test]
fn the_first_backup_is_full_and_the_next_one_holds_what_changed() {
    for tells in [false, true] {
        let mut world = changed(tells, false);
        let made = world.run(Backup::new(options(false), None), Manner::default()).outcome.unwrap().unwrap();
        assert_eq!(made.full_because, None);
        check_made(&world, 2);
        let folder = world.folder();
        let newest = folder.history.entries().last().unwrap().1.unwrap();
        assert_eq!((newest.kind, newest.changed, newest.page_count), (Kind::Incremental, 4, 13));
    }
}

#[test]
fn answers_may_come_in_any_order_late_and_twice() {
    for (tells, in_steps) in [(false, false), (true, false), (false, true), (true, true)] {
        let mut calm = changed(tells, in_steps);
        calm.run(Backup::new(options(in_steps), None), Manner::default()).outcome.unwrap();
        for manner in [Manner { reversed: true, ..Manner::default() }, Manner { twice: true, ..Manner::default() }] {
            let mut world = changed(tells, in_steps);
            world.run(Backup::new(options(in_steps), None), manner).outcome.unwrap();
            check_made(&world, 2);
            let keys = |world: &World| world.objects.keys().cloned().collect::<Vec<_>>();
            assert_eq!(keys(&world), keys(&calm));
        }
    }
}

#[test]
fn whichever_request_fails_nothing_half_done_is_listed_and_the_next_backup_needs_no_repair() {
    for tells in [false, true] {
        for done_all_the_same in [false, true] {
            let mut calm = changed(tells, false);
            let requests = calm.run(Backup::new(options(false), None), Manner::default()).requests;
            for number in 1..=requests {
                let mut world = changed(tells, false);
                world.counts.clear();
                let manner = Manner { fails: Some(number), done_all_the_same, ..Manner::default() };
                let run = world.run(Backup::new(options(false), None), manner);
                let backups = world.folder().history.entries().count();
                match run.outcome {
                    Ok(_) => assert_eq!(backups, 2, "request {number}"),
                    Err(Failure::Host(_)) => {
                        // A record whose answer was lost and could not be read again may be there.
                        assert!(backups == 1 || done_all_the_same, "request {number}");
                    }
                    Err(other) => panic!("request {number}: {other:?}"),
                }
                // Whether a record was stored may never be known: then its files stay until the next backup.
                if backups == 1 && world.counts.get("get") == Some(&1) {
                    assert_eq!(world.objects.len(), 3, "request {number} leaves {:?}", world.objects.keys());
                }
                world.changed = None;
                let again = world.run(Backup::new(options(false), None), Manner::default());
                again.outcome.unwrap();
                check_made(&world, backups + 1);
            }
        }
    }
}

#[test]
fn a_backup_in_steps_goes_on_from_every_saved_state() {
    for tells in [false, true] {
        let mut calm = changed(tells, true);
        let saves = calm.run(Backup::new(options(true), None), Manner::default()).saves;
        assert!(saves > 5, "{saves}");
        for number in 1..=saves {
            let mut world = changed(tells, true);
            let manner = Manner { ends_at_save: Some(number), ..Manner::default() };
            world.run(Backup::new(options(true), None), manner).outcome.unwrap().unwrap();
            check_made(&world, 2);
            assert_eq!(world.objects.keys().collect::<Vec<_>>(), calm.objects.keys().collect::<Vec<_>>());
        }
    }
}

#[test]
fn lost_fingerprints_make_a_full_backup_that_says_why() {
    for in_steps in [false, true] {
        let mut world = changed(false, in_steps);
        let key = world.objects.keys().find(|key| key.ends_with(".pages")).unwrap().clone();
        world.objects.get_mut(&key).unwrap().0[30] ^= 1;
        let made = world.run(Backup::new(options(in_steps), None), Manner::default()).outcome.unwrap().unwrap();
        assert!(made.damaged && made.full_because.is_some());
        assert_eq!(world.restored(), world.bytes());
        assert_eq!(world.objects.len(), 6);
    }
}

#[test]
fn of_two_backups_at_once_one_is_told_that_the_other_was_quicker_and_leaves_nothing() {
    let mut world = changed(false, false);
    let mut quicker = world.clone();
    quicker.run(Backup::new(options(false), None), Manner::default()).outcome.unwrap();
    // The other one's files come to lie there once this one has listed.
    let mut slower = Backup::new(BackupOptions { random: *b"another uuid....lineage!", ..options(false) }, None);
    let (id, request) = slower.poll(0).unwrap();
    assert!(matches!(request, super::Request::List { .. }));
    let listing = world.objects.iter().map(|(key, (bytes, modified_ms))| super::ListedObject {
        key: key.clone(),
        size: bytes.len() as u64,
        modified_ms: *modified_ms,
    });
    slower.answer(id, super::Answer::Listing(super::Listing { objects: listing.collect(), cursor: None }));
    world.objects = quicker.objects.clone();
    // Pages that differ, so that the files do, too.
    world.pages[5] = 99;
    assert_eq!(world.run(slower, Manner::default()).outcome, Err(Failure::Conflict));
    assert_eq!(world.objects, quicker.objects);
}

#[test]
fn a_backup_lists_once_and_the_next_one_of_the_process_reads_no_record() {
    let mut world = changed(false, false);
    world.counts.clear();
    let run = world.run(Backup::new(options(false), None), Manner::default());
    // Pages of two objects, and nothing else is read than one record and its fingerprints.
    assert_eq!((world.counts["list"], world.counts["get"]), (2, 1));
    let known = run.known;
    assert!(known.is_some());
    world.counts.clear();
    world.pages[3] = 5;
    let run = world.run(Backup::new(options(false), known), Manner::default());
    run.outcome.unwrap();
    assert_eq!((world.counts["list"], world.counts.get("get")), (3, None));
    check_made(&world, 3);
}

/// Makes a backup of one changed page more; tells what is remembered then, and how many records and pieces of fingerprints it read.
fn next_read(world: &mut World, known: Option<Known>) -> (Option<Known>, usize, usize) {
    world.counts.clear();
    world.pages[3] += 1;
    let run = world.run(Backup::new(options(false), known), Manner::default());
    run.outcome.unwrap();
    let count = |kind: &str| world.counts.get(kind).copied().unwrap_or(0);
    (run.known, count("get"), count("read"))
}

#[test]
fn where_a_store_has_times_of_its_own_only_the_newest_record_is_read() {
    let mut world = World { has_own_times: true, ..changed(false, false) };
    let mut known = None;
    for number in 2..6 {
        let (next, records, _) = next_read(&mut world, known);
        assert_eq!(records, 1, "of backup {number}");
        known = next;
        check_made(&world, number);
    }
}

#[test]
fn a_backup_that_took_the_place_of_the_newest_is_seen_though_its_objects_are_as_large() {
    let mut world = World { has_own_times: true, ..changed(false, false) };
    let before = world.clone();
    let (known, ..) = next_read(&mut world, None);
    // Somebody deletes that one, and makes another of as many pages.
    let mut other = World { pages: world.pages.clone(), now_ms: world.now_ms, ..before };
    other.pages[3] += 1;
    let by_other = BackupOptions { random: *b"another uuid....lineage!", ..options(false) };
    other.run(Backup::new(by_other, None), Manner::default()).outcome.unwrap();
    let sizes = |world: &World| -> Vec<_> {
        world.objects.iter().map(|(key, (bytes, _))| (key.clone(), bytes.len())).collect()
    };
    assert_eq!(sizes(&world), sizes(&other));
    let (_, records, _) = next_read(&mut other, known);
    // The newest, which is another; then all.
    assert_eq!(records, 3);
    check_made(&other, 3);
}

#[test]
fn of_fingerprints_that_were_read_only_the_oldest_file_is_read_again() {
    let mut world = changed(false, false);
    let (known, ..) = next_read(&mut world, None);
    let (known, ..) = next_read(&mut world, known);
    let (known, _, read) = next_read(&mut world, known);
    let (_, _, again) = next_read(&mut world, known);
    // The newest file, too, which is as long both times.
    assert_eq!(again, read);
    check_made(&world, 5);
}

#[test]
fn what_a_run_that_died_has_left_is_swept_once_the_record_is_there() {
    let mut world = changed(false, false);
    for key in ["ltx/0/0000000000000002-0000000000000002.ltx", "pagemark/0000000000000002-0000000000000002.pages"] {
        world.objects.insert(format!("{PREFIX}{key}"), (vec![1], 0));
    }
    world.run(Backup::new(options(false), None), Manner::default()).outcome.unwrap();
    check_made(&world, 2);
}

proptest! {
    #[test]
    fn random_databases_come_back_whatever_the_order_of_answers(
        versions in prop::collection::vec(prop::collection::vec(0_u8..4, 1..40), 1..5),
        reversed: bool,
        in_steps: bool,
        ends_at_save in prop::option::of(1_usize..20),
    ) {
        let mut world = World { names: in_steps, ..World::of(&versions[0]) };
        let mut known = None;
        for (number, pages) in versions.iter().enumerate() {
            world.pages = pages.clone();
            let manner = Manner { reversed, ends_at_save: ends_at_save.filter(|_| in_steps), ..Manner::default() };
            let run = world.run(Backup::new(options(in_steps), known.take()), manner);
            run.outcome.unwrap();
            known = run.known;
            check_made(&world, number + 1);
        }
    }
}
