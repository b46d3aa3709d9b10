//! Where the values of a text begin and end.

use crate::error::{Error, ErrorKind};

/// Arrays and objects inside of each other.
const MOST_DEPTH: u32 = 64;

/// That it is not what was to be read, and where: in bytes from the beginning of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fault(pub(crate) usize);

impl Fault {
    /// As an error of a kind.
    pub(crate) fn error(self, kind: ErrorKind) -> Error {
        Error::at_offset(kind, self.0 as u64)
    }
}

pub(super) type Result<T> = core::result::Result<T, Fault>;

/// A value, as text that is well-formed.
#[derive(Clone, Copy)]
pub(crate) struct Value<'a> {
    pub(super) text: &'a str,
    pub(super) at: usize,
}

/// Takes what an array or object holds: a key, in an object, and a value.
pub(super) type Each<'e, 'a> = &'e mut dyn FnMut(Option<Value<'a>>, Value<'a>) -> Result<()>;

/// Looks over a text, part of one that begins `base` bytes before it.
pub(super) struct Lexer<'a> {
    text: &'a str,
    base: usize,
    at: usize,
}

impl<'a> Lexer<'a> {
    pub(super) fn new(text: &'a str, base: usize) -> Self {
        Self { text, base, at: 0 }
    }

    /// The value that the text is.
    pub(super) fn only_value(&mut self) -> Result<Value<'a>> {
        let value = self.value(MOST_DEPTH)?;
        self.space();
        if self.peek().is_none() { Ok(value) } else { Err(self.fault()) }
    }

    fn value(&mut self, depth: u32) -> Result<Value<'a>> {
        self.space();
        let start = self.at;
        match self.peek() {
            Some(b'{' | b'[') => self.entries(depth, &mut |_, _| Ok(()))?,
            Some(b'"') => self.string()?,
            Some(b'-' | b'0'..=b'9') => self.number()?,
            _ => {
                let rest = self.text.get(start..).unwrap_or_default();
                let word = ["true", "false", "null"].into_iter().find(|word| rest.starts_with(word));
                self.at += word.ok_or(self.fault())?.len();
            }
        }
        Ok(self.since(start))
    }

    /// What an array or object holds, in order.
    pub(super) fn all_entries(&mut self, each: Each<'_, 'a>) -> Result<()> {
        self.entries(MOST_DEPTH, each)
    }

    fn entries(&mut self, depth: u32, each: Each<'_, 'a>) -> Result<()> {
        let depth = depth.checked_sub(1).ok_or(self.fault())?;
        let is_object = self.eat(b'{');
        if !is_object {
            self.expect(b'[')?;
        }
        let close = if is_object { b'}' } else { b']' };
        self.space();
        if self.eat(close) {
            return Ok(());
        }
        loop {
            let key = if is_object { Some(self.key()?) } else { None };
            let value = self.value(depth)?;
            each(key, value)?;
            self.space();
            if !self.eat(b',') {
                return self.expect(close);
            }
        }
    }

    fn key(&mut self) -> Result<Value<'a>> {
        self.space();
        let start = self.at;
        self.string()?;
        let key = self.since(start);
        self.space();
        self.expect(b':')?;
        Ok(key)
    }

    fn string(&mut self) -> Result<()> {
        self.expect(b'"')?;
        loop {
            match self.peek() {
                None | Some(..0x20) => return Err(self.fault()),
                Some(b'"') => {
                    self.at += 1;
                    return Ok(());
                }
                Some(b'\\') => {
                    self.at += 1;
                    match self.peek() {
                        Some(b'u') => {
                            self.at += 1;
                            self.digits(4, u8::is_ascii_hexdigit)?;
                        }
                        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.at += 1,
                        _ => return Err(self.fault()),
                    }
                }
                Some(_) => self.at += 1,
            }
        }
    }

    fn number(&mut self) -> Result<()> {
        self.eat(b'-');
        if !self.eat(b'0') {
            self.some_digits()?;
        }
        if self.eat(b'.') {
            self.some_digits()?;
        }
        if self.eat(b'e') || self.eat(b'E') {
            let _ = self.eat(b'+') || self.eat(b'-');
            self.some_digits()?;
        }
        Ok(())
    }

    fn some_digits(&mut self) -> Result<()> {
        self.digits(1, u8::is_ascii_digit)?;
        while self.digits(1, u8::is_ascii_digit).is_ok() {}
        Ok(())
    }

    fn digits(&mut self, count: u32, is_digit: fn(&u8) -> bool) -> Result<()> {
        for _ in 0..count {
            self.peek().filter(is_digit).ok_or(self.fault())?;
            self.at += 1;
        }
        Ok(())
    }

    fn space(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn eat(&mut self, byte: u8) -> bool {
        let is_there = self.peek() == Some(byte);
        self.at += usize::from(is_there);
        is_there
    }

    fn expect(&mut self, byte: u8) -> Result<()> {
        if self.eat(byte) { Ok(()) } else { Err(self.fault()) }
    }

    fn since(&self, start: usize) -> Value<'a> {
        Value { text: self.text.get(start..self.at).unwrap_or_default(), at: self.base + start }
    }

    fn fault(&self) -> Fault {
        Fault(self.base + self.at)
    }
}
