//! Values too long for one statement: a table takes them in pieces, and puts them together.

use super::identifier::write_quoted;

/// How many pieces are put together at once. Putting all together one by one would write a long value over and over;
/// this way each byte is written a few times.
const FAN_IN: usize = 32;

/// The table of pieces. It holds those of one row.
#[derive(Clone, Debug, Default)]
pub(super) struct Pieces {
    name: String,
    is_made: bool,
    /// Id of the next piece.
    id: u32,
    /// Pieces of the value that is being written, in order.
    held: Vec<Piece>,
}

/// A row of the table.
#[derive(Clone, Copy, Debug)]
struct Piece {
    id: u32,
    /// How often it was put together from others.
    level: u32,
}

/// What a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Whole {
    Text,
    /// A BLOB of so many bytes, without what was added to the last piece.
    Blob(usize),
}

impl Pieces {
    /// In a table of this name, which is made when it is needed.
    pub(super) fn new(name: String) -> Self {
        Self { name, is_made: false, id: 1, held: Vec::new() }
    }

    /// Appends statements that add a piece to the value; `write_literal` writes it.
    pub(super) fn add(&mut self, out: &mut Vec<u8>, write_literal: impl FnOnce(&mut Vec<u8>)) {
        if !core::mem::replace(&mut self.is_made, true) {
            out.extend_from_slice(b"CREATE TABLE ");
            write_quoted(out, &self.name);
            out.extend_from_slice(b"(id INTEGER PRIMARY KEY,value);\n");
        }
        out.extend_from_slice(b"INSERT INTO ");
        write_quoted(out, &self.name);
        out.extend_from_slice(format!("(id,value) VALUES({},", self.id).as_bytes());
        write_literal(out);
        out.extend_from_slice(b");\n");
        self.held.push(Piece { id: self.id, level: 0 });
        self.id += 1;
        while let Some(level) = self.full_level() {
            // Which of both it will be does not matter yet: `||` keeps the bytes of blobs.
            self.join(out, FAN_IN, level + 1, |tree| format!("CAST({tree} AS BLOB)"));
        }
    }

    /// Appends what makes the pieces one value, and gives the expression for it.
    pub(super) fn whole(&mut self, out: &mut Vec<u8>, whole: Whole) -> String {
        if self.held.len() > 1 || self.held.iter().any(|piece| piece.level > 0) {
            self.join(out, self.held.len(), 0, |tree| match whole {
                Whole::Text => format!("CAST({tree} AS TEXT)"),
                Whole::Blob(size) => format!("substr(CAST({tree} AS BLOB),1,{size})"),
            });
        }
        let piece = self.held.pop().map_or_else(|| "NULL".to_owned(), |piece| self.select(piece));
        self.held.clear();
        piece
    }

    /// Appends what empties the table.
    pub(super) fn clear(&mut self, out: &mut Vec<u8>) {
        if self.is_made && self.id > 1 {
            out.extend_from_slice(b"DELETE FROM ");
            write_quoted(out, &self.name);
            out.extend_from_slice(b";\n");
        }
        self.id = 1;
        self.held.clear();
    }

    /// Appends what removes the table, and begins anew.
    pub(super) fn drop_table(&mut self, out: &mut Vec<u8>) {
        if core::mem::take(&mut self.is_made) {
            out.extend_from_slice(b"DROP TABLE ");
            write_quoted(out, &self.name);
            out.extend_from_slice(b";\n");
        }
        self.id = 1;
        self.held.clear();
    }

    /// Length of the longest expression that [`Pieces::whole`] gives, in bytes.
    pub(super) fn longest_expression(&self) -> usize {
        self.select(Piece { id: u32::MAX, level: 0 }).len()
    }

    /// The level of the last pieces, if there are so many that they must be joined.
    fn full_level(&self) -> Option<u32> {
        let level = self.held.last()?.level;
        let last = self.held.len().checked_sub(FAN_IN).and_then(|from| self.held.get(from..))?;
        last.iter().all(|piece| piece.level == level).then_some(level)
    }

    /// The last `count` pieces become the first of them.
    fn join(&mut self, out: &mut Vec<u8>, count: usize, level: u32, finish: impl FnOnce(String) -> String) {
        let joined = self.held.split_off(self.held.len().saturating_sub(count));
        let Some(first) = joined.first().copied() else { return };
        out.extend_from_slice(b"UPDATE ");
        write_quoted(out, &self.name);
        out.extend_from_slice(
            format!(" SET value={} WHERE id={};\nDELETE FROM ", finish(self.tree(&joined)), first.id).as_bytes(),
        );
        write_quoted(out, &self.name);
        out.extend_from_slice(format!(" WHERE id>{};\n", first.id).as_bytes());
        self.held.push(Piece { id: first.id, level });
    }

    /// Pieces one after the other, as a balanced tree: so no byte is copied more often than the tree is deep.
    fn tree(&self, pieces: &[Piece]) -> String {
        match pieces {
            [] => String::new(),
            &[piece] => self.select(piece),
            _ => {
                let (left, right) = pieces.split_at(pieces.len() / 2);
                format!("({}||{})", self.tree(left), self.tree(right))
            }
        }
    }

    fn select(&self, piece: Piece) -> String {
        let mut select = Vec::from(b"(SELECT value FROM ");
        write_quoted(&mut select, &self.name);
        format!("{} WHERE id={})", String::from_utf8_lossy(&select), piece.id)
    }
}
