//! A backup as its host sees it: begun, gone on with from a saved state, given up. What it does is told in `story` and
//! `phases`.

use core::cell::RefCell;

use super::ask::{abort, is_recorded};
use super::host::Machine;
use super::load::Known;
use super::notes::{BackupOptions, Made, Notes, Shared};
use super::request::{Answer, Request};
use super::saved::{Phase, Saved};
use super::story::Story;
use super::{Id, Outcome};
use crate::snapshot::Writer;
/// A backup under way, or one that is given up.
pub struct Backup {
    machine: Machine<Option<Made>>,
    shared: Shared,
}

impl Backup {
    /// Begins. `known` is what the backup before has left ([`Backup::take_known`]).
    pub fn new(options: BackupOptions, known: Option<Known>) -> Self {
        let shared = Shared::new(RefCell::new(Notes { known, ..Notes::default() }));
        let notes = shared.clone();
        Self {
            machine: Machine::new(|host| async move { Story { host, notes }.tell(options).await.map(Some) }),
            shared,
        }
    }

    /// Goes on where [`Backup::save`] was called. `log` and `changed` are what it kept beside that.
    ///
    /// # Errors
    /// `SavedState`.
    pub fn resume(saved: &[u8], log: Vec<u8>, changed: Option<Vec<u32>>) -> Result<Self, crate::error::Error> {
        let (state, position, writer) = Saved::decode(saved, &log)?;
        let logged = writer.as_ref().map(Writer::logged).unwrap_or_default();
        let (at, phase) = (state.at.clone(), Some(state.phase));
        let shared = Notes { saved: saved.to_vec(), log, logged, changed, at, phase, ..Notes::default() };
        let shared = Shared::new(RefCell::new(shared));
        let notes = shared.clone();
        let story = |host| async move { Story { host, notes }.go_on(state, position, writer).await.map(Some) };
        Ok(Self { machine: Machine::new(story), shared })
    }

    /// Gives up what was saved: nothing of it stays in the store, unless the backup is made already.
    ///
    /// # Errors
    /// `SavedState`.
    pub fn abandon(saved: &[u8], log: &[u8]) -> Result<Self, crate::error::Error> {
        let (state, ..) = Saved::decode(saved, log)?;
        let story = |host| async move {
            if !is_recorded(&host, &state.draft).await? {
                abort(&host).await?;
            }
            Ok(None)
        };
        Ok(Self { machine: Machine::new(story), shared: Shared::default() })
    }

    /// See [`Machine::poll`].
    pub fn poll(&mut self, now_ms: i64) -> Option<(Id, Request)> {
        self.machine.poll(now_ms)
    }

    /// See [`Machine::answer`].
    pub fn answer(&mut self, id: Id, answer: Answer) {
        self.machine.answer(id, answer);
    }

    /// The backup once it is made, or `Some(Ok(None))` once it is given up.
    pub fn take_outcome(&mut self) -> Option<Outcome<Option<Made>>> {
        self.machine.take_outcome()
    }

    /// What the next backup of the same database can be begun with.
    pub fn take_known(&mut self) -> Option<Known> {
        self.shared.borrow_mut().known.take()
    }

    /// The state at the last [`Request::Save`]. Together with [`Backup::log_from`] and [`Backup::changed`] it is all that
    /// another process needs.
    pub fn save(&self) -> Vec<u8> {
        self.shared.borrow().saved.clone()
    }

    /// What comes next from there.
    pub fn phase(&self) -> Option<Phase> {
        self.shared.borrow().phase
    }

    /// The writer's log at that time from byte `from` on; it only grows at its end.
    pub fn log_from(&self, from: usize) -> Vec<u8> {
        self.shared.borrow().log.get(from..).unwrap_or_default().to_vec()
    }

    /// The numbers of the pages to pack; `None` when it is all of them. Never changes once the first state was saved.
    pub fn changed(&self) -> Option<Vec<u32>> {
        self.shared.borrow().changed.clone()
    }

    /// The source's name for the state that is backed up, once the first state was saved.
    pub fn at(&self) -> Option<String> {
        self.shared.borrow().at.clone()
    }
}
