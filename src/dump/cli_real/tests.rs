//! The shells themselves tell what is right.

use std::env;
use std::fs;
use std::process::{self, Command};

use rusqlite::Connection;

use super::{Shell, write_real};

/// As many values of each kind as are quick to print. `PAGEMARK_REALS` asks for more, `PAGEMARK_SEED` for others.
const EACH: usize = 3_500;

#[test]
fn prints_what_the_shells_print() {
    let each = env::var("PAGEMARK_REALS").ok().and_then(|each| each.parse().ok()).unwrap_or(EACH);
    let seed = env::var("PAGEMARK_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1);
    let values = values(each, seed);
    let file = env::temp_dir().join(format!("pagemark-reals-{}.db", process::id()));
    let path = file.to_str().expect("a path in UTF-8");
    store(path, &values);

    let shells = [
        (Shell::V3_40, "sqlite3", "3.40.1 "),
        (Shell::V3_54, concat!(env!("CARGO_MANIFEST_DIR"), "/.cache/bin/sqlite3_shell"), "3.54.1 "),
    ];
    for (shell, program, version) in shells {
        if !run(program, &["--version"]).is_some_and(|found| found.starts_with(version)) {
            println!("skipped {shell:?}: {program} is not {version}");
            continue;
        }
        let dump = run(program, &[path, ".dump"]).expect("a dump");
        let mut theirs = dump.lines().filter_map(|line| line.strip_prefix("INSERT INTO t VALUES(")?.strip_suffix(");"));
        for value in &values {
            let theirs = theirs.next().expect("a line for each value");
            assert_eq!(printed(*value, shell), theirs, "{shell:?} {value:e} {:#018x}", value.to_bits());
        }
        assert_eq!(theirs.next(), None);
    }
    fs::remove_file(file).expect("the file goes");
}

#[test]
fn prints_known_values() {
    let known = [
        (0.0, "0.0", "0"),
        (-0.0, "0.0", "0"),
        (1.0, "1.0", "1"),
        (0.1, "0.10000000000000000555", "0.1"),
        (-1.5, "-1.5", "-1.5"),
        (1e-5, "1.0000000000000000817e-05", "1e-05"),
        (1e15, "1000000000000000.0", "1000000000000000"),
        (1e16, "10000000000000000.0", "1e+16"),
        (-9_223_372_036_854_775_808.0, "-9223372036854775808.0", "-9.223372036854776e+18"),
        (9_223_372_036_854_775_808.0, "9223372036854775807.8", "9.223372036854776e+18"),
        (1e23, "9.9999999999999991612e+22", "9.999999999999999e+22"),
        (5e-324, "4.9406564584124654428e-324", "4.940656458412465e-324"),
        (f64::MAX, "1.7976931348623156223e+308", "1.797693134862316e+308"),
        (f64::INFINITY, "1e999", "9e+999"),
        (f64::NEG_INFINITY, "-1e999", "-9e+999"),
        (f64::NAN, "NULL", "NULL"),
    ];
    for (value, old, new) in known {
        assert_eq!((printed(value, Shell::V3_40).as_str(), printed(value, Shell::V3_54).as_str()), (old, new));
    }
}

fn printed(value: f64, shell: Shell) -> String {
    let mut out = Vec::new();
    write_real(&mut out, value, shell);
    String::from_utf8(out).expect("ASCII")
}

/// What `program` prints, or `None` when it cannot run.
fn run(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    String::from_utf8(output.stdout).ok()
}

fn store(path: &str, values: &[f64]) {
    let _ = fs::remove_file(path);
    let mut connection = Connection::open(path).expect("a database");
    let transaction = connection.transaction().expect("a transaction");
    transaction.execute("CREATE TABLE t(x)", ()).expect("a table");
    let mut insert = transaction.prepare("INSERT INTO t VALUES(?)").expect("a statement");
    for value in values {
        insert.execute([value]).expect("a row");
    }
    drop(insert);
    transaction.commit().expect("a commit");
}

/// `each` random values of each kind, and all those at the edges.
fn values(each: usize, seed: u64) -> Vec<f64> {
    let mut random = Random(seed);
    let mut values = Vec::new();
    for _ in 0..each {
        values.push(f64::from_bits(random.next()));
        // Decimals: as long as they come, and as people write them.
        let digits = 10_u64.pow(random.below(18) as u32 + 1);
        let digits = random.below(digits);
        values.push(parsed(digits, random.below(640) as i32 - 340));
        let cents = 10_u64.pow(random.below(10) as u32 + 1);
        values.push(parsed(random.below(cents), -(random.below(8) as i32)));
        values.push(random.next() as f64 / 2.0_f64.powi(random.below(70) as i32));
        // Near the powers of ten, and of two.
        values.push(near(parsed(1, random.below(633) as i32 - 324), &mut random));
        values.push(near(2.0_f64.powi(random.below(2_098) as i32 - 1_074), &mut random));
    }
    for power in 0..=2_097 {
        values.push(2.0_f64.powi(power - 1_074));
    }
    for power in -324..=308 {
        let ten = parsed(1, power);
        values.extend([ten.next_down(), ten, ten.next_up(), -ten]);
    }
    for bound in [0.0, f64::MIN_POSITIVE, f64::MAX, f64::INFINITY, 2.0_f64.powi(53), 2.0_f64.powi(63)] {
        let mut below = bound;
        let mut above = bound;
        for _ in 0..20 {
            values.extend([below, above, -below, -above]);
            (below, above) = (below.next_down(), above.next_up());
        }
    }
    values.retain(|value| !value.is_nan());
    values
}

fn parsed(digits: u64, exponent: i32) -> f64 {
    format!("{digits}e{exponent}").parse().expect("a number")
}

/// One of the 64 numbers next to `value`, of either sign.
fn near(value: f64, random: &mut Random) -> f64 {
    let bits = value.to_bits().saturating_add(random.below(64)).saturating_sub(32);
    f64::from_bits(bits | random.below(2) << 63)
}

/// Xorshift: the same values in each run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}
