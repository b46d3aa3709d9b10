//! Rows that were put into statements elsewhere, from the start of their part on, go into the statements that they would
//! have been put into here. After some rows both mostly begin a statement with the same one, and then go on alike.

use core::ops::Range;

use super::limits::{BEGIN, END, JOIN, Limits};
use super::row_plan::RowPlan;

/// A row in the text of a part: its length, in bytes, from behind its opening parenthesis on; and whether it begins a
/// statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PackedRow(u32);

const BEGINS: u32 = 1 << 31;
/// How much text is asked for at once, in bytes, or a row more.
const AT_ONCE: usize = 128 << 10;

/// What to do with the text of a part.
#[derive(Clone, Debug, Default)]
pub(super) struct Repacking {
    /// Rows that have to be put into other statements,
    pub(super) rows: Vec<PackedRow>,
    /// and how many of them were.
    pub(super) done: usize,
    /// How much of the text they are, in bytes, with the end of the last of their statements.
    pub(super) bytes: usize,
    /// How much of it is left, in bytes: it is as it should be.
    pub(super) rest: usize,
    /// How much of it is its last statement, which has no end yet, in bytes.
    pub(super) last_statement: usize,
    /// Length of the last row, in bytes.
    pub(super) last_row: usize,
}

impl PackedRow {
    pub(super) fn new(length: usize, begins: bool) -> Self {
        Self(length as u32 | if begins { BEGINS } else { 0 })
    }

    pub(super) fn from_number(number: u32) -> Self {
        Self(number)
    }

    pub(super) fn number(self) -> u32 {
        self.0
    }

    pub(super) fn length(self) -> usize {
        (self.0 & !BEGINS) as usize
    }

    pub(super) fn begins(self) -> bool {
        self.0 & BEGINS != 0
    }
}

/// Where rows are in a text: with all that stands before each, and without, behind its parenthesis.
pub(super) fn places(plan: &RowPlan, rows: &[PackedRow]) -> impl Iterator<Item = (usize, usize)> {
    let mut end = 0;
    rows.iter().map(move |row| {
        let statement = if row.begins() && end > 0 { end + END } else { end };
        let start = statement + if row.begins() { plan.prefix.len() + BEGIN.len() } else { JOIN.len() };
        end = start + row.length();
        (statement, start)
    })
}

/// What the text of a part follows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Before {
    pub(super) limits: Limits,
    /// Length of the statement that has no end yet, if there is one, in bytes.
    pub(super) statement: Option<u64>,
    /// Length of the last row, in bytes.
    pub(super) last_row: usize,
}

impl Repacking {
    /// Plans how a text of `length` bytes with these rows follows what was written `before`.
    pub(super) fn new(before: Before, plan: &RowPlan, rows: Vec<PackedRow>, length: usize) -> Self {
        let Before { limits, mut statement, mut last_row } = before;
        let mut same = None;
        for (index, (&row, (start, _))) in rows.iter().zip(places(plan, &rows)).enumerate() {
            let goes_on = statement
                .filter(|&length| limits.expect_room(plan.sources.len(), length, last_row))
                .map(|length| length + (JOIN.len() + row.length()) as u64)
                .filter(|&length| limits.have_room(length));
            if goes_on.is_none() && row.begins() {
                same = Some((index, start));
                break;
            }
            statement = goes_on.or(Some((plan.prefix.len() + BEGIN.len() + row.length()) as u64));
            last_row = row.length();
        }
        let last_begin = rows.iter().zip(places(plan, &rows)).filter(|(row, _)| row.begins()).last();
        let last_statement = last_begin.map_or(0, |(_, (start, _))| length.saturating_sub(start));
        let last_row = rows.last().map_or(0, |row| row.length());
        // Where rows are not in statements of several, none has to be moved.
        let (moved, bytes) = same.unwrap_or(if rows.is_empty() { (0, 0) } else { (rows.len(), length) });
        let mut moved_rows = rows;
        moved_rows.truncate(moved);
        Self { rows: moved_rows, done: 0, bytes, rest: length.saturating_sub(bytes), last_statement, last_row }
    }

    /// The next rows, of some text together: how many, and where in the text of the part that begins and ends.
    pub(super) fn next(&self, plan: &RowPlan) -> (usize, Range<usize>) {
        let mut starts = places(plan, &self.rows).map(|(start, _)| start).skip(self.done);
        let Some(first) = starts.next() else { return (0, self.bytes..self.bytes) };
        match starts.enumerate().find(|&(_, start)| start - first >= AT_ONCE) {
            Some((more, end)) => (more + 1, first..end),
            None => (self.rows.len() - self.done, first..self.bytes),
        }
    }
}
