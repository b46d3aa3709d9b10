use super::*;
use crate::error::Class;
use world::{LIES, Lie, World, database};

mod example;
mod steps;
mod world;

const FIRST: &str = "CREATE TABLE t (id INTEGER PRIMARY KEY, text TEXT);
    WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60)
    INSERT INTO t SELECT i, hex(zeroblob(i * 5)) FROM n;";
const SECOND: &str = "UPDATE t SET text = 'changed' WHERE id = 7";

fn backups(world: &World) -> Backups<'_> {
    Backups::new("app", world, world).unwrap()
}

fn restored(world: &World, at: &str) -> Result<Vec<u8>, Fault> {
    let mut bytes = Vec::new();
    backups(world).restore(at, |piece| {
        bytes.extend_from_slice(piece);
        Ok(())
    })?;
    Ok(bytes)
}

/// A world with a backup of the first state, whose database is in the second.
fn in_second_state() -> World {
    let (first, _) = database(&[FIRST], false);
    let world = World::new(first, Vec::new());
    backups(&world).create(&world, &Options::default()).unwrap();
    world.main.replace(database(&[FIRST, SECOND], false).0);
    world
}

#[test]
fn a_full_and_an_incremental_backup_restore_to_the_same_bytes() {
    let world = in_second_state();
    let first = database(&[FIRST], false).0;
    let made = backups(&world).create(&world, &Options::default()).unwrap();
    assert_eq!(made.full_because, None);
    assert!(made.record.changed < 5, "{}", made.record.changed);
    let list = backups(&world).list().unwrap();
    assert_eq!(list.len(), 2);
    assert_eq!(restored(&world, "").unwrap(), *world.main.borrow());
    assert_eq!(restored(&world, &list[1].id).unwrap(), first);
    let verified = backups(&world).verify(None).unwrap();
    assert_eq!((verified.sound.len(), verified.problems), (2, Vec::new()));
    assert_eq!(databases(&world, &world).unwrap()[0].backups, 2);
    assert_eq!(world.pins.get(), 0);
}

#[test]
fn a_log_counts_up_to_its_last_commit_and_tells_what_changed() {
    let (main, wal) = database(&[FIRST], true);
    let world = World::new(main, wal);
    backups(&world).create(&world, &Options::default()).unwrap();
    let (_, longer) = database(&[FIRST, SECOND], true);
    // The same database a commit later: a log of its own has other salts, so its mark does not count.
    world.wal.replace(longer);
    backups(&world).create(&world, &Options::default()).unwrap();
    let bytes = restored(&world, "").unwrap();
    assert_eq!(bytes.len() % 1024, 0);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).contains("changed");
    assert!(text(&bytes) && !text(&world.main.borrow()));
    let mut sql = Vec::new();
    let dumped = backups(&world).dump("", &crate::dump::Options::default(), |piece| {
        sql.extend_from_slice(piece);
        Ok(())
    });
    assert_eq!(dumped.unwrap().warnings, Vec::<String>::new());
    let mut now = Vec::new();
    let dumped = backups(&world).dump_now(&world, &crate::dump::Options::default(), |piece| {
        now.extend_from_slice(piece);
        Ok(())
    });
    dumped.unwrap();
    assert_eq!(String::from_utf8(sql).unwrap(), String::from_utf8(now).unwrap());
}

#[test]
fn a_backup_that_another_is_made_of_is_not_removed() {
    let world = in_second_state();
    let made = backups(&world).create(&world, &Options::default()).unwrap();
    let first = backups(&world).list().unwrap().pop().unwrap();
    let refused = backups(&world).remove(&[first.id]).unwrap_err();
    assert_eq!((refused.code.as_str(), refused.class), ("BACKUP_NEEDED", Class::Caller));
    backups(&world).remove(&[made.record.id]).unwrap();
    assert_eq!(backups(&world).list().unwrap().len(), 1);
    assert_eq!(world.objects.borrow().len(), 3);
}

#[test]
fn an_encrypted_store_is_refused_before_anything_is_written_to_it() {
    let (main, _) = database(&[FIRST], false);
    let world = World::new(main, Vec::new());
    world.objects.borrow_mut().insert("%keys/first.age".to_owned(), (b"age".to_vec(), 0));
    let codes = [
        backups(&world).create(&world, &Options::default()).unwrap_err().code,
        restored(&world, "").unwrap_err().code,
        backups(&world).list().unwrap_err().code,
        databases(&world, &world).unwrap_err().code,
    ];
    assert_eq!(codes, ["KEY_WRONG"; 4]);
    assert_eq!((world.objects.borrow().len(), world.pins.get()), (1, 0));
}

