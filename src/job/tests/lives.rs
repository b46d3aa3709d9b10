//! Random lives of jobs beside a model that only remembers what was said when.

use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Move {
    Started,
    Polled,
    Due,
    Message,
    Finished,
    Failed,
    Tick,
    Resumed,
}

/// Moves, and how much later each is: often soon, sometimes beyond the lease or the hour.
fn moves() -> impl Strategy<Value = Vec<(Move, i64)>> {
    let kinds = prop_oneof![
        1 => Just(Move::Started),
        5 => Just(Move::Polled),
        5 => Just(Move::Due),
        5 => Just(Move::Message),
        1 => Just(Move::Finished),
        1 => Just(Move::Failed),
        3 => Just(Move::Tick),
        1 => Just(Move::Resumed),
    ];
    let later = prop_oneof![8 => 0..3000i64, 2 => 14_000..16_000i64, 1 => 3_500_000..3_700_000i64];
    prop::collection::vec((kinds, later), 1..60)
}

/// What there is to know of a job.
#[derive(Default)]
struct Model {
    exists: bool,
    /// When a client was there last.
    contact: i64,
    /// When and how it ended.
    ended: Option<(i64, &'static str)>,
    /// When an answer said "complete" last, or since when it is.
    linked: i64,
    messages: Vec<String>,
}

impl Model {
    fn is_active(&self) -> bool {
        self.exists && self.ended.is_none()
    }

    fn end(&mut self, now: i64, how: &'static str) {
        (self.ended, self.linked) = (Some((now, how)), now);
    }

    fn expire(&mut self, now: i64) {
        if self.is_active() && now - self.contact >= LEASE_MS {
            self.end(now, "canceled");
        }
    }

    /// What a client is told now: nothing is a refusal.
    fn status(&mut self, now: i64) -> Option<&'static str> {
        if !self.exists {
            return None;
        }
        match self.ended {
            None => Some("active"),
            Some((at, _)) if now - at >= REMEMBER_MS => None,
            Some((_, how)) => {
                if how == "complete" {
                    self.linked = now;
                }
                Some(how)
            }
        }
    }

    fn forget(&mut self, now: i64) {
        if self.ended.is_some_and(|(at, _)| now - at.max(self.linked) >= REMEMBER_MS) {
            *self = Self::default();
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn d4_d5_d6_d7_d8_as_the_model_says(moves in moves(), is_import: bool) {
        let kind = if is_import { Kind::Import } else { Kind::Export };
        let mut life = Life { kind, saved: None, actions: Vec::new() };
        let mut model = Model::default();
        let (mut now, mut said) = (0, 0);
        for (next, later) in moves {
            now += later;
            let mut expected = None;
            let event = match next {
                Move::Started => {
                    if !model.exists || !matches!(model.ended, None | Some((_, "complete"))) {
                        model = Model { exists: true, ..Model::default() };
                    } else if let Some((at, _)) = &mut model.ended {
                        *at = now;
                    }
                    model.contact = now;
                    expected = Some(model.status(now));
                    Event::Started(BOOKMARK.into())
                }
                Move::Polled => {
                    model.expire(now);
                    if model.is_active() { model.contact = now } else { expected = Some(model.status(now)) }
                    Event::Polled
                }
                Move::Due => {
                    model.contact = now;
                    expected = Some(model.status(now));
                    Event::Due
                }
                Move::Message => {
                    said += 1;
                    if model.is_active() { model.messages.push(said.to_string()) }
                    Event::Message(said.to_string())
                }
                Move::Finished => {
                    if model.is_active() || (is_import && model.exists) { model.end(now, "complete") }
                    Event::Finished(result(json!({})))
                }
                Move::Failed => {
                    if model.is_active() { model.end(now, "failed") }
                    Event::Failed("it broke".into())
                }
                Move::Tick => { model.expire(now); Event::Tick }
                Move::Resumed => { model.expire(now); Event::Resumed }
            };
            model.forget(now);
            life.step(event, now);
            let answer = life.answer();
            prop_assert_eq!(answer.is_null(), expected.is_none());
            prop_assert_eq!(life.saved.is_some(), model.exists);
            prop_assert_eq!(life.actions().1.is_some(), model.exists, "a job has an alarm");
            let Some(status) = expected else { continue };
            prop_assert_eq!(answer["success"].as_bool(), Some(status.is_some()));
            let Some(status) = status else {
                prop_assert!(answer["error"].is_string() && answer.as_object().unwrap().len() == 2);
                continue;
            };
            let wire = if matches!(status, "active" | "complete") { status } else { "error" };
            prop_assert_eq!(answer["status"].as_str(), Some(wire));
            prop_assert_eq!(answer["at_bookmark"].as_str(), Some(BOOKMARK));
            prop_assert_eq!(answer.get("error").is_some(), wire == "error");
            prop_assert_eq!(answer.get("result").is_some(), wire == "complete");
            prop_assert_eq!(answer.get("errors").is_some(), is_import);
            let messages: Vec<_> = core::mem::take(&mut model.messages).into_iter().map(Value::from).collect();
            prop_assert_eq!(&answer["messages"], &Value::from(messages));
        }
    }
}
