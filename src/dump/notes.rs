//! What a dump does not carry.

use super::options::Dialect;

/// Tables with more to say than this are counted together.
const MOST: usize = 1000;
/// What all sentences may take, in bytes.
const ROOM: usize = 1 << 20;
/// Names are cut to so many bytes, or a few less. A hostile one can be as long as the schema, and is said often.
const NAME: usize = 1000;
/// How much of the SQL may be warnings at its start, in bytes: with the first statement it has to be one that D1 takes.
const HEADER: usize = 32 << 10;

/// Sentences about the whole, and counts of rows by table and reason.
#[derive(Clone, Debug, Default)]
pub(super) struct Notes {
    sentences: Vec<String>,
    /// What they take, in bytes.
    size: usize,
    /// In order.
    counts: Vec<((usize, Loss), u64)>,
    /// Names of the tables that are counted.
    tables: Vec<String>,
    is_complete: bool,
}

/// Why values or rows are not carried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Loss {
    /// Text after a NUL.
    AfterNul,
    /// Text that is not valid UTF-16.
    Text,
    /// Values that the column's type will change.
    Type,
    /// Values of rows that are older than a column whose default is not a constant.
    Default,
    /// Rows longer than the target takes.
    Long,
    /// Rows that go in on their own, as a table that is as theirs refuses them.
    Alone,
    /// Rows that are left out, as their table refuses them.
    LeftOut,
    /// Rows WITHOUT ROWID that no SQLite takes.
    NullKey,
}

impl Loss {
    fn sentence(self) -> &'static str {
        match self {
            Self::AfterNul => "text after a NUL is cut off, as the sqlite3 shell does",
            Self::Text => "text that is not valid UTF-16 has U+FFFD in place of what is not",
            Self::Type => "a value is not of its column's type, which will change it when it is inserted",
            Self::Default => "a row is older than a column whose default cannot be read, and gets NULL for it",
            Self::Long => "a row is longer than the 2,000,000 bytes that D1 takes",
            Self::Alone => "a row breaks NOT NULL or STRICT, and only goes into a table without that",
            Self::NullKey => "a row has NULL in a PRIMARY KEY WITHOUT ROWID, which SQLite refuses; it is lost",
            Self::LeftOut => "a row breaks NOT NULL or STRICT, so that D1 would refuse everything; it is left out",
        }
    }
}

impl Notes {
    pub(super) fn say(&mut self, sentence: String) {
        let has_room = self.sentences.len() < MOST && self.size + sentence.len() <= ROOM;
        if !self.is_complete && has_room && !self.sentences.contains(&sentence) {
            self.size += sentence.len();
            self.sentences.push(sentence);
        }
    }

    pub(super) fn count(&mut self, table: &str, loss: Loss) {
        self.count_many(table, loss, 1);
    }

    fn count_many(&mut self, table: &str, loss: Loss, count: u64) {
        if self.is_complete {
            return;
        }
        let table = short(table);
        let known = self.tables.iter().rposition(|name| name == table);
        let index = known.unwrap_or_else(|| {
            if self.tables.len() == MOST {
                return MOST;
            }
            self.tables.push(table.to_owned());
            self.tables.len() - 1
        });
        let place = self.counts.partition_point(|&(key, _)| key < (index, loss));
        match self.counts.get_mut(place) {
            Some((key, counted)) if *key == (index, loss) => *counted += count,
            _ => self.counts.insert(place, ((index, loss), count)),
        }
    }

    /// What was counted, of all tables together: each reason's number, and how often.
    pub(super) fn losses(&self) -> Vec<(u32, u64)> {
        self.counts.iter().map(|&((_, loss), count)| (loss as u32, count)).collect()
    }

    /// Counts what another counted of `table`, one of [`Notes::losses`].
    pub(super) fn add(&mut self, table: &str, (number, count): (u32, u64)) {
        let losses = [Loss::AfterNul, Loss::Text, Loss::Type, Loss::Default, Loss::Long, Loss::NullKey];
        if let Some(loss) = losses.into_iter().find(|&loss| loss as u32 == number) {
            self.count_many(table, loss, count);
        }
    }

    /// All was said: what is gone through again has nothing to add.
    pub(super) fn complete(&mut self) {
        self.is_complete = true;
    }

    /// Appends the comment that SQL begins with: what it is, and what it lacks. The shell's dialects have none.
    pub(super) fn write_header(&self, out: &mut Vec<u8>, dialect: Dialect) {
        let what = match dialect {
            Dialect::Shell(_) => return,
            Dialect::Sqlite => "SQL for any sqlite3 since 3.37",
            Dialect::D1 => "SQL for D1 and Durable Objects",
        };
        out.extend_from_slice(format!("-- Dumped by Pagemark: {what}.\n").as_bytes());
        let mut room = HEADER;
        for line in self.lines() {
            let line = format!("-- WARNING: {line}\n");
            match room.checked_sub(line.len()) {
                Some(left) => room = left,
                None => {
                    out.extend_from_slice(b"-- WARNING: there are more, which have no room here\n");
                    break;
                }
            }
            out.extend_from_slice(line.as_bytes());
        }
    }

    /// One a line, without an end.
    pub(super) fn lines(&self) -> impl Iterator<Item = String> {
        let counted = self.counts.iter().map(|&((index, loss), count)| {
            let table = self.tables.get(index).map_or("other tables", String::as_str);
            format!("{table}: {} ({count} times)", loss.sentence())
        });
        self.sentences.iter().map(|sentence| sentence.replace(['\n', '\r'], " ")).chain(counted)
    }
}

/// The start of a name, long enough for people.
pub(super) fn short(name: &str) -> &str {
    if name.len() > NAME { name.split_at(name.floor_char_boundary(NAME)).0 } else { name }
}
