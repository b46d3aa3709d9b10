//! The pages of a database that is lent as files.

use super::TRANSFER;
use super::ask::{Ask, Lender};
use super::fault::{Done, Fault};
use super::lend::{Files, Part};
use crate::catalog::record::Taken;
use crate::error::{Error, ErrorKind};
use crate::page::wal::{WalMark, WalReader};
use crate::page::{DatabaseHeader, Overlay, PageSize, Pgno};
use crate::run::Pinned;
use crate::snapshot::{Sha256, hex_digits};

/// As much of the first page as shows the header, and tells ciphertext from text. In bytes.
const START: u64 = 512;
/// Size of a database's header, in bytes.
const HEADER_SIZE: usize = 100;
/// Size of a write-ahead log's header, in bytes. Each generation of the log has another header.
const WAL_HEADER: u32 = 32;
/// Bytes that are looked at behind the stated end of a database.
const BEHIND: u64 = 256 << 10;

/// A moment that is held.
pub(super) struct Moment {
    lender: Lender,
    name: String,
    main_size: u64,
    page_size: PageSize,
    page_count: u32,
    overlay: Overlay,
    /// Header of the write-ahead log from which pages are read: while it is the same, so are they.
    wal_header: Option<Vec<u8>>,
    is_released: bool,
}

impl Moment {
    /// Pins the database. `since` is its mark at the last backup.
    pub(super) async fn pin(lender: &Lender, name: &str, since: Option<&str>) -> Done<(Self, Pinned)> {
        let files = lender.pin(name).await?;
        // From here on it lets go of itself.
        Self::open(lender, name, files, since).await
    }

    async fn open(lender: &Lender, name: &str, files: Files, since: Option<&str>) -> Done<(Self, Pinned)> {
        let about = |error: Error| Fault::of(error, Some(name));
        let Files { main_size, wal_size, place, file, born_ms } = files;
        let mut moment = Self {
            lender: lender.clone(),
            name: name.to_owned(),
            main_size,
            page_size: PageSize::LEAST,
            page_count: 0,
            overlay: Overlay::default(),
            wal_header: None,
            is_released: false,
        };
        let header = DatabaseHeader::parse(&moment.bytes(Part::Main, 0, main_size.min(START)).await?).map_err(about)?;
        moment.page_size = header.page_size;
        let (mut mark, mut changed) = (None, None);
        if header.wal && wal_size > 0 {
            let wal = moment.read_wal(wal_size, since).await?;
            moment.page_count = wal.page_count.unwrap_or(0);
            moment.overlay = wal.overlay;
            mark = wal.mark.map(WalMark::format);
            changed = wal.changed_since.map(|pages| pages.into_iter().map(Pgno::value).collect());
        }
        let mut beyond = 0;
        if moment.page_count == 0 {
            moment.page_count = header.pages_in(main_size).map_err(about)?;
            beyond = moment.pages_behind().await?;
        }
        let pinned = Pinned {
            page_size: moment.page_size.value(),
            page_count: moment.page_count,
            taken: Taken::Start,
            mark,
            bookmark: None,
            checksum: None,
            checksum_before: None,
            place,
            file,
            born_ms: born_ms.map(|ms| ms as f64),
            beyond,
            changed,
        };
        Ok((moment, pinned))
    }

    /// Lets go, and says whether the moment held.
    pub(super) async fn release(&mut self) -> Done<()> {
        if self.is_released {
            return Ok(());
        }
        self.is_released = true;
        let held = match &self.wal_header {
            // A log starts over once all of it was moved to the main file, if nobody reads it.
            Some(header) => self.bytes(Part::Wal, 0, u64::from(WAL_HEADER)).await.map(|now| now == *header),
            None => Ok(true),
        };
        self.lender.done(Ask::Release, &self.name).await?;
        if held? { Ok(()) } else { Err(Fault::changed()) }
    }

