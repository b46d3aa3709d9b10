//! Packing the pages of a moment: which to read, in batches, and their frames and fingerprints in order.

use std::collections::VecDeque;

use super::host::Call;
use super::request::{Answer, Request};
use super::states::States;
use super::{Host, Outcome};
use crate::error::ErrorKind;
use crate::page::{PageSize, Pgno};
use crate::snapshot::fingerprint::STATE_SIZE;
use crate::snapshot::{Packed, PageState, Writer};

/// The pages of a moment, and which of them must be looked at.
pub(super) struct Pages {
    /// Size of a page.
    pub(super) page_size: PageSize,
    /// Size of the database, in pages.
    pub(super) page_count: u32,
    /// Pages that may differ from the last backup, ascending; `None` where that is not known.
    pub(super) changed: Option<Vec<u32>>,
    /// Whether `changed` are all that differ for certain, so that nothing is compared.
    pub(super) is_told: bool,
    /// Whether the fingerprint file must hold every page.
    pub(super) complete: bool,
    /// Pages of a batch.
    pub(super) per_batch: u32,
    /// Batches at a time.
    pub(super) concurrency: usize,
}

/// How far the pages are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Position {
    /// The first page that was not looked at.
    pub(super) next: u32,
    /// Read so far, in bytes.
    pub(super) bytes: u64,
}

/// The next pages of the database, and which of them to read.
struct Stretch {
    first: u32,
    count: u32,
    /// First page and count of each run.
    runs: Vec<u32>,
}

/// A stretch that is being packed.
struct Batch {
    stretch: Stretch,
    before: Option<Vec<Option<PageState>>>,
    packed: Call,
}

impl Position {
    /// Before the first page.
    pub(super) const START: Self = Self { next: 1, bytes: 0 };
}

/// How many pages make a batch of `bytes`; `wanted` are fewer, if anything.
pub(super) fn pages_per_batch(page_size: PageSize, bytes: u32, wanted: Option<u32>) -> u32 {
    let most = (bytes / page_size.value()).max(1);
    wanted.map_or(most, |wanted| wanted.clamp(1, most))
}

impl Pages {
    /// How much there is to read at most, in bytes.
    pub(super) fn total_bytes(&self) -> u64 {
        let pages = self.changed.as_ref().map_or(self.page_count as usize, Vec::len);
        pages as u64 * u64::from(self.page_size.value())
    }

    /// Packs all pages from `position` on and appends them to both files. `save` is called after each batch with how far
    /// the files are.
    pub(super) async fn pack(
        &self,
        host: &Host,
        writer: &mut Writer,
        states: &mut Option<States>,
        position: &mut Position,
        save: impl AsyncFn(&Writer, Position) -> Outcome<()>,
    ) -> Outcome<()> {
        let mut asked = position.next;
        let mut under_way = VecDeque::new();
        while let Some(stretch) = self.next_stretch(&mut asked) {
            if under_way.len() >= self.concurrency {
                self.append_oldest(host, writer, &mut under_way, position).await?;
                save(writer, *position).await?;
            }
            under_way.push_back(self.start(host, stretch, states).await?);
        }
        while !under_way.is_empty() {
            self.append_oldest(host, writer, &mut under_way, position).await?;
            if !under_way.is_empty() {
                save(writer, *position).await?;
            }
        }
        if let Some(states) = states {
            self.forget_gone(writer, states).await?;
        }
        Ok(())
    }

    /// Passes over the states of the pages before `position`.
    pub(super) async fn skip(&self, states: &mut States, position: Position) -> Outcome<()> {
        let mut next = 1;
        while next < position.next {
            let count = self.per_batch.min(position.next - next);
            states.next(count).await?;
            next += count;
        }
        Ok(())
    }

