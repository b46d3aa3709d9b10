//! The nodes of an R-Tree (SQLite's R-Tree module, section 7): its rows are in those that are leaves.

use std::collections::HashSet;

use super::literal::{write_integer, write_value};
use crate::btree::{Encoding, Value};
use crate::bytes::Reader;
use crate::error::{Error, ErrorKind, Result};
use crate::page::Pgno;

/// More nodes above the leaves than any R-Tree has that fits in a database as D1 takes it: each has dozens of leaves.
const MOST_PARENTS: usize = 1 << 20;

/// What a cell is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NodeFormat {
    /// How many coordinates, two a dimension.
    pub(super) coordinates: usize,
    /// Whether they are integers (`rtree_i32`).
    pub(super) integers: bool,
}

impl NodeFormat {
    /// The cells of a node that is stored on page `pgno`.
    ///
    /// # Errors
    /// `BtreePage`, naming `pgno`, when the node ends within a cell.
    pub(super) fn cells(self, node: &[u8], pgno: Pgno) -> Result<impl Iterator<Item = NodeCell<'_>>> {
        let damaged = Error::at_page(ErrorKind::BtreePage, pgno.value());
        let mut reader = Reader::new(node, 0, ErrorKind::BtreePage);
        // The first number is the depth in the root, and nothing in other nodes.
        let header = reader.u16().and_then(|_| reader.u16());
        let count = usize::from(header.map_err(|_| damaged)?);
        let size = 8 + 4 * self.coordinates;
        let cells = reader.take(count * size).map_err(|_| damaged)?;
        Ok(cells.chunks_exact(size).map(move |cell| NodeCell { format: self, cell }))
    }
}

/// A row of an R-Tree.
#[derive(Clone, Copy, Debug)]
pub(super) struct NodeCell<'a> {
    format: NodeFormat,
    cell: &'a [u8],
}

impl NodeCell<'_> {
    /// Appends the id and the coordinates.
    pub(super) fn write(self, out: &mut Vec<u8>) -> Result<()> {
        let mut reader = Reader::new(self.cell, 0, ErrorKind::BtreePage);
        write_integer(out, reader.i64()?);
        for _ in 0..self.format.coordinates {
            out.push(b',');
            let bits = reader.u32()?;
            let value = match f32::from_bits(bits) {
                _ if self.format.integers => Value::Integer((bits as i32).into()),
                real if real.is_nan() => Value::Null,
                real => Value::Real(real.into()),
            };
            write_value(out, value, Encoding::Utf8, true);
        }
        Ok(())
    }
}

/// The nodes of one R-Tree that are no leaves.
#[derive(Clone, Debug, Default)]
pub(super) struct Parents(HashSet<i64>);

impl Parents {
    /// Takes the parent of a node, which is stored on page `pgno`.
    ///
    /// # Errors
    /// `BtreePage`, naming `pgno`, when there are more than an R-Tree has.
    pub(super) fn add(&mut self, node: i64, pgno: Pgno) -> Result<()> {
        self.0.insert(node);
        if self.0.len() > MOST_PARENTS {
            return Err(Error::at_page(ErrorKind::BtreePage, pgno.value()));
        }
        Ok(())
    }

    /// Whether a node is a leaf.
    pub(super) fn is_leaf(&self, node: i64) -> bool {
        !self.0.contains(&node)
    }

    /// Forgets them.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}
