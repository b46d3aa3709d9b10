//! Looking whether a database is the one whose backups a chain holds, before anything is stored. What that is judged by is
//! in [`crate::catalog::identity`].

use super::pages::pages_per_batch;
use super::request::{Pinned, Request};
use super::{Failure, Host, Outcome};
use crate::btree::Layout;
use crate::btree::inventory::{Inventory, InventoryStep};
use crate::catalog::identity::{self, Contents, Identity, RowSearch, Times, Verdict};
use crate::catalog::{Folder, Record, StoredFile, when};
use crate::error::{Class, ErrorKind};
use crate::page::{DatabaseHeader, PageSize, Pgno};

/// Pages of the last backup whose rows are looked for.
const SAMPLE: u32 = 64;
/// A database up to this size is looked through whole, in bytes: rows may have come to lie on other pages.
const SMALL: u64 = 16 << 20;
/// What is read of it at a time, in bytes.
const BATCH: u32 = 256 << 10;

/// What a database's first page and its schema say.
pub(super) struct Schema {
    /// Names of the user tables.
    pub(super) names: Vec<String>,
    /// The header.
    pub(super) header: DatabaseHeader,
    /// The whole first page.
    first: Vec<u8>,
    /// Numbers of the pages that hold the schema.
    pages: Vec<u32>,
}

/// Where pages are read.
#[derive(Clone, Copy)]
enum Reader<'a> {
    Moment(&'a Host),
    Stored(&'a Host),
}

impl Reader<'_> {
    async fn read(self, pgno: u32) -> Outcome<Vec<u8>> {
        match self {
            Self::Moment(host) => host.bytes(Request::ReadPages { first: pgno, count: 1 }).await,
            Self::Stored(host) => host.bytes(Request::ReadStored { pgno }).await,
        }
    }
}

/// The schema of the moment, and what its record will say of the database.
///
/// # Errors
/// `CutOff`; what the core finds wrong with the schema.
pub(super) async fn identify(host: &Host, moment: &Pinned, lineage: &str) -> Outcome<(Schema, Identity)> {
    let schema = read_schema(Reader::Moment(host), moment.page_count).await.map_err(|failure| match failure {
        Failure::Core(error, _) if moment.beyond > 0 && error.kind == ErrorKind::BtreePage => Failure::CutOff(error),
        other => other,
    })?;
    let digest = |what: &str, text: &Option<String>| {
        text.as_ref().map(|text| identity::digest(lineage, &format!("{what} {text}")))
    };
    let identity = Identity {
        place: digest("path", &moment.place),
        file: digest("file", &moment.file),
        changes: schema.header.change_counter,
        schema: schema.header.schema_cookie,
        tables: Identity::sketch(schema.names.iter().map(String::as_str)),
    };
    Ok((schema, identity))
}

/// Refuses a database that is not the one backed up in `folder`.
///
/// # Errors
/// `OtherDatabase`.
pub(super) async fn judge(host: &Host, folder: &Folder, moment: &Pinned, now: &Identity) -> Outcome<()> {
    let Some(last) = folder.history.reference(None) else { return Ok(()) };
    let times = Times {
        born_ms: moment.born_ms.map(|ms| ms as i64),
        backup_ms: when::rfc3339(&last.created_at).unwrap_or_default(),
    };
    let verdict = match &last.identity {
        // A record from before there were ids has none: its pages tell.
        None => match look_into(host, folder, last, moment).await? {
            None => Verdict::Same,
            Some((before, contents)) => before.judge(now, times, Some(contents)),
        },
        Some(before) => match before.judge(now, times, None) {
            Verdict::Unsure => {
                let reference = folder.history.reference(Some(now.changes)).unwrap_or(last);
                let found = look_into(host, folder, reference, moment).await?;
                let nothing = Contents { rows: 0, kept: 0, identical: false };
                before.judge(now, times, Some(found.map_or(nothing, |(_, contents)| contents)))
            }
            verdict => verdict,
        },
    };
    match verdict {
        Verdict::Other(sign) => Err(Failure::OtherDatabase(sign)),
        Verdict::Same | Verdict::Unsure => Ok(()),
    }
}

/// The tables that end behind the database's stated end. Walks through all of them, and only where the file goes on there.
///
/// # Errors
/// What the core finds wrong with the schema.
pub(super) async fn lacking(host: &Host, moment: &Pinned) -> Outcome<Vec<String>> {
    if moment.beyond == 0 {
        return Ok(Vec::new());
    }
    let from = Reader::Moment(host);
    let header = DatabaseHeader::parse(&from.read(1).await?)?;
    let inventory = walk(from, Inventory::new(&header, moment.page_count, true), |_| {}).await?;
    let damaged = inventory.tables().iter().filter(|table| table.damage.is_some());
    Ok(damaged.map(|table| table.name.clone()).collect())
}

