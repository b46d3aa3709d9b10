//! The newest frame of each page, in memory bounded by the number of pages rather than of frames.

use super::super::Pgno;

/// Below this many entries there is nothing worth saving.
const COMPACT_FROM: usize = 1024;

/// Eight bytes an entry, and never more than twice as many entries as pages (or [`COMPACT_FROM`]): a WAL of a gigabyte
/// that rewrites a hundred pages takes 8 KiB.
#[derive(Clone, Debug, Default)]
pub(super) struct Newest {
    /// The page, and below it the frame with all bits turned round, in no order: of a page the newest frame sorts first.
    entries: Vec<u64>,
    /// How many entries there were when each page last had only one.
    compacted: usize,
}

impl Newest {
    /// Notes that `frame` holds `pgno`.
    pub(super) fn push(&mut self, pgno: Pgno, frame: u32) {
        self.entries.push(u64::from(pgno.value()) << 32 | u64::from(!frame));
        if self.entries.len() >= COMPACT_FROM.max(self.compacted.saturating_mul(2)) {
            self.compact();
        }
    }

    /// Moves everything from `later`, whose capacity stays for its next use.
    pub(super) fn append(&mut self, later: &mut Self) {
        for (pgno, frame) in later.entries.drain(..).filter_map(entry) {
            self.push(pgno, frame);
        }
        later.compacted = 0;
    }

    /// One entry a page, ascending.
    pub(super) fn into_entries(mut self) -> Vec<(Pgno, u32)> {
        self.compact();
        self.entries.into_iter().filter_map(entry).collect()
    }

    fn compact(&mut self) {
        // Unstable, because a stable sort would need as much memory again.
        self.entries.sort_unstable();
        self.entries.dedup_by_key(|key| *key >> 32);
        self.compacted = self.entries.len();
    }
}

fn entry(key: u64) -> Option<(Pgno, u32)> {
    Some((Pgno::new((key >> 32) as u32)?, !(key as u32)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rewriting_few_pages_takes_little_memory() {
        let (mut committed, mut pending) = (Newest::default(), Newest::default());
        for frame in 1..=1_000_000 {
            pending.push(Pgno::new(frame % 1500 + 1).unwrap(), frame);
            if frame % 7 == 0 && frame < 500_000 || frame == 1_000_000 {
                committed.append(&mut pending);
            }
            assert!(committed.entries.capacity() <= 4096 && pending.entries.capacity() <= 4096);
        }
        let entries = committed.into_entries();
        assert_eq!(entries.len(), 1500);
        assert!(entries.iter().all(|&(pgno, frame)| frame > 998_500 && frame % 1500 + 1 == pgno.value()));
    }
}
