//! A backup in pieces: each in a new instance with its own fuel, from the state that the one before has saved.

use std::collections::HashMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::Made;
use crate::backups::{Backups, Options};
use crate::bindings::exports::pagemark::core::machines::{Ask, Beginning, Given, Outcome, Report, Subject};
use crate::bindings::pagemark::core::types::{self, Fault, Place};
use crate::error::{Error, Result};
use crate::job::Lent;
use crate::lend::{Database, Failure, Files, Progress, Upload, failure};

/// Of the fuel of a piece, how much may be burnt between two saved states.
const SHARE: u64 = 8;
/// Without fuel: how many chances to save are passed over.
const CHANCES: u32 = 16;

/// A backup in pieces.
///
/// ```no_run
/// # fn go(backups: pagemark_host::Backups) -> Result<(), pagemark_host::Error> {
/// let database = pagemark_host::FileDatabase::new("app.db");
/// let mut steps = backups.begin(database, &Default::default(), |_| true);
/// let made = loop {
///     // Between two pieces anything may happen: `steps.save()` gives bytes from which another process goes on.
///     if let Some(made) = steps.step()? {
///         break made;
///     }
/// };
/// # Ok(())
/// # }
/// ```
pub struct Steps {
    backups: Backups,
    options: Options,
    database: Box<dyn Database>,
    /// What is pinned, and stays so from one piece to the next.
    pinned: Option<Files>,
    uploads: HashMap<u32, Box<dyn Upload>>,
    /// Names of objects that another process has begun.
    left: HashMap<u32, String>,
    saved: Option<Vec<u8>>,
    on_progress: Box<dyn FnMut(Progress) -> bool + Send>,
}

impl Steps {
    pub(crate) fn new(
        backups: Backups,
        options: Options,
        database: impl Database + 'static,
        on_progress: impl FnMut(Progress) -> bool + Send + 'static,
    ) -> Self {
        let (database, on_progress) = (Box::new(database), Box::new(on_progress));
        let (uploads, left) = (HashMap::new(), HashMap::new());
        Self { backups, options, database, pinned: None, uploads, left, saved: None, on_progress }
    }

    pub(crate) fn resume(mut self, saved: &[u8]) -> Result<Self> {
        let mut rest = saved;
        let count = take(&mut rest, 4)?;
        for _ in 0..number(count) {
            let upload = number(take(&mut rest, 4)?);
            let length = number(take(&mut rest, 4)?) as usize;
            let name = std::str::from_utf8(take(&mut rest, length)?).map_err(|_| damaged())?;
            self.left.insert(upload, name.to_owned());
        }
        self.saved = Some(rest.to_vec());
        Ok(self)
    }

