//! What counting costs beyond getting the pages: `cargo test --release counting_80_000 -- --ignored --nocapture`.

use std::time::Instant;

use super::*;

#[test]
#[ignore = "a measurement"]
fn counting_80_000_leaves() {
    let sample = Sample::of(
        4096,
        "CREATE TABLE t (x); WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 240000)
         INSERT INTO t SELECT zeroblob(1200) FROM n",
    );
    for _ in 0..5 {
        let started = Instant::now();
        let mut inventory = Inventory::new(&sample.header, sample.page_count(), true);
        while let Ok(InventoryStep::NeedPage(pgno)) = inventory.poll() {
            inventory.feed(sample.page(pgno)).unwrap();
        }
        println!("{} pages: {:?}", sample.page_count(), started.elapsed());
        assert_eq!(inventory.tables()[0].rows, Some(240_000));
    }
}
