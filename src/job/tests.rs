//! What clients see of jobs; `lives` holds it against a model.

mod lives;

use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Value, json};

use super::*;
use crate::error::ErrorKind;

const BOOKMARK: &str = "00000000-00000003-00005037-00000000000000010000000000000002";

/// A job that is saved and read again between any two steps.
struct Life {
    kind: Kind,
    saved: Option<String>,
    actions: Vec<Action>,
}

impl Life {
    fn start(kind: Kind, now_ms: i64) -> Self {
        let mut life = Self { kind, saved: None, actions: Vec::new() };
        life.step(Event::Started(BOOKMARK.into()), now_ms);
        life
    }

    fn step(&mut self, event: Event, now_ms: i64) -> &mut Self {
        let job = self.saved.as_deref().map(|saved| Job::decode(saved).unwrap());
        let Step { job, actions } = step(self.kind, job, event, now_ms);
        self.saved = job.map(|job| job.encode().unwrap());
        self.actions = actions;
        self
    }

    /// What the last step answered; null if it did not.
    fn answer(&self) -> Value {
        let mut answers = self.actions.iter().filter_map(|action| match action {
            Action::Answer(answer) => Some(serde_json::to_value(answer).unwrap()),
            _ => None,
        });
        let answer = answers.next().unwrap_or_default();
        assert!(answers.next().is_none(), "one answer at most");
        answer
    }

    /// The names of the actions, and the alarm.
    fn actions(&self) -> (Vec<String>, Option<i64>) {
        let mut alarm = None;
        let mut names = Vec::new();
        for action in &self.actions {
            match serde_json::to_value(action).unwrap() {
                Value::String(name) => names.push(name),
                Value::Object(object) => {
                    let (name, value) = object.into_iter().next().unwrap();
                    if name == "alarm" { alarm = value.as_i64() } else { names.push(name) }
                }
                other => panic!("{other}"),
            }
        }
        (names, alarm)
    }
}

fn result(value: Value) -> Box<RawValue> {
    to_raw_value(&value).unwrap()
}

fn names<const N: usize>(names: [&str; N]) -> Vec<String> {
    names.map(String::from).to_vec()
}

#[test]
fn an_export_from_its_start_to_its_end() {
    let mut life = Life::start(Kind::Export, 0);
    let active =
        json!({"success": true, "type": "export", "at_bookmark": BOOKMARK, "status": "active", "messages": []});
    assert_eq!(life.answer(), active);
    assert_eq!(life.actions(), (names(["work", "answer"]), Some(15_000)));

    assert_eq!(life.step(Event::Polled, 100).actions(), (names(["work", "wait"]), Some(15_100)));
    life.step(Event::Message("Generating U-BM.sql".into()), 200);
    life.step(Event::Message("Uploaded part 1".into()), 300);
    let mut told = active.clone();
    told["messages"] = json!(["Generating U-BM.sql", "Uploaded part 1"]);
    assert_eq!(life.step(Event::Due, 1100).answer(), told);
    assert_eq!(life.step(Event::Due, 1200).answer(), active, "D7 each message once");

    life.step(Event::Finished(result(json!({"filename": "U-BM.sql"}))), 2000);
    assert_eq!(life.actions(), (names(["release"]), Some(2000 + REMEMBER_MS)));
    let mut complete = active;
    complete["status"] = json!("complete");
    complete["result"] = json!({"filename": "U-BM.sql"});
    assert_eq!(life.step(Event::Polled, 3000).answer(), complete);
    assert_eq!(life.step(Event::Polled, 1_800_000).answer(), complete, "D4 polled twice");
    assert_eq!(life.actions().1, Some(1_800_000 + REMEMBER_MS), "D9 the link given last is valid an hour");
    let gone = json!({"success": false, "error": "Not currently exporting anything."});
    assert_eq!(life.step(Event::Polled, 2000 + REMEMBER_MS).answer(), gone);
    assert!(life.saved.is_some(), "its output is still linked to");
    assert_eq!(life.step(Event::Tick, 1_800_000 + REMEMBER_MS).actions(), (names(["delete"]), None));
    assert!(life.saved.is_none());
    assert_eq!(life.step(Event::Polled, 1_800_001 + REMEMBER_MS).answer(), gone);
}

#[test]
fn an_import_from_its_start_to_its_end() {
    let mut life = Life::start(Kind::Import, 0);
    life.step(Event::Message("Starting import...".into()), 1);
    let active = json!({
        "success": true, "type": "import", "at_bookmark": BOOKMARK, "status": "active",
        "messages": ["Starting import..."], "errors": [],
    });
    assert_eq!(life.step(Event::Due, 1000).answer(), active);
    life.step(Event::Finished(result(json!({"num_queries": 10}))), 2000);
    assert_eq!(life.actions().0, names(["release", "delete"]), "the upload is of no use any more");
    let complete = life.step(Event::Due, 2000).answer();
    assert_eq!(complete["status"], "complete");
    assert_eq!((&complete["errors"], &complete["result"]["num_queries"]), (&json!([]), &json!(10)));
    assert!(complete.get("error").is_none());
}