    async fn start(&self, host: &Host, stretch: Stretch, states: &mut Option<States>) -> Outcome<Batch> {
        let before = match states {
            Some(states) => Some(states.next(stretch.count).await?),
            None => None,
        };
        let states = before.as_ref().map(|before| states_of(&stretch, before));
        let packed = host.call(Request::Pack { runs: stretch.runs.clone(), states });
        Ok(Batch { stretch, before, packed })
    }

    async fn append_oldest(
        &self,
        host: &Host,
        writer: &mut Writer,
        under_way: &mut VecDeque<Batch>,
        position: &mut Position,
    ) -> Outcome<()> {
        let Some(Batch { stretch, before, packed }) = under_way.pop_front() else { return Ok(()) };
        let pack = packed.id();
        let Answer::Bytes(summary) = packed.await? else { return Err(ErrorKind::Usage.into()) };
        let packed = Packed::from_summary(&summary)?;
        let first = Pgno::new(stretch.first).ok_or(ErrorKind::Usage)?;
        let fingerprints = match before.filter(|_| self.complete) {
            Some(before) => writer.append_complete(&packed, first, &before)?,
            None => writer.append(&packed)?,
        };
        position.next = stretch.first + stretch.count;
        let pages: u32 = stretch.runs.chunks(2).filter_map(|run| run.get(1)).sum();
        position.bytes += u64::from(pages) * u64::from(self.page_size.value());
        let (done, total, read) = (position.next - 1, self.page_count, position.bytes);
        host.perform(Request::AppendPacked { pack, fingerprints, done, total, read }).await
    }

    /// Takes pages that the database no longer has out of its checksum, and proves the states to their end.
    async fn forget_gone(&self, writer: &mut Writer, states: &mut States) -> Outcome<()> {
        let mut gone = states.page_count().saturating_sub(self.page_count);
        while gone > 0 {
            let count = gone.min(self.per_batch);
            writer.forget(&states.next(count).await?);
            gone -= count;
        }
        states.finish().await
    }

    /// The stretch that begins with page `next`, which moves behind it.
    fn next_stretch(&self, next: &mut u32) -> Option<Stretch> {
        let first = Some(*next).filter(|&first| first <= self.page_count)?;
        let most = self.per_batch.min(self.page_count - first + 1);
        let changed = self.changed.as_deref().map(|pages| {
            let from = pages.partition_point(|&page| page < first);
            pages.get(from..).unwrap_or_default()
        });
        let (count, runs) = match changed {
            None => (most, vec![first, most]),
            // A batch of pages that are told to have changed is full whatever lies between them.
            Some(pages) if self.is_told => {
                let batch = pages.get(..self.per_batch as usize).filter(|batch| batch.len() < pages.len());
                let last = batch.and_then(|batch| batch.last().copied()).unwrap_or(self.page_count);
                (last - first + 1, runs_of(batch.unwrap_or(pages)))
            }
            Some(pages) => {
                let within = pages.partition_point(|&page| page < first + most);
                (most, runs_of(pages.get(..within).unwrap_or_default()))
            }
        };
        *next = first + count;
        Some(Stretch { first, count, runs })
    }
}

/// Ascending page numbers as runs: first page and count of each.
fn runs_of(pages: &[u32]) -> Vec<u32> {
    let mut runs: Vec<u32> = Vec::new();
    for &page in pages {
        match runs.as_mut_slice() {
            [.., first, count] if *first + *count == page => *count += 1,
            _ => runs.extend([page, 1]),
        }
    }
    runs
}

/// The states of a stretch's runs, out of those of all its pages.
fn states_of(stretch: &Stretch, before: &[Option<PageState>]) -> Vec<u8> {
    let mut out = Vec::with_capacity(before.len() * STATE_SIZE);
    for run in stretch.runs.chunks_exact(2) {
        let [first, count] = run else { continue };
        let start = (first - stretch.first) as usize;
        for state in before.get(start..start + *count as usize).unwrap_or_default() {
            match state {
                Some(state) => state.encode(&mut out),
                None => out.extend_from_slice(&[0; STATE_SIZE]),
            }
        }
    }
    out
}