/// Looks for rows of a backup in the database as it is now, and reads what its record does not say. Nothing when the backup
/// is damaged: that says nothing of what the database is, and a verification finds it.
async fn look_into(
    host: &Host,
    folder: &Folder,
    record: &Record,
    moment: &Pinned,
) -> Outcome<Option<(Identity, Contents)>> {
    let looked = compare(host, folder, record, moment).await;
    let _ = host.perform(Request::CloseStored).await;
    match looked {
        Ok(found) => Ok(Some(found)),
        Err(Failure::Host(failure)) if failure.kind.is_of_store() => Ok(None),
        Err(Failure::Core(error, _)) if matches!(error.kind.class(), Class::Damage | Class::Input) => Ok(None),
        Err(failure) => Err(failure),
    }
}

async fn compare(host: &Host, folder: &Folder, record: &Record, moment: &Pinned) -> Outcome<(Identity, Contents)> {
    let (then, now) = (Reader::Stored(host), Reader::Moment(host));
    let chain = folder.chain(record)?.into_iter();
    let files = chain.map(|link| StoredFile::new(link.ltx_file())).collect();
    let (page_size, page_count) = (record.page_size, record.page_count);
    host.perform(Request::OpenStored { files, page_size, page_count }).await?;
    let before = read_schema(then, record.page_count).await?;
    let first = now.read(1).await?;
    let layout_then = Layout::new(&before.header, record.page_count);
    let layout_now = Layout::new(&DatabaseHeader::parse(&first)?, moment.page_count);
    let mut search = RowSearch::default();
    add_small(host, moment, layout_now, &mut search).await?;
    let mut identical = (moment.page_size, moment.page_count) == (record.page_size, record.page_count);
    identical &= before.first == first;
    let step = record.page_count.div_ceil(SAMPLE).max(1);
    for pgno in (1..=record.page_count).step_by(step as usize) {
        let Some(number) = Pgno::new(pgno).filter(|_| !before.pages.contains(&pgno)) else { continue };
        let page_then = then.read(pgno).await?;
        let page_now = if pgno <= moment.page_count { now.read(pgno).await? } else { Vec::new() };
        identical &= page_then == page_now;
        if !page_now.is_empty() {
            search.add(&page_now, number, layout_now);
        }
        search.look_for(&page_then, number, layout_then);
    }
    let identity = Identity {
        changes: before.header.change_counter,
        schema: before.header.schema_cookie,
        tables: Identity::sketch(before.names.iter().map(String::as_str)),
        ..Identity::default()
    };
    let (rows, kept) = search.found();
    Ok((identity, Contents { rows, kept, identical }))
}

/// Adds the rows of all pages of a small database.
async fn add_small(host: &Host, moment: &Pinned, layout: Layout, search: &mut RowSearch) -> Outcome<()> {
    if u64::from(moment.page_size) * u64::from(moment.page_count) > SMALL {
        return Ok(());
    }
    let page_size = PageSize::new(moment.page_size).ok_or(ErrorKind::Usage)?;
    let per_batch = pages_per_batch(page_size, BATCH, None);
    let mut first = 1;
    while first <= moment.page_count {
        let count = per_batch.min(moment.page_count - first + 1);
        let pages = host.bytes(Request::ReadPages { first, count }).await?;
        for (pgno, page) in (first..).zip(pages.chunks(page_size.bytes())) {
            Pgno::new(pgno).into_iter().for_each(|pgno| search.add(page, pgno, layout));
        }
        first += count;
    }
    Ok(())
}

async fn read_schema(from: Reader<'_>, page_count: u32) -> Outcome<Schema> {
    let first = from.read(1).await?;
    let header = DatabaseHeader::parse(&first)?;
    let mut pages = vec![1];
    let inventory = walk(from, Inventory::new(&header, page_count, false), |pgno| {
        pages.push(pgno);
    });
    let names = inventory.await?.tables().iter().map(|table| table.name.clone()).collect();
    Ok(Schema { names, header, first, pages })
}

async fn walk(from: Reader<'_>, mut inventory: Inventory, mut seen: impl FnMut(u32)) -> Outcome<Inventory> {
    while let InventoryStep::NeedPage(pgno) = inventory.poll()? {
        seen(pgno.value());
        inventory.feed(&from.read(pgno.value()).await?)?;
    }
    Ok(inventory)
}
