//! A dump whose parts others write is the dump that one writes alone: the same bytes, warnings and errors.

use std::collections::VecDeque;

use super::*;
use crate::btree::PageRange;
use crate::btree::sample::{PAGE_SIZES, Random, Sample};

/// The pages of a range.
fn pages(file: &[u8], size: usize, range: PageRange) -> Vec<u8> {
    let start = (range.first.value() as usize - 1) * size;
    file[start..(start + range.count as usize * size).min(file.len())].to_vec()
}

/// Text and outcome of a part.
fn write_part(writer: &mut PartWriter, file: &[u8], size: usize, part: &[u8]) -> (Vec<u8>, Vec<u32>) {
    writer.start(part).unwrap();
    let mut text = Vec::new();
    loop {
        let step = writer.poll().unwrap();
        match step {
            PartStep::NeedPages(ranges) => {
                for range in ranges {
                    writer.feed(range.first, pages(file, size, range));
                }
            }
            PartStep::Text | PartStep::Done => {
                text.extend_from_slice(writer.text());
                writer.take();
                if step == PartStep::Done {
                    return (text, writer.outcome());
                }
            }
        }
    }
}

/// What a dump came to, and how many parts of it another wrote.
struct InParts {
    ended: Result<(Vec<u8>, Vec<String>)>,
    parts: usize,
}

/// As `dump`, with parts given away at random.
fn dump_in_parts(file: &[u8], options: &Options, random: &mut Random) -> InParts {
    let header = DatabaseHeader::parse(file).unwrap();
    let size = header.page_size.bytes();
    let count = (file.len() / size) as u32;
    let mut dump = Dump::new(header, count, options.clone());
    let mut writer = PartWriter::new(header, count, options.clone());
    // To learn the schema, as a thread of its own does when it starts.
    while let Ok(PartStep::NeedPages(ranges)) = writer.poll() {
        for range in ranges {
            writer.feed(range.first, pages(file, size, range));
        }
    }
    let (mut sql, mut given, mut parts) = (Vec::new(), VecDeque::new(), 0);
    let take = |dump: &mut Dump, sql: &mut Vec<u8>| {
        sql.extend_from_slice(dump.output());
        dump.take(dump.output().len());
    };
    loop {
        let step = match dump.poll() {
            Ok(step) => step,
            Err(error) => return InParts { ended: Err(error), parts },
        };
        match step {
            DumpStep::NeedPages(ranges) => {
                for range in ranges {
                    dump.feed(range.first, pages(file, size, range));
                }
            }
            DumpStep::Output => take(&mut dump, &mut sql),
            DumpStep::Given => {
                take(&mut dump, &mut sql);
                let part: Vec<u8> = given.pop_front().unwrap();
                let (text, outcome) = write_part(&mut writer, file, size, &part);
                match dump.paste(&outcome) {
                    Ok(true) => {
                        parts += 1;
                        let mut rest = &text[..];
                        while dump.wanted() > 0 {
                            let (next, others) = rest.split_at(dump.wanted());
                            dump.repack(next).unwrap();
                            rest = others;
                            if random.below(2) == 0 {
                                take(&mut dump, &mut sql);
                            }
                        }
                        take(&mut dump, &mut sql);
                        sql.extend_from_slice(rest);
                    }
                    Ok(false) => {}
                    Err(error) => return InParts { ended: Err(error), parts },
                }
            }
            DumpStep::Done => return InParts { ended: Ok((sql, dump.warnings())), parts },
        }
        while given.len() < 3
            && let Some(part) = dump.give(random.below(3))
        {
            given.push_back(part);
        }
    }
}

fn dialects() -> [Options; 4] {
    let of = |dialect| Options { dialect, ..Options::default() };
    [of(Dialect::Sqlite), of(Dialect::D1), of(Dialect::Shell(Shell::V3_40)), of(Dialect::Shell(Shell::V3_54))]
}

