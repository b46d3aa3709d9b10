//! Databases that are damaged, by chance or by someone who means harm: a dump of one ends, in bounds, with SQL or with
//! an error that says where.

mod crafted;
mod malformed;
mod mutate;
mod refused;
mod salvage;
mod schema_sql;
mod swapped;

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use self::mutate::{Mutant, samples};
use super::*;
use crate::btree::sample::Random;
use crate::error::{At, Error, ErrorKind};

/// A moment, from which processor time is measured: others on the machine do not make that longer.
struct Work(Duration);

impl Work {
    fn now() -> Self {
        Self(Self::done())
    }

    /// What this thread has done since.
    fn done_since(&self) -> Duration {
        Self::done() - self.0
    }

    /// By this thread in all; where the system does not say it, the time since the first call.
    fn done() -> Duration {
        static BEGUN: OnceLock<Instant> = OnceLock::new();
        let begun = BEGUN.get_or_init(Instant::now);
        let told = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
        let nanoseconds = told.and_then(|told| told.split(' ').next()?.parse().ok());
        nanoseconds.map_or_else(|| begun.elapsed(), Duration::from_nanos)
    }
}

/// What a dump came to.
#[derive(Debug)]
struct Ran {
    sql: Vec<u8>,
    warnings: Vec<String>,
    ended: Result<()>,
    /// How often it was asked what is next.
    polls: usize,
    /// How many pages it was given.
    fed: usize,
    /// The most SQL that it had in hand, in bytes.
    held: usize,
}

/// Dumps a file as a caller does that has its pages only, and checks what it asks for.
fn run(file: &[u8], options: &Options) -> Result<Ran> {
    let header = DatabaseHeader::parse(file)?;
    let size = header.page_size.bytes();
    let page_count = file.len() / size;
    let mut dump = Dump::new(header, page_count as u32, options.clone());
    let (sql, warnings) = (Vec::new(), Vec::new());
    let mut ran = Ran { sql, warnings, ended: Ok(()), polls: 0, fed: 0, held: 0 };
    loop {
        ran.polls += 1;
        match dump.poll() {
            Ok(DumpStep::NeedPages(ranges)) => {
                assert!(!ranges.is_empty());
                for range in ranges {
                    let (first, count) = (range.first.value() as usize, range.count as usize);
                    assert!(count > 0 && first + count - 1 <= page_count, "{range:?} of {page_count} pages");
                    ran.fed += count;
                    dump.feed(range.first, file[(first - 1) * size..][..count * size].to_vec());
                }
            }
            Ok(DumpStep::Output) => {
                let output = dump.output();
                assert!(!output.is_empty());
                ran.held = ran.held.max(output.len());
                ran.sql.extend_from_slice(output);
                dump.take(output.len());
            }
            Ok(DumpStep::Given) => panic!("nothing was given away"),
            Ok(DumpStep::Done) => break,
            Err(error) => {
                assert_eq!(dump.poll(), Err(error), "an error ends it");
                ran.ended = Err(error);
                break;
            }
        }
    }
    ran.warnings = dump.warnings();
    Ok(ran)
}

const DIALECTS: [Dialect; 4] =
    [Dialect::Sqlite, Dialect::D1, Dialect::Shell(Shell::V3_40), Dialect::Shell(Shell::V3_54)];

fn options(dialect: Dialect, salvage: bool) -> Options {
    Options { dialect, salvage, ..Options::default() }
}

/// Whether an error says where: a page, unless it is about the schema's SQL.
fn says_where(error: Error, page_count: usize) -> bool {
    match error.kind {
        ErrorKind::BtreePage | ErrorKind::BtreeDepth | ErrorKind::TextSize => {
            matches!(error.at, At::Page(pgno) if (1..=page_count).contains(&(pgno as usize)))
        }
        ErrorKind::SchemaSql | ErrorKind::SchemaSize => true,
        // Before the first page is read.
        ErrorKind::DatabaseEmpty
        | ErrorKind::DatabaseNotSqlite
        | ErrorKind::DatabaseEncrypted
        | ErrorKind::DatabaseHeader
        | ErrorKind::DatabaseTruncated => true,
        _ => false,
    }
}

/// All of them: PAGEMARK_MUTATIONS=100000.
fn cases() -> usize {
    let given = std::env::var("PAGEMARK_MUTATIONS").ok().and_then(|cases| cases.parse().ok());
    given.unwrap_or(if cfg!(debug_assertions) { 2_000 } else { 20_000 })
}

/// What a mutation comes to at most, for each byte of the file: a byte of a record's header can stand for a NULL or
/// for a default, and a row of two bytes gets the names of its table's columns. Rows of a sound database have the
/// same; it does not grow with the file.
const SQL_PER_BYTE: usize = 40;

#[test]
fn a_hundred_thousand_mutations_end_in_bounds_with_sql_or_a_place() {
    let samples = samples();
    let random = &mut Random(0x0dab);
    let (mut whole, mut refused, mut salvaged) = (0, 0, 0);
    let mut worst = (0, Duration::ZERO, 0);
    let begun = Instant::now();
    for case in 0..cases() {
        let sample = &samples[case % samples.len()];
        let mutant = Mutant::of(sample, random);
        let options = options(DIALECTS[random.below(4)], random.below(2) == 0);
        let what = || format!("case {case}: {options:?}, {:?}", mutant.changes);
        let started = Work::now();
        let ran = match std::panic::catch_unwind(|| run(&mutant.bytes, &options)) {
            Ok(ran) => ran,
            Err(_) => panic!("{}", what()),
        };
        let took = started.done_since();
        let ran = match ran {
            Ok(ran) => ran,
            Err(error) => {
                assert!(says_where(error, 0), "{error:?}, {}", what());
                refused += 1;
                continue;
            }
        };
        let page_count = mutant.page_count();
        let passes = if options.salvage { 2 } else { 1 };
        // A page is visited twice at most in each pass, and asked for again when it had to make room: not in these.
        assert!(ran.polls <= 20 + passes * 4 * page_count + ran.sql.len() / 1000, "{} polls, {}", ran.polls, what());
        let most = (64 << 10) + passes * SQL_PER_BYTE * mutant.bytes.len();
        assert!(ran.sql.len() <= most, "{} bytes of SQL, {}", ran.sql.len(), what());
        assert!(took < Duration::from_secs(5), "{took:?}, {}", what());
        worst = (worst.0.max(ran.polls), worst.1.max(took), worst.2.max(ran.sql.len() * 10 / mutant.bytes.len()));
        match ran.ended {
            Ok(()) if options.salvage && !ran.warnings.is_empty() => salvaged += 1,
            Ok(()) => whole += 1,
            Err(error) => {
                assert!(says_where(error, page_count), "{error:?}, {}", what());
                let is_about_pages = matches!(error.kind, ErrorKind::BtreePage | ErrorKind::BtreeDepth);
                assert!(!(options.salvage && is_about_pages), "salvage gave up: {error:?}, {}", what());
                refused += 1;
            }
        }
    }
    eprintln!(
        "{} mutations in {:?}: {whole} whole, {refused} refused, {salvaged} salvaged; worst {worst:?}",
        cases(),
        begun.elapsed()
    );
    // Changes that do nothing, and changes that nothing survives, would test nothing.
    for count in [whole, refused, salvaged] {
        assert!(count > cases() / 20, "{whole}, {refused}, {salvaged}");
    }
}
