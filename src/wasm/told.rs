//! What machines ask and what they come to, and a folder that was loaded.

use js_sys::{Array, Uint8Array, Uint32Array};
use serde::Serialize;
use wasm_bindgen::prelude::*;

use super::{JsResult, structure};
use crate::catalog::{self, BackupView, PlanError, Problem, Target};
use crate::run::{self, Failure, Id, Lack, Made, Request, Verification, Wrong};

/// What a job came to.
pub(super) fn told<T, J: Serialize>(
    outcome: Option<run::Outcome<T>>,
    view: impl FnOnce(T) -> J,
) -> JsResult<Option<JsValue>> {
    match outcome {
        None => Ok(None),
        Some(Ok(result)) => structure(&Outcome { result: Some(view(result)), failure: None }).map(Some),
        Some(Err(Failure::Core(error, _) | Failure::Plan(PlanError::Refused(error)))) => Err(error.into()),
        Some(Err(failure)) => structure(&Outcome::<()> { result: None, failure: Some((&failure).into()) }).map(Some),
    }
}

#[derive(Serialize)]
struct Outcome<T> {
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<T>,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<FailureJson>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct MadeJson {
    backup: BackupView,
    #[serde(skip_serializing_if = "Option::is_none")]
    full_because: Option<String>,
    damaged: bool,
    /// Where the source stood.
    #[serde(skip_serializing_if = "Option::is_none")]
    mark: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lack: Option<Lack>,
    #[serde(skip_serializing_if = "Option::is_none")]
    most_pages: Option<u32>,
}

impl From<Made> for MadeJson {
    fn from(made: Made) -> Self {
        let Made { record, full_because, damaged, lack, most_pages } = made;
        let backup = BackupView::from(&record);
        Self { backup, full_because, damaged, mark: record.mark, lack, most_pages }
    }
}

/// `{ sound, problems, merged }`; a problem that the host found is `{ token, name }`.
#[derive(Serialize)]
pub(super) struct VerificationJson {
    sound: Vec<BackupView>,
    problems: Vec<WrongJson>,
    merged: Vec<String>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum WrongJson {
    Known(Problem),
    Found { token: u32, name: String },
}

impl From<Verification> for VerificationJson {
    fn from(found: Verification) -> Self {
        let problems = found.wrong.into_iter().map(|wrong| match wrong {
            Wrong::Known(problem) => WrongJson::Known(problem),
            Wrong::Found(failure, name) => WrongJson::Found { token: failure.token, name },
        });
        Self { sound: found.sound, problems: problems.collect(), merged: found.merged }
    }
}

#[derive(Default, Serialize)]
struct FailureJson {
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sign: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    wanted: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    txid: Option<String>,
}

impl From<&Failure> for FailureJson {
    fn from(failure: &Failure) -> Self {
        match failure {
            Failure::Host(failure) => Self { kind: "host", token: Some(failure.token), ..Self::default() },
            Failure::OtherDatabase(sign) => Self { kind: "otherDatabase", sign: Some(sign.name()), ..Self::default() },
            Failure::OtherName { name, folder } => {
                let (id, key) = (Some(name.clone()), Some(folder.clone()));
                Self { kind: "otherName", id, key, ..Self::default() }
            }
            Failure::OtherState { given, wanted } => {
                let (id, by) = (Some(given.clone()), Some(wanted.clone()));
                Self { kind: "otherState", id, by, ..Self::default() }
            }
            Failure::Conflict => Self { kind: "conflict", ..Self::default() },
            Failure::CutOff(_) => Self { kind: "cutOff", ..Self::default() },
            Failure::Undeleted { failure, gone, total } => {
                let (token, size, wanted) = (Some(failure.token), Some(u64::from(*gone)), Some(u64::from(*total)));
                Self { kind: "undeleted", token, size, wanted, ..Self::default() }
            }
            Failure::LostFingerprints => Self { kind: "lostFingerprints", ..Self::default() },
            Failure::Unsure(failure) => Self::from(failure.as_ref()),
            Failure::Plan(PlanError::Lost { key, size, wanted }) => {
                let (size, wanted) = (*size, Some(*wanted));
                Self { kind: "lost", key: Some(key.clone()), size, wanted, ..Self::default() }
            }
            Failure::Plan(PlanError::Needed { needed, by, txid }) => {
                let (id, by, txid) = (Some(needed.clone()), Some(by.clone()), Some(txid.to_string()));
                Self { kind: "needed", id, by, txid, ..Self::default() }
            }
            // Thrown as what they are.
            Failure::Core(..) | Failure::Plan(PlanError::Refused(_)) => Self { kind: "core", ..Self::default() },
        }
    }
}

/// `[id, request, bytes, numbers]`.
pub(super) fn as_array(id: Id, mut request: Request) -> JsResult<Array> {
    let told = structure(&request)?;
    let (bytes, numbers) = match &mut request {
        Request::Put { bytes, .. }
        | Request::Append { bytes, .. }
        | Request::AppendPacked { fingerprints: bytes, .. } => (Some(core::mem::take(bytes)), None),
        Request::Pack { runs, states } => (states.take(), Some(core::mem::take(runs))),
        _ => (None, None),
    };
    let asked = Array::of2(&id.into(), &told);
    asked.push(&bytes.map_or(JsValue::UNDEFINED, |bytes| Uint8Array::from(bytes.as_slice()).into()));
    asked.push(&numbers.map_or(JsValue::UNDEFINED, |numbers| Uint32Array::from(numbers.as_slice()).into()));
    Ok(asked)
}

/// The folder of a database: what there is, and what a user can do with it; see the core's `catalog::Folder`.
#[wasm_bindgen]
pub struct Folder(pub(super) catalog::Folder);

#[wasm_bindgen]
impl Folder {
    /// Every backup, oldest first.
    pub fn list(&self) -> JsResult<JsValue> {
        structure(&self.0.list()?)
    }

    /// The backup that `at` means.
    pub fn find(&self, at: &str, now_ms: f64) -> JsResult<JsValue> {
        structure(&BackupView::from(self.0.history.find(&Target::parse(at, now_ms as i64)?)?))
    }

    /// What a restore to `at` reads: `{ result }` or `{ failure }`. Of a state after its backup, `start` tells: the first bytes
    /// of its last file.
    pub fn plan(&self, at: &str, now_ms: f64, start: Option<Vec<u8>>) -> JsResult<JsValue> {
        let target = Target::parse(at, now_ms as i64)?;
        let mut plan = self.0.plan(&target);
        if let (Ok(plan), Some(start)) = (&mut plan, start) {
            plan.complete(&start, &target)?;
        }
        told(Some(plan.map_err(Failure::Plan)), |plan| plan).map(JsValue::from)
    }

    /// The keys of all that belongs to these backups, in the order in which they can be deleted: `{ result }` or
    /// `{ failure }`.
    pub fn removal(&self, ids: Vec<String>) -> JsResult<JsValue> {
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        told(Some(self.0.removal(&ids).map_err(Failure::Plan)), |keys| keys).map(JsValue::from)
    }

    /// When the oldest backup was made, RFC 3339.
    #[wasm_bindgen(getter)]
    pub fn oldest(&self) -> Option<String> {
        self.0.oldest()
    }
}