    async fn read_wal(&mut self, size: u64, since: Option<&str>) -> Done<crate::page::wal::Wal> {
        let about = |error: Error| Fault::of(error, Some(&self.name));
        let mut reader = WalReader::new(self.page_size);
        if let Some(mark) = since.and_then(WalMark::parse) {
            reader = reader.since(mark);
        }
        let mut at = 0;
        while at < size && !reader.is_finished() {
            let bytes = self.bytes(Part::Wal, at, (size - at).min(u64::from(TRANSFER))).await?;
            reader.feed(&bytes).map_err(about)?;
            if at == 0 {
                self.wal_header = bytes.get(..WAL_HEADER as usize).map(<[u8]>::to_vec);
            }
            at += bytes.len() as u64;
        }
        reader.finish().map_err(about)
    }

    /// Counts pages behind the stated end that hold something: unless the header is wrong, they are zeros.
    async fn pages_behind(&self) -> Done<u32> {
        let size = u64::from(self.page_size.value());
        let end = u64::from(self.page_count) * size;
        let behind = u32::try_from((self.main_size / size).saturating_sub(u64::from(self.page_count)));
        let behind = behind.unwrap_or(u32::MAX);
        let mut at = 0;
        let length = (u64::from(behind) * size).min(BEHIND);
        while at < length {
            let step = (length - at).min(u64::from(TRANSFER));
            if self.bytes(Part::Main, end + at, step).await?.iter().any(|&byte| byte != 0) {
                return Ok(behind);
            }
            at += step;
        }
        Ok(0)
    }

    /// Names the committed state: another one has another change counter in its header, or another last commit in its log,
    /// at which `mark` stands.
    pub(super) async fn state_name(&self, mark: Option<&str>) -> Done<String> {
        let first = self.read(1, 1).await?;
        let mut hash = Sha256::default();
        hash.update(first.get(..HEADER_SIZE).unwrap_or_default());
        hash.update(&self.page_count.to_be_bytes());
        hash.update(mark.unwrap_or_default().as_bytes());
        Ok(hex_digits(&hash.finish()))
    }

    async fn bytes(&self, part: Part, offset: u64, length: u64) -> Done<Vec<u8>> {
        match length {
            0 => Ok(Vec::new()),
            _ => self.lender.read(part, offset, length as u32, &self.name).await,
        }
    }

    #[cfg(feature = "dump")]
    pub(super) fn page_size(&self) -> PageSize {
        self.page_size
    }

    #[cfg(feature = "dump")]
    pub(super) fn page_count(&self) -> u32 {
        self.page_count
    }

    /// `count` pages from `first` on.
    pub(super) async fn read(&self, first: u32, count: u32) -> Done<Vec<u8>> {
        let size = self.page_size.bytes();
        let start = Pgno::new(first).ok_or_else(|| Fault::of(ErrorKind::Usage.into(), Some(&self.name)))?;
        let mut pages = Vec::with_capacity(size * count as usize);
        let beside = self.overlay.range(start, count);
        if beside.len() < count as usize {
            let whole = self.main_size / size as u64;
            let in_main = whole.saturating_sub(u64::from(first) - 1).min(u64::from(count));
            let (mut at, end) = (start.offset(self.page_size), in_main * size as u64);
            while (pages.len() as u64) < end {
                let step = (end - pages.len() as u64).min(u64::from(TRANSFER));
                pages.extend_from_slice(&self.bytes(Part::Main, at, step).await?);
                at += step;
            }
            let lacking = (first + in_main as u32..first + count)
                .find(|&page| beside.binary_search_by_key(&page, |(pgno, _)| pgno.value()).is_err());
            if let Some(page) = lacking.filter(|&page| page != self.page_size.lock_page().value()) {
                return Err(Fault::of(Error::at_page(ErrorKind::DatabaseTruncated, page), Some(&self.name)));
            }
        }
        pages.resize(size * count as usize, 0);
        for &(pgno, offset) in beside {
            let page = self.bytes(Part::Wal, offset, size as u64).await?;
            let at = (pgno.value() - first) as usize * size;
            pages.get_mut(at..at + size).unwrap_or_default().copy_from_slice(&page);
        }
        Ok(pages)
    }
}

impl Drop for Moment {
    fn drop(&mut self) {
        if !self.is_released {
            // Nobody waits for what it says.
            self.lender.post(Ask::Release);
        }
    }
}
