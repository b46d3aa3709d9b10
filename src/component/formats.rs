//! What needs no store: names and headers, and what becomes of jobs whose client polls.

use super::Component;
use super::exports::pagemark::core::export_job;
use super::exports::pagemark::core::formats::{Bookmark, Error, Guest, LtxHeader};
use crate::bookmark::{self, Lineage};
use crate::catalog::Name;
use crate::error;
use crate::job::{Answer, Event, Job, Kind, Refusal, Step, step};
use crate::ltx::Header;
use crate::page::{Checksum, Txid};

impl Guest for Component {
    fn parse_bookmark(text: String) -> Result<Bookmark, Error> {
        Ok(text.parse::<bookmark::Bookmark>()?.into())
    }

    fn format_bookmark(bookmark: Bookmark) -> Result<String, Error> {
        let Bookmark { txid, day, checksum, lineage } = bookmark;
        let checksum = Checksum::new(checksum).ok_or(error::Error::from(error::ErrorKind::BookmarkSyntax))?;
        Ok(bookmark::Bookmark { txid: Txid(txid), day, checksum, lineage: Lineage(lineage) }.to_string())
    }

    fn parse_ltx_header(bytes: Vec<u8>) -> Result<LtxHeader, Error> {
        Ok(Header::decode(&bytes)?.into())
    }

    fn name_to_segment(name: String) -> Result<String, Error> {
        Ok(Name::parse(&name)?.segment())
    }
}

impl From<bookmark::Bookmark> for Bookmark {
    fn from(bookmark: bookmark::Bookmark) -> Self {
        let bookmark::Bookmark { txid, day, checksum, lineage } = bookmark;
        Self { txid: txid.0, day, checksum: checksum.value(), lineage: lineage.0 }
    }
}

impl From<Header> for LtxHeader {
    fn from(header: Header) -> Self {
        Self {
            page_size: header.page_size.value(),
            page_count: header.commit,
            min_txid: header.min.0,
            max_txid: header.max.0,
            timestamp_ms: header.timestamp_ms,
        }
    }
}

impl export_job::Guest for Component {
    fn step(
        kind: String,
        saved: Option<String>,
        event: String,
        detail: String,
        now_ms: i64,
    ) -> Result<export_job::Stepped, Error> {
        let job = saved.map(|saved| Job::decode(&saved)).transpose()?;
        let Step { job, actions } = step(Kind::parse(&kind)?, job, Event::parse(&event, detail)?, now_ms);
        let active = job.as_ref().is_some_and(Job::is_active);
        Ok(export_job::Stepped { active, job: job.map(|job| job.encode()).transpose()?, actions: json(&actions)? })
    }

    fn refuse(kind: String, refusal: String, bookmark: String) -> Result<String, Error> {
        json(&Answer::refused(Kind::parse(&kind)?, Refusal::parse(&refusal)?, &bookmark))
    }
}

fn json(value: &impl serde::Serialize) -> Result<String, Error> {
    serde_json::to_string(value).map_err(|_| error::Error::from(error::ErrorKind::Usage).into())
}
