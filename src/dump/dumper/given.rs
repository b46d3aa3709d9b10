//! Parts of the rows that others write at the same time.

use super::{Dump, Phase};
use crate::btree::Part;
use crate::btree::entries::Entries;
use crate::dump::guard::ForRepeats;
use crate::dump::plan::Item;
use crate::dump::repack::{self, Before, PackedRow, Repacking};
use crate::dump::row_plan::{Filter, Style};
use crate::dump::rows::RowWriter;
use crate::error::{ErrorKind, Result};

/// What a [`super::PartWriter`] made of a part, without the text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Outcome {
    /// Length of the text, in bytes.
    pub(super) length: usize,
    /// How many children of the part's page are in it, if not all.
    pub(super) done: Option<usize>,
    /// Pages visited.
    pub(super) spent: u64,
    /// How many rows it has.
    pub(super) count: u64,
    /// What it does not carry.
    pub(super) losses: Vec<(u32, u64)>,
    /// The rows, if they are in statements of several.
    pub(super) rows: Vec<PackedRow>,
}

/// How much text a part should become, in bytes: less than is too much, as the parts of a table differ.
const TEXT: u64 = 2 << 20;
/// Number of items ahead in which a table to give away is looked for.
const FARTHEST: usize = 64;
/// Stands for all children.
const ALL: u32 = u32::MAX;

impl Outcome {
    pub(super) fn to_numbers(&self) -> Vec<u32> {
        let done = self.done.map_or(ALL, |done| done as u32);
        let mut numbers =
            vec![self.length as u32, done, self.spent as u32, self.count as u32, self.losses.len() as u32];
        numbers.extend(self.losses.iter().flat_map(|&(loss, count)| [loss, count as u32]));
        numbers.extend(self.rows.iter().map(|row| row.number()));
        numbers
    }

    fn from_numbers(numbers: &[u32]) -> Option<Self> {
        let (&[length, done, spent, count, losses], rest) = numbers.split_first_chunk()?;
        let (losses, rows) = rest.split_at_checked(losses as usize * 2)?;
        Some(Self {
            length: length as usize,
            done: (done != ALL).then_some(done as usize),
            spent: spent.into(),
            count: count.into(),
            losses: losses.as_chunks().0.iter().map(|&[loss, count]| (loss, count.into())).collect(),
            rows: rows.iter().copied().map(PackedRow::from_number).collect(),
        })
    }
}

/// Whether rows are written one after the other, each for itself.
fn is_simple(item: &Item) -> bool {
    let Item::Rows(plan) = item else { return false };
    let is_plain = matches!(plan.style, Style::Shell(_) | Style::Many { .. }) && plan.filter == Filter::All;
    is_plain && !plan.keeps_rowids && plan.guard.repeats == ForRepeats::Nothing
}

impl Dump {
    /// Gives away some of the rows that come later, for a [`super::PartWriter`]; so that as many rows as are in `between`
    /// parts stay before it that nobody has. `None` when there are none to give away.
    ///
    /// Whoever takes it makes that [`Dump::poll`] answers [`super::DumpStep::Given`] some time.
    pub fn give(&mut self, between: usize) -> Option<Vec<u8>> {
        // After damage, a part would have to know what was before it.
        if self.options.salvage || self.phase != Phase::Write {
            return None;
        }
        let (item, part) = self.give_rows(between).or_else(|| self.give_table(between))?;
        Some((item as u32).to_be_bytes().into_iter().chain(part.to_bytes()).collect())
    }

    /// Some of the table that is being written.
    fn give_rows(&mut self, between: usize) -> Option<(usize, Part)> {
        if !self.opened || !self.given.is_empty() || !is_simple(self.items.get(self.current)?) {
            return None;
        }
        let leaves = match self.weight {
            (_, 0) => usize::MAX,
            (text, leaves) => (TEXT * leaves).checked_div(text).map_or(usize::MAX, |leaves| leaves as usize),
        };
        // What is longer than a part may be, nobody else can write.
        let part = (leaves > 0).then_some(self.entries.as_mut()?)?.give(between, leaves)?;
        Some((self.current, part))
    }

