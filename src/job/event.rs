//! What happens to a job, and what has to be done about it.

use serde::Serialize;
use serde_json::value::RawValue;

use super::{Answer, Kind};
use crate::error::{ErrorKind, Result};

/// What happened.
#[derive(Clone, Debug)]
pub enum Event {
    /// A client asked for it; also of a job that there is already.
    Started(String),
    /// A poll came in.
    Polled,
    /// The wait of a poll is over, because the time is up or because the job ended.
    Due,
    /// The work has something to tell.
    Message(String),
    /// The work is done, with what an answer's `result` shall hold.
    Finished(Box<RawValue>),
    /// The work cannot be done.
    Failed(String),
    /// The alarm went off.
    Tick,
    /// The process that ran the job is gone, and another one took over.
    Resumed,
}

/// What to do, in this order.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Action {
    /// See to it that the work is under way.
    Work,
    /// Hold the poll until then, in milliseconds since 1970, or until the job has ended; then say [`Event::Due`].
    Wait(i64),
    /// Tell the client.
    Answer(Answer),
    /// Stop the work, and let go of the state it reads.
    Release,
    /// Delete what belongs to it in the bucket: an export's output, an import's upload.
    Delete,
    /// Say [`Event::Tick`] then, in milliseconds since 1970. Takes the place of the alarm before.
    Alarm(i64),
}

impl Event {
    /// The event of that name, with the text, or the JSON, that belongs to it.
    ///
    /// # Errors
    /// `Usage` when there is none, or `detail` is not JSON where it has to be.
    pub fn parse(name: &str, detail: String) -> Result<Self> {
        Ok(match name {
            "started" => Self::Started(detail),
            "polled" => Self::Polled,
            "due" => Self::Due,
            "message" => Self::Message(detail),
            "finished" => Self::Finished(RawValue::from_string(detail).map_err(|_| ErrorKind::Usage)?),
            "failed" => Self::Failed(detail),
            "tick" => Self::Tick,
            "resumed" => Self::Resumed,
            _ => return Err(ErrorKind::Usage.into()),
        })
    }
}

impl Kind {
    /// The kind of that name.
    ///
    /// # Errors
    /// `Usage` when there is none.
    pub fn parse(name: &str) -> Result<Self> {
        match name {
            "export" => Ok(Self::Export),
            "import" => Ok(Self::Import),
            _ => Err(ErrorKind::Usage.into()),
        }
    }

    /// Whether what it has in the bucket is worth nothing once it has ended without success.
    pub(super) fn leaves_nothing(self) -> bool {
        // An upload stays for another try.
        self == Kind::Export
    }
}
