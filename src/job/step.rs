//! From one state of a job to the next.

use super::state::State;
use super::{Action, Answer, Event, Job, Kind, LEASE_MS, POLL_MS, REMEMBER_MS, Refusal};

/// What a step comes to.
#[derive(Clone, Debug)]
pub struct Step {
    /// The job as it is now; `None` when nothing is left to remember.
    pub job: Option<Job>,
    /// What to do, in this order, once the job is saved.
    pub actions: Vec<Action>,
}

/// What `event`, at `now_ms` (milliseconds since 1970), does to a job of this kind; `None` is one that does not exist.
///
/// A clock that goes back is no harm: times are compared with those that were given before, and only then.
pub fn step(kind: Kind, job: Option<Job>, event: Event, now_ms: i64) -> Step {
    let mut actions = Vec::new();
    let job = match (job, event) {
        (None, Event::Started(at_bookmark)) => Some(started(kind, at_bookmark, now_ms, &mut actions)),
        (None, Event::Polled | Event::Due) => {
            actions.push(Action::Answer(Answer::refused(kind, Refusal::Unknown, "")));
            None
        }
        (None, _) => None,
        (Some(mut job), event) => {
            job.happen(event, now_ms, &mut actions);
            let is_over = job.forget_ms().is_some_and(|forget_ms| forget_ms <= now_ms);
            if is_over {
                actions.push(Action::Delete);
            }
            (!is_over).then_some(job)
        }
    };
    if let Some(job) = &job {
        actions.push(Action::Alarm(job.alarm_ms()));
    }
    Step { job, actions }
}

fn started(kind: Kind, at_bookmark: String, now_ms: i64, actions: &mut Vec<Action>) -> Job {
    let mut job = Job::new(kind, at_bookmark, State::Active { lease_ms: after(now_ms, LEASE_MS) });
    actions.push(Action::Work);
    actions.push(Action::Answer(Answer::about(&mut job)));
    job
}

impl Job {
    fn happen(&mut self, event: Event, now_ms: i64, actions: &mut Vec<Action>) {
        match event {
            // Asked for again: a job that ended well says so, and one that did not is tried again.
            Event::Started(_) if !matches!(self.state, State::Active { .. } | State::Complete { .. }) => {
                *self = started(self.kind, core::mem::take(&mut self.at_bookmark), now_ms, actions);
            }
            Event::Started(_) => {
                self.renew(now_ms);
                if self.is_active() {
                    actions.push(Action::Work);
                }
                self.answer(now_ms, actions);
            }
            Event::Polled => {
                self.expire(now_ms, actions);
                if self.is_active() {
                    self.renew(now_ms);
                    actions.extend([Action::Work, Action::Wait(after(now_ms, POLL_MS))]);
                } else {
                    self.answer(now_ms, actions);
                }
            }
            Event::Due => {
                if self.is_active() {
                    self.renew(now_ms);
                }
                self.answer(now_ms, actions);
            }
            Event::Message(text) if self.is_active() => self.messages.push(text),
            Event::Message(_) => {}
            Event::Finished(result) => {
                let is_late = !self.is_active();
                if is_late && self.kind.leaves_nothing() {
                    actions.push(Action::Delete);
                } else {
                    // An import that was canceled too late has happened all the same.
                    let until_ms = after(now_ms, REMEMBER_MS);
                    self.state = State::Complete { result, until_ms, output_ms: now_ms };
                    actions.push(Action::Release);
                    if self.kind == Kind::Import {
                        actions.push(Action::Delete);
                    }
                }
            }
            Event::Failed(error) if self.is_active() => {
                self.state = State::Failed { error, until_ms: after(now_ms, REMEMBER_MS) };
                self.give_up(actions);
            }
            Event::Failed(_) => {}
            Event::Tick => self.expire(now_ms, actions),
            Event::Resumed => {
                self.expire(now_ms, actions);
                if self.is_active() {
                    actions.push(Action::Work);
                }
            }
        }
    }

    /// Tells the client, unless it was too long ago that the job ended.
    fn answer(&mut self, now_ms: i64, actions: &mut Vec<Action>) {
        let is_remembered = match &mut self.state {
            State::Active { .. } => true,
            State::Complete { until_ms, output_ms, .. } => {
                let is_remembered = now_ms < *until_ms;
                if is_remembered {
                    // The answer has a link that is valid as long.
                    *output_ms = after(now_ms, REMEMBER_MS).max(*output_ms);
                }
                is_remembered
            }
            State::Failed { until_ms, .. } | State::Canceled { until_ms } => now_ms < *until_ms,
        };
        let answer = if is_remembered { Answer::about(self) } else { Answer::refused(self.kind, Refusal::Unknown, "") };
        actions.push(Action::Answer(answer));
    }

    /// Cancels it if nobody polled.
    fn expire(&mut self, now_ms: i64, actions: &mut Vec<Action>) {
        if matches!(self.state, State::Active { lease_ms } if lease_ms <= now_ms) {
            self.state = State::Canceled { until_ms: after(now_ms, REMEMBER_MS) };
            self.give_up(actions);
        }
    }

    fn give_up(&mut self, actions: &mut Vec<Action>) {
        actions.push(Action::Release);
        if self.kind.leaves_nothing() {
            actions.push(Action::Delete);
        }
    }

    fn renew(&mut self, now_ms: i64) {
        match &mut self.state {
            State::Active { lease_ms } => *lease_ms = after(now_ms, LEASE_MS).max(*lease_ms),
            State::Complete { until_ms, .. } => *until_ms = after(now_ms, REMEMBER_MS).max(*until_ms),
            State::Failed { .. } | State::Canceled { .. } => {}
        }
    }

    /// When nothing of it is wanted any more; `None` while it runs.
    fn forget_ms(&self) -> Option<i64> {
        match self.state {
            State::Active { .. } => None,
            State::Complete { until_ms, output_ms, .. } => Some(until_ms.max(output_ms)),
            State::Failed { until_ms, .. } | State::Canceled { until_ms } => Some(until_ms),
        }
    }

    fn alarm_ms(&self) -> i64 {
        match self.state {
            State::Active { lease_ms } => lease_ms,
            _ => self.forget_ms().unwrap_or_default(),
        }
    }
}

fn after(now_ms: i64, span_ms: i64) -> i64 {
    now_ms.saturating_add(span_ms)
}