    /// All of a table behind it, when not much of it is left that could be given away itself.
    fn give_table(&mut self, between: usize) -> Option<(usize, Part)> {
        if !self.entries.as_ref()?.is_ending() {
            return None;
        }
        let from = self.given.back().copied().unwrap_or(self.current) + 1;
        let near = self.items.iter().enumerate().skip(from).take(FARTHEST);
        let (item, root) = near
            .filter_map(|(index, item)| match item {
                Item::Rows(plan) if is_simple(item) => Some((index, plan.root)),
                _ => None,
            })
            .nth(between)?;
        self.given.push_back(item);
        Some((item, Part::tree(root)))
    }

    /// Takes what became of the oldest part that was given away, as [`super::PartWriter::outcome`] says it, without its
    /// text, when all of [`Dump::output`] was taken. `false` when the text is of no use, and its rows are still to come.
    /// Else [`Dump::repack`] is to get the start of the text until it wants no more, and what is left of the text is to
    /// be written behind all of [`Dump::output`] then.
    ///
    /// # Errors
    /// As [`Dump::poll`].
    pub fn paste(&mut self, outcome: &[u32]) -> Result<bool> {
        let pasted = self.paste_outcome(Outcome::from_numbers(outcome).ok_or(ErrorKind::Usage)?);
        if let Err(error) = pasted {
            self.phase = Phase::Failed(error);
        }
        pasted
    }

    fn paste_outcome(&mut self, outcome: Outcome) -> Result<bool> {
        let Some(Item::Rows(plan)) = self.items.get(self.current) else { return Err(ErrorKind::Usage.into()) };
        let is_useful = outcome.done != Some(0) && self.budget.spend_many(outcome.spent);
        match &mut self.entries {
            Some(entries) => entries.resume(if is_useful { outcome.done } else { Some(0) })?,
            None => {
                self.given.pop_front();
                if is_useful {
                    self.entries.insert(Entries::new(plan.root, self.layout)).skip(outcome.done);
                    self.opened = outcome.length > 0;
                    self.rows = 0;
                    self.out.extend_from_slice(if self.opened { &plan.opening } else { &[] });
                }
            }
        }
        if !is_useful {
            return Ok(false);
        }
        self.rows += outcome.count;
        for &loss in &outcome.losses {
            self.notes.add(&plan.table, loss);
        }
        let position = self.writer.position(&self.out);
        let Outcome { rows, length, .. } = outcome;
        let RowWriter { limits, statement, last_row, .. } = self.writer;
        let before = Before { limits, statement: statement.map(|start| position - start), last_row };
        self.repacking = Repacking::new(before, plan, rows, length);
        self.end_repacking();
        Ok(true)
    }

    /// How much of the text [`Dump::repack`] wants next, in bytes; 0 when it wants no more.
    pub fn wanted(&self) -> usize {
        let Some(Item::Rows(plan)) = self.items.get(self.current) else { return 0 };
        self.repacking.next(plan).1.len()
    }

    /// Takes the next bytes of the text, as many as are [`Dump::wanted`].
    ///
    /// # Errors
    /// `Usage` for fewer.
    pub fn repack(&mut self, text: &[u8]) -> Result<()> {
        let Some(Item::Rows(plan)) = self.items.get(self.current) else { return Err(ErrorKind::Usage.into()) };
        let repacking = &mut self.repacking;
        let (count, range) = repacking.next(plan);
        let rows = repacking.rows.iter().zip(repack::places(plan, &repacking.rows));
        for (row, (_, start)) in rows.skip(repacking.done).take(count) {
            let start = start - range.start;
            // The parenthesis at its end is written with every row.
            let values = text.get(start..start + row.length().saturating_sub(1)).ok_or(ErrorKind::Usage)?;
            self.writer.row_of_many(&mut self.out, plan, |_, out| {
                out.extend_from_slice(values);
                Ok(())
            })?;
        }
        repacking.done += count;
        self.end_repacking();
        Ok(())
    }

    /// When all moved rows are in their statements, the rest of the text needs no change.
    fn end_repacking(&mut self) {
        if self.repacking.done < self.repacking.rows.len() {
            return;
        }
        let Repacking { rest, last_statement, last_row, .. } = core::mem::take(&mut self.repacking);
        if rest > 0 {
            self.writer.went_on(&mut self.out, rest, last_statement, last_row);
        }
    }
}
