//! A database as SQL: as it is now, or as it was backed up.

use super::TRANSFER;
use super::backups::{Backups, written};
use super::fault::{Done, Fault};
use super::folder::Host;
use super::lend::{Database, Lent, Phase};
use super::moment::{Moment, Paged};
use super::object::ObjectReader;
use super::restore::{Sink, put_together};
use super::stored::StoredPages;
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

impl Backups<'_> {
    /// Gives `sink` a backup as SQL, in order. Nothing is restored first.
    ///
    /// # Errors
    /// As [`Backups::plan`]; any code of damage; `TABLE_UNKNOWN`; what `sink` fails with.
    pub fn dump(&self, at: &str, options: &Options, mut sink: impl FnMut(&[u8]) -> Lent<()>) -> Result<Dumped, Fault> {
        let plan = self.plan(at)?;
        let mut pages = open(self.host, plan)?;
        self.write(&mut pages, options, &mut |bytes| sink(bytes).map_err(written))
    }

    /// Gives `sink` the database as it is now as SQL, in order.
    ///
    /// # Errors
    /// Any code of what is no database, or is damaged; `TABLE_UNKNOWN`; what the host and `sink` fail with.
    pub fn dump_now(
        &self,
        database: &dyn Database,
        options: &Options,
        mut sink: impl FnMut(&[u8]) -> Lent<()>,
    ) -> Result<Dumped, Fault> {
        let (mut moment, _) = Moment::pin(database, &self.name, None)?;
        let dumped = self.write(&mut moment, options, &mut |bytes| sink(bytes).map_err(written))?;
        // What was read is only one moment if releasing says so.
        moment.release()?;
        Ok(dumped)
    }

    fn write(&self, pages: &mut dyn Paged, options: &Options, sink: Sink<'_>) -> Done<Dumped> {
        let about = |error: Error| Fault::of(error, Some(&self.name));
        let total = pages.page_count();
        let header = DatabaseHeader::parse(&pages.read(1, 1)?).map_err(about)?;
        let mut dump = Dump::new(header, total, options.clone()).map_err(about)?;
        loop {
            match dump.poll().map_err(|error| self.unknown_tables(error, &dump))? {
                DumpStep::NeedPages(ranges) => {
                    for range in ranges {
                        feed(&mut dump, pages, range)?;
                    }
                    self.host.tell(Phase::Dump, dump.visited().min(total.into()), total.into())?;
                }
                DumpStep::Output => {
                    let length = dump.output().len().min(TRANSFER as usize);
                    sink(dump.output().get(..length).unwrap_or_default())?;
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

/// A range may be long: as much at a time as is handed over.
fn feed(dump: &mut Dump, pages: &mut dyn Paged, range: PageRange) -> Done<()> {
    let most = (TRANSFER / pages.page_size().value()).max(1);
    let (mut first, mut left) = (range.first.value(), range.count);
    while left > 0 {
        let count = left.min(most);
        let bytes = pages.read(first, count)?;
        let number = Pgno::new(first).ok_or_else(|| Fault::of(ErrorKind::Usage.into(), None))?;
        dump.feed(number, bytes);
        (first, left) = (first.saturating_add(count), left - count);
    }
    Ok(())
}

/// The pages of a stored backup, each proved: part of a stored file has no checksum of its own. Where there are no
/// fingerprints, or no more, the whole chain is read once as a restore reads it.
fn open(host: Host<'_>, plan: Plan) -> Done<StoredPages<'_>> {
    let Plan { files, backup, .. } = plan;
    let shape = backup.as_ref().map(|backup| (backup.view.page_size, backup.view.page_count));
    let proof = match &backup {
        Some(backup) if !backup.fingerprints.is_empty() => load_proof(host, backup)?,
        _ => None,
    };
    if proof.is_none() {
        let bookmark = backup.map(|backup| backup.view.bookmark);
        put_together(host, files.clone(), bookmark.as_deref(), Phase::Dump, &mut |_| Ok(()))?;
    }
    StoredPages::open(host.store, files, shape, proof)
}

/// What the pages must be like; nothing where the fingerprints are damaged or lost.
fn load_proof(host: Host<'_>, backup: &Restorable) -> Done<Option<PageProof>> {
    match read_proof(host, backup) {
        Ok(proof) => Ok(Some(proof)),
        Err(fault) if fault.kind().is_of_store() => Ok(None),
        Err(fault) => Err(fault),
    }
}

fn read_proof(host: Host<'_>, backup: &Restorable) -> Done<PageProof> {
    let lost = |_: Error| Fault::of(ErrorKind::Fingerprints.into(), Some(&backup.name));
    let unusable = || lost(ErrorKind::Fingerprints.into());
    let page_size = PageSize::new(backup.view.page_size).ok_or_else(unusable)?;
    let page_count = backup.view.page_count;
    let checksum = Txid::parse(&backup.checksum).and_then(|Txid(value)| Checksum::new(value)).ok_or_else(unusable)?;
    let mut previous = Previous::new(page_size, page_count, checksum);
    let (base, changes) = backup.fingerprints.split_first().ok_or_else(unusable)?;
    let open = |file: &StoredFile| ObjectReader::new(host.store, file.clone(), TRANSFER);
    for file in changes {
        let (mut reader, mut whole) = (open(file), Vec::new());
        loop {
            let bytes = reader.next()?;
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
                let bytes = reader.next()?;
                if bytes.is_empty() {
                    return Err(unusable());
                }
                previous.feed(&bytes);
            }
        }
    }
    // To its end, so that the file is proved whole: until then nothing may rest on it.
    while !reader.next()?.is_empty() {}
    Ok(proof)
}
