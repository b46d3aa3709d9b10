//! What a client is told, in the shape that D1's clients read.

use core::fmt;

use serde::Serialize;
use serde_json::value::RawValue;

use super::state::State;
use super::{Job, Kind, LEASE_MS};
use crate::error::{ErrorKind, Result};

/// An answer about a job, or why there is none.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub enum Answer {
    /// How the job stands.
    About(About),
    /// That the request was refused.
    Refused {
        /// Always false.
        success: bool,
        /// Why.
        error: String,
    },
}

/// How a job stands.
#[derive(Clone, Debug, Serialize)]
pub struct About {
    success: bool,
    #[serde(rename = "type")]
    kind: Kind,
    at_bookmark: String,
    status: Status,
    /// Since the last answer.
    messages: Vec<String>,
    /// Present for imports only, whose clients read either this or `error`.
    #[serde(skip_serializing_if = "Option::is_none")]
    errors: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<Box<RawValue>>,
}

/// What clients know of a job's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Poll again.
    Active,
    /// Done: `result` is there.
    Complete,
    /// Failed or canceled: `error` is there.
    Error,
}

/// Why there is no job to tell about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// No job has that bookmark.
    Unknown,
    /// An import runs, but not at that bookmark.
    Elsewhere,
    /// No further job can be started now.
    Busy,
}

impl Refusal {
    /// The refusal of that name.
    ///
    /// # Errors
    /// `Usage` when there is none.
    pub fn parse(name: &str) -> Result<Self> {
        match name {
            "unknown" => Ok(Self::Unknown),
            "elsewhere" => Ok(Self::Elsewhere),
            "busy" => Ok(Self::Busy),
            _ => Err(ErrorKind::Usage.into()),
        }
    }
}

impl Answer {
    /// Tells how `job` stands, and delivers its messages.
    pub(super) fn about(job: &mut Job) -> Self {
        let (status, error, result) = match &job.state {
            State::Active { .. } => (Status::Active, None, None),
            State::Complete { result, .. } => (Status::Complete, None, Some(result.clone())),
            State::Failed { error, .. } => (Status::Error, Some(error.clone()), None),
            State::Canceled { .. } => {
                (Status::Error, Some(format!("Cancelled due to no poll() received in {LEASE_MS}ms.")), None)
            }
        };
        Self::About(About {
            success: true,
            kind: job.kind,
            at_bookmark: job.at_bookmark.clone(),
            status,
            messages: core::mem::take(&mut job.messages),
            errors: (job.kind == Kind::Import).then(|| error.iter().cloned().collect()),
            error,
            result,
        })
    }

    /// Tells that there is no job to tell about; `bookmark` is the one that was asked for.
    pub fn refused(kind: Kind, refusal: Refusal, bookmark: &str) -> Self {
        let verb = match kind {
            Kind::Export => "export",
            Kind::Import => "import",
        };
        let error = match refusal {
            Refusal::Unknown => format!("Not currently {verb}ing anything."),
            Refusal::Elsewhere => format!("Not currently {verb} at bookmark {}.", Cut(bookmark)),
            Refusal::Busy => {
                let another = if kind == Kind::Export { "a new" } else { "another" };
                format!(
                    "Currently processing a long-running {verb}. \
                     Cannot start {another} {verb} until that completes or times out."
                )
            }
        };
        Self::Refused { success: false, error }
    }
}

/// A text of the client's, no longer than a bookmark may be.
struct Cut<'a>(&'a str);

impl fmt::Display for Cut<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().take(64).try_for_each(|char| fmt::Write::write_char(f, char))
    }
}
