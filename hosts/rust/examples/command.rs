//! A command: `cargo run --release --example command backup app.db backups`, or `pieces` instead of `backup`,
//! `list app backups`, `restore app backups new.db`, `verify app backups`. With `MEMORY` (MiB) and `FUEL` in the environment it works with no
//! more than these.

use std::error::Error as StdError;
use std::io::IsTerminal;
use std::sync::Arc;
use std::time::Instant;

use pagemark_host::{Backups, FileDatabase, FolderStore, Limits, Pagemark, Progress};

fn main() -> Result<(), Box<dyn StdError>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let started = Instant::now();
    match args.as_slice() {
        ["backup", path, folder] => {
            let made = open(&name_of(path), folder)?.create(FileDatabase::new(*path), &Default::default(), show)?;
            println!("{} {} pages of {}", made.backup.id, made.backup.changed_pages, made.backup.page_count);
        }
        ["pieces", path, folder] => {
            let backups = open(&name_of(path), folder)?;
            let mut steps = backups.begin(FileDatabase::new(*path), &Default::default(), show);
            let mut pieces = 1;
            let made = loop {
                match steps.step()? {
                    Some(made) => break made,
                    None => pieces += 1,
                }
            };
            println!("{} in {pieces} pieces, {} pages", made.backup.id, made.backup.changed_pages);
        }
        ["list", name, folder] => {
            for backup in open(name, folder)?.list()? {
                println!("{} {} {} bytes", backup.id, backup.created_at, backup.size);
            }
        }
        ["restore", name, folder, path] => {
            open(name, folder)?.restore(path, "", show)?;
        }
        ["verify", name, folder] => {
            let found = open(name, folder)?.verify(None, show)?;
            for problem in &found.problems {
                println!("{}: {}", problem.code, problem.message);
            }
            println!("{} backups can be restored", found.sound.len());
        }
        _ => return Err("usage: command backup|list|restore|verify …".into()),
    }
    eprintln!("{:.2} s", started.elapsed().as_secs_f32());
    Ok(())
}

fn name_of(path: &str) -> String {
    std::path::Path::new(path).file_stem().map_or_else(|| "app".to_owned(), |stem| stem.to_string_lossy().into_owned())
}

fn open(name: &str, folder: &str) -> Result<Backups, Box<dyn StdError>> {
    let memory = number("MEMORY")?.map_or(64 << 20, |mebibytes| mebibytes as usize * (1 << 20));
    let pagemark = Pagemark::new(Limits { memory, fuel: number("FUEL")? })?;
    Ok(pagemark.backups(name, Arc::new(FolderStore::new(folder))))
}

fn number(name: &str) -> Result<Option<u64>, Box<dyn StdError>> {
    Ok(std::env::var(name).ok().map(|text| text.parse()).transpose()?)
}

fn show(progress: Progress) -> bool {
    if std::io::stderr().is_terminal() {
        eprint!("\r{} %\x1b[K\r", 100 * progress.done / progress.total.max(1));
    }
    true
}
