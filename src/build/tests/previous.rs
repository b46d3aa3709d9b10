use proptest::prelude::*;

use super::*;
use crate::btree::sample::contents::contents;
use crate::btree::sample::random::{fill, quote};
use crate::btree::sample::{PAGE_SIZES, Random};

/// That what was built is the same to SQLite as the sample.
fn assert_same(built: &[u8], sample: &Connection) {
    let opened = Opened::any(built);
    assert_eq!(opened.ask("PRAGMA integrity_check"), ask(sample, "PRAGMA integrity_check"));
    let contents = |db| {
        let mut lines = contents(db);
        lines.retain(|line| !line.starts_with("page_size ") && !line.starts_with("auto_vacuum "));
        lines
    };
    assert_eq!(contents(&opened.db), contents(sample));
}

fn changed(before: &[u8], after: &[u8], page_size: usize) -> usize {
    let before = before.chunks(page_size).map(Some).chain(core::iter::repeat(None));
    after.chunks(page_size).zip(before).filter(|&(after, before)| before != Some(after)).count()
}

/// A table with an index, as a Worker has it: what changes when SQL changes it.
struct Shop {
    sample: Sample,
    built: Vec<u8>,
}

impl Shop {
    const PAGE_SIZE: u32 = 4096;

    fn new(rows: usize) -> Self {
        let sample = Sample::of(
            Self::PAGE_SIZE,
            &format!(
                "CREATE TABLE orders (id INTEGER PRIMARY KEY, name TEXT UNIQUE, note TEXT, amount REAL);
                 CREATE INDEX by_amount ON orders (amount);
                 WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {rows})
                 INSERT INTO orders SELECT i * 2, hex(i * 7919 % 100003) || i, printf('%.*c', i * 31 % 60, 'x'), i * 0.37 FROM n"
            ),
        );
        let built = rebuild(&sample.bytes, Self::PAGE_SIZE, 1000);
        Self { sample, built }
    }

    /// How many pages differ after this SQL.
    fn change(&mut self, sql: &str) -> usize {
        self.sample.db.execute_batch(sql).unwrap();
        let file = std::fs::read(self.sample.path()).unwrap();
        let after = rebuild_after(Some(&self.built), &file, Self::PAGE_SIZE, 1000);
        assert_same(&after, &self.sample.db);
        let count = changed(&self.built, &after, Self::PAGE_SIZE as usize);
        self.built = after;
        count
    }
}

#[test]
fn a_row_more_or_less_changes_the_pages_that_it_is_on() {
    let mut shop = Shop::new(6_000);
    // Page 1 has the number of pages. Each of the three trees: the page, a new one, and the one above both.
    for (sql, most) in [
        ("UPDATE orders SET id = id WHERE id = 2", 0),
        ("UPDATE orders SET note = 'short' WHERE id = 6000", 1 + 3),
        ("INSERT INTO orders VALUES (6001, 'in the middle', 'new', 0.5)", 1 + 3 * 3),
        ("DELETE FROM orders WHERE id = 6001", 3),
        ("INSERT INTO orders VALUES (-5, 'first', 'new', -1), (99999, 'last', 'new', 1e9)", 1 + 3 * 2 * 3),
        ("UPDATE orders SET note = printf('%.*c', 900, 'y') WHERE id = 4000", 1 + 3),
        ("UPDATE orders SET note = printf('%.*c', 90000, 'y') WHERE id = 4000", 1 + 23 + 3),
        ("UPDATE orders SET note = printf('%.*c', 90000, 'y') || 'z' WHERE id = 4000", 3),
        ("DELETE FROM orders WHERE id BETWEEN 8000 AND 9000", 120),
        ("VACUUM", 1),
        ("CREATE TABLE more (a)", 3),
        ("DROP INDEX by_amount", 100),
    ] {
        let count = shop.change(sql);
        assert!(count <= most, "{sql}: {count} pages");
    }
}

#[test]
fn rows_here_and_there_change_few_pages_each() {
    let mut shop = Shop::new(16_000);
    let pages = shop.built.len() / Shop::PAGE_SIZE as usize;
    let inserts = "INSERT INTO orders SELECT id + 1, 'n' || id, 'new', id * 0.11 FROM orders WHERE id % 640 = 0";
    let updates = "UPDATE orders SET note = note || 'longer' WHERE id % 640 = 2";
    let deletes = "DELETE FROM orders WHERE id % 640 = 4";
    let counts = [inserts, updates, deletes].map(|sql| shop.change(sql));
    println!("of {pages} pages change {counts:?}");
    assert!(counts.iter().all(|&count| count < 250), "{counts:?}");
}

