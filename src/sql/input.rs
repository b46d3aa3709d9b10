//! What is handed in as SQL: text in UTF-8 or UTF-16, or something else by mistake.

use std::borrow::Cow;

use crate::bytes::packed_by;

/// How much is looked at before it is taken for SQL, in bytes.
const HEAD: usize = 512;

/// What something is that is not SQL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Foreign {
    /// A SQLite database file.
    Database,
    /// Compressed, or an archive; which.
    Packed(&'static str),
    /// Bytes that are no text.
    Binary,
    /// UTF-16 that is not whole.
    BrokenUtf16,
}

/// Makes UTF-8 of what comes in, piece by piece.
#[derive(Clone, Debug)]
pub struct Input(State);

#[derive(Clone, Debug)]
enum State {
    /// Too little has come to tell what it is.
    Unknown(Vec<u8>),
    /// UTF-8, passed on as it is: SQLite takes bytes that are no UTF-8, too.
    Plain,
    Utf16(Utf16),
}

#[derive(Clone, Debug)]
struct Utf16 {
    is_little: bool,
    /// Half of a unit.
    odd: Option<u8>,
    /// The first half of a character.
    high: Option<u16>,
}

impl Default for Input {
    fn default() -> Self {
        Self(State::Unknown(Vec::new()))
    }
}

impl Input {
    /// The text in the next piece.
    ///
    /// # Errors
    /// What it is instead of SQL.
    pub fn decode<'a>(&mut self, piece: &'a [u8]) -> Result<Cow<'a, [u8]>, Foreign> {
        match &mut self.0 {
            State::Plain => Ok(piece.into()),
            State::Utf16(utf16) => Ok(utf16.decode(piece)?.into()),
            State::Unknown(head) => {
                head.extend_from_slice(piece);
                if head.len() < HEAD { Ok(Cow::default()) } else { Ok(self.begin()?.into()) }
            }
        }
    }

    /// The text that is left when nothing more comes.
    ///
    /// # Errors
    /// As [`Input::decode`].
    pub fn end(&mut self) -> Result<Vec<u8>, Foreign> {
        let rest = if matches!(self.0, State::Unknown(_)) { self.begin()? } else { Vec::new() };
        match &self.0 {
            State::Utf16(Utf16 { odd: None, high: None, .. }) | State::Plain | State::Unknown(_) => Ok(rest),
            State::Utf16(_) => Err(Foreign::BrokenUtf16),
        }
    }

    /// Tells what it is by its beginning.
    fn begin(&mut self) -> Result<Vec<u8>, Foreign> {
        let State::Unknown(head) = core::mem::replace(&mut self.0, State::Plain) else { return Ok(Vec::new()) };
        if head.starts_with(b"SQLite format 3\0") {
            return Err(Foreign::Database);
        }
        if let Some(how) = packed_by(&head) {
            return Err(Foreign::Packed(how));
        }
        if let Some(is_little) = utf16(&head) {
            let mut utf16 = Utf16 { is_little, odd: None, high: None };
            let text = utf16.decode(&head)?;
            self.0 = State::Utf16(utf16);
            return Ok(text);
        }
        // Space and the escape character are in texts that people have.
        let is_binary = |byte: &u8| *byte < 9 || (14..32).contains(byte) && *byte != 27;
        if head.iter().any(is_binary) { Err(Foreign::Binary) } else { Ok(head) }
    }
}

/// Whether it is UTF-16, by its byte-order mark or because every other byte of its first words is zero; whether the
/// lower byte comes first.
fn utf16(head: &[u8]) -> Option<bool> {
    match *head {
        [0xff, 0xfe, 0, 0, ..] => None,
        [0xff, 0xfe, ..] => Some(true),
        [0xfe, 0xff, ..] => Some(false),
        [a, 0, b, 0, ..] if a != 0 && b != 0 => Some(true),
        [0, a, 0, b, ..] if a != 0 && b != 0 => Some(false),
        _ => None,
    }
}

impl Utf16 {
    fn decode(&mut self, piece: &[u8]) -> Result<Vec<u8>, Foreign> {
        let mut text = String::with_capacity(piece.len());
        for &byte in piece {
            let Some(first) = self.odd.take() else {
                self.odd = Some(byte);
                continue;
            };
            let unit =
                if self.is_little { u16::from_le_bytes([first, byte]) } else { u16::from_be_bytes([first, byte]) };
            let units = [self.high.take().unwrap_or(unit), unit];
            match (char::decode_utf16(units).next(), unit) {
                (_, 0xd800..0xdc00) if units[0] == unit => self.high = Some(unit),
                (Some(Ok(character)), _) => text.push(character),
                _ => return Err(Foreign::BrokenUtf16),
            }
        }
        Ok(text.into_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(bytes: &[u8], piece: usize) -> Result<String, Foreign> {
        let (mut input, mut all) = (Input::default(), Vec::new());
        for piece in bytes.chunks(piece) {
            all.extend_from_slice(&input.decode(piece)?);
        }
        all.extend(input.end()?);
        Ok(String::from_utf8(all).unwrap())
    }

    fn in_utf16(text: &str, little: bool) -> Vec<u8> {
        text.encode_utf16().flat_map(|unit| if little { unit.to_le_bytes() } else { unit.to_be_bytes() }).collect()
    }

    #[test]
    fn text_in_utf16_is_decoded_with_and_without_its_mark() {
        let sql = "CREATE TABLE t(a); INSERT INTO t VALUES ('é€😀');".repeat(30);
        for piece in [1, 2, 3, 511, 4096] {
            assert_eq!(text(sql.as_bytes(), piece).as_ref(), Ok(&sql));
            for little in [true, false] {
                assert_eq!(text(&in_utf16(&sql, little), piece).as_ref(), Ok(&sql));
                let marked = format!("\u{feff}{sql}");
                assert_eq!(text(&in_utf16(&marked, little), piece), Ok(marked));
            }
        }
        let short = in_utf16("\u{feff}SELECT 1", true);
        assert_eq!(text(&short, 3), Ok("\u{feff}SELECT 1".to_owned()));
        assert_eq!(text(&short[..short.len() - 1], 3), Err(Foreign::BrokenUtf16));
        let alone = [0xff, 0xfe, 0x41, 0, 0x00, 0xd8, 0x41, 0];
        assert_eq!(text(&alone, 2), Err(Foreign::BrokenUtf16));
        assert_eq!(text(&alone[..6], 1), Err(Foreign::BrokenUtf16));
    }

    #[test]
    fn what_is_no_sql_is_named() {
        for (bytes, foreign) in [
            (&b"SQLite format 3\0\x10\0"[..], Foreign::Database),
            (b"\x1f\x8b\x08\0", Foreign::Packed("gzip")),
            (b"PK\x03\x04\x14\0", Foreign::Packed("zip")),
            (b"\x89PNG\r\n\x1a\n\0\0", Foreign::Binary),
            (b"LTX1\0\0\0\x04", Foreign::Binary),
            (b"\xff\xfe\0\0S\0\0\0", Foreign::Binary),
        ] {
            assert_eq!(text(bytes, 3), Err(foreign), "{bytes:?}");
        }
        for sql in ["", "S", "\u{feff}", "\x0c\x0bSELECT '\x1b[0m'"] {
            assert_eq!(text(sql.as_bytes(), 1).as_deref(), Ok(sql));
        }
    }
}