#[test]
fn a_failure_is_told_in_the_words_of_both_clients() {
    for kind in [Kind::Export, Kind::Import] {
        let mut life = Life::start(kind, 0);
        life.step(Event::Failed("near \"FOO\": syntax error".into()), 10);
        let expected = if kind == Kind::Export { names(["release", "delete"]) } else { names(["release"]) };
        assert_eq!(life.actions().0, expected, "an upload stays for another try");
        let answer = life.step(Event::Polled, 20).answer();
        assert_eq!((&answer["status"], &answer["error"]), (&json!("error"), &json!("near \"FOO\": syntax error")));
        let errors = (kind == Kind::Import).then(|| json!(["near \"FOO\": syntax error"]));
        assert_eq!(answer.get("errors"), errors.as_ref());
        // Once more from the start.
        assert_eq!(life.step(Event::Started(BOOKMARK.into()), 30).answer()["status"], "active");
    }
}

#[test]
fn d5_without_a_poll_it_is_canceled_and_says_so() {
    let mut life = Life::start(Kind::Export, 0);
    life.step(Event::Polled, 10_000);
    assert_eq!(life.step(Event::Tick, 24_999).actions(), (vec![], Some(25_000)));
    assert_eq!(life.step(Event::Tick, 25_000).actions(), (names(["release", "delete"]), Some(25_000 + REMEMBER_MS)));
    let answer = life.step(Event::Polled, 30_000).answer();
    assert_eq!(answer["status"], "error");
    assert_eq!(answer["error"], "Cancelled due to no poll() received in 15000ms.");
    // What the work still says is not listened to; what it still made is deleted.
    life.step(Event::Message("late".into()), 30_001);
    assert_eq!(life.step(Event::Finished(result(json!({}))), 30_002).actions().0, names(["delete"]));
    assert_eq!(life.step(Event::Due, 30_003).answer(), answer);
}

#[test]
fn a_poll_that_comes_before_a_late_alarm_finds_it_canceled_too() {
    let mut life = Life::start(Kind::Export, 0);
    assert_eq!(life.step(Event::Polled, 15_000).answer()["status"], "error");
    assert_eq!(life.actions().0, names(["release", "delete", "answer"]));
    let mut life = Life::start(Kind::Export, 0);
    assert_eq!(life.step(Event::Resumed, 14_999).actions().0, names(["work"]));
    assert_eq!(life.step(Event::Resumed, 15_000).actions().0, names(["release", "delete"]));
}

#[test]
fn an_import_that_was_canceled_too_late_has_happened() {
    let mut life = Life::start(Kind::Import, 0);
    life.step(Event::Tick, 20_000);
    life.step(Event::Finished(result(json!({"num_queries": 1}))), 20_001);
    assert_eq!(life.step(Event::Polled, 20_002).answer()["status"], "complete");
}

#[test]
fn refusals() {
    let text = |kind, refusal| match Answer::refused(kind, refusal, "BM") {
        Answer::Refused { success: false, error } => error,
        other => panic!("{other:?}"),
    };
    let cannot = |what, another| {
        format!(
            "Currently processing a long-running {what}. Cannot start {another} {what} until that completes or times out."
        )
    };
    assert_eq!(text(Kind::Export, Refusal::Unknown), "Not currently exporting anything.");
    assert_eq!(text(Kind::Import, Refusal::Unknown), "Not currently importing anything.");
    assert_eq!(text(Kind::Import, Refusal::Elsewhere), "Not currently import at bookmark BM.");
    assert_eq!(text(Kind::Export, Refusal::Busy), cannot("export", "a new"));
    assert_eq!(text(Kind::Import, Refusal::Busy), cannot("import", "another"));
}

#[test]
fn damaged_saved_jobs_are_typed_errors() {
    let mut life = Life::start(Kind::Import, 0);
    life.step(Event::Message("x".into()), 1).step(Event::Finished(result(json!({"a": [1, 2]}))), 2);
    let saved = life.saved.unwrap();
    let newer = saved.replacen("\"version\":1", "\"version\":2", 1);
    let cut = (0..saved.len()).map(|end| saved.get(..end).unwrap_or_default().to_owned());
    for text in cut.chain([newer, "null".into(), "[]".into(), "\0".into()]) {
        assert_eq!(Job::decode(&text).unwrap_err().kind, ErrorKind::JobSyntax, "{text}");
    }
    for position in 0..saved.len() {
        let mut bytes = saved.clone().into_bytes();
        bytes[position] ^= 0x11;
        let Ok(text) = String::from_utf8(bytes) else { continue };
        if let Ok(job) = Job::decode(&text) {
            step(Kind::Import, Some(job), Event::Polled, 3);
        }
    }
}
