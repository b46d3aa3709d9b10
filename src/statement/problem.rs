//! What is said of a statement that is wrong.

/// A statement that is wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where the word begins that is wrong, in UTF-16 code units, as JavaScript and Java count.
    pub position: usize,
    /// What is wrong, and what could stand there. No quoted text is in it: that may be a URL with a password.
    pub message: String,
    /// What could stand there: keywords in capitals, and descriptions. Empty where the word itself is the matter.
    pub expected: Vec<&'static str>,
}

impl Problem {
    /// At a byte offset, until [`Problem::in_units_of`] counts anew.
    pub(super) fn new(at: usize, message: impl Into<String>) -> Self {
        Self { position: at, message: message.into(), expected: Vec::new() }
    }

    /// With the position in UTF-16 code units instead of bytes.
    pub(super) fn in_units_of(self, text: &str) -> Self {
        let before = text.get(..self.position).unwrap_or(text);
        Self { position: before.encode_utf16().count(), ..self }
    }
}
