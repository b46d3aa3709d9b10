//! Machines of jobs. A request crosses as `[id, request, bytes, numbers]`, of which the last two may be missing; see the core's
//! `run::Request`.

use js_sys::Array;
use wasm_bindgen::prelude::*;

use super::JsResult;
use super::told::{Folder, MadeJson, VerificationJson, as_array, told};
use crate::catalog::record::{Object, Taken};
use crate::catalog::{self, Label, Layout, Target};
use crate::error::ErrorKind;
use crate::run::{
    self, Answer, FailureKind, HostFailure, Id, Known, ListedObject, Listing, Machine, Packers, Pinned, Place,
    StoredDatabase, Verification,
};

/// A job under way.
#[wasm_bindgen(js_name = Machine)]
pub struct JobMachine(Job);

enum Job {
    Backup(Box<run::Backup>),
    Load(Machine<catalog::Folder>, Option<catalog::Folder>),
    Verify(Machine<Verification>),
    Survey(Machine<Vec<StoredDatabase>>),
    Remove(Machine<()>),
}

/// What a backup has left for the next one of the same database; see the core's `run::Known`.
#[wasm_bindgen]
pub struct KnownFolder(pub(super) Known);

#[wasm_bindgen(js_class = Machine)]
impl JobMachine {
    /// Backs a database up; `known` is used up. `flags` are those of `safety`, `full`, `sameDatabase`, `inSteps`,
    /// `automatic` and `watching` that are set, by name, and `tag=…` and `note=…`, and `partial=…` for each table.
    #[expect(clippy::too_many_arguments, reason = "what reads structures is large")]
    pub fn backup(
        segment: String,
        layout: &str,
        name: String,
        flags: Vec<String>,
        pages: Option<u32>,
        at: Option<String>,
        random: &[u8],
        known: Option<KnownFolder>,
    ) -> JsResult<JobMachine> {
        let place = Place { segment, layout: parse_layout(layout)? };
        let has = |flag: &str| flags.iter().any(|set| set == flag);
        let text = |name: &str| flags.iter().find_map(|flag| flag.strip_prefix(name)).map(str::to_owned);
        let partial = flags.iter().filter_map(|flag| flag.strip_prefix("partial=")).map(str::to_owned).collect();
        let label = Label { tag: text("tag="), note: text("note="), automatic: has("automatic"), partial };
        let options = run::BackupOptions {
            place,
            name,
            safety: has("safety"),
            full: has("full"),
            same_database: has("sameDatabase"),
            watching: has("watching"),
            in_steps: has("inSteps"),
            pages,
            at,
            label,
            random: *random.first_chunk().ok_or(ErrorKind::Usage)?,
        };
        Ok(Self::of(run::Backup::new(options, known.map(|known| known.0))))
    }

    /// Goes on with a backup that was saved.
    pub fn resume(saved: &[u8], log: Vec<u8>, changed: Option<Vec<u32>>) -> JsResult<JobMachine> {
        Ok(Self::of(run::Backup::resume(saved, log, changed)?))
    }

    /// Gives a backup up that was saved.
    pub fn abandon(saved: &[u8], log: &[u8]) -> JsResult<JobMachine> {
        Ok(Self::of(run::Backup::abandon(saved, log)?))
    }

    /// Lists a database's folder and reads its records, as many as finding the states takes that `ats` mean; all without. With
    /// `states_at`, the time now, states between backups, too.
    pub fn load(segment: String, layout: &str, ats: Vec<String>, states_at: Option<f64>) -> JsResult<JobMachine> {
        let place = Place { segment, layout: parse_layout(layout)? };
        let states_at = states_at.map(|now_ms| now_ms as i64);
        let story = move |host| async move { run::load_for(&host, &place, &ats, states_at).await };
        Ok(Self(Job::Load(Machine::new(story), None)))
    }

    /// Verifies a database's backups, or the one that `at` means.
    pub fn verify(segment: String, layout: &str, at: Option<String>, now_ms: f64) -> JsResult<JobMachine> {
        let place = Place { segment, layout: parse_layout(layout)? };
        let target = at.map(|at| Target::parse(&at, now_ms as i64)).transpose()?;
        let story = move |host| async move { run::verify(&host, &place, target.as_ref()).await };
        Ok(Self(Job::Verify(Machine::new(story))))
    }

    /// Looks which databases have backups in a store.
    pub fn survey(layout: &str) -> JsResult<JobMachine> {
        let layout = parse_layout(layout)?;
        let story = move |host| async move { run::survey(&host, layout).await };
        Ok(Self(Job::Survey(Machine::new(story))))
    }

    /// Finishes the removals that did not come to their end, then removes the backups `ids`; `random` are 16 bytes.
    pub fn remove(segment: String, layout: &str, ids: Vec<String>, random: &[u8]) -> JsResult<JobMachine> {
        let place = Place { segment, layout: parse_layout(layout)? };
        let random = *random.first_chunk().ok_or(ErrorKind::Usage)?;
        let story = move |host| async move { run::remove(&host, &place, &ids, random).await };
        Ok(Self(Job::Remove(Machine::new(story))))
    }

    /// The next request; nothing when answers are needed first, or the job has ended.
    pub fn poll(&mut self, now_ms: f64) -> JsResult<Option<Array>> {
        let now_ms = now_ms as i64;
        let asked = match &mut self.0 {
            Job::Backup(backup) => backup.poll(now_ms),
            Job::Load(machine, _) => machine.poll(now_ms),
            Job::Verify(machine) => machine.poll(now_ms),
            Job::Survey(machine) => machine.poll(now_ms),
            Job::Remove(machine) => machine.poll(now_ms),
        };
        asked.map(|(id, request)| as_array(id, request)).transpose()
    }

