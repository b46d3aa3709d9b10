//! Parts of the rows that others write at the same time.

use super::{Dump, Phase};
use crate::dump::plan::Item;
use crate::dump::repack::{self, PackedRow, Repacking};
use crate::dump::row_plan::{Filter, Style};
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
    /// What it does not carry.
    pub(super) losses: Vec<(u32, u64)>,
    /// The rows, if they are in statements of several.
    pub(super) rows: Vec<PackedRow>,
}

/// How much text a part should become, in bytes: less than is too much, as the parts of a table differ.
const TEXT: u64 = 2 << 20;
/// Stands for all children.
const ALL: u32 = u32::MAX;

impl Outcome {
    pub(super) fn to_numbers(&self) -> Vec<u32> {
        let done = self.done.map_or(ALL, |done| done as u32);
        let mut numbers = vec![self.length as u32, done, self.spent as u32, self.losses.len() as u32];
        numbers.extend(self.losses.iter().flat_map(|&(loss, count)| [loss, count as u32]));
        numbers.extend(self.rows.iter().map(|row| row.number()));
        numbers
    }

    fn from_numbers(numbers: &[u32]) -> Option<Self> {
        let (&[length, done, spent, losses], rest) = numbers.split_first_chunk()?;
        let (losses, rows) = rest.split_at_checked(losses as usize * 2)?;
        Some(Self {
            length: length as usize,
            done: (done != ALL).then_some(done as usize),
            spent: spent.into(),
            losses: losses.as_chunks().0.iter().map(|&[loss, count]| (loss, count.into())).collect(),
            rows: rows.iter().copied().map(PackedRow::from_number).collect(),
        })
    }
}

impl Dump {
    /// Gives away some of the rows that come later, for a [`super::PartWriter`]; so that as many rows as are in `between`
    /// parts stay before it that nobody has. `None` when there are none to give away.
    ///
    /// Whoever takes it makes that [`Dump::poll`] answers [`super::DumpStep::Given`] some time.
    pub fn give(&mut self, between: usize) -> Option<Vec<u8>> {
        let Some(Item::Rows(plan)) = self.items.get(self.current) else { return None };
        let is_simple = matches!(plan.style, Style::Shell(_) | Style::Many { .. }) && plan.filter == Filter::All;
        // Behind damage, a part would have to know what was before it.
        if !is_simple || plan.keeps_rowids || self.options.salvage || self.phase != Phase::Write || !self.opened {
            return None;
        }
        let leaves = match self.weight {
            (_, 0) => usize::MAX,
            (text, leaves) => (TEXT * leaves).checked_div(text).map_or(usize::MAX, |leaves| leaves as usize),
        };
        // What is longer than a part may be, nobody else can write.
        let part = (leaves > 0).then_some(self.entries.as_mut()?)?.give(between, leaves)?;
        let item = (self.current as u32).to_be_bytes();
        Some(item.into_iter().chain(part.to_bytes()).collect())
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
        let (Some(Item::Rows(plan)), Some(entries)) = (self.items.get(self.current), &mut self.entries) else {
            return Err(ErrorKind::Usage.into());
        };
        if outcome.done == Some(0) || !self.budget.spend_many(outcome.spent) {
            entries.resume(Some(0))?;
            return Ok(false);
        }
        entries.resume(outcome.done)?;
        for &loss in &outcome.losses {
            self.notes.add(&plan.table, loss);
        }
        let position = self.writer.position(&self.out);
        let Outcome { rows, length, .. } = outcome;
        self.repacking = Repacking::new(&self.writer, position, plan, rows, length);
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

    /// With all rows in their statements, what is left of the text is as it should be.
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
