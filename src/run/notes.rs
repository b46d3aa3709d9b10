//! What a backup is begun with, what it comes to, and what it leaves for its host on the way.

use core::cell::RefCell;
use std::rc::Rc;

use super::load::{Known, Place};
use super::saved::{Lack, Phase};
use super::states::Proved;
use crate::catalog::{Label, Layout, Record};
use crate::snapshot::Logged;

/// What is to be backed up, and how.
#[derive(Clone, Debug)]
pub struct BackupOptions {
    /// Where the backups are.
    pub place: Place,
    /// The database's name, for the record.
    pub name: String,
    /// Whether a restore makes it of what it is about to replace.
    pub safety: bool,
    /// Makes a full backup even where an incremental one would do.
    pub full: bool,
    /// The database is the one whose backups go by that name, whatever it looks like.
    pub same_database: bool,
    /// Whether who asks for it stores the states between the backups.
    pub watching: bool,
    /// Most pages of a batch.
    pub pages: Option<u32>,
    /// Whether the state is to be saved between steps ([`super::Request::Save`]). The source must name its states then.
    pub in_steps: bool,
    /// The source's name for the state to back up; the newest unless given.
    pub at: Option<String>,
    /// Why there is a backup.
    pub label: Label,
    /// Random bytes.
    pub random: [u8; 24],
}

/// A backup that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Made {
    /// Its record.
    pub record: Record,
    /// Why it is a full one; `None` when it is incremental.
    pub full_because: Option<String>,
    /// Whether that is because something stored is damaged.
    pub damaged: bool,
    /// What the database lacks.
    pub lack: Option<Lack>,
    /// How many pages a batch may have; `None` where the state was saved in between.
    pub most_pages: Option<u32>,
}

pub(super) type Shared = Rc<RefCell<Notes>>;

/// What the story leaves for its host.
#[derive(Default)]
pub(super) struct Notes {
    /// For the next backup.
    pub(super) known: Option<Known>,
    /// What was read of fingerprints.
    pub(super) proved: Proved,
    /// What was saved last, the writer's log at that time, and how much is in it.
    pub(super) saved: Vec<u8>,
    pub(super) log: Vec<u8>,
    pub(super) logged: Logged,
    /// The pages to pack, where they are not all.
    pub(super) changed: Option<Vec<u32>>,
    /// The source's name for the state that is backed up.
    pub(super) at: Option<String>,
    pub(super) phase: Option<Phase>,
}

impl BackupOptions {
    /// Notes of a backup whose options were settled when it was begun.
    pub(super) fn of_step() -> Self {
        let place = Place { segment: String::new(), layout: Layout::Folder };
        Self {
            place,
            name: String::new(),
            safety: false,
            full: false,
            same_database: false,
            watching: false,
            pages: None,
            in_steps: true,
            at: None,
            label: Label::default(),
            random: [0; 24],
        }
    }
}