    /// Goes on until the backup is made, or until its fuel is used up: nothing then, and the next call goes on.
    ///
    /// # Errors
    /// As [`Backups::create`]; [`Error::OutOfFuel`] when the fuel does not suffice to get anywhere. After an error other
    /// than these two the backup is over.
    pub fn step(&mut self) -> Result<Option<Made>> {
        let mut job = self.backups.begin_job(Lent::new(self.backups.store()))?;
        let (name, layout) = (self.backups.name().to_owned(), self.backups.store().layout());
        let (saved, flags) = (self.saved.clone(), self.options.flags());
        let mut has_saved = false;
        let outcome = job.call(|wasm, exports| {
            let jobs = exports.pagemark_core_machines().job();
            let begun = match &saved {
                Some(saved) => jobs.call_resume(&mut *wasm, saved)?,
                None => jobs.call_back_up(&mut *wasm, &Subject { name, layout }, flags, true, &random())?,
            };
            let machine = match begun {
                Ok(machine) => machine,
                Err(error) => return Ok(Err(error)),
            };
            let (mut burnt_at, mut chances) = (wasm.get_fuel().unwrap_or(0), 0);
            let share = burnt_at / SHARE;
            while let Some((id, ask)) = jobs.call_poll(&mut *wasm, machine, now_ms())? {
                if matches!(ask, Ask::Save) {
                    chances += 1;
                    let left = wasm.get_fuel().unwrap_or(0);
                    let is_due = if share > 0 { burnt_at - left >= share } else { chances % CHANCES == 0 };
                    if is_due || !has_saved {
                        self.saved = jobs.call_save(&mut *wasm, machine)?;
                        (burnt_at, has_saved) = (wasm.get_fuel().unwrap_or(0), true);
                    }
                }
                if matches!(ask, Ask::Finish(_)) {
                    // What was saved before does not hold once an object is there that it would append to.
                    (self.saved, has_saved) = (jobs.call_save(&mut *wasm, machine)?, true);
                }
                let given = self.perform(ask).unwrap_or_else(Given::Failed);
                jobs.call_give(&mut *wasm, machine, id, &given)?;
            }
            let outcome = jobs.call_take_outcome(&mut *wasm, machine)?;
            Ok(outcome.unwrap_or_else(|| Err(types::Error::Defect(unasked()))))
        });
        match outcome {
            Ok(Outcome::Made(made)) => Ok(Some(made)),
            Ok(_) => Err(Error::Defect(unasked())),
            // What was not saved of the first piece is begun anew.
            Err(Error::OutOfFuel) if has_saved => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// What another process goes on from, with [`Backups::resume`]; nothing before the first piece has come so far. The
    /// objects that are under way outlive this process from now on.
    pub fn save(&mut self) -> Option<Vec<u8>> {
        let saved = self.saved.as_ref()?;
        let names = self.uploads.iter_mut().filter_map(|(&upload, begun)| Some((upload, begun.keep(true)?)));
        let names: Vec<_> = names.chain(self.left.iter().map(|(&upload, name)| (upload, name.clone()))).collect();
        let mut out = (names.len() as u32).to_le_bytes().to_vec();
        for (upload, name) in names {
            out.extend_from_slice(&upload.to_le_bytes());
            out.extend_from_slice(&(name.len() as u32).to_le_bytes());
            out.extend_from_slice(name.as_bytes());
        }
        out.extend_from_slice(saved);
        Some(out)
    }

    fn perform(&mut self, ask: Ask) -> std::result::Result<Given, Failure> {
        let store = self.backups.store();
        match ask {
            Ask::ListPage(asked) => return store.list(&asked.prefix, asked.cursor.as_deref()).map(Given::Listed),
            Ask::Get(range) => return store.get(&range.key, range.offset, range.length).map(Given::Bytes),
            Ask::Delete(key) => store.delete(&key)?,
            Ask::Create(Beginning { upload, key, modified_ms, .. }) => {
                let begun = store.create(&key, modified_ms)?;
                self.uploads.insert(upload, begun);
            }
            Ask::Resume(Beginning { upload, key, modified_ms, size }) => {
                if let Some(name) = self.left.remove(&upload) {
                    self.uploads.insert(upload, store.reopen(&name, &key, modified_ms)?);
                }
                self.upload(upload)?.truncate(size)?;
            }
            Ask::Append(piece) => self.upload(piece.upload)?.append(&piece.bytes)?,
            Ask::Finish(upload) => {
                self.uploads.remove(&upload).ok_or(Failure::Missing)?.finish()?;
            }
            Ask::Abort(upload) => {
                if let Some(mut begun) = self.uploads.remove(&upload) {
                    begun.keep(false);
                }
            }
            Ask::Pin => {
                if self.pinned.is_none() {
                    self.pinned = Some(self.database.pin()?);
                }
                return self.pinned.clone().map(Given::Pinned).ok_or(Failure::Missing);
            }
            Ask::Read(extent) => {
                return self.database.read(extent.part, extent.offset, extent.length).map(Given::Bytes);
            }
            Ask::Release => {
                self.pinned = None;
                self.database.release()?;
            }
            Ask::Wait(ms) => std::thread::sleep(Duration::from_millis(ms.into())),
            Ask::Progress(Report { phase, done, total }) => {
                if !(self.on_progress)(Progress { phase, done, total }) {
                    return Err(Failure::Canceled);
                }
            }
            Ask::Write(_) => return Err(failure("HOST_ANSWER", "nothing takes what this job writes")),
            Ask::Save => {}
        }
        Ok(Given::Done)
    }

    fn upload(&mut self, upload: u32) -> std::result::Result<&mut Box<dyn Upload>, Failure> {
        self.uploads.get_mut(&upload).ok_or(Failure::Missing)
    }
}

/// In milliseconds since 1970.
fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64)
}

/// Without random numbers there are none, which the component refuses.
fn random() -> Vec<u8> {
    let mut bytes = vec![0; 24];
    getrandom::fill(&mut bytes).map_or(Vec::new(), |()| bytes)
}

fn take<'a>(rest: &mut &'a [u8], length: usize) -> Result<&'a [u8]> {
    let (taken, left) = rest.split_at_checked(length).ok_or_else(damaged)?;
    *rest = left;
    Ok(taken)
}

fn number(bytes: &[u8]) -> u32 {
    bytes.first_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes))
}

fn damaged() -> Error {
    let message = "the saved state is damaged, or was written by another version; begin the backup anew".to_owned();
    Error::Caller(Fault { code: "SAVED_STATE".to_owned(), message, at: Place::Whole, name: None })
}

fn unasked() -> Fault {
    let message = "the component ended without an outcome; this is a defect of Pagemark".to_owned();
    Fault { code: "WASM_STOPPED".to_owned(), message, at: Place::Whole, name: None }
}
