//! Against what SQLite says of the same database.

mod hostile;
mod mutations;
mod speed;

use super::*;
use crate::btree::sample::{ENCODINGS, PAGE_SIZES, Sample, page_of};

/// The tables, and the pages that were asked for.
type Listing = Result<(Vec<TableInfo>, Vec<u32>)>;

fn list(sample: &Sample, count_rows: bool) -> Listing {
    let inventory = Inventory::new(&sample.header, sample.page_count(), count_rows);
    drive(inventory, |pgno| page_of(&sample.bytes, &sample.header, pgno))
}

/// Runs an inventory to its end, and checks what every caller relies on.
fn drive<'a>(mut inventory: Inventory, page: impl Fn(Pgno) -> &'a [u8]) -> Listing {
    let limit = inventory.layout.page_count() as usize * 2;
    let mut asked = Vec::new();
    let ended = loop {
        match inventory.poll() {
            Ok(InventoryStep::NeedPage(pgno)) => {
                assert_eq!(inventory.poll(), Ok(InventoryStep::NeedPage(pgno)));
                assert!(pgno.value() <= inventory.layout.page_count() && asked.len() < limit);
                assert!(inventory.tables().is_empty());
                asked.push(pgno.value());
                let fed = inventory.feed(page(pgno));
                assert_eq!(fed.err(), inventory.poll().err());
            }
            Ok(InventoryStep::Done) => break Ok((inventory.tables().to_vec(), asked)),
            Err(error) => break Err(error),
        }
    };
    assert!(ended.is_ok() || inventory.tables().is_empty());
    assert!(inventory.feed(&[]).is_err());
    ended
}

fn check(sample: &Sample) {
    let expected = expected(sample);
    let (tables, asked) = list(sample, true).unwrap();
    assert_eq!(tables, expected);
    // In a sound database no page is read twice.
    let mut once = asked.clone();
    once.sort_unstable();
    once.dedup();
    assert_eq!(once.len(), asked.len());

    let (tables, schema_only) = list(sample, false).unwrap();
    let uncounted = expected.into_iter().map(|table| TableInfo { rows: None, ..table });
    assert_eq!(tables, uncounted.collect::<Vec<_>>());
    assert!(asked.starts_with(&schema_only));
}

fn expected(sample: &Sample) -> Vec<TableInfo> {
    let sql = r"SELECT name, rootpage FROM sqlite_schema
                WHERE type = 'table' AND name NOT LIKE 'sqlite\_%' ESCAPE '\' AND name NOT GLOB '_cf_*' ORDER BY rowid";
    let mut select = sample.db.prepare(sql).unwrap();
    let tables = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    tables
        .map(|table| {
            let (name, root): (String, u32) = table.unwrap();
            let count = format!("SELECT count(*) FROM \"{}\"", name.replace('"', "\"\""));
            let rows: i64 = sample.db.query_row(&count, [], |row| row.get(0)).unwrap();
            let root = Pgno::new(root);
            TableInfo { name, root, rows: root.map(|_| rows as u64), damage: None }
        })
        .collect()
}

/// One of everything that a schema can have.
fn everything(pragmas: &str) -> String {
    let long = "長い名前".repeat(100);
    format!(
        "{pragmas};
         CREATE TABLE rows (id INTEGER PRIMARY KEY AUTOINCREMENT, a, b);
         CREATE INDEX by_a ON rows (a);
         CREATE TABLE empty (x UNIQUE);
         CREATE TABLE keys (k TEXT PRIMARY KEY, v) WITHOUT ROWID;
         CREATE TABLE \"{long}\" (x, y DEFAULT '{long}');
         CREATE INDEX \"i{long}\" ON \"{long}\" (x);
         CREATE TABLE \"a \"\"quoted\"\" name's\" (x);
         CREATE TABLE _cf_KV (key TEXT PRIMARY KEY, value BLOB) WITHOUT ROWID;
         CREATE TABLE sqlitely (x);
         CREATE VIEW seen AS SELECT * FROM rows;
         CREATE TRIGGER fires AFTER INSERT ON empty BEGIN DELETE FROM empty; END;
         CREATE VIRTUAL TABLE search USING fts5 (words);
         CREATE VIRTUAL TABLE boxes USING rtree (id, x0, x1);
         BEGIN;
         WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 900)
           INSERT INTO rows (a, b) SELECT printf('%040d', i), zeroblob(i % 700) FROM n;
         INSERT INTO keys SELECT a, b FROM rows;
         INSERT INTO \"{long}\" SELECT id, a FROM rows WHERE id <= 10;
         INSERT INTO _cf_KV SELECT a, b FROM rows WHERE id <= 10;
         INSERT INTO sqlitely SELECT id FROM rows;
         INSERT INTO search SELECT 'word' || id || ' and words' FROM rows;
         INSERT INTO boxes SELECT id, id, id + 1 FROM rows;
         DELETE FROM rows WHERE id % 3 = 0;
         DELETE FROM keys WHERE k > printf('%040d', 300) AND k < printf('%040d', 500);
         DELETE FROM sqlitely;
         COMMIT;
         ANALYZE"
    )
}