#[test]
fn objects_are_found_whose_names_go_on_on_other_pages() {
    for (page_size, length) in [(512, 20), (512, 200), (512, 2_000), (4096, 2_000), (4096, 30_000)] {
        let [table, index] = ["t", "i"].map(|letter| letter.repeat(length));
        let sql = format!(
            "CREATE TABLE before (a); CREATE TABLE {table} (a); CREATE INDEX {index} ON {table} (a); CREATE TABLE last (a)"
        );
        let built = rebuild(&Sample::of(page_size, &sql).bytes, page_size, 50);
        let mut previous = Previous::new(PageSize::new(page_size).unwrap());
        built.chunks(1000).for_each(|bytes| previous.feed(bytes).unwrap());
        while let [pgno, ..] = *previous.missing() {
            let end = pgno as usize * page_size as usize;
            previous.supply(pgno, &built[end - page_size as usize..end]);
        }
        let roots = previous.roots();
        assert_eq!(roots.len(), 4, "{page_size} {length}");
        assert!(roots.contains_key(&(b"index".to_vec(), index.into_bytes())));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_databases_after_random_ones_are_the_same_to_sqlite(seed in 1u64.., size in 0usize..3, fresh in any::<bool>()) {
        let page_size = PAGE_SIZES[size];
        let mut random = Random(seed);
        let sample = Sample::new(page_size, 0, |db| {
            db.execute_batch("CREATE TABLE one (a)").unwrap();
            fill(db, &mut random, 6);
        });
        // One that SQLite wrote is as good as one of ours.
        let mut before = if fresh { rebuild(&sample.bytes, page_size, 50) } else { sample.bytes.clone() };
        for _ in 0..3 {
            let tables = ask(&sample.db, "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%'");
            for name in tables {
                let name = quote(&name);
                let sql = match random.below(6) {
                    0 => format!("DELETE FROM {name} WHERE rowid % 3 = 0"),
                    1 => format!("DROP TABLE {name}"),
                    2 => format!("DELETE FROM {name}"),
                    _ => format!("INSERT OR IGNORE INTO {name} SELECT * FROM {name}"),
                };
                let _ = sample.db.execute_batch(&sql);
            }
            fill(&sample.db, &mut random, 2);
            let file = std::fs::read(sample.path()).unwrap();
            let after = rebuild_after(Some(&before), &file, page_size, 50);
            assert_same(&after, &sample.db);
            before = after;
        }
    }

    /// Entries of every length come and go in trees of several levels.
    #[test]
    fn random_trees_after_random_ones_are_sound(seed in 1u64.., longest in 1usize..700, rows in 1usize..300) {
        let mut random = Random(seed);
        let sample = Sample::of(512, "CREATE TABLE t (id INTEGER PRIMARY KEY, a, b); CREATE INDEX i ON t (a, b);
            CREATE TABLE w (a PRIMARY KEY, b) WITHOUT ROWID; CREATE INDEX j ON w (b)");
        let mut before = sample.bytes.clone();
        for generation in 0..4 {
            sample.db.execute_batch("BEGIN").unwrap();
            {
                let mut inserts = ["t (id, a, b) VALUES (?3, ?1, ?2)", "w VALUES (?1, iif(?3, ?2, 1))"]
                    .map(|rest| sample.db.prepare(&format!("INSERT OR REPLACE INTO {rest}")).unwrap());
                for _ in 0..rows >> (2 * generation) {
                    let [a, b] = [longest, 20].map(|longest| vec![random.next() as u8; random.below(longest)]);
                    let id = random.below(4 * rows);
                    inserts.iter_mut().for_each(|insert| { insert.execute((&a, &b, id as i64)).unwrap(); });
                }
            }
            let (from, many) = (random.below(4 * rows), random.below(rows));
            let delete = format!("DELETE FROM t WHERE id BETWEEN {from} AND {}; COMMIT", from + many);
            sample.db.execute_batch(&delete).unwrap();
            let file = std::fs::read(sample.path()).unwrap();
            let after = rebuild_after(Some(&before), &file, 512, 100);
            assert_same(&after, &sample.db);
            // The same once more changes nothing, or a few pages where a level of an index came to its end.
            let again = rebuild_after(Some(&after), &file, 512, 7);
            prop_assert!(changed(&after, &again, 512) <= 12);
            before = after;
        }
    }

    /// Whatever the database before says, what is built of it is right.
    #[test]
    fn a_damaged_database_before_is_only_a_bad_hint(seed in 1u64.., changes in 1usize..40) {
        let mut random = Random(seed);
        let sample = Sample::new(512, 0, |db| {
            db.execute_batch("CREATE TABLE one (a)").unwrap();
            fill(db, &mut random, 6);
        });
        let mut before = rebuild(&sample.bytes, 512, 50);
        for _ in 0..changes {
            // Where pages begin there are pointers and lengths.
            let page = 512 * random.below(before.len() / 512);
            let at = page + if random.below(2) == 0 { random.below(512) } else { random.below(24) };
            if at >= 100 {
                before[at] = random.next() as u8 >> random.below(8);
            }
        }
        let after = rebuild_after(Some(&before), &sample.bytes, 512, 50);
        assert_same(&after, &sample.db);
    }
}
