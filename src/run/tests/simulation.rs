//! Weeks of backups and removals by hosts that die anywhere and whose clocks jump, two of them at once now and then. After
//! each step every backup that was reported done and that retention keeps is there and restores to what it was made of.
//!
//! `SIMULATION_SEEDS=100000 cargo nextest run -p pagemark simulation --release` tries many, from `SIMULATION_FROM` on where that is given.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::world::{Manner, Process, World};
use super::{Backup, Place, options};
use crate::catalog::retention::{Candidate, Policy, retain};
use crate::catalog::{Layout, Merging, when};
use crate::run::{Answer, BackupOptions, Id, Machine, remove};

/// Numbers that look random (xorshift).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % sides
    }

    fn hits(&mut self, one_in: u64) -> bool {
        self.roll(one_in) == 0
    }
}

/// A host that makes a backup.
struct Host {
    backup: Backup,
    process: Process,
    answers: VecDeque<(Id, Answer)>,
    requests: u64,
    /// At which request it dies, and whether that is done.
    dies: Option<(u64, bool)>,
    id: Option<String>,
    is_over: bool,
}

struct Simulation {
    dice: Dice,
    world: World,
    /// What the backups that were reported done, and were not removed, restore to.
    done: BTreeMap<String, Vec<u8>>,
    /// Every state that a backup was begun of.
    begun: BTreeSet<Vec<u8>>,
    /// One in so many backups is a full one: chains are short or long.
    fulls: u64,
}

impl Simulation {
    fn new(seed: u64) -> Self {
        let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        for _ in 0..8 {
            dice.roll(2);
        }
        let fulls = 3 + dice.roll(40);
        Self { dice, world: World::of(&[1, 2, 3, 4]), done: BTreeMap::new(), begun: BTreeSet::new(), fulls }
    }

    fn step(&mut self) {
        self.change();
        match self.dice.roll(8) {
            0 | 1 => self.prune(),
            2 => self.back_up(2),
            3 => self.merge(),
            _ => self.back_up(1),
        }
        self.check();
    }

    /// Some pages, the size of the database, and what the clock shows.
    fn change(&mut self) {
        const HOUR_MS: u64 = 3_600_000;
        for _ in 0..self.dice.roll(3) {
            let at = self.dice.roll(self.world.pages.len() as u64) as usize;
            self.world.pages[at] = self.dice.roll(250) as u8 + 1;
        }
        if self.dice.hits(4) {
            let pages = 1 + self.dice.roll(7) as usize;
            self.world.pages.resize(pages, 9);
        }
        self.world.now_ms += match self.dice.roll(12) {
            0 => -(self.dice.roll(3650 * 24) as i64) * HOUR_MS as i64,
            1 => (self.dice.roll(3650 * 24) * HOUR_MS) as i64,
            2 => 0,
            _ => self.dice.roll(40 * HOUR_MS) as i64,
        };
        self.world.now_ms = self.world.now_ms.max(1_000_000_000_000);
    }

    /// Hosts make a backup at once. One request of one is under way while others are answered, in any order.
    fn back_up(&mut self, count: usize) {
        let bytes = self.world.bytes();
        self.begun.insert(bytes.clone());
        let mut hosts: Vec<Host> = (0..count).map(|_| self.host()).collect();
        while hosts.iter().any(|host| !host.is_over) {
            let at = self.dice.roll(count as u64) as usize;
            self.go_on(&mut hosts[at]);
        }
        for host in hosts {
            self.done.extend(host.id.map(|id| (id, bytes.clone())));
        }
    }

    fn host(&mut self) -> Host {
        let random = core::array::from_fn(|_| self.dice.roll(256) as u8);
        let full = self.dice.hits(self.fulls);
        let dies = self.dice.hits(3).then(|| (1 + self.dice.roll(40), self.dice.hits(2)));
        let backup = Backup::new(BackupOptions { full, random, same_database: true, ..options(false) }, None);
        let (process, answers) = (Process::among_others(), VecDeque::new());
        Host { backup, process, answers, requests: 0, dies, id: None, is_over: false }
    }