#[test]
fn a_host_that_answers_wrongly_gets_a_typed_error_and_the_store_stays_sound() {
    let world = in_second_state();
    let first = restored(&world, "").unwrap();
    for lie in LIES {
        for call in 1.. {
            let lying = world.lying(call, lie);
            let made = backups(&lying).create(&lying, &Options::default());
            let is_told = lying.calls.get() >= call;
            if let Err(fault) = &made {
                assert!(!fault.code.is_empty() && !fault.message.is_empty(), "{lie:?} {call}: {fault:?}");
                if lie == Lie::Cancels {
                    assert!(fault.is_canceled(), "{call}: {fault:?}");
                }
            }
            // A pin that fails after it was made is the host's to let go.
            let held = i32::from(lie == Lie::FailsAfter && lying.failed_pin.get());
            assert_eq!(lying.pins.get(), held, "{lie:?} {call}: a moment is still held");
            let honest = lying.honest();
            check(&honest, &first, lie, &format!("{lie:?} {call}"));
            if !is_told {
                break;
            }
        }
    }
}

/// Whatever is listed is whole, restores, and another backup goes on from there.
fn check(world: &World, first: &[u8], lie: Lie, what: &str) {
    let list = backups(world).list().unwrap();
    assert!((1..=2).contains(&list.len()), "{what}");
    assert_eq!(restored(world, &list.last().unwrap().id).unwrap(), first, "{what}");
    // A host that gives other bytes of the database has given a database: that is what was backed up.
    restored(world, &list[0].id).unwrap();
    let problems = backups(world).verify(None).unwrap().problems;
    // A host that gives another record, or one shorter than it lists, has a damaged last backup, and the next begins anew.
    let begins_anew = matches!(lie, Lie::Other | Lie::Order | Lie::More);
    assert!(problems.iter().all(|fault| begins_anew && fault.code == "CHAIN_LINEAGE"), "{what}: {problems:?}");
}

#[test]
fn a_restore_of_what_is_damaged_or_read_wrongly_gives_a_typed_error_or_the_right_bytes() {
    let world = in_second_state();
    backups(&world).create(&world, &Options::default()).unwrap();
    let right = restored(&world, "").unwrap();
    let first = database(&[FIRST], false).0;
    for lie in LIES {
        for call in 1.. {
            let lying = world.lying(call, lie);
            match restored(&lying, "") {
                // A host that hides the newest record has the backup before.
                Ok(bytes) => assert!(bytes == right || bytes == first, "{lie:?} {call}"),
                Err(fault) => assert!(!fault.code.is_empty(), "{lie:?} {call}"),
            }
            let _ = backups(&lying).verify(None);
            let _ = backups(&lying).list();
            let _ = databases(&lying, &lying);
            if lying.calls.get() < call {
                break;
            }
        }
    }
}

#[test]
fn whatever_is_stored_never_panics() {
    let world = in_second_state();
    backups(&world).create(&world, &Options::default()).unwrap();
    let right = restored(&world, "").unwrap();
    let keys: Vec<String> = world.objects.borrow().keys().cloned().collect();
    let rounds: u64 = std::env::var("MUTATIONS").ok().and_then(|text| text.parse().ok()).unwrap_or(60);
    let mut seed = 1_u64;
    let mut next = move |most: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as usize % most.max(1)
    };
    for _ in 0..rounds {
        let damaged = world.lying(usize::MAX, Lie::Fails);
        {
            let mut objects = damaged.objects.borrow_mut();
            let bytes = &mut objects.get_mut(&keys[next(keys.len())]).unwrap().0;
            match next(4) {
                0 => bytes.truncate(next(bytes.len())),
                1 => bytes.extend_from_slice(&[next(256) as u8; 9]),
                _ => {
                    let at = next(bytes.len());
                    bytes[at] ^= 1 << next(8);
                }
            }
        }
        if let Ok(bytes) = restored(&damaged, "latest") {
            assert!(bytes == right || backups(&damaged).list().unwrap().len() < 2 || bytes.len() == right.len());
        }
        let _ = backups(&damaged).verify(None);
        let _ = backups(&damaged).dump("latest", &crate::dump::Options::default(), |_| Ok(()));
        let _ = backups(&damaged).create(&damaged, &Options::default());
        let mut file = world.main.borrow().clone();
        let at = next(file.len());
        file[at] ^= 1 << next(8);
        damaged.main.replace(file);
        let _ = backups(&damaged).create(&damaged, &Options { full: true, ..Options::default() });
        let _ = backups(&damaged).dump_now(&damaged, &crate::dump::Options::default(), |_| Ok(()));
        assert_eq!(damaged.pins.get(), 0);
    }
}
