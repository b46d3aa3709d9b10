//! A database as SQL: as it is now, or as it was backed up.

use super::TRANSFER;
use super::ask::Lender;
use super::fault::{Done, Fault};
use super::lend::Phase;
use super::moment::Moment;
use super::object::ObjectReader;
use super::restore::put_together;
use super::stored::StoredPages;
use super::subject::Subject;
use crate::btree::PageRange;
use crate::catalog::view::Restorable;
use crate::catalog::{Plan, StoredFile};
use crate::dump::{Dump, DumpStep, Options};
use crate::error::{Error, ErrorKind};
use crate::page::{Checksum, DatabaseHeader, PageSize, Pgno, Txid};
use crate::snapshot::Previous;
use crate::snapshot::proof::PageProof;

/// States of pages that are read at a time.
const STATES: u32 = 4096;

/// What a dump came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dumped {
    /// What the SQL does not carry, a sentence each.
    pub warnings: Vec<String>,
}

/// Where pages come from.
enum Pages {
    /// The database as it is now.
    Now(Moment),
    /// A backup.
    Stored(StoredPages),
}

impl Subject {
    /// The backup that `at` means, or without it the database as it is now.
    pub(super) async fn dump(&self, at: Option<&str>, options: Options) -> Done<Dumped> {
        let mut pages = match at {
            Some(at) => Pages::Stored(open(&self.lender, self.plan(at).await?).await?),
            None => Pages::Now(Moment::pin(&self.lender, &self.name, None).await?.0),
        };
        let dumped = self.write(&pages, options).await?;
        if let Pages::Now(moment) = &mut pages {
            // What was read is only one moment if releasing says so.
            moment.release().await?;
        }
        Ok(dumped)
    }

    async fn write(&self, pages: &Pages, options: Options) -> Done<Dumped> {
        let about = |error: Error| Fault::of(error, Some(&self.name));
        let total = pages.page_count();
        let header = DatabaseHeader::parse(&pages.read(1, 1).await?).map_err(about)?;
        let mut dump = Dump::new(header, total, options);
        loop {
            match dump.poll().map_err(|error| self.unknown_tables(error, &dump))? {
                DumpStep::NeedPages(ranges) => {
                    for range in ranges {
                        feed(&mut dump, pages, range).await?;
                    }
                    self.lender.tell(Phase::Dump, dump.visited().min(total.into()), total.into()).await?;
                }
                DumpStep::Output => {
                    let length = dump.output().len().min(TRANSFER as usize);
                    self.lender.write(dump.output().get(..length).unwrap_or_default().to_vec()).await?;
                    dump.take(length);
                }
                // Nothing was given away.
                DumpStep::Given => return Err(about(ErrorKind::Usage.into())),
                DumpStep::Done => return Ok(Dumped { warnings: dump.warnings() }),
            }
        }
    }

    fn unknown_tables(&self, error: Error, dump: &Dump) -> Fault {
        let fault = Fault::of(error, Some(&self.name));
        if error.kind != ErrorKind::TableUnknown {
            return fault;
        }
        let unknown = dump.unknown_tables().join(", ");
        let message = format!("{}: there is no table {unknown}; leave the names out for all tables", self.name);
        Fault { message, ..fault }
    }
}

impl Pages {
    fn page_size(&self) -> PageSize {
        match self {
            Self::Now(moment) => moment.page_size(),
            Self::Stored(pages) => pages.page_size(),
        }
    }

    fn page_count(&self) -> u32 {
        match self {
            Self::Now(moment) => moment.page_count(),
            Self::Stored(pages) => pages.page_count(),
        }
    }

    /// `count` pages from `first` on.
    async fn read(&self, first: u32, count: u32) -> Done<Vec<u8>> {
        match self {
            Self::Now(moment) => moment.read(first, count).await,
            Self::Stored(pages) => pages.read(first, count).await,
        }
    }
}

/// A range may be long: as much at a time as is handed over.
async fn feed(dump: &mut Dump, pages: &Pages, range: PageRange) -> Done<()> {
    let most = (TRANSFER / pages.page_size().value()).max(1);
    let (mut first, mut left) = (range.first.value(), range.count);
    while left > 0 {
        let count = left.min(most);
        let bytes = pages.read(first, count).await?;
        let number = Pgno::new(first).ok_or_else(|| Fault::of(ErrorKind::Usage.into(), None))?;
        dump.feed(number, bytes);
        (first, left) = (first.saturating_add(count), left - count);
    }
    Ok(())
}

/// The pages of a stored backup, each proved: part of a stored file has no checksum of its own. Where there are no
/// fingerprints, or no more, the whole chain is read once as a restore reads it.
async fn open(lender: &Lender, plan: Plan) -> Done<StoredPages> {
    let Plan { files, backup, .. } = plan;
    let shape = backup.as_ref().map(|backup| (backup.view.page_size, backup.view.page_count));
    let proof = match &backup {
        Some(backup) if !backup.fingerprints.is_empty() => load_proof(lender, backup).await?,
        _ => None,
    };
    if proof.is_none() {
        let bookmark = backup.map(|backup| backup.view.bookmark);
        put_together(lender, files.clone(), bookmark.as_deref(), Phase::Dump).await?;
    }
    StoredPages::open(lender, files, shape, proof).await
}

/// What the pages must be like; nothing where the fingerprints are damaged or lost.
async fn load_proof(lender: &Lender, backup: &Restorable) -> Done<Option<PageProof>> {
    match read_proof(lender, backup).await {
        Ok(proof) => Ok(Some(proof)),
        Err(fault) if fault.kind().is_of_store() => Ok(None),
        Err(fault) => Err(fault),
    }
}

async fn read_proof(lender: &Lender, backup: &Restorable) -> Done<PageProof> {
    let lost = |_: Error| Fault::of(ErrorKind::Fingerprints.into(), Some(&backup.name));
    let unusable = || lost(ErrorKind::Fingerprints.into());
    let page_size = PageSize::new(backup.view.page_size).ok_or_else(unusable)?;
    let page_count = backup.view.page_count;
    let checksum = Txid::parse(&backup.checksum).and_then(|Txid(value)| Checksum::new(value)).ok_or_else(unusable)?;
    let mut previous = Previous::new(page_size, page_count, checksum);
    let (base, changes) = backup.fingerprints.split_first().ok_or_else(unusable)?;
    let open = |file: &StoredFile| ObjectReader::new(lender, file.clone(), TRANSFER);
    for file in changes {
        let (mut reader, mut whole) = (open(file), Vec::new());
        loop {
            let bytes = reader.next().await?;
            if bytes.is_empty() {
                break;
            }
            whole.extend_from_slice(&bytes);
        }
        previous.add_changes(&whole).map_err(lost)?;
    }
    let (mut reader, mut proof, mut next) = (open(base), PageProof::new(page_size), 0);
    while next < page_count {
        let count = STATES.min(page_count - next);
        match previous.states(count).map_err(lost)? {
            Some(states) => {
                proof.add(&states);
                next += count;
            }
            None => {
                let bytes = reader.next().await?;
                if bytes.is_empty() {
                    return Err(unusable());
                }
                previous.feed(&bytes);
            }
        }
    }
    // To its end, so that the file is proved whole: until then nothing may rest on it.
    while !reader.next().await?.is_empty() {}
    Ok(proof)
}
