//! A builder between two batches as bytes, from which another process goes on.
//!
//! | bytes | |
//! | --- | --- |
//! | 4 | pages so far |
//! | 4 a root | for each object where its b-tree is, 0 for none: as many as there are objects |
//! | 1 | whether a b-tree is open; what follows is of that one |
//! | 4, 1, 4, 1 a column | its object; 1 for a table's; its columns |
//! | 1, 8, 8 | whether there was a row; its rowid, twice, as both halves keep it |
//! | 4 | its levels, from the leaves up, each |
//! | | a page; 1; and with 1 the page before, 4 bytes for its right-most child, 4 for the length of the entry behind it, and that |
//! | page | 1, 4, 4, 4: kind, cells, start, length of the last cell; then its bytes |

use super::builder::{Builder, Stage};
use super::open::Open;
use super::output::Output;
use super::record::Column;
use super::tree::{Form, Tree};
use crate::bytes::{Reader, Writer};
use crate::error::{ErrorKind, Result};
use crate::page::Pgno;

impl Builder {
    /// What [`Builder::restore`] goes on from, when all pages were taken.
    ///
    /// # Errors
    /// `Usage` when there are pages to take, the last row still waits for pieces, or there is a database before.
    pub fn save(&self) -> Result<Vec<u8>> {
        if self.stage == Stage::Done || self.previous.is_some() || !self.out.is_taken() {
            return Err(ErrorKind::Usage.into());
        }
        let mut saved = Vec::new();
        saved.put_u32(self.out.page_count());
        self.roots.iter().for_each(|root| saved.put_u32(root.map_or(0, Pgno::value)));
        saved.push(self.open.is_some().into());
        self.open.as_ref().map_or(Ok(()), |open| write(open, &mut saved))?;
        Ok(saved)
    }

    /// Goes on from what was saved, behind the same objects.
    ///
    /// # Errors
    /// `SavedState` when the bytes are of other objects, or damaged.
    pub fn restore(&mut self, saved: &[u8]) -> Result<()> {
        self.guarded(|builder| {
            let mut reader = Reader::new(saved, 0, ErrorKind::SavedState);
            builder.out = Output::behind(builder.out.page_size(), reader.u32()?);
            for root in &mut builder.roots {
                *root = Pgno::new(reader.u32()?);
            }
            builder.open = if reader.u8()? == 1 { Some(read(&mut reader, &builder.out)?) } else { None };
            if reader.remaining() > 0 { Err(ErrorKind::SavedState.into()) } else { Ok(()) }
        })
    }
}

fn write(open: &Open, saved: &mut Vec<u8>) -> Result<()> {
    if open.pending.is_some() || open.merge.is_some() {
        return Err(ErrorKind::Usage.into());
    }
    saved.put_u32(open.object as u32);
    saved.push((open.form == Form::Table).into());
    saved.put_u32(open.columns.len() as u32);
    saved.extend(open.columns.iter().map(|column| match column {
        Column::Value => 0u8,
        Column::Real => 1,
        Column::Rowid => 2,
    }));
    saved.push(open.last.is_some().into());
    saved.put_u64(open.last.unwrap_or(0) as u64);
    open.tree.write_to(saved);
    Ok(())
}

fn read(reader: &mut Reader<'_>, out: &Output) -> Result<Open> {
    let object = reader.u32()? as usize;
    let form = if reader.u8()? == 1 { Form::Table } else { Form::Index };
    let columns = reader.u32()? as usize;
    let columns = reader.take(columns)?.iter().map(|column| match column {
        0 => Ok(Column::Value),
        1 => Ok(Column::Real),
        2 => Ok(Column::Rowid),
        _ => Err(ErrorKind::SavedState.into()),
    });
    let columns = columns.collect::<Result<_>>()?;
    let has_last = reader.u8()? == 1;
    let last = reader.i64()?;
    let mut open = Open::new(object, form, columns, Tree::read(reader, form, out)?);
    open.last = has_last.then_some(last);
    Ok(open)
}
