//! What statements say.

use serde::Serialize;

/// One statement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub enum Statement {
    /// `BACKUP …`
    Backup(Backup),
    /// `RESTORE …`
    Restore(Restore),
    /// `SHOW DATABASES`
    ShowDatabases,
    /// `SHOW BACKUPS …`
    ShowBackups {
        /// The only database that is meant; all unless given.
        database: Option<String>,
        /// In this store; in the usual one unless given.
        place: Option<Place>,
    },
    /// `SHOW BACKUP …`: what is in one.
    ShowBackup {
        /// Which; the newest unless given.
        at: Option<String>,
        /// The only database that is meant; all unless given.
        database: Option<String>,
        /// In this store; in the usual one unless given.
        place: Option<Place>,
    },
    /// `SHOW ORPHANED BACKUPS`: those of databases that were deleted.
    ShowOrphanedBackups,
    /// `CREATE SCHEDULE …`
    CreateSchedule(Schedule),
    /// `SHOW SCHEDULES`
    ShowSchedules,
    /// `PAUSE SCHEDULE …`
    PauseSchedule {
        /// Its name.
        name: String,
    },
    /// `RESUME SCHEDULE …`
    ResumeSchedule {
        /// Its name.
        name: String,
    },
    /// `DROP SCHEDULE …`
    DropSchedule {
        /// Its name.
        name: String,
    },
    /// `CHECKPOINT CREATE`, `SNAPSHOT PREPARE`
    CreateCheckpoint {
        /// The only database that is meant; all unless given.
        database: Option<String>,
    },
    /// `CHECKPOINT RELEASE`, `SNAPSHOT COMPLETE`
    ReleaseCheckpoint {
        /// The only database that is meant; all unless given.
        database: Option<String>,
    },
    /// `SHOW CHECKPOINTS`, `SELECT * FROM checkpoint_status()`
    ShowCheckpoints {
        /// The only database that is meant; all unless given.
        database: Option<String>,
    },
}

/// A store: one URL, or the URLs of the localities that it is made of. Never empty.
pub type Place = Vec<String>;

/// What is backed up or restored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Targets {
    /// Every database.
    All,
    /// These databases; at least one.
    Databases {
        /// Their names.
        names: Vec<String>,
    },
    /// These tables; at least one.
    Tables {
        /// Their names.
        names: Vec<TableName>,
    },
}

/// The name of a table, or of all tables of a database.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TableName {
    /// The database; the usual one unless given.
    pub database: Option<String>,
    /// The table; all of them (`*`) unless given.
    pub table: Option<String>,
}

/// What a backup is made on top of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Base {
    /// Whatever fits: without a destination, the usual store decides.
    Auto,
    /// Nothing: a full backup.
    Nothing,
    /// The newest backup at the destination.
    Latest,
    /// The backup at the destination that this moment means.
    Moment {
        /// Its id, a time, a bookmark.
        at: String,
    },
    /// The backups in these places; at least one.
    Places {
        /// The full backup's, and those of the incremental ones after it.
        places: Vec<Place>,
    },
}

/// `BACKUP …`
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Backup {
    /// What is backed up.
    pub targets: Targets,
    /// Where to; the usual store unless given, and then the base is [`Base::Auto`].
    pub place: Option<Place>,
    /// On top of what.
    pub base: Base,
    /// The state at this time; the newest unless given.
    pub at: Option<String>,
    /// Whether every state since the last backup must be restorable.
    pub revision_history: bool,
    /// A name for the backup.
    pub tag: Option<String>,
    /// What to remember of it.
    pub note: Option<String>,
}

/// `RESTORE …`
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Restore {
    /// What is restored.
    pub targets: Targets,
    /// Where from; the usual store when there is none.
    pub places: Vec<Place>,
    /// The state: a time, an id, a bookmark; the newest unless given.
    pub at: Option<String>,
    /// The database that tables go into; their own unless given.
    pub into_db: Option<String>,
    /// The name of the database that is made; its own unless given.
    pub new_db_name: Option<String>,
    /// Whether what is replaced is not backed up first.
    pub no_safety_backup: bool,
}

/// `CREATE SCHEDULE …`
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Schedule {
    /// Its name; one is made up unless given.
    pub name: Option<String>,
    /// Whether one of that name may be there.
    pub if_not_exists: bool,
    /// What is backed up: never tables.
    pub targets: Targets,
    /// Where to; the usual store unless given.
    pub place: Option<Place>,
    /// Whether every state between backups must be restorable.
    pub revision_history: bool,
    /// When: a cron expression, or a word such as `@daily`.
    pub recurring: String,
    /// Which backups are full ones.
    pub full: Full,
    /// The zone of the times, such as `Europe/Berlin`.
    pub timezone: Option<String>,
}

/// Which backups of a schedule are full ones.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Full {
    /// Those that must be.
    Auto,
    /// All of them.
    Always,
    /// The first of each of these times: a weekday, or a cron expression.
    Recurring {
        /// `Sunday`, `@weekly`, `0 1 * * 0` …
        times: String,
    },
}
