//! States are thinned as they age, and where history takes too much room; those that are kept stay as they were.

use std::collections::BTreeMap;

use pagemark::bookmark::Bookmark;
use pagemark::page::Txid;

use super::support::{Random, Shared, T0, file_at, options};
use crate::history::Window;
use crate::store::MemoryStore;
use crate::{Database, Options};

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

fn by_age(age_ms: i64) -> Options {
    Options { window: Window { commits: 0, age_ms }, ..options() }
}

/// A state as it was made.
struct State {
    bookmark: Bookmark,
    time_ms: i64,
    file: Vec<u8>,
}

/// What was committed, oldest first.
#[derive(Default)]
struct Model(Vec<State>);

impl Model {
    fn commit(&mut self, db: &mut Database, sql: &str, time_ms: i64) {
        db.exec(sql, time_ms).unwrap();
        self.0.push(State { bookmark: db.bookmark().unwrap(), time_ms, file: db.serialize().unwrap() });
    }

    /// The indexes of the states that the rule keeps: in `window_ms` every one of the last hour, older ones that are the
    /// newest of their minute or, after thirty days, of their hour.
    fn kept(&self, window_ms: i64, now_ms: i64) -> Vec<usize> {
        let last = self.0.len() - 1;
        let until = |at: usize| self.0.get(at + 1).map_or(i64::MAX, |next| next.time_ms);
        let is_kept = |&at: &usize| {
            let slot = if now_ms - self.0[at].time_ms > 30 * DAY { HOUR } else { MINUTE };
            let is_newest = until(at) / slot != self.0[at].time_ms / slot;
            at == last || until(at) > now_ms - window_ms.min(HOUR) || (is_newest && until(at) > now_ms - window_ms)
        };
        (0..=last).filter(is_kept).collect()
    }

    /// Compares what the database says with the rule, and looks at some of the states.
    fn check(&self, db: &mut Database, random: &mut Random, window_ms: i64, now_ms: i64) {
        let kept = self.kept(window_ms, now_ms);
        let readable: Vec<Txid> = db.states().iter().map(|state| state.txid).collect();
        for &at in &kept {
            let State { bookmark, file, .. } = &self.0[at];
            assert!(readable.contains(&bookmark.txid), "{bookmark} is kept");
            if random.below(kept.len() as u64) > 20 {
                continue;
            }
            assert!(file_at(db, &bookmark.to_string(), now_ms).unwrap() == *file, "{bookmark} is as it was");
        }
        // What has to go goes once a minute, and the state that one of the last hour began with stays, too.
        assert!(readable.len() <= self.kept(window_ms + MINUTE, now_ms - MINUTE).len() + 2, "{}", readable.len());
        for (at, State { bookmark, time_ms, .. }) in self.0.iter().enumerate() {
            if readable.contains(&bookmark.txid) || random.below(10) > 0 {
                continue;
            }
            assert_eq!(db.pin(&bookmark.to_string(), 1, now_ms).unwrap_err().code(), "HISTORY_GONE");
            let before = (0..at).rev().find(|&at| readable.contains(&self.0[at].bookmark.txid));
            let found = db.bookmark_at(&bookmark.to_string(), now_ms);
            let at_its_time = db.bookmark_at(&seconds(*time_ms), now_ms);
            let Some(before) = before.filter(|_| *time_ms > now_ms - window_ms + HOUR) else {
                // At the edge of the window more is gone than what was thinned.
                assert!(found.is_ok() || found.unwrap_err().code() == "HISTORY_GONE");
                continue;
            };
            let before = &self.0[before];
            assert_eq!(found.unwrap(), before.bookmark);
            assert!(at_its_time.unwrap().txid <= before.bookmark.txid);
            // Nothing but states of the same minute (or hour) lies between.
            let slot = if now_ms - time_ms > 30 * DAY { HOUR } else { MINUTE };
            let next = &self.0[before.bookmark.txid.0 as usize];
            assert_eq!(next.time_ms / slot, time_ms / slot);
        }
    }
}

fn seconds(time_ms: i64) -> String {
    (time_ms / 1000).to_string()
}

/// Random commits, in bursts and with pauses, with checks and new openings between them.
fn random_history(seed: u64, window_ms: i64, span_ms: u64, checks: u64) {
    let mut random = Random(seed);
    let store = Shared::default();
    let mut now = T0;
    let mut db = Database::open(Box::new(store.clone()), by_age(window_ms), now).unwrap();
    let mut model = Model::default();
    model.commit(&mut db, "CREATE TABLE t(a INTEGER PRIMARY KEY, b)", now);
    for check in 0..checks {
        for _ in 0..30 {
            now += match random.below(4) {
                0 => random.below(span_ms),
                1 => random.below(90_000),
                _ => random.below(8000),
            } as i64;
            let (a, n) = (random.below(60), random.below(500));
            let sql = format!("INSERT OR REPLACE INTO t VALUES ({a}, printf('%0*d', {n}, {a}))");
            model.commit(&mut db, &sql, now);
        }
        if check % 3 == 2 {
            db.close().unwrap();
            db = Database::open(Box::new(store.clone()), by_age(window_ms), now).unwrap();
        }
        if check % 2 == 1 {
            now += random.below(2 * HOUR as u64) as i64;
        }
        db.sweep(now).unwrap();
        model.check(&mut db, &mut random, window_ms, now);
    }
}

