//! The world's database, and what is stored of it.

use super::world::{SIZE, World, proof_of};
use crate::catalog::{Folder, Layout, Record, StoredFile, folder};
use crate::ltx::{Compaction, CompactionEvent};
use crate::page::checksum::PageChecksummer;
use crate::page::{Checksum, Crc64, PageSize, Pgno};
use crate::snapshot::{Restore, RestoreEvent};

impl World {
    pub(super) fn page(&self, pgno: u32) -> Vec<u8> {
        let fill = self.pages[pgno as usize - 1];
        if pgno > 1 {
            return vec![fill; SIZE];
        }
        // A database without a table: its header, and an empty leaf of the schema.
        let mut page = vec![0; SIZE];
        page[..16].copy_from_slice(b"SQLite format 3\0");
        page[16..18].copy_from_slice(&(SIZE as u16).to_be_bytes());
        page[18..24].copy_from_slice(&[1, 1, 0, 64, 32, 32]);
        page[27] = fill;
        page[28..32].copy_from_slice(&(self.pages.len() as u32).to_be_bytes());
        page[47] = 4;
        page[59] = 1;
        page[95] = fill;
        page[100] = 13;
        page[105..107].copy_from_slice(&(SIZE as u16).to_be_bytes());
        page
    }

    /// The whole database.
    pub(super) fn bytes(&self) -> Vec<u8> {
        (1..=self.pages.len() as u32).flat_map(|pgno| self.page(pgno)).collect()
    }

    pub(super) fn checksum(&self) -> Checksum {
        let crc = PageChecksummer::new(PageSize::new(SIZE as u32).unwrap());
        let mut checksum = Checksum::EMPTY;
        for pgno in 1..=self.pages.len() as u32 {
            checksum.toggle(crc.page(Pgno::new(pgno).unwrap(), Crc64::of(&self.page(pgno))));
        }
        checksum
    }

    /// The folder as it is, whatever ran before.
    pub(super) fn folder(&self) -> Folder {
        let mut found = Folder::new("app", Layout::Folder);
        for (key, (bytes, modified_ms)) in &self.objects {
            found.see(key, folder::Listed { size: bytes.len() as u64, modified_ms: *modified_ms });
        }
        for key in found.take_unread(usize::MAX) {
            found.read(&key, core::str::from_utf8(&self.objects[&key].0).unwrap());
        }
        found
    }

    /// What the newest backup restores to.
    pub(super) fn restored(&self) -> Vec<u8> {
        let folder = self.folder();
        let newest = folder.history.entries().last().unwrap().1.unwrap();
        self.restored_to(&folder, newest)
    }

    /// What a backup restores to.
    pub(super) fn restored_to(&self, folder: &Folder, record: &Record) -> Vec<u8> {
        let chain = folder.chain(record).unwrap();
        let files: Vec<&Vec<u8>> = folder.shortest(&chain).iter().map(|file| &self.objects[&file.key].0).collect();
        for link in &chain {
            assert_eq!(proof_of(&self.objects[&link.ltx].0), link.record.ltx);
            assert_eq!(proof_of(&self.objects[&link.fingerprints].0), link.record.fingerprints);
        }
        let mut restore = Restore::new(files.len(), true);
        let mut fed = vec![false; files.len()];
        let mut database = Vec::new();
        loop {
            match restore.poll().unwrap() {
                RestoreEvent::NeedInput(file) => {
                    let bytes = if fed[file] { &[][..] } else { files[file] };
                    fed[file] = true;
                    restore.feed(file, bytes).unwrap();
                }
                RestoreEvent::Output => database.extend(restore.take_output()),
                RestoreEvent::End(checksum) => {
                    assert_eq!(checksum, record.checksum());
                    return database;
                }
            }
        }
    }

    /// What a host makes of the files that should become one.
    pub(super) fn merged(&self, files: &[StoredFile]) -> Vec<u8> {
        let mut compaction = Compaction::new(files.len());
        let mut fed = vec![false; files.len()];
        let mut output = Vec::new();
        loop {
            match compaction.poll().unwrap() {
                CompactionEvent::NeedInput(file) => {
                    let bytes = if fed[file] { &[][..] } else { &self.objects[&files[file].key].0 };
                    fed[file] = true;
                    compaction.feed(file, bytes).unwrap();
                }
                CompactionEvent::Output => output.extend(compaction.take_output()),
                CompactionEvent::End => return output,
            }
        }
    }
}
