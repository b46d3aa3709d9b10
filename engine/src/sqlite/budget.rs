//! How much statements may take: instructions, memory that they fill, and work in SQLite's C.

use std::cell::Cell;
use std::ffi::c_int;
use std::sync::atomic::{AtomicUsize, Ordering};

/// About what takes as long to fill as an instruction; `randomblob`, the slowest, takes ten times as long.
const BYTES_A_STEP: usize = 4;
/// What SQLite's C does in about the time of an instruction; see [`work_done`].
const WORK_A_STEP: u64 = 14;
/// How many times as much work counts when a statement of a stranger who may only read is compiled: most of that is in short
/// calls and small pieces of memory, which take longer than they count. Others may have more to compile.
const COMPILING: u64 = 4;

/// Bytes in large pieces that SQLite allocated, for whatever it was.
static ALLOCATED: AtomicUsize = AtomicUsize::new(0);

/// Takes note of memory that SQLite allocated in a large piece: it takes time to fill, which no instruction counts.
pub(crate) fn count_allocated(bytes: usize) {
    ALLOCATED.store(ALLOCATED.load(Ordering::Relaxed).wrapping_add(bytes), Ordering::Relaxed);
}

/// Takes note of memory that SQLite copied, filled or compared in a large piece: a step's time for some 128 bytes.
#[cfg_attr(not(target_arch = "wasm32"), expect(dead_code, reason = "only the wasm's own memory functions know"))]
pub(crate) fn count_moved(bytes: usize) {
    count_allocated(bytes / 32);
}

/// Takes note of what SQLite read of the database: a page comes from the store, and is checked.
pub(super) fn count_read(bytes: usize) {
    count_allocated(bytes);
}

/// What SQLite's C has done by now, in units of about a nanosecond; see scripts/build-wasm/src/work.rs.
#[cfg(all(target_arch = "wasm32", not(feature = "component")))]
fn work_done() -> u64 {
    #[link(wasm_import_module = "work")]
    unsafe extern "C" {
        safe fn done() -> u64;
    }
    done()
}

/// Only the wasm for JavaScript counts: hosts of components limit what takes long by their own means, such as fuel.
#[cfg(any(not(target_arch = "wasm32"), feature = "component"))]
fn work_done() -> u64 {
    0
}

/// How much more statements may take.
#[derive(Debug, Default)]
pub(super) struct Budget {
    pub(super) limited: Cell<bool>,
    /// Whether nothing may change, either.
    pub(super) read_only: Cell<bool>,
    /// Whether what D1 refuses is refused, too.
    pub(super) as_d1: Cell<bool>,
    /// Set once every compiled statement was checked for a stranger: `true` for one who may only read.
    pub(super) checked: Cell<Option<bool>>,
    pub(super) checked_as_d1: Cell<bool>,
    /// Whether nothing reaches past SQL into the database file.
    pub(super) defensive: Cell<bool>,
    pub(super) steps: Cell<u64>,
    allocated: Cell<usize>,
    worked: Cell<u64>,
    /// Whether a statement is being compiled.
    compiling: Cell<bool>,
    /// The limit of SQLite's memory that there was before.
    pub(super) heap: Cell<Option<i64>>,
    /// Whether the connection is that of an import.
    pub(super) importing: Cell<bool>,
    /// Whether a stranger may enter something in the schema, and nothing else.
    pub(super) entering: Cell<bool>,
}

impl Budget {
    /// Compiles a statement, or runs a step of one, which takes what it allocates off this. What is allocated in between is
    /// not its.
    pub(super) fn charging(&self, step: impl FnOnce() -> c_int) -> c_int {
        self.allocated.set(ALLOCATED.load(Ordering::Relaxed));
        self.worked.set(work_done());
        let code = step();
        self.take(0);
        code
    }

    /// As [`Self::charging`], of what compiles a statement.
    pub(super) fn charging_compilation(&self, compile: impl FnOnce() -> c_int) -> c_int {
        self.compiling.set(true);
        let code = self.charging(compile);
        self.compiling.set(false);
        code
    }

    /// Takes so many units of work (see [`work_done`]) off it; whether anything is left.
    pub(super) fn has_left_after(&self, work: u64) -> bool {
        if self.limited.get() {
            self.steps.set(self.steps.get().saturating_sub(work / WORK_A_STEP));
        }
        !self.limited.get() || self.take(0)
    }

    /// Takes so many instructions off it, and what was allocated meanwhile; whether anything is left.
    pub(super) fn take(&self, steps: u32) -> bool {
        let allocated = ALLOCATED.load(Ordering::Relaxed);
        let bytes = (allocated.wrapping_sub(self.allocated.replace(allocated)) / BYTES_A_STEP) as u64;
        let done = work_done();
        let times = if self.compiling.get() && self.read_only.get() { COMPILING } else { 1 };
        let work = times * (done.wrapping_sub(self.worked.replace(done)) / WORK_A_STEP);
        let left = self.steps.get().saturating_sub(u64::from(steps)).saturating_sub(bytes).saturating_sub(work);
        self.steps.set(left);
        left > 0
    }
}
