//! SQL text as it comes in: where one statement ends and the next begins, by the rules of `sqlite3_complete`.

mod input;
mod scanner;
mod words;

pub use input::{Foreign, Input};
pub use scanner::{Scanner, is_complete};
pub use words::{keywords, pragma};

/// Splits text that comes in pieces into statements.
///
/// Memory: the statement that is not whole yet, and what was pushed last.
#[derive(Clone, Debug)]
pub struct Statements {
    text: Vec<u8>,
    /// Where the next statement begins in `text`, and how far it was looked at.
    start: usize,
    scanned: usize,
    scanner: Scanner,
    /// The line that is being looked at, counted from 1.
    line: u64,
    /// The line of the first token of the statement.
    begins: Option<u64>,
    /// Whether this is a line for the `sqlite3` shell, which begins with a dot and ends where the line does.
    is_dotted: bool,
}

/// One statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Statement<'a> {
    /// The statement with its semicolon, and the comments and the space before it. It need not be UTF-8.
    pub sql: &'a [u8],
    /// The line where it begins, counted from 1.
    pub line: u64,
}

impl Default for Statements {
    fn default() -> Self {
        let scanner = Scanner::of_scripts();
        Self { text: Vec::new(), start: 0, scanned: 0, scanner, line: 1, begins: None, is_dotted: false }
    }
}

impl Statements {
    /// Adds text.
    pub fn push(&mut self, text: &[u8]) {
        self.text.drain(..self.start);
        self.scanned -= self.start;
        self.start = 0;
        self.text.extend_from_slice(text);
    }

    /// How much is held of a statement that is not whole, in bytes.
    pub fn held(&self) -> usize {
        self.text.len() - self.start
    }

    /// The next statement that is whole; `None` when more text is needed. What begins with a dot, as no statement does, is
    /// a line for the `sqlite3` shell: it ends with the line.
    pub fn next_whole(&mut self) -> Option<Statement<'_>> {
        while let Some(&byte) = self.text.get(self.scanned) {
            self.scanned += 1;
            let ends = if self.is_dotted { byte == b'\n' } else { self.scanner.scan(byte) };
            if self.begins.is_none() && self.scanner.has_begun() {
                self.begins = Some(self.line);
                self.is_dotted = byte == b'.';
            }
            self.line += u64::from(byte == b'\n');
            if ends {
                if core::mem::take(&mut self.is_dotted) {
                    self.scanner = Scanner::of_scripts();
                }
                let start = core::mem::replace(&mut self.start, self.scanned);
                // A semicolon alone is none.
                if let Some(line) = self.begins.take() {
                    return Some(Statement { sql: self.text.get(start..self.scanned).unwrap_or_default(), line });
                }
            }
        }
        None
    }

    /// The statement that the text ended in, if there is one: it has no semicolon, or is cut off.
    pub fn rest(&self) -> Option<Statement<'_>> {
        let line = self.begins?;
        self.text.get(self.start..).map(|sql| Statement { sql, line })
    }
}

#[cfg(test)]
mod tests;
