//! Rows too long for one statement, or for memory.
//!
//! Where the SQL is ours, their longest values go through the table of pieces, so that the row itself is inserted in
//! one statement: a constraint or a trigger sees it whole or not at all. The shell's own dialect has one line a row,
//! which is written as it is read.

use core::ops::Range;

use super::guard::Watch;
use super::limits::{BEGIN, OUTPUT};
use super::literal::{self, longest, write_hex};
use super::long_record::{Got, LongRecord};
use super::notes::{Loss, Notes};
use super::pieces::{Pieces, Whole};
use super::row_plan::{RowPlan, Style};
use super::rows::RowWriter;
use super::shell;
use crate::btree::entries::{Budget, MAX_WHOLE, Row};
use crate::btree::{self, Encoding, Layout, PageRange, Slot, Value};
use crate::error::{Error, ErrorKind, Result};
use crate::page::Pgno;

/// The longest piece, in bytes, and the most that a row's other values may take in SQL.
const PIECE: usize = 1 << 20;
/// A literal for a number is no longer, in bytes.
const LONGEST_NUMBER: usize = 400;

/// A row that is being written.
#[derive(Clone, Debug)]
pub(super) struct LongRow {
    record: LongRecord,
    pgno: Pgno,
    rowid: Option<i64>,
    slots: Vec<Slot>,
    stage: Stage,
    after_header: Stage,
    parts: Vec<Part>,
    /// The part that is being written, and how far it is.
    current: usize,
    offset: usize,
    /// Whether some of its text is not valid, and cannot be carried.
    is_lossy: bool,
    /// The SQL of each value.
    values: Vec<Vec<u8>>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Stage {
    Header,
    /// From this offset on it is read for what is damaged.
    Check(usize),
    Values,
}

/// A value to write.
#[derive(Clone, Copy, Debug)]
struct Part {
    /// Its place among the sources.
    source: usize,
    /// `None` when it is not in the record.
    slot: Option<Slot>,
    in_pieces: bool,
}

/// What a row is written with.
pub(super) struct Context<'a> {
    pub(super) out: &'a mut Vec<u8>,
    pub(super) plan: &'a RowPlan,
    pub(super) writer: &'a RowWriter,
    pub(super) pieces: &'a mut Pieces,
    pub(super) pages: &'a btree::Pages,
    pub(super) budget: &'a mut Budget,
    pub(super) notes: &'a mut Notes,
}

/// What comes next.
#[derive(Debug)]
pub(super) enum LongStep {
    /// These pages must be handed in.
    Need(Vec<PageRange>),
    /// SQL must be taken.
    Output,
    /// Its table does not take it. If it is to go in all the same, go on.
    Refused,
    /// The row was written.
    Done,
}

impl LongRow {
    /// A row that [`RowWriter::write`] found too long. With `check` all of it is read before any of it is written.
    pub(super) fn new(row: Row<'_>, layout: Layout, check: bool) -> Self {
        Self {
            record: LongRecord::new(row, layout),
            pgno: row.pgno,
            rowid: row.rowid,
            slots: Vec::new(),
            stage: Stage::Header,
            after_header: if check { Stage::Check(0) } else { Stage::Values },
            parts: Vec::new(),
            current: 0,
            offset: 0,
            is_lossy: false,
            values: Vec::new(),
        }
    }

    /// Goes on.
    ///
    /// # Errors
    /// `BtreePage` or `BtreeDepth`, naming a page; `TextSize` for text that the shell's dialect has to see whole.
    // Rarely used: it would make the loop over the rows a large function, which V8 optimises late.
    #[inline(never)]
    pub(super) fn step(&mut self, context: &mut Context<'_>) -> Result<LongStep> {
        loop {
            match self.stage {
                Stage::Header => {
                    let needed = self.record.header(context.pages, context.budget, &mut self.slots)?;
                    if let Some(pages) = needed {
                        return Ok(LongStep::Need(pages));
                    }
                    let (writer, held) = (context.writer, self.record.held());
                    if context.plan.guard.lacks_key(&self.slots) {
                        context.notes.count(&context.plan.table, Loss::NullKey);
                        if !matches!(context.plan.style, Style::Shell(_)) {
                            return Ok(LongStep::Done);
                        }
                    }
                    if writer.watch == Watch::All
                        && context.plan.guard.stops(&self.slots, held, self.pgno, writer.encoding)
                    {
                        return Ok(LongStep::Refused);
                    }
                    self.parts = self.parts(context)?;
                    self.values = vec![Vec::new(); context.plan.sources.len()];
                    self.stage = self.after_header;
                }
                Stage::Check(from) => {
                    let end = self.record.size().min(from + PIECE);
                    if let Got::Need(pages) = self.record.bytes(from..end, context.pages, context.budget)? {
                        return Ok(LongStep::Need(pages));
                    }
                    self.stage = if end == self.record.size() { Stage::Values } else { Stage::Check(end) };
                }
                Stage::Values => {
                    let Some(part) = self.parts.get(self.current).copied() else {
                        self.finish(context);
                        return Ok(LongStep::Done);
                    };
                    let is_shell = matches!(context.plan.style, Style::Shell(_));
                    let stepped = if is_shell { self.shell_part(part, context) } else { self.part(part, context) };
                    if let Some(pages) = stepped? {
                        return Ok(LongStep::Need(pages));
                    }
                    if context.out.len() >= OUTPUT {
                        return Ok(LongStep::Output);
                    }
                }
            }
        }
    }

