//! Exports and imports for clients that poll: when a job runs, what it answers, and when it ends.
//!
//! A job belongs to a client that has to keep asking. Each poll is held for [`POLL_MS`], renews the lease of
//! [`LEASE_MS`] and delivers the messages since the last one; without polls the job is canceled and gives up what it
//! holds. What became of it is remembered for [`REMEMBER_MS`], so that a lost answer can be asked for again.
//!
//! [`step`] is all there is: a job, an event and the time give the job as it is then, and what has to be done. A job is
//! data ([`Job::encode`]), so whoever runs it may be gone between any two steps. Answers have the shape that D1's
//! clients read.

mod answer;
mod event;
mod state;
mod step;
#[cfg(test)]
mod tests;

pub use answer::{Answer, Refusal, Status};
pub use event::{Action, Event};
pub use state::{Job, Kind};
pub use step::{Step, step};

/// Without a poll for this long a job is canceled, in milliseconds.
pub const LEASE_MS: i64 = 15_000;

/// How long a poll of a running job is held, in milliseconds.
pub const POLL_MS: i64 = 1_000;

/// How long an ended job is remembered, and how long the link to its output is valid, in milliseconds.
pub const REMEMBER_MS: i64 = 3_600_000;