    fn go_on(&mut self, host: &mut Host) {
        if host.is_over {
            return;
        }
        self.world.now_ms += 1;
        if let Some((id, request)) = host.backup.poll(self.world.now_ms) {
            host.requests += 1;
            let dies = host.dies.filter(|&(at, _)| at == host.requests);
            if dies.is_none_or(|(_, is_done)| is_done) {
                let answer = self.world.perform(&mut host.process, id, request);
                host.answers.push_back((id, answer));
            }
            host.is_over = dies.is_some();
        } else if !host.answers.is_empty() {
            let at = self.dice.roll(host.answers.len() as u64) as usize;
            host.answers.remove(at).into_iter().for_each(|(id, answer)| host.backup.answer(id, answer));
        } else {
            host.is_over = true;
            let outcome = host.backup.take_outcome().expect("a machine that asks for nothing has ended");
            // One of two that come at once is refused.
            host.id = outcome.ok().flatten().map(|made| made.record.id);
        }
    }

    fn prune(&mut self) {
        let views = self.world.folder().list().unwrap();
        let mut dice = || self.dice.roll(4) as u32;
        let policy = Policy { last: dice(), periods: [dice(), dice(), 0, dice(), 0], ..Policy::default() };
        let candidate = |view: &crate::catalog::BackupView| {
            let created_ms = when::rfc3339(&view.created_at).unwrap();
            Candidate { kind: view.kind, created_ms, local_ms: created_ms, pinned: false, deleted: false }
        };
        let candidates: Vec<Candidate> = views.iter().map(candidate).collect();
        let fates = retain(&candidates, &policy, self.world.now_ms);
        let gone = views.iter().zip(&fates).filter(|(_, fate)| fate.is_removable());
        let ids: Vec<String> = gone.map(|(view, _)| view.id.clone()).collect();
        ids.iter().for_each(|id| drop(self.done.remove(id)));
        let (place, note) = (
            Place { segment: "app".into(), layout: Layout::Folder },
            core::array::from_fn(|_| self.dice.roll(256) as u8),
        );
        let story = move |host| async move { remove(&host, &place, &ids, note).await };
        let fails = self.dice.hits(2).then(|| 1 + self.dice.roll(20) as usize);
        let manner = Manner { fails, done_all_the_same: self.dice.hits(2), ..Manner::default() };
        let _ = self.world.drive(Machine::new(story), manner);
    }

    /// Makes one file of several, or not all of them; and what is of no use any more goes.
    fn merge(&mut self) {
        let merges = self.world.folder().merges();
        let most = self.dice.roll(1 + merges.len() as u64) as usize;
        for Merging { key, files, modified_ms } in merges.into_iter().take(most + 1) {
            let bytes = self.world.merged(&files);
            self.world.objects.insert(key, (bytes, modified_ms));
        }
        let old_ms = self.world.now_ms - self.dice.roll(100) as i64 * 3_600_000;
        for key in self.world.folder().outdated(old_ms) {
            self.world.objects.remove(&key);
        }
    }

    fn check(&self) {
        let folder = self.world.folder();
        let mut listed = BTreeSet::new();
        let mut lineage = None;
        for (_, record) in folder.history.entries() {
            let record = record.expect("no record is damaged");
            let restored = self.world.restored_to(&folder, record);
            match self.done.get(&record.id) {
                Some(bytes) => assert_eq!(&restored, bytes, "{}", record.id),
                // Its host died before it said so, or its removal did not come to an end.
                None => assert!(self.begun.contains(&restored), "{} is of no state that there was", record.id),
            }
            assert_eq!(*lineage.get_or_insert(record.lineage()), record.lineage(), "there are two chains");
            listed.insert(record.id.clone());
        }
        for id in self.done.keys() {
            assert!(listed.contains(id), "{id} was reported done, is kept, and is gone");
        }
    }
}

#[test]
fn f1_f6_f7_what_was_reported_done_and_is_kept_restores_whatever_hosts_and_clocks_do() {
    let given = |name| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let first = given("SIMULATION_FROM").unwrap_or(1);
    for seed in first..first + given("SIMULATION_SEEDS").unwrap_or(12) {
        let failed = std::panic::catch_unwind(|| {
            let mut simulation = Simulation::new(seed);
            (0..28).for_each(|_| simulation.step());
        });
        assert!(failed.is_ok(), "seed {seed}");
    }
}
