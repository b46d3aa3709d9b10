//! Rows that a dump has given away.

use core::mem;

use super::given::Outcome;
use super::{Dump, DumpStep, Phase};
use crate::btree::entries::{Budget, Entries, Next};
use crate::btree::{PageRange, Pages, Part};
use crate::bytes::Reader;
use crate::dump::notes::Notes;
use crate::dump::options::Options;
use crate::dump::plan::Item;
use crate::dump::rows::Written;
use crate::error::{ErrorKind, Result};
use crate::page::{DatabaseHeader, Pgno};

/// A part with more text than this ends at the next leaf, in bytes; its giver writes the rest.
const ENOUGH: usize = 3 << 20;
/// Pages that are kept, in bytes: what is asked for at once, and as much again.
const PAGES: usize = 1 << 20;
/// Text is handed out in pieces of about this many bytes.
const PIECE: usize = 128 << 10;
/// The longest text, in bytes.
const MOST: usize = 4 << 20;

/// Writes parts of the rows of a dump, which [`Dump::give`] names, each as if it were at the start of its table. It stops
/// before whatever is unusual: its giver comes there, too, and handles it.
#[derive(Debug)]
pub struct PartWriter {
    /// Knows the schema, and what becomes of it.
    dump: Dump,
    item: usize,
    part: Option<Part>,
    /// The page of the last row.
    leaf: Option<Pgno>,
    /// Whether the entry to come was asked for, and its page is awaited.
    waiting: bool,
    /// Before the last entry that was asked for.
    before: Progress,
    /// Rows written.
    count: u64,
    mark: Mark,
    /// How much of the text was taken, in bytes.
    taken: usize,
}

/// What is next to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PartStep {
    /// Hand in these pages with [`PartWriter::feed`].
    NeedPages(Vec<PageRange>),
    /// Take [`PartWriter::text`].
    Text,
    /// Take the last of [`PartWriter::text`], and [`PartWriter::outcome`], if there is a part, and start the next one.
    Done,
}

#[derive(Clone, Copy, Debug, Default)]
struct Progress {
    /// How many children are behind it.
    done: usize,
    /// Pages visited.
    spent: u64,
    /// Rows written.
    count: u64,
}

/// The last place where it can stop: between two leaves.
#[derive(Clone, Debug, Default)]
struct Mark {
    progress: Progress,
    text: usize,
    rows: usize,
    notes: Notes,
}

impl PartWriter {
    /// A writer for the dump with the same arguments.
    pub fn new(header: DatabaseHeader, page_count: u32, options: Options) -> Self {
        let mut dump = Dump::new(header, page_count, options);
        dump.pages = Pages::with_capacity(header.page_size, PAGES);
        let (before, mark) = (Progress::default(), Mark::default());
        Self { dump, item: 0, part: None, leaf: None, waiting: false, before, count: 0, mark, taken: 0 }
    }

    /// Begins a part.
    ///
    /// # Errors
    /// `Usage` when the bytes are none.
    pub fn start(&mut self, part: &[u8]) -> Result<()> {
        let mut reader = Reader::new(part, 0, ErrorKind::Usage);
        self.item = reader.u32()? as usize;
        let part = Part::from_bytes(reader.take(reader.remaining())?)?;
        let dump = &mut self.dump;
        dump.entries = Some(Entries::of_part(&part, dump.layout));
        dump.budget = Budget::new(dump.layout);
        dump.notes = Notes::default();
        // Whoever gives the part has looked at the keys.
        dump.keyed.clear();
        dump.out.clear();
        dump.writer.statement = None;
        dump.writer.log = Some(Vec::new());
        (self.leaf, self.waiting, self.mark, self.part) = (None, false, Mark::default(), Some(part));
        (self.taken, self.count) = (0, 0);
        Ok(())
    }

    /// What must be done next.
    ///
    /// # Errors
    /// Errors of the schema, as [`Dump::poll`].
    pub fn poll(&mut self) -> Result<PartStep> {
        if self.dump.phase == Phase::Schema
            && let Some(DumpStep::NeedPages(pages)) = self.dump.read_schema()?
        {
            return Ok(PartStep::NeedPages(pages));
        }
        if self.dump.entries.is_none() {
            return Ok(PartStep::Done);
        }
        Ok(self.write())
    }

    /// Takes the pages from `first` on, whole ones.
    pub fn feed(&mut self, first: Pgno, pages: Vec<u8>) {
        self.dump.feed(first, pages);
    }

    /// SQL of the part, to be taken with [`PartWriter::take`]; all of it together is no longer than 4 MiB.
    pub fn text(&self) -> &[u8] {
        self.dump.out.get(..self.mark.text).unwrap_or_default()
    }

    /// Takes [`PartWriter::text`].
    pub fn take(&mut self) {
        let length = mem::take(&mut self.mark.text);
        self.dump.out.drain(..length);
        self.dump.writer.taken(length);
        self.taken += length;
    }

    /// All else of it, for [`Dump::paste`], when all its text was taken.
    pub fn outcome(&self) -> Vec<u32> {
        let is_whole = self.mark.progress.done == usize::MAX;
        let rows = self.dump.writer.log.clone().unwrap_or_default();
        Outcome {
            length: self.taken,
            done: (!is_whole).then_some(self.mark.progress.done),
            spent: self.mark.progress.spent,
            count: self.mark.progress.count,
            losses: self.mark.notes.losses(),
            rows,
        }
        .to_numbers()
    }

    fn write(&mut self) -> PartStep {
        let dump = &mut self.dump;
        let (Some(Item::Rows(plan)), Some(entries), Some(part)) =
            (dump.items.get(self.item), &mut dump.entries, &self.part)
        else {
            return PartStep::Done;
        };
        loop {
            if self.mark.text >= PIECE {
                return PartStep::Text;
            }
            // How much is done is told by children of the root, which must be leaves.
            if part.is_tree() && entries.is_deep() {
                break;
            }
            if !mem::replace(&mut self.waiting, false) {
                let begun = entries.begun().saturating_sub(part.before());
                // The giver has visited the page above the leaves, or does so when it goes on below it.
                let spent = dump.budget.spent(dump.layout).saturating_sub(1);
                self.before = Progress { done: begun, spent, count: self.count };
            }
            let here = |progress| Mark {
                progress,
                text: dump.out.len(),
                rows: dump.writer.log.as_ref().map_or(0, Vec::len),
                notes: dump.notes.clone(),
            };
            match entries.next(&dump.pages, &mut dump.budget) {
                Ok(Next::Need(pages)) => {
                    self.waiting = true;
                    return PartStep::NeedPages(pages);
                }
                Ok(Next::Row(row)) => {
                    if self.leaf.replace(row.pgno) != Some(row.pgno) {
                        self.mark = here(self.before);
                        if self.taken + dump.out.len() >= ENOUGH {
                            break;
                        }
                    }
                    let written = dump.writer.write(&mut dump.out, plan, row, &mut dump.notes);
                    self.count += 1;
                    if written != Ok(Written::Whole) || self.taken + dump.out.len() > MOST {
                        break;
                    }
                }
                Ok(Next::End) => {
                    let spent = dump.budget.spent(dump.layout);
                    let spent = if part.is_all() { spent } else { spent.saturating_sub(1) };
                    self.mark = here(Progress { done: usize::MAX, spent, count: self.count });
                    break;
                }
                Ok(Next::Given) | Err(_) => break,
            }
        }
        dump.entries = None;
        dump.out.truncate(self.mark.text);
        if let Some(log) = &mut dump.writer.log {
            log.truncate(self.mark.rows);
        }
        PartStep::Done
    }
}
