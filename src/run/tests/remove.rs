//! Removals, with each request failing once, and gone on with by the next one.

use super::world::{Manner, World};
use super::{Backup, Failure, Place, options};
use crate::catalog::{Layout, PlanError};
use crate::run::{Machine, Outcome, remove};

const NOTE: [u8; 16] = *b"sixteen randoms!";

/// Four backups: a full one, an incremental, and the same once more.
fn world() -> (World, Vec<String>) {
    let mut world = World::of(&[1, 2, 3, 4, 5]);
    for step in 0..4 {
        world.pages[1] = 10 + step;
        let random = core::array::from_fn(|at| at as u8 ^ step);
        let options = crate::run::BackupOptions { full: step == 2, random, ..options(false) };
        world.run(Backup::new(options, None), Manner::default()).outcome.unwrap();
    }
    let ids = world.folder().list().unwrap().into_iter().map(|backup| backup.id).collect();
    (world, ids)
}

fn removing(world: &mut World, ids: &[String], manner: Manner) -> (Outcome<()>, usize) {
    let (place, ids) = (Place { segment: "app".into(), layout: Layout::Folder }, ids.to_vec());
    let story = move |host| async move { remove(&host, &place, &ids, NOTE).await };
    world.drive(Machine::new(story), manner)
}

fn left(world: &World) -> Vec<String> {
    world.folder().list().unwrap().into_iter().map(|backup| backup.id).collect()
}

#[test]
fn a_removal_takes_all_objects_of_its_backups_and_leaves_no_note() {
    let (mut world, ids) = world();
    for manner in
        [Manner::default(), Manner { reversed: true, ..Manner::default() }, Manner { twice: true, ..Manner::default() }]
    {
        let mut world = world.clone();
        removing(&mut world, &ids[..2], manner).0.unwrap();
        assert_eq!(left(&world), ids[2..]);
        assert_eq!(world.objects.len(), 6);
        assert_eq!(world.restored(), world.bytes());
    }
    let refused = removing(&mut world, &ids[2..3], Manner::default()).0;
    assert!(matches!(refused, Err(Failure::Plan(PlanError::Needed { .. }))), "{refused:?}");
    assert_eq!(world.objects.len(), 12);
}

#[test]
fn whichever_request_fails_the_next_removal_finishes_what_was_begun() {
    let (world, ids) = world();
    let mut fails = 1;
    loop {
        for done_all_the_same in [false, true] {
            let mut world = world.clone();
            let (outcome, requests) =
                removing(&mut world, &ids[..2], Manner { fails: Some(fails), done_all_the_same, ..Manner::default() });
            if fails > requests {
                assert!(fails > 12);
                return;
            }
            assert!(outcome.is_err(), "request {fails}");
            // What is still listed is whole.
            for record in world.folder().history.entries().map(|(_, record)| record.unwrap()) {
                assert!(world.folder().chain(record).is_ok(), "request {fails}");
            }
            removing(&mut world, &[], Manner::default()).0.unwrap();
            let rest: Vec<String> = left(&world).into_iter().filter(|id| ids[..2].contains(id)).collect();
            removing(&mut world, &rest, Manner::default()).0.unwrap();
            assert_eq!((left(&world), world.objects.len()), (ids[2..].to_vec(), 6), "request {fails}");
        }
        fails += 1;
    }
}

#[test]
fn what_came_since_under_the_same_names_is_not_taken_by_a_removal_that_goes_on() {
    let (mut world, ids) = world();
    let newest = &ids[3..];
    // The note is stored, and the record is deleted; then the process died.
    let fails = (1..).find(|&fails| {
        let mut tried = world.clone();
        let manner = Manner { fails: Some(fails), ..Manner::default() };
        let refused = removing(&mut tried, newest, manner).0;
        refused.is_err() && left(&tried).len() == 3
    });
    assert!(removing(&mut world, newest, Manner { fails, ..Manner::default() }).0.is_err());
    world.pages[1] = 77;
    world.run(Backup::new(options(false), None), Manner::default()).outcome.unwrap();
    removing(&mut world, &[], Manner::default()).0.unwrap();
    assert_eq!(left(&world).len(), 4);
    assert_eq!(world.restored(), world.bytes());
}
