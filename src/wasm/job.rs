//! Jobs of clients that poll. Jobs and actions cross as JSON.

use serde::Serialize;
use wasm_bindgen::prelude::*;

use super::JsResult;
use crate::error::ErrorKind;
use crate::job::{Action, Answer, Event, Job, Kind, Refusal, Step, step};

#[derive(Serialize)]
struct Stepped {
    /// The job as it must be saved.
    job: Option<String>,
    active: bool,
    actions: Vec<Action>,
}

/// What an event does to the saved job `saved`, as JSON: `{ job, active, actions }`; see the core's `job::step`.
#[wasm_bindgen(js_name = stepJob)]
pub fn step_job(kind: &str, saved: Option<String>, event: &str, detail: String, now_ms: f64) -> JsResult<String> {
    let job = saved.map(|saved| Job::decode(&saved)).transpose()?;
    let Step { job, actions } = step(Kind::parse(kind)?, job, Event::parse(event, detail)?, now_ms as i64);
    let active = job.as_ref().is_some_and(Job::is_active);
    json(&Stepped { active, job: job.map(|job| job.encode()).transpose()?, actions })
}

/// The answer, as JSON, that refuses a request about the job at `bookmark`.
#[wasm_bindgen(js_name = refuseJob)]
pub fn refuse_job(kind: &str, refusal: &str, bookmark: &str) -> JsResult<String> {
    json(&Answer::refused(Kind::parse(kind)?, Refusal::parse(refusal)?, bookmark))
}

/// As text, because a client's answer is JSON already, and is in it as it came.
fn json(value: &impl Serialize) -> JsResult<String> {
    serde_json::to_string(value).map_err(|_| ErrorKind::Usage.into())
}
