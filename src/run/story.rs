//! Making a backup. The order of writes is the product's promise: the fingerprint file, then the LTX file, and the record
//! last. A backup exists when its record does; whatever a crash leaves before that is invisible, and is swept later.
//!
//! ```text
//!  list ─▶ pin ─▶ judge ─▶ Pages ─▶ Fingerprints ─▶ Ltx ─▶ Record ─▶ Sweep ─▶ made
//!   ▲                        │ ▲        (each of these can be saved, and begun again)
//!   └── the source changed ──┘ └── the fingerprints of the last backup are lost: all pages, as a full backup
//! ```

use super::ask::{abort, append, pin};
use super::draft::{About, Draft};
use super::load::{load_known, refuse_other_name};
use super::notes::{BackupOptions, Made, Shared};
use super::pages::Position;
use super::request::{FailureKind, File, Pinned, Request};
use super::saved::{Lack, Phase, Saved};
use super::{Failure, Host, Outcome, identify};
use crate::bookmark::Lineage;
use crate::catalog::{Folder, Kind, Link, Next, Record, follow};
use crate::error::ErrorKind;
use crate::page::{Checksum, PageSize, Txid};
use crate::snapshot::{Logged, Writer};

/// A source that changes under every attempt is given up after so many.
const ATTEMPTS: u32 = 5;

/// One backup, told from its beginning to its end.
pub(super) struct Story {
    pub(super) host: Host,
    pub(super) notes: Shared,
}

impl Story {
    pub(super) async fn tell(&self, options: BackupOptions) -> Outcome<Made> {
        for attempt in 1.. {
            match self.attempt(&options).await {
                Err(Failure::Host(failure))
                    if failure.kind == FailureKind::Changed && attempt < ATTEMPTS && !options.in_steps =>
                {
                    self.host.perform(Request::Wait { ms: 20 * attempt }).await?;
                }
                outcome => return outcome,
            }
        }
        Err(ErrorKind::Usage.into())
    }

    async fn attempt(&self, options: &BackupOptions) -> Outcome<Made> {
        let known = self.notes.borrow_mut().known.take();
        let mut loaded = load_known(&self.host, &options.place, known).await?;
        self.notes.borrow_mut().proved = core::mem::take(&mut loaded.known.proved);
        let folder = loaded.known.folder();
        if !options.same_database {
            refuse_other_name(folder)?;
        }
        let mut next = folder.next();
        if folder.history.is_followed() && !options.watching {
            // Whoever watches the database may store more states until it hears of this backup.
            next.txid = Txid(next.txid.0.saturating_add(follow::APART));
        }
        let since = folder.head(&next).and_then(|head| head.mark.clone());
        let moment = pin(&self.host, since.clone(), options.at.clone()).await?;
        let made = self.with_moment(options, folder, next, &moment, since).await;
        if made.is_err() {
            // The moment is of no use any more; the failure before says why.
            let _ = self.host.perform(Request::Release).await;
        }
        let (made, saved) = made?;
        let is_tidy = loaded.is_known || saved.is_tidy;
        // What others put in the place of these from now on must have another time.
        if is_tidy && self.host.now_ms() > saved.draft.now_ms {
            let encoded = made.record.encode()?;
            let mut notes = self.notes.borrow_mut();
            loaded.known.proved = core::mem::take(&mut notes.proved);
            notes.known = loaded.known.with(made.record.clone(), encoded, saved.draft.now_ms);
        }
        Ok(made)
    }

