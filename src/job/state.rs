//! A job as it is kept between two steps.

use serde::Serialize;
use serde_json::value::RawValue;

use crate::error::{ErrorKind, Result};
use crate::json;

/// The format written today.
const VERSION: u32 = 1;

/// What a job does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Makes SQL of a pinned state.
    Export,
    /// Runs SQL that was uploaded, in one transaction.
    Import,
}

/// An export or an import, running or ended.
#[derive(Clone, Debug)]
pub struct Job {
    pub(super) kind: Kind,
    /// Bookmark of the state that is exported, or that the import began with. Never changes.
    pub(super) at_bookmark: String,
    /// Messages that were not delivered yet.
    pub(super) messages: Vec<String>,
    pub(super) state: State,
}

/// Times are in milliseconds since 1970.
#[derive(Clone, Debug)]
pub(super) enum State {
    Active {
        /// When it is canceled unless a poll comes.
        lease_ms: i64,
    },
    Complete {
        result: Box<RawValue>,
        /// Until when polls are answered.
        until_ms: i64,
        /// Until when the link that was given last is valid.
        output_ms: i64,
    },
    Failed {
        error: String,
        until_ms: i64,
    },
    Canceled {
        until_ms: i64,
    },
}

/// A job as it is written: one flat object, which takes less code to read than the type above.
#[derive(Serialize)]
struct Saved {
    version: u32,
    kind: Kind,
    at_bookmark: String,
    messages: Vec<String>,
    active: bool,
    /// End of the lease, or of the time for which an ended job is remembered, in milliseconds since 1970.
    until_ms: i64,
    output_ms: Option<i64>,
    error: Option<String>,
    result: Option<Box<RawValue>>,
}

impl Job {
    pub(super) fn new(kind: Kind, at_bookmark: String, state: State) -> Self {
        Self { kind, at_bookmark, messages: Vec::new(), state }
    }

    /// The bookmark that its polls name.
    pub fn at_bookmark(&self) -> &str {
        &self.at_bookmark
    }

    /// Whether it is neither ended nor canceled.
    pub fn is_active(&self) -> bool {
        matches!(self.state, State::Active { .. })
    }

    /// The job as JSON.
    ///
    /// # Errors
    /// `JobSyntax`, which does not happen.
    pub fn encode(&self) -> Result<String> {
        let (until_ms, output_ms, error, result) = match self.state.clone() {
            State::Active { lease_ms } => (lease_ms, None, None, None),
            State::Complete { result, until_ms, output_ms } => (until_ms, Some(output_ms), None, Some(result)),
            State::Failed { error, until_ms } => (until_ms, None, Some(error), None),
            State::Canceled { until_ms } => (until_ms, None, None, None),
        };
        let saved = Saved {
            version: VERSION,
            kind: self.kind,
            at_bookmark: self.at_bookmark.clone(),
            messages: self.messages.clone(),
            active: self.is_active(),
            until_ms,
            output_ms,
            error,
            result,
        };
        serde_json::to_string(&saved).map_err(|_| ErrorKind::JobSyntax.into())
    }

    /// Reads what [`Job::encode`] wrote.
    ///
    /// # Errors
    /// `JobSyntax` for anything else.
    pub fn decode(text: &str) -> Result<Self> {
        let saved: Saved = json::read(text).map_err(|fault| fault.error(ErrorKind::JobSyntax))?;
        let Saved { version, kind, at_bookmark, messages, until_ms, .. } = saved;
        let state = match (saved.active, saved.output_ms, saved.error, saved.result) {
            (true, None, None, None) => State::Active { lease_ms: until_ms },
            (false, Some(output_ms), None, Some(result)) => State::Complete { result, until_ms, output_ms },
            (false, None, Some(error), None) => State::Failed { error, until_ms },
            (false, None, None, None) => State::Canceled { until_ms },
            _ => return Err(ErrorKind::JobSyntax.into()),
        };
        if version == VERSION {
            Ok(Self { kind, at_bookmark, messages, state })
        } else {
            Err(ErrorKind::JobSyntax.into())
        }
    }
}

impl json::Read for Saved {
    fn read(value: json::Value<'_>) -> Result<Self, json::Fault> {
        let members = value.members()?;
        Ok(Self {
            version: members.take("version")?,
            kind: members.take("kind")?,
            at_bookmark: members.take("at_bookmark")?,
            messages: members.take("messages")?,
            active: members.take("active")?,
            until_ms: members.take("until_ms")?,
            output_ms: members.take("output_ms")?,
            error: members.take("error")?,
            result: members.take("result")?,
        })
    }
}

impl json::Read for Kind {
    fn read(value: json::Value<'_>) -> Result<Self, json::Fault> {
        value.word(&[("export", Self::Export), ("import", Self::Import)])
    }
}
