//! Random schemas and rows, by proptest's seeds: made through SQLite, which refuses what cannot be.

use rusqlite::Connection;
use rusqlite::types::Value;

use super::Random;

const NAMES: [&str; 12] =
    ["a", "b", "c d", "select", "E\"E", "it's", "Ünï", "_x1", "rowid", "oid", "9lives", "tab\tbed"];
const TYPES: [&str; 14] = [
    "",
    "INT",
    "INTEGER",
    "TEXT",
    "REAL",
    "BLOB",
    "NUMERIC",
    "VARCHAR(10)",
    "DOUBLE PRECISION",
    "ANY",
    "BOOLEAN",
    "DECIMAL(10, 5)",
    "\"odd type\"",
    "FLOATING POINT",
];
const STRICT_TYPES: [&str; 6] = ["INT", "INTEGER", "REAL", "TEXT", "BLOB", "ANY"];
const DEFAULTS: [&str; 16] = [
    "NULL",
    "1",
    "-2",
    "1.5",
    "'text'",
    "'it''s'",
    "x'00ff'",
    "TRUE",
    "word",
    "\"quoted\"",
    "+3",
    "(4)",
    "'12'",
    "0x1F",
    "-1e3",
    "1.0",
];

/// A database of `tables` random tables.
pub(crate) fn fill(db: &Connection, random: &mut Random, tables: usize) {
    for number in 0..tables {
        let name = format!("t{number} {}", pick(random, &NAMES));
        let columns = 1 + random.below(7);
        let strict = random.below(6) == 0;
        let without_rowid = random.below(4) == 0;
        let sql = create(random, &name, columns, strict, without_rowid);
        // With computed columns an index can hold all that has to be read; then the shell goes by the index's order.
        let is_computed = sql.contains(" AS (");
        let has_index = sql.contains("PRIMARY KEY");
        if is_computed && has_index || db.execute_batch(&sql).is_err() {
            continue;
        }
        insert(db, random, &name);
        for _ in 0..random.below(3) {
            let name_of_it = format!("later{}", random.below(1000));
            let column = column(random, &name_of_it, strict, false);
            let _ = db.execute_batch(&format!("ALTER TABLE {} ADD COLUMN {column}", quote(&name)));
            insert(db, random, &name);
        }
        if random.below(3) == 0 && !is_computed && !without_rowid {
            let _ = db.execute_batch(&format!(
                "CREATE INDEX {} ON {} ({})",
                quote(&format!("i{number}")),
                quote(&name),
                quote(NAMES[0])
            ));
        }
        if random.below(4) == 0 {
            let _ = db.execute_batch(&format!(
                "CREATE VIEW {} AS SELECT * FROM {}",
                quote(&format!("v{number}")),
                quote(&name)
            ));
        }
        if random.below(4) == 0 {
            let _ = db.execute_batch(&format!("DELETE FROM {} WHERE abs(random()) % 2", quote(&name)));
        }
    }
}

fn create(random: &mut Random, name: &str, columns: usize, strict: bool, without_rowid: bool) -> String {
    let mut names: Vec<&str> = Vec::new();
    let mut parts = Vec::new();
    for _ in 0..columns {
        let name = pick(random, &NAMES);
        if !names.contains(&name) {
            names.push(name);
            parts.push(column(random, name, strict, true));
        }
    }
    if without_rowid || random.below(4) == 0 {
        let key: Vec<String> = (0..1 + random.below(3))
            .map(|_| {
                let collation = ["", " COLLATE NOCASE", " DESC", " COLLATE BINARY"][random.below(4)];
                format!("{}{collation}", quote(names[random.below(names.len())]))
            })
            .collect();
        parts.push(format!("PRIMARY KEY ({})", key.join(", ")));
    }
    let mut options = Vec::new();
    options.extend(strict.then_some("STRICT"));
    options.extend(without_rowid.then_some("WITHOUT ROWID"));
    format!("CREATE TABLE {} ({}) {}", quote(name), parts.join(", "), options.join(", "))
}

fn column(random: &mut Random, name: &str, strict: bool, may_be_key: bool) -> String {
    let declared = if strict { pick(random, &STRICT_TYPES) } else { pick(random, &TYPES) };
    let mut text = format!("{} {declared}", quote(name));
    match random.below(12) {
        0 if may_be_key => text += [" PRIMARY KEY", " PRIMARY KEY DESC", " PRIMARY KEY AUTOINCREMENT"][random.below(3)],
        1..=3 => text += &format!(" DEFAULT {}", pick(random, &DEFAULTS)),
        4 if may_be_key => text += " AS (1 + 1)",
        5 if may_be_key => text += " AS ('x' || 1) STORED",
        6 => text += " COLLATE NOCASE",
        _ => {}
    }
    text
}

fn insert(db: &Connection, random: &mut Random, table: &str) {
    let mut statement = db.prepare("SELECT name FROM pragma_table_info(?1)").unwrap();
    let columns: Vec<String> = statement.query_map([table], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    if columns.is_empty() {
        return;
    }
    let names: Vec<String> = columns.iter().map(|name| quote(name)).collect();
    let marks = vec!["?"; columns.len()].join(", ");
    let sql = format!("INSERT OR IGNORE INTO {} ({}) VALUES ({marks})", quote(table), names.join(", "));
    let Ok(mut statement) = db.prepare(&sql) else { return };
    for _ in 0..random.below(12) {
        let values: Vec<Value> = columns.iter().map(|_| value(random)).collect();
        let _ = statement.execute(rusqlite::params_from_iter(values));
    }
}

fn value(random: &mut Random) -> Value {
    match random.below(14) {
        0 => Value::Null,
        1 => Value::Integer(random.next() as i64 >> random.below(64)),
        2 => Value::Integer([0, 1, -1, i64::MAX, i64::MIN, 1 << 53, (1 << 53) + 1][random.below(7)]),
        3 => Value::Real(random.below(10_000) as f64 / 100.0),
        4 => match f64::from_bits(random.next()) {
            real if real.is_nan() => Value::Real(f64::INFINITY),
            real => Value::Real(real),
        },
        5 => Value::Real([0.0, -0.0, 1.0, -1.0, 1e15, 1e16, 5e-324, f64::MAX, f64::NEG_INFINITY][random.below(9)]),
        6 => Value::Blob((0..random.below(40)).map(|_| random.next() as u8).collect()),
        7 => Value::Text(random.below(1000).to_string()),
        8 => Value::Text("x".repeat(random.below(3000))),
        9 => Value::Text([" 12 ", "1e5", "0x10", "", "-0", "1.", ".5", "nan", "inf", "1_0"][random.below(10)].into()),
        10 => Value::Blob(vec![random.next() as u8; random.below(2000)]),
        _ => Value::Text((0..random.below(20)).map(|_| character(random)).collect()),
    }
}

fn character(random: &mut Random) -> char {
    [
        'a', 'Z', '\'', '"', '\\', 'n', 'r', '\n', '\r', '\t', '0', ' ', '\u{1}', '\u{7f}', 'ä', '\u{2028}', '😀',
        '\u{feff}',
    ][random.below(18)]
}

fn pick(random: &mut Random, list: &[&'static str]) -> &'static str {
    list[random.below(list.len())]
}

pub(crate) fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