#[test]
fn everything_is_listed_and_counted_in_every_format() {
    for page_size in PAGE_SIZES {
        for encoding in ENCODINGS {
            for reserved in [0, 32] {
                let sql = everything(&format!("PRAGMA encoding = '{encoding}'"));
                check(&Sample::new(page_size, reserved, |db| db.execute_batch(&sql).unwrap()));
            }
        }
    }
}

#[test]
fn virtual_and_internal_tables_are_told_from_the_users() {
    let (tables, _) = list(&Sample::of(4096, &everything("")), true).unwrap();
    let rows = |name: &str| tables.iter().find(|table| table.name == name).map(|table| table.rows);
    assert_eq!(rows("rows"), Some(Some(600)));
    assert_eq!(rows("keys"), Some(Some(701)));
    assert_eq!(rows("empty"), Some(Some(0)));
    assert_eq!(rows("sqlitely"), Some(Some(0)));
    assert_eq!(rows("search"), Some(None));
    assert_eq!(rows("search_content"), Some(Some(900)));
    assert_eq!(rows("boxes_rowid"), Some(Some(900)));
    for absent in ["sqlite_sequence", "sqlite_stat1", "sqlite_schema", "_cf_KV", "seen", "by_a", "fires"] {
        assert_eq!(rows(absent), None, "{absent}");
    }
}

#[test]
fn names_reserved_by_sqlite_are_so_in_any_case() {
    let sample = Sample::of(
        4096,
        "CREATE TABLE a (x); CREATE TABLE b (x); CREATE TABLE _CF_c (x); PRAGMA writable_schema = ON;
         UPDATE sqlite_schema SET name = 'SQLite_A', tbl_name = 'SQLite_A' WHERE name = 'a'",
    );
    let names: Vec<_> = list(&sample, true).unwrap().0.into_iter().map(|table| table.name).collect();
    assert_eq!(names, ["b", "_CF_c"]);
}

#[test]
fn a_thousand_tables_keep_the_order_of_the_schema() {
    for page_size in [512, 4096, 65536] {
        let mut sql = String::from("BEGIN;");
        for i in 0..1000 {
            let name = format!("t{}_{}", i * 7919 % 1000, "x".repeat(i % 400));
            sql.push_str(&format!("CREATE TABLE {name} (x); INSERT INTO {name} SELECT {i} WHERE {i} % 2 = 0;"));
        }
        sql.push_str("COMMIT; DROP TABLE t0_; CREATE TABLE last (x)");
        let sample = Sample::of(page_size, &sql);
        check(&sample);
        assert_eq!(list(&sample, false).unwrap().0.len(), 1000);
    }
}

#[test]
fn auto_vacuum_and_free_pages_change_nothing() {
    for mode in ["FULL", "INCREMENTAL"] {
        let mut sql = everything(&format!("PRAGMA auto_vacuum = {mode}"));
        sql.push_str("; DELETE FROM rows WHERE id > 50; DROP TABLE keys; CREATE TABLE after (x)");
        check(&Sample::of(512, &sql));
        check(&Sample::of(1024, &sql));
    }
}

#[test]
fn the_sql_of_a_table_is_not_read() {
    let columns: Vec<String> = (0..1900).map(|i| format!("column_{i} DEFAULT 'something long enough'")).collect();
    let sample = Sample::of(512, &format!("CREATE TABLE wide ({}); CREATE TABLE other (x)", columns.join(",")));
    assert!(sample.page_count() > 100);
    assert_eq!(list(&sample, false).unwrap().1, [1]);
    check(&sample);
}

