//! A host in memory: a store, a database of pages, and whatever can go wrong between them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::catalog::record::{Object, Taken};
use crate::page::{Checksum, PageSize, Pgno};
use crate::run::{
    Answer, Backup, FailureKind, File, HostFailure, Id, Known, ListedObject, Listing, Machine, Made, Outcome, Packers,
    Pinned, Request,
};
use crate::snapshot::{Packer, PageState, Sha256, hex_digits};

pub(super) const SIZE: usize = 512;
pub(super) const PREFIX: &str = "app/";

/// How requests are answered.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Manner {
    /// The request with this number, counted from 1, fails once.
    pub(super) fails: Option<usize>,
    /// Whether it is done all the same, and only its answer is lost.
    pub(super) done_all_the_same: bool,
    /// Those under way are answered in reverse.
    pub(super) reversed: bool,
    /// Each answer comes twice, and once more when nobody waits.
    pub(super) twice: bool,
    /// The process ends at the save with this number; another goes on from what was saved before, or at that moment.
    pub(super) ends_at_save: Option<usize>,
}

/// All that outlives a process.
#[derive(Clone, Default)]
pub(super) struct World {
    pub(super) objects: BTreeMap<String, (Vec<u8>, i64)>,
    /// The pages of the database, each filled with a byte but the first.
    pub(super) pages: Vec<u8>,
    /// What the source tells of what changed since the last backup.
    pub(super) changed: Option<Vec<u32>>,
    /// Whether it tells the checksums, too.
    pub(super) tells: bool,
    /// The database checksum at the last backup.
    pub(super) before: Option<Checksum>,
    /// Whether the source names its states.
    pub(super) names: bool,
    /// Whether the store gives objects times of its own.
    pub(super) has_own_times: bool,
    pub(super) now_ms: i64,
    /// Requests by their kind.
    pub(super) counts: BTreeMap<String, usize>,
}

/// What belongs to one process.
#[derive(Default)]
pub(super) struct Process {
    files: BTreeMap<&'static str, (String, Vec<u8>, i64)>,
    packs: BTreeMap<Id, Vec<u8>>,
    readers: BTreeMap<String, usize>,
    is_pinned: bool,
    /// Keys of the objects that it made; `None` where nobody else makes any.
    made: Option<BTreeSet<String>>,
}

impl Process {
    /// One of several, which make objects, too.
    pub(super) fn among_others() -> Self {
        Self { made: Some(BTreeSet::new()), ..Self::default() }
    }

    fn is_maker(&self, key: &str) -> bool {
        self.made.as_ref().is_none_or(|made| made.contains(key))
    }
}

/// What a process saves.
#[derive(Clone, Default)]
pub(super) struct Kept {
    head: Vec<u8>,
    index: Vec<u8>,
    changed: Option<Vec<u32>>,
    files: BTreeMap<&'static str, (String, Vec<u8>, i64)>,
}

/// How a run ended.
pub(super) struct Run {
    pub(super) outcome: Outcome<Option<Made>>,
    pub(super) known: Option<Known>,
    pub(super) requests: usize,
    pub(super) saves: usize,
}

impl World {
    pub(super) fn of(pages: &[u8]) -> Self {
        Self { pages: pages.to_vec(), now_ms: 1_700_000_000_000, ..Self::default() }
    }

    /// Runs a machine to its end, in as many processes as `manner` wants.
    pub(super) fn run(&mut self, mut backup: Backup, manner: Manner) -> Run {
        let mut process = Process::default();
        let (mut requests, mut saves) = (0, 0);
        let mut kept: Option<Kept> = None;
        let mut answers: VecDeque<(Id, Answer)> = VecDeque::new();
        loop {
            self.now_ms += 1;
            while let Some((id, request)) = backup.poll(self.now_ms) {
                requests += 1;
                if request == Request::Save {
                    saves += 1;
                    let before = kept.replace(keep(&backup, &process));
                    if manner.ends_at_save == Some(saves) {
                        // The state of before: the step is made again.
                        let from = before.or(kept.clone()).unwrap();
                        process = Process { files: from.files.clone(), ..Process::default() };
                        backup = Backup::resume(&from.head, from.index.clone(), from.changed.clone()).unwrap();
                        answers.clear();
                        continue;
                    }
                }
                answers.push_back((id, self.answer(&mut process, id, request, manner, requests)));
            }
            let next = if manner.reversed { answers.pop_back() } else { answers.pop_front() };
            let Some((id, answer)) = next else { break };
            if manner.twice {
                backup.answer(id + 1000, Answer::Done);
                backup.answer(id, answer.clone());
                backup.answer(id, Answer::Bytes(vec![1, 2, 3]));
            } else {
                backup.answer(id, answer);
            }
        }
        let outcome = backup.take_outcome().expect("a machine that asks for nothing has ended");
        Run { outcome, known: backup.take_known(), requests, saves }
    }