    /// What to write, in the order in which it is read.
    fn parts(&self, context: &Context<'_>) -> Result<Vec<Part>> {
        let sources = context.plan.sources.iter().enumerate();
        let mut parts: Vec<Part> = sources
            .map(|(source, from)| {
                let slot = from.slot.and_then(|slot| self.slots.get(slot)).copied();
                Part { source, slot, in_pieces: false }
            })
            .collect();
        if let Style::Shell(_) = context.plan.style {
            for part in &mut parts {
                let size = part.slot.map_or(0, |slot| slot.range().len());
                let is_text = part.slot.and_then(Slot::is_text);
                if is_text == Some(true) && size > MAX_WHOLE {
                    return Err(Error::at_page(ErrorKind::TextSize, self.pgno.value()));
                }
                part.in_pieces = is_text == Some(false) && size > PIECE;
            }
        } else {
            choose(&mut parts, context);
            let places = order(parts.iter().map(|part| part.slot.map_or(0, |slot| slot.range().start + 1)));
            parts = places.into_iter().filter_map(|place| parts.get(place).copied()).collect();
        }
        Ok(parts)
    }

    /// Writes a value, or a piece of it; gives what is needed for it.
    fn part(&mut self, part: Part, context: &mut Context<'_>) -> Result<Option<Vec<PageRange>>> {
        let Context { out, plan, writer, pieces, pages, budget, notes } = context;
        let (Some(source), Some(value)) = (plan.sources.get(part.source), self.values.get_mut(part.source)) else {
            return Ok(self.advance());
        };
        let Some(slot) = part.slot else {
            let rowid = self.rowid.ok_or(Error::at_page(ErrorKind::BtreePage, self.pgno.value()));
            writer.absent(value, plan, source, rowid, notes)?;
            return Ok(self.advance());
        };
        let range = slot.range();
        let wanted = if part.in_pieces { rest_of(&range, self.offset, piece_size(writer)) } else { range.clone() };
        let bytes = match self.record.bytes(wanted.clone(), pages, budget)? {
            Got::Bytes(bytes) => bytes,
            Got::Need(pages) => return Ok(Some(pages)),
        };
        if !part.in_pieces {
            writer.value(value, plan, source, slot.value_of(bytes, self.pgno)?, notes);
            return Ok(self.advance());
        }
        let is_last = wanted.end == range.end;
        if slot.is_text() == Some(true) {
            let bytes = if is_last { bytes } else { whole_characters(bytes, writer.encoding) };
            self.offset += bytes.len();
            pieces.add(out, |out| {
                let loss = literal::write_value(out, Value::Text(bytes), writer.encoding, writer.same_encoding);
                self.is_lossy |= loss == literal::Loss::Text;
            });
        } else {
            // In UTF-16, putting them together cuts off what is half a character.
            let is_odd = is_last && self.offset > 0 && range.len() % 2 == 1;
            self.offset += bytes.len();
            pieces.add(out, |out| {
                out.extend_from_slice(b"X'");
                write_hex(out, bytes);
                out.extend_from_slice(if is_odd { b"00'" } else { b"'" });
            });
        }
        if is_last {
            let whole = if slot.is_text() == Some(true) { Whole::Text } else { Whole::Blob(range.len()) };
            *value = pieces.whole(out, whole).into_bytes();
            return Ok(self.advance());
        }
        Ok(None)
    }

    /// Writes a part on the one line that the shell prints.
    fn shell_part(&mut self, part: Part, context: &mut Context<'_>) -> Result<Option<Vec<PageRange>>> {
        let Context { out, plan, writer, pages, budget, notes, .. } = context;
        let (Some(source), Style::Shell(shell)) = (plan.sources.get(part.source), plan.style) else {
            return Ok(self.advance());
        };
        let open = |out: &mut Vec<u8>| {
            if part.source == 0 {
                out.extend_from_slice(&plan.prefix);
                out.extend_from_slice(b" VALUES(");
            }
            out.extend_from_slice(plan.label(part.source));
        };
        let Some(slot) = part.slot else {
            open(out);
            let rowid = self.rowid.ok_or(Error::at_page(ErrorKind::BtreePage, self.pgno.value()));
            writer.absent(out, plan, source, rowid, notes)?;
            return Ok(self.advance());
        };
        let range = slot.range();
        let wanted = if part.in_pieces { rest_of(&range, self.offset, PIECE) } else { range.clone() };
        let bytes = match self.record.bytes(wanted.clone(), pages, budget)? {
            Got::Bytes(bytes) => bytes,
            Got::Need(pages) => return Ok(Some(pages)),
        };
        if self.offset == 0 {
            open(out);
        }
        if !part.in_pieces {
            writer.value(out, plan, source, slot.value_of(bytes, self.pgno)?, notes);
            return Ok(self.advance());
        }
        if self.offset == 0 {
            out.extend_from_slice(shell::blob_start(shell));
        }
        write_hex(out, bytes);
        self.offset += bytes.len();
        if wanted.end == range.end {
            out.push(b'\'');
            return Ok(self.advance());
        }
        Ok(None)
    }

