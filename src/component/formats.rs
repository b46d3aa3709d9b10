//! What needs no store.

use super::Component;
use super::exports::pagemark::core::formats::{Bookmark, Error, Guest, LtxHeader};
use crate::bookmark::{self, Lineage};
use crate::catalog::Name;
use crate::error;
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
