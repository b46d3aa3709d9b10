mod against_the_shell;
mod d1;
mod d1_batches;
mod d1_hanging;
mod d1_long;
mod d1_refused;
mod damage;
mod drops;
mod odd_names;
mod parts;
mod refused;
mod repeats;
mod round_trip;

use std::path::Path;
use std::process::Command;

use super::*;
use crate::btree::sample::random;
use crate::error::Result;
use crate::page::DatabaseHeader;

/// A dump of a database file, and its warnings.
fn dump(file: &[u8], options: &Options) -> Result<(Vec<u8>, Vec<String>)> {
    let header = DatabaseHeader::parse(file)?;
    let size = header.page_size.bytes();
    let mut dump = Dump::new(header, (file.len() / size) as u32, options.clone());
    let mut sql = Vec::new();
    loop {
        match dump.poll()? {
            DumpStep::NeedPages(ranges) => {
                for range in ranges {
                    let start = (range.first.value() as usize - 1) * size;
                    let end = (start + range.count as usize * size).min(file.len());
                    dump.feed(range.first, file[start..end].to_vec());
                }
            }
            DumpStep::Output => {
                // In two steps, as one who has less room takes it.
                let part = dump.output().len().div_ceil(2);
                sql.extend_from_slice(&dump.output()[..part]);
                dump.take(part);
            }
            DumpStep::Given => panic!("nothing was given away"),
            DumpStep::Done => return Ok((sql, dump.warnings())),
        }
    }
}

/// The sqlite3 shells that we compare with, as far as they are here.
fn shells() -> Vec<(Shell, String)> {
    let current = concat!(env!("CARGO_MANIFEST_DIR"), "/.cache/bin/sqlite3_shell");
    let here = |program: &str, version: &str| {
        let output = Command::new(program).arg("--version").output();
        let is_it = output.is_ok_and(|output| output.stdout.starts_with(version.as_bytes()));
        if !is_it {
            eprintln!("skipped: {program} is not sqlite3 {version}");
        }
        is_it
    };
    [(Shell::V3_40, "sqlite3", "3.40.1"), (Shell::V3_54, current, "3.54.1")]
        .into_iter()
        .filter(|(_, program, version)| here(program, version))
        .map(|(shell, program, _)| (shell, program.to_owned()))
        .collect()
}

fn shell_dump(program: &str, path: &Path) -> Vec<u8> {
    let output = Command::new(program).arg(path).arg(".dump").output().unwrap();
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// The first line that differs, for people.
fn assert_same(ours: &[u8], theirs: &[u8], what: &str) {
    if ours == theirs {
        return;
    }
    let lines = |text: &[u8]| String::from_utf8_lossy(text).into_owned();
    let (ours, theirs) = (lines(ours), lines(theirs));
    for (index, (our, their)) in ours.split('\n').zip(theirs.split('\n')).enumerate() {
        // Lines may be long: from a little before where they part.
        let parted = our.chars().zip(their.chars()).take_while(|(a, b)| a == b).count();
        let around = |line: &str| line.chars().skip(parted.saturating_sub(60)).take(120).collect::<String>();
        assert_eq!(around(our), around(their), "{what}: line {}", index + 1);
    }
    panic!("{what}: {} bytes, not {}", ours.len(), theirs.len());
}

fn shell_options(shell: Shell) -> Options {
    Options { dialect: Dialect::Shell(shell), ..Options::default() }
}