    /// Decides what to make of the moment, and makes it.
    async fn with_moment(
        &self,
        options: &BackupOptions,
        folder: &Folder,
        next: Next,
        moment: &Pinned,
        since: Option<String>,
    ) -> Outcome<(Made, Saved)> {
        let page_size = PageSize::new(moment.page_size).ok_or(ErrorKind::Usage)?;
        let (&id, drawn) = options.random.split_first_chunk::<16>().ok_or(ErrorKind::Usage)?;
        let drawn = drawn.first_chunk::<8>().map_or(0, |drawn| u64::from_be_bytes(*drawn));
        let lineage = next.lineage.unwrap_or(Lineage(drawn));
        let (schema, identity) = identify::identify(&self.host, moment, &lineage.to_string()).await?;
        let is_alike = |last: &Record| last.partial == options.label.partial;
        if !folder.history.reference(None).is_none_or(is_alike) {
            return Err(ErrorKind::OtherTables.into());
        }
        if !options.same_database && !options.safety {
            identify::judge(&self.host, folder, moment, &identity).await?;
        }
        let tables = identify::lacking(&self.host, moment).await?;
        let lack = Lack { tables, page_count: moment.page_count, beyond: moment.beyond };
        let head = folder.head(&next);
        let full_because = match head {
            _ if options.full => Some("it was asked for"),
            None => next.full_because,
            Some(head) if head.page_size != moment.page_size => Some("the database's page size has changed"),
            Some(_) => None,
        };
        let head = head.filter(|_| full_because.is_none());
        let changed = moment.changed.as_ref().map_or(0, Vec::len) as u32;
        let is_due = head.is_some_and(|head| folder.history.wants_complete_fingerprints(head, changed));
        let told = head.and_then(|head| tells_all(moment, head, page_size)).filter(|_| !is_due);
        let base = match head {
            Some(head) if told.is_none() => folder.fingerprints(head)?,
            _ => Vec::new(),
        };
        let (leftovers, is_tidy) = folder.leftovers(&next);
        let (kind, complete) = if head.is_some() { (Kind::Incremental, is_due) } else { (Kind::Full, true) };
        let about = About {
            name: &options.name,
            id,
            kind,
            complete,
            safety: options.safety,
            label: &options.label,
            tables: schema.names.len() as u32,
            free: schema.header.free_pages,
            identity,
            lineage,
        };
        let saved = Saved {
            phase: Phase::Pages,
            draft: Draft::new(folder, &next, moment, about, self.host.now_ms()),
            at: moment.bookmark.clone(),
            since,
            full_because: full_because.map(str::to_owned),
            damaged: next.damaged,
            lack: Some(lack).filter(|lack| !lack.tables.is_empty()),
            base: base.iter().map(Link::fingerprint_file).collect(),
            base_pages: head.map_or(0, |head| head.page_count),
            base_checksum: head.map_or(0, |head| head.checksum().value()),
            told_checksum: told.map(Checksum::value),
            pages: 0,
            checksum: 0,
            fingerprints: None,
            record: None,
            leftovers,
            is_tidy,
            most_pages: None,
        };
        self.begin(options, saved, moment, page_size).await
    }

    /// Begins both files, and makes the backup.
    async fn begin(
        &self,
        options: &BackupOptions,
        mut state: Saved,
        moment: &Pinned,
        page_size: PageSize,
    ) -> Outcome<(Made, Saved)> {
        let before = Some(state.base_checksum).filter(|_| !state.base.is_empty()).and_then(Checksum::new);
        {
            let mut notes = self.notes.borrow_mut();
            notes.at.clone_from(&state.at);
            notes.changed.clone_from(&moment.changed);
        }
        let writer = state.draft.writer(page_size, before.unwrap_or(Checksum::EMPTY));
        let made = match self.create(options, &state, writer).await {
            Ok(writer) => self.run(&mut state, Position::START, Some(writer), true, options).await,
            Err(failure) => Err(failure),
        };
        if made.as_ref().is_err_and(|failure| !options.in_steps && failure.leaves_nothing()) {
            // What cannot be deleted now is invisible, and goes the next time.
            let _ = abort(&self.host).await;
        }
        Ok((made.map_err(Failure::plain)?, state))
    }

    /// Begins both files with their headers.
    async fn create(&self, options: &BackupOptions, state: &Saved, writer: Writer) -> Outcome<Writer> {
        let host = &self.host;
        let Draft { ltx_key, fingerprints_key, now_ms, .. } = &state.draft;
        for (file, key) in [(File::Ltx, ltx_key), (File::Fingerprints, fingerprints_key)] {
            host.perform(Request::Create { file, key: key.clone(), modified_ms: *now_ms }).await?;
        }
        append(host, File::Ltx, writer.ltx_header()).await?;
        append(host, File::Fingerprints, writer.fingerprint_header()).await?;
        {
            let mut notes = self.notes.borrow_mut();
            notes.log.clear();
            notes.logged = Logged::default();
        }
        if options.in_steps {
            self.save(state, Position::START, Some(&writer)).await?;
        }
        Ok(writer)
    }

    /// Begins anew as a full backup of the moment that is held: the fingerprints to compare with are of no use.
    pub(super) async fn become_full(&self, options: &BackupOptions, state: &mut Saved) -> Outcome<Writer> {
        abort(&self.host).await?;
        state.draft.become_full();
        state.full_because = Some("the fingerprints of the last backup are damaged or lost".to_owned());
        (state.damaged, state.base) = (true, Vec::new());
        let page_size = PageSize::new(state.draft.record.page_size).ok_or(ErrorKind::SavedState)?;
        self.create(options, state, state.draft.writer(page_size, Checksum::EMPTY)).await
    }
}

/// The moment's checksum when it tells all that an incremental backup on top of `head` needs: what it says of the state
/// before must be what that backup proved, and every page that came since must be among those that changed.
fn tells_all(moment: &Pinned, head: &Record, page_size: PageSize) -> Option<Checksum> {
    let changed = moment.changed.as_ref()?;
    let parse = |text: &Option<String>| Checksum::new(Txid::parse(text.as_ref()?)?.0);
    let checksum = parse(&moment.checksum)?;
    let is_same = parse(&moment.checksum_before) == Some(head.checksum());
    let added = changed.len() - changed.partition_point(|&page| page <= head.page_count);
    let came = page_size.data_pages(moment.page_count).saturating_sub(page_size.data_pages(head.page_count));
    (is_same && added as u32 == came).then_some(checksum)
}