/// Tables of three levels at least, of rows of about `row` bytes, some of which are of another type than their column.
fn sample(page_size: u32, rows: usize, row: usize) -> Sample {
    Sample::of(
        page_size,
        &format!(
            "CREATE TABLE even (id INTEGER PRIMARY KEY, a TEXT, n INT);
             CREATE TABLE odd (a TEXT, b REAL, n INT);
             CREATE TABLE keys (k TEXT PRIMARY KEY, v) WITHOUT ROWID;
             CREATE TABLE few (a, b);
             CREATE TABLE none (a);
             CREATE TABLE one (a NOT NULL, b TEXT DEFAULT 'x');
             CREATE TABLE several (k INTEGER, a, PRIMARY KEY (k)) WITHOUT ROWID;
             WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {rows})
               INSERT INTO even SELECT i * 3, printf('%0{row}d', i), i FROM n;
             INSERT INTO odd SELECT substr(a, 1 + n * 7919 % {row}), n / 7.0, iif(n % 97, n, 'text') FROM even;
             INSERT INTO keys SELECT n || 'key', a FROM even WHERE n % 2 = 0;
             INSERT INTO few SELECT n, a FROM even WHERE n % 300 = 0;
             INSERT INTO one SELECT n, a FROM even WHERE n = 7;
             INSERT INTO several SELECT n, a FROM even WHERE n % 50 = 0;
             DELETE FROM odd WHERE n > {rows} / 2 AND n < {rows} / 2 + 300"
        ),
    )
}

#[test]
fn parts_are_the_whole_in_every_dialect_and_page_size() {
    let mut random = Random(7);
    for page_size in PAGE_SIZES {
        let row = (page_size as usize / 4).min(2000);
        let sample = sample(page_size, (page_size as usize * 1500 / row).clamp(6000, 9000), row);
        for options in dialects() {
            let what = format!("pages of {page_size}, {:?}", options.dialect);
            let alone = dump(&sample.bytes, &options).unwrap();
            let in_parts = dump_in_parts(&sample.bytes, &options, &mut random);
            let (sql, warnings) = in_parts.ended.unwrap();
            assert_same(&sql, &alone.0, &what);
            assert_eq!(warnings, alone.1, "{what}");
            assert!(in_parts.parts > 1, "{what}: {}", in_parts.parts);
        }
    }
}

/// Rows that do not fit into a statement, or into memory, or that go on in overflow pages, are in the middle of parts.
#[test]
fn parts_stop_before_rows_that_are_not_as_usual() {
    let mut random = Random(11);
    let sample = sample(1024, 6000, 200);
    let sql = "UPDATE even SET a = printf('%05000d', n) WHERE n % 50 = 7;
               UPDATE even SET a = printf('%0120000d', n) WHERE n % 1000 = 500;
               UPDATE odd SET a = hex(zeroblob(2500000)) WHERE n = 2000;
               UPDATE odd SET a = zeroblob(9000000) WHERE n = 2500";
    sample.db.execute_batch(sql).unwrap();
    let file = std::fs::read(sample.path()).unwrap();
    for options in dialects() {
        let what = format!("{:?}", options.dialect);
        let (sql, warnings) = dump(&file, &options).unwrap();
        let in_parts = dump_in_parts(&file, &options, &mut random);
        let ended = in_parts.ended.unwrap();
        assert_same(&ended.0, &sql, &what);
        assert_eq!(ended.1, warnings, "{what}");
        assert!(in_parts.parts > 3, "{what}");
    }
}

#[test]
fn parts_of_a_damaged_database_end_with_the_same_error() {
    let mut random = Random(13);
    let sample = sample(512, 3000, 120);
    let mut errors = 0;
    for round in 0..120 {
        let mut file = sample.bytes.clone();
        // From the third page on, so that there is a schema.
        let at = 1024 + random.below(file.len() - 1024);
        let at = if round % 3 == 0 { at } else { at - at % 512 + random.below(16) };
        file[at] = random.next() as u8;
        let options = &dialects()[round % 4];
        let alone = dump(&file, options);
        let in_parts = dump_in_parts(&file, options, &mut random);
        errors += usize::from(alone.is_err());
        assert!(in_parts.ended == alone, "byte {at}: {:?}, not {:?}", in_parts.ended.err(), alone.err());
    }
    assert!(errors > 20, "{errors}");
}
