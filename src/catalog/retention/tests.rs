use proptest::prelude::*;

use super::super::when::rfc3339;
use super::*;

fn backup(created: &str, kind: Kind) -> Candidate {
    let created_ms = rfc3339(created).unwrap();
    Candidate { kind, created_ms, local_ms: created_ms, pinned: false, deleted: false }
}

fn kept(backups: &[Candidate], policy: &Policy, now: &str) -> Vec<usize> {
    let fates = retain(backups, policy, rfc3339(now).unwrap());
    (0..fates.len()).filter(|&at| fates[at].is_kept()).collect()
}

#[test]
fn c15_the_newest_of_each_of_the_last_days_and_weeks_stays() {
    let days = ["2026-11-01", "2026-11-08", "2026-11-09", "2026-11-09T20:00", "2026-11-14", "2026-11-15", "2026-11-16"];
    let backups = days.map(|day| backup(day, Kind::Full));
    let policy = |periods| Policy { periods, ..Policy::default() };
    assert_eq!(kept(&backups, &policy([0, 3, 0, 0, 0]), "2026-11-16"), [4, 5, 6]);
    // The 8th and the 15th are Sundays, the last days of their weeks.
    assert_eq!(kept(&backups, &policy([0, 0, 3, 0, 0]), "2026-11-16"), [1, 5, 6]);
    assert_eq!(kept(&backups, &policy([0, 0, 0, 9, 0]), "2026-11-16"), [6]);
    assert_eq!(kept(&backups, &policy([0, 9, 0, 0, 0]), "2026-11-16"), [0, 1, 3, 4, 5, 6]);
}

#[test]
fn a2_the_newest_stays_however_old_and_what_it_is_made_of() {
    let mut backups = [
        backup("2026-01-01", Kind::Full),
        backup("2026-01-02", Kind::Incremental),
        backup("2026-01-03", Kind::Full),
        backup("2026-01-04", Kind::Incremental),
        backup("2026-01-05", Kind::Incremental),
    ];
    backups[4].deleted = true;
    let fates = |policy: &Policy| retain(&backups, policy, rfc3339("2026-11-16").unwrap()).map_bits();
    let day = Policy { within_ms: Some(DAY_MS), ..Policy::default() };
    assert_eq!(fates(&day), [0, 0, Fate::NEEDED, Fate::NEEDED, Fate::NEWEST]);
    assert_eq!(fates(&Policy { is_over: true, ..day }), [0; 5]);
    let mut pinned = backups;
    pinned[0].pinned = true;
    assert_eq!(retain(&pinned, &day, rfc3339("2026-11-16").unwrap()).map_bits()[..2], [Fate::PINNED, 0]);
}

trait MapBits {
    fn map_bits(&self) -> Vec<u32>;
}

impl MapBits for Vec<Fate> {
    fn map_bits(&self) -> Vec<u32> {
        self.iter().map(|fate| fate.0).collect()
    }
}

/// What the words of the documentation say, one rule after the other, without a thought of speed.
fn model(backups: &[Candidate], policy: &Policy, now_ms: i64) -> Vec<bool> {
    let mut keep = vec![false; backups.len()];
    let there: Vec<usize> = (0..backups.len()).filter(|&at| !backups[at].deleted).collect();
    for &at in &there {
        let is_young = policy.within_ms.is_some_and(|within| now_ms - backups[at].created_ms <= within);
        keep[at] = backups[at].pinned || is_young;
    }
    for &at in there.iter().rev().take(policy.last as usize) {
        keep[at] = true;
    }
    for rule in 0..5 {
        let mut found: Vec<i64> = Vec::new();
        for &at in there.iter().rev() {
            let period = periods(backups[at].local_ms)[rule];
            if found.contains(&period) {
                continue;
            }
            found.push(period);
            if found.len() <= policy.periods[rule] as usize {
                keep[at] = true;
            }
        }
    }
    if let Some(newest) = keep.last_mut().filter(|_| !policy.is_over) {
        *newest = true;
    }
    // Whatever a kept one is restored from.
    for at in (0..backups.len()).filter(|&at| keep[at]).collect::<Vec<_>>() {
        let mut base = at;
        while backups[base].kind == Kind::Incremental && base > 0 {
            base -= 1;
            keep[base] = true;
        }
    }
    keep
}

fn history() -> impl Strategy<Value = Vec<Candidate>> {
    // Clocks go back, stand still and jump by years.
    let step = prop_oneof![Just(0i64), -HOUR_MS..DAY_MS, 0..40 * DAY_MS, Just(-3650 * DAY_MS), Just(3650 * DAY_MS)];
    let one = (step, any::<bool>(), 0..12u8, 0..8u8, -14..=14i64);
    proptest::collection::vec(one, 0..60).prop_map(|steps| {
        let mut clock = 1_700_000_000_000;
        steps
            .into_iter()
            .map(|(step, full, pinned, deleted, zone)| {
                clock += step;
                Candidate {
                    kind: if full { Kind::Full } else { Kind::Incremental },
                    created_ms: clock,
                    local_ms: clock + zone * HOUR_MS,
                    pinned: pinned == 0,
                    deleted: deleted == 0,
                }
            })
            .collect()
    })
}

fn policy() -> impl Strategy<Value = Policy> {
    let few = || 0..5u32;
    let within = proptest::option::of(0..100 * DAY_MS);
    (few(), [few(), few(), few(), few(), few()], within, any::<bool>())
        .prop_map(|(last, periods, within_ms, is_over)| Policy { last, periods, within_ms, is_over })
}

proptest! {
    // By hand: PROPTEST_CASES=10000.
    #![proptest_config(ProptestConfig::with_cases(std::env::var("PROPTEST_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(500)))]

    #[test]
    fn f7_c15_a_simple_model_agrees(backups in history(), policy in policy(), jump in -4000..4000i64) {
        let now_ms = 1_700_000_000_000 + jump * DAY_MS;
        let fates = retain(&backups, &policy, now_ms);
        let stays: Vec<bool> = fates.iter().map(|fate| !fate.is_removable()).collect();
        prop_assert_eq!(stays, model(&backups, &policy, now_ms));
        prop_assert!(policy.is_over || fates.last().is_none_or(|newest| newest.is_kept()), "retention never empties");
    }
}
