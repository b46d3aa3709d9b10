//! Where the pages of one b-tree ended before, and the numbers that they had.

use std::collections::HashMap;

use crate::page::{PageSize, Pgno};

/// What guides the b-tree that is being built to the pages of the one before; empty where there was none before.
#[derive(Clone, Debug, Default)]
pub(super) struct Guide {
    root: Option<Pgno>,
    /// From the leaves up, but the root's.
    levels: Vec<GuideLevel>,
    chains: Vec<Chain>,
}

/// The pages of one level.
#[derive(Clone, Debug, Default)]
pub(super) struct GuideLevel {
    /// In the order of their keys: page number, and the key after it. That of the last page means nothing.
    pages: Vec<(u32, u64)>,
    /// How many of them are behind.
    passed: usize,
    /// Which page a key comes after. Only in an index, whose keys do not tell by themselves which is the larger.
    after: HashMap<u64, usize>,
}

/// Overflow pages that follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Chain {
    /// The key of its row.
    pub(super) key: u64,
    pub(super) first: u32,
    pub(super) count: u32,
}

impl Chain {
    /// Its pages: those that follow the first, but the lock page.
    pub(super) fn pages(self, page_size: PageSize) -> impl Iterator<Item = u32> + Clone + use<> {
        let lock = page_size.lock_page().value();
        (self.first..=u32::MAX).filter(move |&pgno| pgno != lock).take(self.count as usize)
    }
}

impl Guide {
    pub(super) fn new(root: Pgno) -> Self {
        Self { root: Some(root), ..Self::default() }
    }

    /// Adds the level below those that were added.
    pub(super) fn add_level(&mut self, level: GuideLevel) {
        self.levels.insert(0, level);
    }

    pub(super) fn add_chains(&mut self, chains: impl IntoIterator<Item = Chain>) {
        self.chains.extend(chains);
    }

    /// The root's number.
    pub(super) fn root(&self) -> Option<Pgno> {
        self.root
    }

    /// The overflow pages, by the keys of their rows.
    pub(super) fn take_chains(&mut self) -> HashMap<u64, Chain> {
        core::mem::take(&mut self.chains).into_iter().map(|chain| (chain.key, chain)).collect()
    }

    /// What is known of a level, which counts from 0 for the leaves.
    pub(super) fn take_level(&mut self, depth: usize, is_index: bool) -> GuideLevel {
        let mut level = self.levels.get_mut(depth).map(core::mem::take).unwrap_or_default();
        if is_index {
            let bounded = level.pages.len().saturating_sub(1);
            let keys = level.pages.iter().take(bounded).enumerate();
            level.after = keys.map(|(index, &(_, key))| (key, index)).collect();
        }
        level
    }
}

impl GuideLevel {
    pub(super) fn new(pages: Vec<(u32, u64)>) -> Self {
        Self { pages, passed: 0, after: HashMap::new() }
    }

    /// The current page of a table and the largest rowid that it may have, if `rowid` is larger: it is behind now.
    pub(super) fn pass_before(&mut self, rowid: i64) -> Option<(u32, i64)> {
        let bounded = self.pages.len().saturating_sub(1);
        let &(pgno, key) = self.pages.get(self.passed).filter(|_| self.passed < bounded)?;
        (rowid > key as i64).then(|| {
            self.passed += 1;
            (pgno, key as i64)
        })
    }

    /// The page of a table whose largest rowid this one is: it is behind now.
    pub(super) fn pass_at(&mut self, rowid: i64) -> Option<u32> {
        while self.pass_before(rowid).is_some() {}
        let bounded = self.pages.len().saturating_sub(1);
        let &(pgno, key) = self.pages.get(self.passed).filter(|_| self.passed < bounded)?;
        (rowid == key as i64).then(|| {
            self.passed += 1;
            pgno
        })
    }

    /// The page of an index that this entry came after: it is behind now, with all before it.
    pub(super) fn pass_entry(&mut self, entry: [&[u8]; 2]) -> Option<u32> {
        if self.after.is_empty() {
            return None;
        }
        let index = *self.after.get(&key_of_parts(entry)).filter(|&&index| index >= self.passed)?;
        self.passed = index + 1;
        self.pages.get(index).map(|&(pgno, _)| pgno)
    }

    /// The current page is not behind after all.
    pub(super) fn step_back(&mut self) {
        self.passed = self.passed.saturating_sub(1);
    }

    /// The current page, for what comes last.
    pub(super) fn current(&self) -> Option<u32> {
        self.pages.get(self.passed).map(|&(pgno, _)| pgno)
    }
}

/// What an entry goes by (FNV-1a). Two that go by the same are no harm: a page ends where it did not have to.
pub(super) fn key_of(entry: &[u8]) -> u64 {
    key_of_parts([entry, &[]])
}

fn key_of_parts(parts: [&[u8]; 2]) -> u64 {
    const START: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0100_0000_01b3;
    parts.into_iter().flatten().fold(START, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(PRIME))
}
