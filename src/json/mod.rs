//! Reads JSON (RFC 8259): records and saved states, whoever may have changed them since this crate wrote them.
//!
//! A value is looked over and stays text; what it means is read from there, member by member, by code that all structures
//! share. Serde's readers are made anew for each of them, and were a tenth of the core's module.

mod lexer;
#[cfg(test)]
mod tests;

use serde_json::value::RawValue;

use self::lexer::{Each, Lexer, Result};
pub(crate) use self::lexer::{Fault, Value};

/// What can be read from a value.
pub(crate) trait Read: Sized {
    /// From a value of any kind.
    fn read(value: Value<'_>) -> Result<Self>;

    /// What it is where an object has no such member.
    fn absent() -> Option<Self> {
        None
    }
}

/// Reads a text that is one value.
pub(crate) fn read<T: Read>(text: &str) -> Result<T> {
    T::read(Lexer::new(text, 0).only_value()?)
}

impl<'a> Value<'a> {
    /// As it was written.
    pub(crate) fn text(self) -> &'a str {
        self.text
    }

    /// That it is not what it has to be.
    pub(crate) fn fault(self) -> Fault {
        Fault(self.at)
    }

    /// What an object holds.
    pub(crate) fn members(self) -> Result<Members<'a>> {
        let mut members = Vec::new();
        self.entries(b'{', &mut |key, value| {
            members.extend(key.map(|key| (key, value)));
            Ok(())
        })?;
        Ok(Members { of: self, members })
    }

    /// Which of some words it is.
    pub(crate) fn word<T: Copy>(self, words: &[(&str, T)]) -> Result<T> {
        let word = self.string()?;
        words.iter().find(|(name, _)| *name == word).map(|&(_, meaning)| meaning).ok_or(self.fault())
    }

    fn entries(self, open: u8, each: Each<'_, 'a>) -> Result<()> {
        if !self.text.as_bytes().starts_with(&[open]) {
            return Err(self.fault());
        }
        Lexer::new(self.text, self.at).all_entries(each)
    }

    /// Whether it is a text, which most are without an escape in it.
    fn is(self, text: &str) -> Result<bool> {
        let quoted = self.text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
        Ok(quoted == Some(text) || self.text.contains('\\') && self.string()? == text)
    }

    fn string(self) -> Result<String> {
        let quoted = self.text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).ok_or(self.fault())?;
        if !quoted.contains('\\') {
            return Ok(quoted.to_owned());
        }
        let mut out = String::with_capacity(quoted.len());
        let mut units = Vec::new();
        let mut rest = quoted.chars();
        while let Some(next) = rest.next() {
            let escaped = if next == '\\' { rest.next() } else { None };
            if escaped == Some('u') {
                // The lexer has seen four digits there.
                let digits: String = rest.by_ref().take(4).collect();
                units.push(u16::from_str_radix(&digits, 16).map_err(|_| self.fault())?);
                continue;
            }
            self.flush(&mut units, &mut out)?;
            out.push(match escaped {
                None => next,
                Some('b') => '\u{8}',
                Some('f') => '\u{c}',
                Some('n') => '\n',
                Some('r') => '\r',
                Some('t') => '\t',
                Some(itself) => itself,
            });
        }
        self.flush(&mut units, &mut out)?;
        Ok(out)
    }

    /// Units of UTF-16, of which two may be one character.
    fn flush(self, units: &mut Vec<u16>, out: &mut String) -> Result<()> {
        for character in char::decode_utf16(units.drain(..)) {
            out.push(character.map_err(|_| self.fault())?);
        }
        Ok(())
    }
}

/// The members of an object.
pub(crate) struct Members<'a> {
    of: Value<'a>,
    members: Vec<(Value<'a>, Value<'a>)>,
}

impl<'a> Members<'a> {
    /// A member that has to be there, unless what is read can be absent.
    pub(crate) fn take<T: Read>(&self, name: &str) -> Result<T> {
        self.find(name)?.map_or_else(|| T::absent().ok_or(self.of.fault()), T::read)
    }

    /// A member that has to be there, whatever it is.
    pub(crate) fn value(&self, name: &str) -> Result<Value<'a>> {
        self.find(name)?.ok_or(self.of.fault())
    }

    /// A member that may be left out.
    pub(crate) fn take_or_default<T: Read + Default>(&self, name: &str) -> Result<T> {
        self.find(name)?.map_or_else(|| Ok(T::default()), T::read)
    }

    /// Others may be there, too; this one only once.
    fn find(&self, name: &str) -> Result<Option<Value<'a>>> {
        let mut found = None;
        for (key, value) in &self.members {
            if key.is(name)? && found.replace(*value).is_some() {
                return Err(key.fault());
            }
        }
        Ok(found)
    }
}

macro_rules! integers {
    ($($type:ty),*) => {$(
        impl Read for $type {
            fn read(value: Value<'_>) -> Result<Self> {
                value.text.parse().map_err(|_| value.fault())
            }
        }
    )*};
}

integers!(u32, u64, i64);

impl Read for bool {
    fn read(value: Value<'_>) -> Result<Self> {
        match value.text {
            "true" => Ok(true),
            "false" => Ok(false),
            _ => Err(value.fault()),
        }
    }
}

impl Read for String {
    fn read(value: Value<'_>) -> Result<Self> {
        value.string()
    }
}

impl Read for Box<RawValue> {
    fn read(value: Value<'_>) -> Result<Self> {
        RawValue::from_string(value.text.to_owned()).map_err(|_| value.fault())
    }
}

impl<T: Read> Read for Option<T> {
    fn read(value: Value<'_>) -> Result<Self> {
        if value.text == "null" { Ok(None) } else { T::read(value).map(Some) }
    }

    fn absent() -> Option<Self> {
        Some(None)
    }
}

impl<T: Read> Read for Vec<T> {
    fn read(value: Value<'_>) -> Result<Self> {
        let mut items = Self::new();
        value.entries(b'[', &mut |_, item| {
            items.push(T::read(item)?);
            Ok(())
        })?;
        Ok(items)
    }
}

impl<T: Read, U: Read> Read for (T, U) {
    fn read(value: Value<'_>) -> Result<Self> {
        let mut items = Vec::new();
        value.entries(b'[', &mut |_, item| {
            items.push(item);
            Ok(())
        })?;
        let [first, second] = items.try_into().map_err(|_| value.fault())?;
        Ok((T::read(first)?, U::read(second)?))
    }
}
