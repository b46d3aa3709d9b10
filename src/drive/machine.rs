//! The loop around a machine: its requests out, what came of them in.

use super::fault::{Done, Fault};
use crate::error::ErrorKind;
use crate::run::{Answer, Backup, HostFailure, Id, Machine, Made, Outcome, Request};

/// A machine of either kind.
pub(super) trait Polled {
    /// What it comes to.
    type Result;
    fn poll(&mut self, now_ms: i64) -> Option<(Id, Request)>;
    fn answer(&mut self, id: Id, answer: Answer);
    fn take_outcome(&mut self) -> Option<Outcome<Self::Result>>;
}

impl<T> Polled for Machine<T> {
    type Result = T;

    fn poll(&mut self, now_ms: i64) -> Option<(Id, Request)> {
        self.poll(now_ms)
    }

    fn answer(&mut self, id: Id, answer: Answer) {
        self.answer(id, answer);
    }

    fn take_outcome(&mut self) -> Option<Outcome<T>> {
        self.take_outcome()
    }
}

impl Polled for Backup {
    type Result = Option<Made>;

    fn poll(&mut self, now_ms: i64) -> Option<(Id, Request)> {
        self.poll(now_ms)
    }

    fn answer(&mut self, id: Id, answer: Answer) {
        self.answer(id, answer);
    }

    fn take_outcome(&mut self) -> Option<Outcome<Option<Made>>> {
        self.take_outcome()
    }
}

/// What performs requests.
pub(super) trait Performer<M> {
    fn now_ms(&self) -> i64;
    /// `machine` is the one that asks.
    async fn perform(&mut self, id: Id, request: Request, machine: &M) -> Done<Answer>;
}

/// Runs a machine to its end. The second part is what requests failed with, by the tokens that the machine knows.
pub(super) async fn run<M: Polled>(machine: &mut M, host: &mut impl Performer<M>) -> (Outcome<M::Result>, Vec<Fault>) {
    let mut faults = Vec::new();
    while let Some((id, request)) = machine.poll(host.now_ms()) {
        let answer = host.perform(id, request, machine).await.unwrap_or_else(|fault| {
            let failure = HostFailure { kind: fault.kind(), token: faults.len() as u32 };
            faults.push(fault);
            Answer::Failed(failure)
        });
        machine.answer(id, answer);
    }
    // Every request was answered, so that it has ended.
    let outcome = machine.take_outcome().unwrap_or_else(|| Err(ErrorKind::Usage.into()));
    (outcome, faults)
}
