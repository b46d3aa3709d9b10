//! Stored objects, as those who read them are told of them.

use serde::Serialize;

use super::folder::Link;
use super::record::Object;

/// A stored object to read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StoredFile {
    /// In the store.
    pub key: String,
    /// In bytes.
    pub size: u64,
    /// What its record says of it; files without a record have none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// What tells where its pages lie, in a file of a backup.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub directory: Option<Part>,
}

/// The end of a stored object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Part {
    /// The object's key.
    pub key: String,
    /// Where it begins, in bytes.
    pub offset: u64,
    /// In bytes.
    pub size: u64,
    /// SHA-256 of this object alone.
    pub sha256: String,
}

impl StoredFile {
    /// With what its record says of it.
    pub fn new((key, proof): (String, Object)) -> Self {
        Self { key, size: proof.size, sha256: Some(proof.sha256), directory: None }
    }

    /// Without a record.
    pub fn unproved(key: String, size: u64) -> Self {
        Self { key, size, sha256: None, directory: None }
    }

    /// The LTX file of a backup, to read pages of it.
    pub fn ltx(link: &Link<'_>) -> Self {
        Self { directory: Part::directory(link), ..Self::new(link.ltx_file()) }
    }

    /// The fingerprint file of a backup.
    pub fn fingerprints(link: &Link<'_>) -> Self {
        Self { directory: Part::directory(link), ..Self::new(link.fingerprint_file()) }
    }
}

impl Part {
    /// The page directory of a backup.
    fn directory(link: &Link<'_>) -> Option<Self> {
        let Object { sha256, size } = link.record.directory.clone()?;
        let offset = link.record.fingerprints.size.checked_sub(size)?;
        Some(Self { key: link.fingerprints.clone(), offset, size, sha256 })
    }
}