    /// A request is done.
    pub fn done(&mut self, id: Id) {
        self.answer(id, Answer::Done);
    }

    /// A request gave bytes.
    pub fn bytes(&mut self, id: Id, bytes: Vec<u8>) {
        self.answer(id, Answer::Bytes(bytes));
    }

    /// A request gave a page of objects: their keys, and of each its size in bytes and its time in milliseconds since 1970.
    pub fn listing(&mut self, id: Id, keys: Vec<String>, sizes: &[f64], modified_ms: &[f64], cursor: Option<String>) {
        let facts = sizes.iter().zip(modified_ms).map(|(&size, &ms)| (size as u64, ms as i64));
        let objects = keys.into_iter().zip(facts);
        let objects = objects.map(|(key, (size, modified_ms))| ListedObject { key, size, modified_ms });
        self.answer(id, Answer::Listing(Listing { objects: objects.collect(), cursor }));
    }

    /// Pages can be packed.
    pub fn packers(&mut self, id: Id, concurrency: u32, batch: u32) {
        self.answer(id, Answer::Packers(Packers { concurrency, batch }));
    }

    /// A file is stored.
    pub fn proof(&mut self, id: Id, sha256: String, size: f64) {
        self.answer(id, Answer::Proof(Object { sha256, size: size as u64 }));
    }

    /// A moment is held. `said` are its mark, bookmark, checksum, checksum before, place and file.
    #[expect(clippy::too_many_arguments, reason = "what reads structures is large")]
    pub fn pinned(
        &mut self,
        id: Id,
        page_size: u32,
        page_count: u32,
        at_end: bool,
        beyond: u32,
        born_ms: Option<f64>,
        said: Vec<JsValue>,
        changed: Option<Vec<u32>>,
    ) {
        let mut said = said.into_iter().map(|text| text.as_string());
        let mut next = || said.next().flatten();
        let (mark, bookmark, checksum, checksum_before) = (next(), next(), next(), next());
        let (place, file) = (next(), next());
        let taken = if at_end { Taken::End } else { Taken::Start };
        let moment = Pinned {
            page_size,
            page_count,
            taken,
            mark,
            bookmark,
            checksum,
            checksum_before,
            place,
            file,
            born_ms,
            beyond,
            changed,
        };
        self.answer(id, Answer::Pinned(moment));
    }

    /// A request failed; `token` is what its host knows the failure by.
    pub fn fail(&mut self, id: Id, kind: &str, token: u32) {
        self.answer(id, Answer::Failed(HostFailure { kind: FailureKind::parse(kind), token }));
    }

    /// What the job came to: `{ result }` or `{ failure }`; nothing while it is under way.
    pub fn outcome(&mut self) -> JsResult<Option<JsValue>> {
        match &mut self.0 {
            Job::Backup(backup) => told(backup.take_outcome(), |made| made.map(MadeJson::from)),
            Job::Load(machine, folder) => told(machine.take_outcome(), |loaded| {
                *folder = Some(loaded);
            }),
            Job::Verify(machine) => told(machine.take_outcome(), VerificationJson::from),
            Job::Survey(machine) => told(machine.take_outcome(), |found| found),
            Job::Remove(machine) => told(machine.take_outcome(), |()| ()),
        }
    }

    /// The folder that was loaded.
    #[wasm_bindgen(js_name = takeFolder)]
    pub fn take_folder(&mut self) -> Option<Folder> {
        match &mut self.0 {
            Job::Load(_, folder) => folder.take().map(Folder),
            _ => None,
        }
    }

    /// What the next backup can be begun with.
    #[wasm_bindgen(js_name = takeKnown)]
    pub fn take_known(&mut self) -> Option<KnownFolder> {
        self.as_backup()?.take_known().map(KnownFolder)
    }

    /// The backup at the last request to save it.
    pub fn save(&mut self) -> Vec<u8> {
        self.as_backup().map(|backup| backup.save()).unwrap_or_default()
    }

    /// What comes next from there.
    pub fn phase(&mut self) -> Option<String> {
        self.as_backup()?.phase().map(|phase| phase.name().to_owned())
    }

    /// The writer's log at that time from byte `from` on; it only grows at its end.
    #[wasm_bindgen(js_name = logFrom)]
    pub fn log_from(&mut self, from: usize) -> Vec<u8> {
        self.as_backup().map(|backup| backup.log_from(from)).unwrap_or_default()
    }

    /// The numbers of the pages to pack; nothing when it is all of them.
    pub fn changed(&mut self) -> Option<Vec<u32>> {
        self.as_backup()?.changed()
    }

    /// The source's name for the state that is backed up.
    pub fn at(&mut self) -> Option<String> {
        self.as_backup()?.at()
    }

    fn of(backup: run::Backup) -> Self {
        Self(Job::Backup(Box::new(backup)))
    }

    fn as_backup(&mut self) -> Option<&mut run::Backup> {
        match &mut self.0 {
            Job::Backup(backup) => Some(backup),
            _ => None,
        }
    }

    fn answer(&mut self, id: Id, answer: Answer) {
        match &mut self.0 {
            Job::Backup(backup) => backup.answer(id, answer),
            Job::Load(machine, _) => machine.answer(id, answer),
            Job::Verify(machine) => machine.answer(id, answer),
            Job::Survey(machine) => machine.answer(id, answer),
            Job::Remove(machine) => machine.answer(id, answer),
        }
    }
}

pub(super) fn parse_layout(layout: &str) -> JsResult<Layout> {
    match layout {
        "folder" => Ok(Layout::Folder),
        "bucket" => Ok(Layout::Bucket),
        _ => Err(ErrorKind::Usage.into()),
    }
}
