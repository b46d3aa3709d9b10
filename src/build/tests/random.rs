use proptest::prelude::*;

use super::*;
use crate::btree::sample::random::fill;
use crate::btree::sample::{ENCODINGS, PAGE_SIZES, Random};

proptest! {
    // 2,000 databases: PROPTEST_CASES=2000.
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_databases_built_again_are_the_same_to_sqlite(
        seed in 1u64..,
        from in 0usize..8,
        to in 0usize..8,
        encoding in 0usize..3,
        rows in 1usize..50,
    ) {
        let sample = Sample::new(PAGE_SIZES[from], 0, |db| {
            db.execute_batch(&format!("PRAGMA encoding = '{}'", ENCODINGS[encoding])).unwrap();
            db.execute_batch("CREATE TABLE one (a)").unwrap();
            fill(db, &mut Random(seed), 12);
        });
        assert_rebuilt(&sample.bytes, &sample.db, PAGE_SIZES[to], rows);
    }

    /// Entries of every length around those at which pages fill and payloads spill, in trees of up to four levels.
    #[test]
    fn random_lengths_make_sound_trees(seed in 1u64.., to in 0usize..3, longest in 1usize..700, rows in 1usize..600) {
        let mut random = Random(seed);
        let sample = Sample::new(512, 0, |db| {
            db.execute_batch("CREATE TABLE t (a, b); CREATE TABLE w (a PRIMARY KEY, b) WITHOUT ROWID; BEGIN").unwrap();
            let mut inserts = ["t", "w"].map(|name| db.prepare(&format!("INSERT OR IGNORE INTO {name} VALUES (?, ?)")).unwrap());
            for _ in 0..rows {
                let [a, b] = [longest, 20].map(|longest| vec![random.next() as u8; random.below(longest)]);
                inserts.iter_mut().for_each(|insert| { insert.execute((&a, &b)).unwrap(); });
            }
            db.execute_batch("CREATE INDEX i ON t (a, b); CREATE INDEX j ON w (b); COMMIT").unwrap();
        });
        assert_rebuilt(&sample.bytes, &sample.db, PAGE_SIZES[to], 100);
    }
}