    /// Runs a machine that is not saved to its end.
    pub(super) fn drive<T>(&mut self, mut machine: Machine<T>, manner: Manner) -> (Outcome<T>, usize) {
        let mut process = Process::default();
        let mut requests = 0;
        let mut answers: VecDeque<(Id, Answer)> = VecDeque::new();
        loop {
            self.now_ms += 1;
            while let Some((id, request)) = machine.poll(self.now_ms) {
                requests += 1;
                answers.push_back((id, self.answer(&mut process, id, request, manner, requests)));
            }
            let next = if manner.reversed { answers.pop_back() } else { answers.pop_front() };
            let Some((id, answer)) = next else { break };
            machine.answer(id, answer.clone());
            if manner.twice {
                machine.answer(id, answer);
            }
        }
        (machine.take_outcome().expect("a machine that asks for nothing has ended"), requests)
    }

    /// The answer to the request with this number.
    fn answer(&mut self, process: &mut Process, id: Id, request: Request, manner: Manner, number: usize) -> Answer {
        let fails = manner.fails == Some(number);
        let answer = match fails && !manner.done_all_the_same {
            true => Answer::Done,
            false => self.perform(process, id, request),
        };
        if fails { failed(FailureKind::Other) } else { answer }
    }

    pub(super) fn perform(&mut self, process: &mut Process, id: Id, request: Request) -> Answer {
        let kind = serde_json::to_value(&request).unwrap()["kind"].as_str().unwrap().to_owned();
        *self.counts.entry(kind).or_default() += 1;
        match request {
            Request::List { prefix, cursor } => self.list(&prefix, cursor.as_deref()),
            Request::Get { key, .. } => {
                self.objects.get(&key).map_or(failed(FailureKind::Missing), |(bytes, _)| Answer::Bytes(bytes.clone()))
            }
            Request::Put { key, bytes, modified_ms } => self.put(key, bytes, modified_ms),
            Request::Delete { key } | Request::Remove { key } => {
                self.objects.remove(&key);
                Answer::Done
            }
            Request::Read { key, proof } => self.read(process, key, &proof),
            Request::Pin { at, .. } => {
                process.is_pinned = true;
                Answer::Pinned(self.pinned(at.as_deref()))
            }
            Request::ReadPages { first, count } => {
                assert!(process.is_pinned, "a page is read of no moment");
                Answer::Bytes((first..first + count).flat_map(|pgno| self.page(pgno)).collect())
            }
            Request::Release => {
                process.is_pinned = false;
                Answer::Done
            }
            Request::OpenPackers { .. } => Answer::Packers(Packers { concurrency: 3, batch: 4 * SIZE as u32 }),
            Request::Pack { runs, states } => self.pack(process, id, &runs, states.as_deref()),
            Request::Create { file, key, modified_ms } => {
                process.files.insert(name(file), (key, Vec::new(), modified_ms));
                Answer::Done
            }
            Request::Append { file, bytes } => append(process, file, &bytes),
            Request::AppendPacked { pack, fingerprints, .. } => {
                let frames = process.packs.remove(&pack).expect("frames of a pack, once");
                append(process, File::Ltx, &frames);
                append(process, File::Fingerprints, &fingerprints)
            }
            Request::Finish { file } => {
                let (key, bytes, modified_ms) = process.files[name(file)].clone();
                let proof = proof_of(&bytes);
                match self.objects.get(&key) {
                    // The same bytes once more, as after an end between storing and keeping the state.
                    Some((there, _)) if *there == bytes && process.is_maker(&key) => Answer::Proof(proof),
                    Some(_) => failed(FailureKind::Exists),
                    None => {
                        if let Some(made) = &mut process.made {
                            made.insert(key.clone());
                        }
                        self.objects.insert(key, (bytes, self.time_of(modified_ms)));
                        Answer::Proof(proof)
                    }
                }
            }
            Request::Abort { file } => {
                if let Some((key, bytes, _)) = process.files.remove(name(file))
                    && process.is_maker(&key)
                    && self.objects.get(&key).is_some_and(|(there, _)| *there == bytes)
                {
                    self.objects.remove(&key);
                }
                Answer::Done
            }
            Request::OpenStored { .. } | Request::ReadStored { .. } => failed(FailureKind::Other),
            Request::Prove { file, .. } => match self.objects.get(&file.key) {
                None => failed(FailureKind::Missing),
                Some((bytes, _)) if Some(&proof_of(bytes).sha256) != file.sha256.as_ref() => {
                    failed(FailureKind::Damaged)
                }
                Some(_) => Answer::Done,
            },
            Request::PutTogether { .. } => Answer::Done,
            Request::Wait { .. } | Request::Save | Request::Close { .. } | Request::CloseStored => Answer::Done,
        }
    }