#[test]
fn a_row_that_goes_on_in_overflow_pages_is_followed_by_the_rest_of_its_leaf() {
    // Index rows with long names are read through as far as their columns go, too.
    let long = "n".repeat(3000);
    let sample = Sample::of(
        512,
        &format!(
            "CREATE TABLE a (x); CREATE TABLE {long}1 (x); CREATE TABLE b (x); CREATE TABLE {long}2 (x);
             CREATE INDEX {long}3 ON {long}1 (x); CREATE TABLE c (x)"
        ),
    );
    check(&sample);
}

#[test]
fn an_empty_database_has_no_tables() {
    for sql in ["PRAGMA user_version = 1", "CREATE TABLE t (x); DROP TABLE t; VACUUM"] {
        let sample = Sample::of(4096, sql);
        assert_eq!(list(&sample, true), Ok((vec![], vec![1])));
        let mut none = Inventory::new(&sample.header, 0, true);
        assert_eq!(none.poll(), Ok(InventoryStep::Done));
        assert_eq!(none.tables(), []);
    }
}

#[test]
fn a_call_that_is_not_allowed_changes_nothing() {
    let sample = Sample::of(512, "CREATE TABLE t (x)");
    let mut inventory = Inventory::new(&sample.header, sample.page_count(), true);
    assert_eq!(inventory.feed(&[0; 511]).unwrap_err().kind, ErrorKind::Usage);
    while let Ok(InventoryStep::NeedPage(pgno)) = inventory.poll() {
        inventory.feed(sample.page(pgno)).unwrap();
    }
    assert_eq!(inventory.feed(&sample.bytes[..512]).unwrap_err().kind, ErrorKind::Usage);
    assert_eq!(inventory.tables().len(), 1);
}

#[test]
fn a_damaged_table_is_told_of_and_those_after_it_are_counted() {
    let mut sample = Sample::of(
        512,
        "CREATE TABLE a (x); CREATE TABLE b (x); CREATE TABLE c (x);
         WITH n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200) INSERT INTO a SELECT zeroblob(50) FROM n;
         INSERT INTO b SELECT x FROM a; INSERT INTO c SELECT x FROM a",
    );
    let sql = "SELECT max(pageno) FROM dbstat WHERE name = 'b' AND pagetype = 'leaf'";
    let leaf = sample.db.query_row(sql, [], |row| row.get::<_, u32>(0)).unwrap() as usize;
    sample.bytes[(leaf - 1) * 512..leaf * 512].fill(0);
    let (tables, _) = list(&sample, true).unwrap();
    let counted: Vec<_> = tables.iter().map(|table| (&*table.name, table.rows, table.damage)).collect();
    let damage = Some(Error::at_page(ErrorKind::BtreePage, leaf as u32));
    assert_eq!(counted, [("a", Some(200), None), ("b", None, damage), ("c", Some(200), None)]);
}

#[test]
fn a_table_that_leads_in_circles_ends_the_counting_and_only_that() {
    let mut sample = Sample::of(
        512,
        "CREATE TABLE a (x); WITH n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200)
         INSERT INTO a SELECT zeroblob(50) FROM n; CREATE TABLE c (x)",
    );
    // The right-most child of the root is the root.
    sample.bytes[512 + 8..512 + 12].copy_from_slice(&2u32.to_be_bytes());
    let (tables, _) = list(&sample, true).unwrap();
    assert_eq!(tables[0].damage.map(|error| error.kind), Some(ErrorKind::BtreeDepth));
    assert_eq!((tables[1].rows, tables[1].damage), (None, None));
}

#[test]
fn every_b_tree_is_gone_through_indexes_and_sqlites_own_tables_included() {
    let sample = Sample::of(
        4096,
        "CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT, a TEXT UNIQUE); CREATE INDEX ta ON t (a DESC);
         CREATE TABLE w (k PRIMARY KEY) WITHOUT ROWID; CREATE VIEW v AS SELECT 1;
         WITH n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500)
           INSERT INTO t (a) SELECT hex(randomblob(100)) FROM n",
    );
    let inventory = Inventory::of_all(&sample.header, sample.page_count());
    let (trees, asked) = drive(inventory, |pgno| page_of(&sample.bytes, &sample.header, pgno)).unwrap();
    let rows: Vec<_> = trees.iter().map(|tree| (tree.name.as_str(), tree.rows)).collect();
    let expected = [("t", 500), ("sqlite_autoindex_t_1", 500), ("sqlite_sequence", 1), ("ta", 500), ("w", 0)];
    assert_eq!(rows, expected.map(|(name, count)| (name, Some(count))));
    assert_eq!(asked.len(), sample.page_count() as usize);
}
