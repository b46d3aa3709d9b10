//! Rows that their own table refuses. A file can hold them: constraints can be switched off, other programs add some
//! later, and damage breaks them.

use sqlite3_parser::lexer::sql::TokenType;

use super::affinity::Affinity;
use super::constant::{Constant, as_integer, number_in};
use super::identifier::tokens;
use crate::btree::{Encoding, Slot, Storage, Value};
use crate::page::Pgno;

/// What a column insists on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Insists {
    pub(super) not_null: bool,
    /// In a STRICT table, the affinity that stands for the only type that the column takes.
    pub(super) kind: Option<Affinity>,
}

/// What becomes of a value that is inserted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Fit {
    Kept,
    /// It becomes another value.
    Changed,
    Refused,
}

/// What is done with a row that does not fit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Remedy {
    /// The schema says less while the rows go in; see `relaxed`.
    Relax,
    /// It has a statement of its own: the table that the target has may take it.
    Alone,
    /// It is left out: the target would take nothing at all for it.
    #[default]
    LeaveOut,
}

/// What is done with rows that repeat a key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum ForRepeats {
    /// There are none.
    #[default]
    Nothing,
    /// The schema says nothing of keys while the rows of the table go in.
    Relax,
    /// Each row of the table has a statement of its own.
    Alone,
    /// The target passes over them.
    PassOver,
}

/// What a table insists on, and what is done with rows that break that.
#[derive(Clone, Debug, Default)]
pub(super) struct Guard {
    rules: Vec<Rule>,
    pub(super) remedy: Remedy,
    pub(super) repeats: ForRepeats,
    /// How many rows an index of the table has, where that was not compared with the table.
    pub(super) expected: Option<u64>,
    /// Places in the record of a key that is never NULL, whatever the schema says.
    key: Vec<usize>,
    /// Whether the schema can be written where the rows are.
    pub(super) is_writable: bool,
}

#[derive(Clone, Debug)]
struct Rule {
    /// The value's place in the record.
    slot: usize,
    /// What it is in a record that ends before.
    default: Constant,
    insists: Insists,
}

/// Whether the SQL of a table has a CHECK. What that says of a row only SQLite can tell.
pub(super) fn has_check(sql: &str) -> bool {
    may_say(sql, "CHECK") && tokens(sql).any(|(_, kind)| kind == TokenType::TK_CHECK)
}

/// Whether the SQL of a table may have a PRIMARY KEY or UNIQUE.
pub(super) fn may_have_key(sql: &str) -> bool {
    may_say(sql, "UNIQUE") || may_say(sql, "PRIMARY")
}

fn may_say(sql: &str, word: &str) -> bool {
    sql.as_bytes().windows(word.len()).any(|part| part.eq_ignore_ascii_case(word.as_bytes()))
}

impl Guard {
    pub(super) fn new(remedy: Remedy) -> Self {
        Self { remedy, ..Self::default() }
    }

    pub(super) fn add(&mut self, insists: Insists, slot: usize, default: &Constant) {
        if insists != Insists::default() {
            self.rules.push(Rule { slot, default: default.clone(), insists });
        }
    }

    /// Takes note of the value at `slot` of a key WITHOUT ROWID.
    pub(super) fn add_key(&mut self, slot: usize, default: &Constant) {
        match self.remedy {
            Remedy::Alone => self.add(Insists { not_null: true, kind: None }, slot, default),
            Remedy::Relax | Remedy::LeaveOut => self.key.push(slot),
        }
    }

    /// Whether no table WITHOUT ROWID has a row, as its key is NULL.
    #[inline]
    pub(super) fn lacks_key(&self, slots: &[Slot]) -> bool {
        self.key.iter().any(|&slot| slots.get(slot).is_none_or(|slot| slot.storage() == Storage::Null))
    }

    /// Whether a row does not go in as it is. Of a value that is not in `record`, as that is only the start of one, the
    /// type decides.
    pub(super) fn stops(&self, slots: &[Slot], record: &[u8], pgno: Pgno, encoding: Encoding) -> bool {
        self.rules.iter().any(|rule| match slots.get(rule.slot) {
            Some(slot) if rule.insists.takes(slot.storage()) => false,
            Some(slot) => match slot.value(record, pgno) {
                Ok(value) => self.minds(rule.insists.fit(value, encoding)),
                Err(_) => slot.is_text().is_some(),
            },
            None => self.minds(rule.insists.fit(rule.default.value().unwrap_or(Value::Null), Encoding::Utf8)),
        })
    }

    fn minds(&self, fit: Fit) -> bool {
        // Where nothing has to be given up for it, no value is changed.
        fit == Fit::Refused || fit == Fit::Changed && self.remedy == Remedy::Relax
    }
}

/// What is looked for in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Watch {
    /// Whether its table takes it, and whether values will be changed.
    All,
    /// Only whether values will be changed.
    Types,
    /// Nothing: the table takes any value as it is.
    Nothing,
}

impl Insists {
    /// Whether it takes every value of this type.
    #[inline]
    fn takes(self, storage: Storage) -> bool {
        match (storage, self.kind) {
            (Storage::Null, _) => !self.not_null,
            // It may be no number, which is NULL.
            (Storage::Real, None) => !self.not_null,
            (_, None) | (Storage::Integer, Some(Affinity::Integer | Affinity::Real)) => true,
            (Storage::Text, Some(Affinity::Text)) | (Storage::Blob, Some(Affinity::Blob)) => true,
            _ => false,
        }
    }

    fn fit(self, value: Value<'_>, encoding: Encoding) -> Fit {
        let Some(kind) = self.kind else {
            return if value == Value::Null && self.not_null { Fit::Refused } else { Fit::Kept };
        };
        let changed = |is_taken| if is_taken { Fit::Changed } else { Fit::Refused };
        match (kind, value) {
            (_, Value::Null) => {
                if self.not_null {
                    Fit::Refused
                } else {
                    Fit::Kept
                }
            }
            (Affinity::Integer | Affinity::Real, Value::Integer(_)) | (Affinity::Real, Value::Real(_)) => Fit::Kept,
            (Affinity::Text, Value::Text(_)) | (Affinity::Blob, Value::Blob(_)) => Fit::Kept,
            (Affinity::Text, Value::Integer(_) | Value::Real(_)) => Fit::Changed,
            (Affinity::Integer, Value::Real(real)) => changed(as_integer(real).is_some()),
            (Affinity::Integer | Affinity::Real, Value::Text(text)) => {
                let text = encoding.decode_lossy(text);
                changed(match number_in(text.as_bytes()) {
                    Some(Constant::Integer(_)) => true,
                    Some(Constant::Real(real)) => kind == Affinity::Real || as_integer(real).is_some(),
                    _ => false,
                })
            }
            _ => Fit::Refused,
        }
    }
}