    fn list(&self, prefix: &str, cursor: Option<&str>) -> Answer {
        let keys = self.objects.iter().filter(|(key, _)| key.starts_with(prefix));
        let mut left = keys.filter(|(key, _)| cursor.is_none_or(|cursor| key.as_str() > cursor));
        let listed = |(key, (bytes, modified_ms)): (&String, &(Vec<u8>, i64))| ListedObject {
            key: key.clone(),
            size: bytes.len() as u64,
            modified_ms: *modified_ms,
        };
        // Pages of two, so that there are several.
        let objects: Vec<_> = left.by_ref().take(2).map(listed).collect();
        let cursor = left.next().and(objects.last()).map(|last| last.key.clone());
        Answer::Listing(Listing { objects, cursor })
    }

    fn put(&mut self, key: String, bytes: Vec<u8>, modified_ms: i64) -> Answer {
        if self.objects.contains_key(&key) {
            return failed(FailureKind::Exists);
        }
        self.objects.insert(key, (bytes, self.time_of(modified_ms)));
        Answer::Done
    }

    fn time_of(&self, given: i64) -> i64 {
        if self.has_own_times { self.now_ms + 5 } else { given }
    }

    /// Seven bytes at a time.
    fn read(&self, process: &mut Process, key: String, proof: &Object) -> Answer {
        let Some((bytes, _)) = self.objects.get(&key) else { return failed(FailureKind::Missing) };
        if proof_of(bytes) != *proof {
            return failed(FailureKind::Damaged);
        }
        let at = process.readers.entry(key).or_default();
        let chunk = bytes.get(*at..).unwrap_or_default();
        let chunk = chunk.get(..7.min(chunk.len())).unwrap_or_default().to_vec();
        *at += chunk.len();
        Answer::Bytes(chunk)
    }

    fn pinned(&self, at: Option<&str>) -> Pinned {
        let checksum = self.checksum();
        let tells = |checksum: Option<Checksum>| checksum.filter(|_| self.tells).map(|checksum| checksum.to_string());
        let bookmark = self.names.then(|| format!("state-{checksum}"));
        assert!(at.is_none() || self.names);
        Pinned {
            page_size: SIZE as u32,
            page_count: self.pages.len() as u32,
            taken: Taken::Start,
            mark: None,
            bookmark,
            checksum: tells(Some(checksum)),
            checksum_before: tells(self.before),
            place: None,
            file: None,
            born_ms: None,
            beyond: 0,
            changed: self.changed.clone(),
        }
    }

    fn pack(&self, process: &mut Process, id: Id, runs: &[u32], states: Option<&[u8]>) -> Answer {
        assert!(process.is_pinned, "pages are packed of no moment");
        let mut packer = Packer::new(PageSize::new(SIZE as u32).unwrap());
        let mut states = states.map(|states| states.chunks(24));
        for run in runs.chunks(2) {
            let [first, count] = *run else { unreachable!("runs are pairs") };
            let bytes: Vec<u8> = (first..first + count).flat_map(|pgno| self.page(pgno)).collect();
            let before = states.as_mut().map(|states| {
                let these = states.by_ref().take(count as usize);
                these.map(state_of).collect::<Vec<_>>()
            });
            packer.add(Pgno::new(first).unwrap(), &bytes, before.as_deref()).unwrap();
        }
        let packed = packer.take();
        let summary = packed.summary();
        process.packs.insert(id, packed.frames.bytes);
        Answer::Bytes(summary)
    }
}

fn keep(backup: &Backup, process: &Process) -> Kept {
    let (head, index, changed) = (backup.save(), backup.log_from(0), backup.changed());
    Kept { head, index, changed, files: process.files.clone() }
}

fn append(process: &mut Process, file: File, bytes: &[u8]) -> Answer {
    process.files.get_mut(name(file)).expect("the file was created").1.extend_from_slice(bytes);
    Answer::Done
}

fn name(file: File) -> &'static str {
    match file {
        File::Ltx => "ltx",
        File::Fingerprints => "fingerprints",
    }
}

fn state_of(bytes: &[u8]) -> Option<PageState> {
    let is_none = bytes.iter().all(|&byte| byte == 0);
    let mut reader = crate::bytes::Reader::new(bytes, 0, crate::error::ErrorKind::Usage);
    (!is_none).then(|| PageState::decode(&mut reader).unwrap())
}

pub(super) fn proof_of(bytes: &[u8]) -> Object {
    let mut hash = Sha256::default();
    hash.update(bytes);
    Object { sha256: hex_digits(&hash.finish()), size: bytes.len() as u64 }
}

fn failed(kind: FailureKind) -> Answer {
    Answer::Failed(HostFailure { kind, token: 0 })
}
