//! Statements as text, which parses to an equal statement.

use core::fmt::{self, Display, Formatter, Write};

use super::syntax::{Backup, Base, Full, Place, Restore, Schedule, Statement, TableName, Targets};
use super::words::is_reserved;

impl Display for Statement {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Backup(backup) => write!(f, "{backup}"),
            Self::Restore(restore) => write!(f, "{restore}"),
            Self::ShowDatabases => f.write_str("SHOW DATABASES"),
            Self::ShowBackups { database, place } => {
                f.write_str("SHOW BACKUPS")?;
                if_some(f, " FROM ", database.as_deref().map(Name))?;
                if_some(f, " IN ", place.as_ref().map(At))
            }
            Self::ShowBackup { at, database, place } => {
                f.write_str("SHOW BACKUP")?;
                if_some(f, " ", at.as_deref().map(Text))?;
                if_some(f, " FROM ", database.as_deref().map(Name))?;
                if_some(f, " IN ", place.as_ref().map(At))
            }
            Self::ShowOrphanedBackups => f.write_str("SHOW ORPHANED BACKUPS"),
            Self::CreateSchedule(schedule) => write!(f, "{schedule}"),
            Self::ShowSchedules => f.write_str("SHOW SCHEDULES"),
            Self::PauseSchedule { name } => write!(f, "PAUSE SCHEDULE {}", Name(name)),
            Self::ResumeSchedule { name } => write!(f, "RESUME SCHEDULE {}", Name(name)),
            Self::DropSchedule { name } => write!(f, "DROP SCHEDULE {}", Name(name)),
            Self::CreateCheckpoint { database } => of_database(f, "CHECKPOINT CREATE", database),
            Self::ReleaseCheckpoint { database } => of_database(f, "CHECKPOINT RELEASE", database),
            Self::ShowCheckpoints { database } => of_database(f, "SHOW CHECKPOINTS", database),
        }
    }
}

impl Display for Backup {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "BACKUP{}", self.targets)?;
        let to = match &self.base {
            Base::Latest => " INTO LATEST IN ".to_owned(),
            Base::Moment { at } => format!(" INTO {} IN ", Text(at)),
            _ => " TO ".to_owned(),
        };
        if_some(f, &to, self.place.as_ref().map(At))?;
        if_some(f, " AS OF SYSTEM TIME ", self.at.as_deref().map(Text))?;
        if let Base::Places { places } = &self.base {
            write!(f, " INCREMENTAL FROM {}", List(places, At))?;
        }
        let history = self.revision_history.then(|| "revision_history".to_owned());
        with(f, [history, setting("tag", self.tag.as_deref()), setting("note", self.note.as_deref())])
    }
}

impl Display for Restore {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "RESTORE{}", self.targets)?;
        if !self.places.is_empty() {
            write!(f, " FROM {}", List(&self.places, At))?;
        }
        if_some(f, " AS OF SYSTEM TIME ", self.at.as_deref().map(Text))?;
        let bare = self.no_safety_backup.then(|| "no_safety_backup".to_owned());
        let into = setting("into_db", self.into_db.as_deref());
        with(f, [into, setting("new_db_name", self.new_db_name.as_deref()), bare])
    }
}

impl Display for Schedule {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("CREATE SCHEDULE")?;
        if self.if_not_exists {
            f.write_str(" IF NOT EXISTS")?;
        }
        if_some(f, " ", self.name.as_deref().map(Name))?;
        write!(f, " FOR BACKUP{}", self.targets)?;
        if_some(f, " INTO ", self.place.as_ref().map(At))?;
        with(f, [self.revision_history.then(|| "revision_history".to_owned())])?;
        write!(f, " RECURRING {}", Text(&self.recurring))?;
        match &self.full {
            Full::Auto => Ok(()),
            Full::Always => f.write_str(" FULL BACKUP ALWAYS"),
            Full::Recurring { times } => write!(f, " FULL BACKUP {}", Text(times)),
        }?;
        if_some(f, " WITH SCHEDULE OPTIONS timezone = ", self.timezone.as_deref().map(Text))
    }
}

impl Display for Targets {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str(" DATABASE"),
            Self::Databases { names } => write!(f, " DATABASE {}", List(names, |name| Name(name))),
            Self::Tables { names } => write!(f, " TABLE {}", List(names, |name| name)),
        }
    }
}

impl Display for TableName {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if let Some(database) = &self.database {
            write!(f, "{}.", Name(database))?;
        }
        match &self.table {
            Some(table) => write!(f, "{}", Name(table)),
            None => f.write_char('*'),
        }
    }
}

/// A name, in quotes where it would not be read as one word.
struct Name<'a>(&'a str);

impl Display for Name<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self(name) = self;
        let is_word = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        let is_keyword = is_reserved(name) || ["if", "latest"].iter().any(|word| name.eq_ignore_ascii_case(word));
        if is_word && !name.is_empty() && !is_keyword {
            return f.write_str(name);
        }
        write!(f, "\"{}\"", name.replace('"', "\"\""))
    }
}

/// A text in single quotes.
struct Text<'a>(&'a str);

impl Display for Text<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "'{}'", self.0.replace('\'', "''"))
    }
}

/// A store: one URL, or several in parentheses.
struct At<'a>(&'a Place);

impl Display for At<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.0.as_slice() {
            [one] => write!(f, "{}", Text(one)),
            several => write!(f, "({})", List(several, |url| Text(url))),
        }
    }
}

/// `a, b, c`.
struct List<'a, T, S>(&'a [T], fn(&'a T) -> S);

impl<T, S: Display> Display for List<'_, T, S> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for (at, one) in self.0.iter().enumerate() {
            let comma = if at > 0 { ", " } else { "" };
            write!(f, "{comma}{}", self.1(one))?;
        }
        Ok(())
    }
}

fn if_some(f: &mut Formatter<'_>, before: &str, what: Option<impl Display>) -> fmt::Result {
    what.map_or(Ok(()), |what| write!(f, "{before}{what}"))
}

fn of_database(f: &mut Formatter<'_>, words: &str, database: &Option<String>) -> fmt::Result {
    f.write_str(words)?;
    if_some(f, " ", database.as_deref().map(Name))
}

fn setting(name: &str, value: Option<&str>) -> Option<String> {
    value.map(|value| format!("{name} = {}", Text(value)))
}

fn with<const N: usize>(f: &mut Formatter<'_>, settings: [Option<String>; N]) -> fmt::Result {
    let given: Vec<String> = settings.into_iter().flatten().collect();
    if given.is_empty() { Ok(()) } else { write!(f, " WITH {}", given.join(", ")) }
}