    /// Goes on to the next value, for which nothing is needed yet.
    fn advance(&mut self) -> Option<Vec<PageRange>> {
        self.current += 1;
        self.offset = 0;
        None
    }

    /// Writes the row itself.
    fn finish(&mut self, context: &mut Context<'_>) {
        let Context { out, plan, writer, pieces, notes, .. } = context;
        if let Style::Shell(_) = plan.style {
            return out.extend_from_slice(b");\n");
        }
        if self.is_lossy {
            notes.count(&plan.table, Loss::Text);
        }
        if writer.has_changed() {
            notes.count(&plan.table, Loss::Type);
        }
        out.extend_from_slice(&plan.prefix);
        let is_insert = plan.style != Style::Update;
        out.extend_from_slice(if is_insert { BEGIN } else { b"" });
        for (index, value) in self.values.iter().enumerate() {
            out.extend_from_slice(plan.label(index));
            out.extend_from_slice(value);
        }
        out.extend_from_slice(if is_insert { b");\n" } else { b";\n" });
        pieces.clear(out);
    }
}

/// The next bytes of the value in `range`, at most `most`, when `offset` bytes of it are done.
fn rest_of(range: &Range<usize>, offset: usize, most: usize) -> Range<usize> {
    let start = range.start + offset;
    start..range.end.min(start + most)
}

/// Puts the longest values into pieces, until the rest fits into a statement.
fn choose(parts: &mut [Part], context: &Context<'_>) {
    let Context { plan, writer, pieces, .. } = context;
    let cost = |part: &Part| match part.slot {
        Some(slot) if slot.is_text().is_some() => literal_size(slot.range().len(), writer.encoding),
        _ => LONGEST_NUMBER,
    };
    let labels: usize = parts.iter().map(|part| plan.label(part.source).len()).sum();
    let around = plan.prefix.len() + BEGIN.len() + labels + 2;
    let mut total = parts.iter().map(cost).fold(around, usize::saturating_add);
    for index in order(parts.iter().map(|part| usize::MAX - part.slot.map_or(0, |slot| slot.range().len()))) {
        let Some(part) = parts.get_mut(index) else { break };
        let saved = cost(part).saturating_sub(pieces.longest_expression());
        if total <= writer.limits.statement.min(PIECE) || saved == 0 || part.slot.and_then(Slot::is_text).is_none() {
            break;
        }
        part.in_pieces = true;
        total = total.saturating_sub(saved);
    }
}

/// Places of keys in their order; equal ones stay in theirs. One kind of keys is sorted here only: the code for each
/// takes 10 kB.
fn order(keys: impl Iterator<Item = usize>) -> Vec<usize> {
    let mut keys: Vec<(usize, usize)> = keys.zip(0..).collect();
    keys.sort_unstable();
    keys.into_iter().map(|(_, place)| place).collect()
}

/// The longest literal for a stored value, in bytes.
fn literal_size(stored: usize, encoding: Encoding) -> usize {
    // Two bytes of UTF-16 can be three of UTF-8.
    longest(if encoding == Encoding::Utf8 { stored } else { stored.saturating_mul(3) / 2 })
}

/// How long a piece may be, in bytes: an even number.
fn piece_size(writer: &RowWriter) -> usize {
    let room = writer.limits.statement.saturating_sub(256);
    let bytes = if writer.encoding == Encoding::Utf8 { room / 2 } else { room / 3 };
    bytes.clamp(16, PIECE) & !1
}

/// The start of `bytes` without the character that ends behind it.
fn whole_characters(bytes: &[u8], encoding: Encoding) -> &[u8] {
    let last = bytes.len().saturating_sub(if encoding == Encoding::Utf8 { 3 } else { 2 });
    let is_cut = |at: &usize| {
        let rest = bytes.get(*at..).unwrap_or_default();
        match (encoding, rest) {
            (Encoding::Utf8, [0xf0..=0xf7, ..]) => rest.len() < 4,
            (Encoding::Utf8, [0xe0..=0xef, ..]) => rest.len() < 3,
            (Encoding::Utf8, [0xc0..=0xdf]) => true,
            (Encoding::Utf16Le, [_, 0xd8..=0xdb]) | (Encoding::Utf16Be, [0xd8..=0xdb, _]) => true,
            _ => false,
        }
    };
    let end = (last..bytes.len()).find(is_cut).unwrap_or(bytes.len());
    bytes.get(..end).unwrap_or(bytes)
}