#[test]
fn every_commit_of_an_hour_is_kept_then_one_a_minute_for_a_day() {
    for seed in 1..3 {
        random_history(seed, DAY, 20 * MINUTE as u64, 15);
    }
}

#[test]
fn after_thirty_days_one_an_hour_is_kept() {
    random_history(4, 60 * DAY, 8 * HOUR as u64, 25);
}

#[test]
fn a_window_of_less_than_an_hour_is_not_thinned() {
    random_history(5, 10 * MINUTE, 2 * MINUTE as u64, 10);
}

#[test]
fn a_pinned_state_stays_when_its_minute_is_thinned() {
    let mut db = Database::open(Box::new(MemoryStore::default()), by_age(DAY), T0).unwrap();
    let mut model = Model::default();
    let mut pins = BTreeMap::new();
    for n in 0..60 {
        let now = T0 + n * 2000;
        model.commit(&mut db, &format!("CREATE TABLE t{n}(a)"), now);
        if n % 7 == 0 {
            pins.insert(n, db.pin("latest", DAY, now).unwrap().0);
        }
    }
    let later = T0 + 3 * HOUR;
    db.sweep(later).unwrap();
    assert_eq!(db.states().len(), 9 + 2, "what is pinned, and the newest of each minute");
    for (n, pin) in pins {
        let State { bookmark, file, .. } = &model.0[n as usize];
        assert_eq!(db.pinned(pin, later).unwrap().txid, bookmark.txid);
        assert!(file_at(&mut db, &bookmark.to_string(), later).unwrap() == *file);
        db.release(pin, later).unwrap();
    }
    assert_eq!(db.states().len(), 2);
}

#[test]
fn a_restore_to_what_was_thinned_away_gives_the_state_before_it() {
    let mut db = Database::open(Box::new(MemoryStore::default()), by_age(DAY), T0).unwrap();
    let mut model = Model::default();
    for n in 0..10 {
        model.commit(&mut db, &format!("CREATE TABLE t{n}(a)"), T0 + 50_000 + n * 5000);
    }
    let now = T0 + 2 * HOUR;
    db.sweep(now).unwrap();
    // Two were in the first minute; of those in the second only the newest is kept.
    let gone = model.0[5].bookmark;
    assert_eq!(db.bookmark_at(&gone.to_string(), now).unwrap(), model.0[1].bookmark);
    assert_eq!(db.bookmark_at(&seconds(T0 + 78_000), now).unwrap(), model.0[1].bookmark);
    assert_eq!(db.bookmark_at(&seconds(T0 + 52_000), now).unwrap_err().code(), "HISTORY_GONE");
    let other = Bookmark { lineage: pagemark::bookmark::Lineage(1), ..gone };
    assert_eq!(db.bookmark_at(&other.to_string(), now).unwrap_err().code(), "BOOKMARK_LINEAGE");
    let undo = db.restore(&gone.to_string(), DAY, now).unwrap();
    assert_eq!(undo, model.0[9].bookmark);
    let count = "SELECT count(*) FROM sqlite_schema";
    assert_eq!(super::support::integer(&mut db, count), 2);
}

/// A row with so many bytes.
fn row(n: i64, bytes: i64) -> String {
    format!("INSERT OR REPLACE INTO t VALUES ({}, randomblob({bytes}))", n % 5)
}

fn limited(limit: u64) -> Database {
    let store = MemoryStore::with_limit(limit);
    let mut db = Database::open(Box::new(store), by_age(DAY), T0).unwrap();
    db.exec("CREATE TABLE t(a INTEGER PRIMARY KEY, b)", T0).unwrap();
    db
}

#[test]
fn where_room_is_scarce_the_last_hour_is_thinned_first_then_the_oldest_go() {
    let mut db = limited(4 << 20);
    let mut now = T0;
    for n in 0..3000 {
        now += 7000;
        db.exec(&row(n, 9000), now).unwrap();
        assert!(db.stored() < 3 << 20, "{}", db.stored());
    }
    let states = db.states();
    let first = states.first().unwrap().time_ms;
    // Two MiB hold some hundred commits, made in twelve minutes.
    assert!(now - first > 15 * MINUTE, "{} minutes", (now - first) / MINUTE);
    let last = states.iter().filter(|state| state.time_ms > now - MINUTE).count();
    assert_eq!(last, 9, "every one of the last minute is there");
}

#[test]
fn history_goes_before_a_commit_finds_the_store_full() {
    let mut db = limited(1 << 20);
    // Within one minute, so that nobody has asked whether there is room.
    for n in 0..300 {
        db.exec(&row(n, 9000), T0 + n).unwrap();
    }
    let (pin, held) = db.pin("latest", DAY, T0 + 300).unwrap();
    let file = file_at(&mut db, &held.txid.to_string(), T0 + 300).unwrap();
    for n in 300..600 {
        db.exec(&row(n, 9000), T0 + n).unwrap();
    }
    assert!(file_at(&mut db, &held.txid.to_string(), T0 + 600).unwrap() == file, "what is pinned stays");
    db.release(pin, T0 + 600).unwrap();
    // What does not fit without history does not fit.
    assert_eq!(db.exec(&row(0, 1 << 20), T0 + 601).unwrap_err().code(), "ENGINE_FULL");
    db.exec(&row(0, 1000), T0 + 602).unwrap();
}
