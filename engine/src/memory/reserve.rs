//! A little memory put aside for when there is no more.
//!
//! Whatever can be large is allocated fallibly, by SQLite (`SQLITE_NOMEM`) and by the engine (`try_reserve`). What is
//! left are small allocations that Rust cannot fail: the text of the error that says that memory ran out, above all.
//! When one of these finds nothing, the reserve is given up for it; the next call puts it aside again or is refused.

#![allow(unsafe_code, reason = "an allocator is unsafe by nature; every use says why it is sound")]

use std::alloc::{GlobalAlloc, Layout};
use std::arch::wasm32::memory_size;
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

use super::recycle::Recycling;
use crate::error::{ErrorKind, Result};
use crate::sqlite::count_allocated;

/// In bytes.
const RESERVE: Layout = Layout::new::<[u8; 128 * 1024]>();
/// Smaller than any page, so that pages never take from the reserve.
const SMALL: usize = 512;
/// An allocation of SQLite from this size on takes time to fill: see [`count_allocated`].
const LARGE: usize = 256;
/// That of SQLite's allocations, which may fail.
const ALIGN_OF_SQLITE: usize = 2 * size_of::<usize>();

static HELD: AtomicPtr<u8> = AtomicPtr::new(ptr::null_mut());

#[global_allocator]
static ALLOCATOR: WithReserve = WithReserve;

struct WithReserve;

impl WithReserve {
    /// Gives the reserve up; whether there was one, and `layout` is one of those it is for.
    fn give_up(layout: Layout) -> bool {
        if layout.size() >= SMALL || layout.align() == ALIGN_OF_SQLITE {
            return false;
        }
        let held = HELD.swap(ptr::null_mut(), Ordering::Relaxed);
        if held.is_null() {
            return false;
        }
        // SAFETY: `put_aside` got it from the same allocator with the same layout, and nobody else has it now.
        unsafe { Recycling.dealloc(held, RESERVE) };
        true
    }

    /// The system allocator grows the memory by no more than it needs, and each time JavaScript has to look at the
    /// memory anew, which costs more than all the allocations in between. So it is given an eighth more, at most 16
    /// MiB, if there is so much; memory that is not yet written takes no place.
    #[cold]
    fn grow_ahead() {
        let size = (memory_size(0) << 13).min(16 << 20);
        let Ok(ahead) = Layout::from_size_align(size, 1) else { return };
        // SAFETY: the layout is not of size 0, and what was allocated is given back at once.
        unsafe {
            let start = Recycling.alloc(ahead);
            if !start.is_null() {
                Recycling.dealloc(start, ahead);
            }
        }
    }
}

// SAFETY: every call is the system allocator's, made as the caller promises it; a null is answered by one more try.
unsafe impl GlobalAlloc for WithReserve {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as the caller promises.
        unsafe {
            if layout.size() >= LARGE && layout.align() == ALIGN_OF_SQLITE {
                count_allocated(layout.size());
            }
            let pages = memory_size(0);
            let start = Recycling.alloc(layout);
            if memory_size(0) != pages {
                Self::grow_ahead();
            }
            if start.is_null() && Self::give_up(layout) { Recycling.alloc(layout) } else { start }
        }
    }

    unsafe fn dealloc(&self, start: *mut u8, layout: Layout) {
        // SAFETY: as the caller promises.
        unsafe { Recycling.dealloc(start, layout) };
    }

    unsafe fn realloc(&self, start: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: as the caller promises; a failed attempt leaves the allocation as it was. The size was valid for the
        // first attempt with this alignment.
        unsafe {
            if size >= LARGE && layout.align() == ALIGN_OF_SQLITE {
                count_allocated(size);
            }
            let moved = Recycling.realloc(start, layout, size);
            let wanted = Layout::from_size_align_unchecked(size, layout.align());
            if moved.is_null() && Self::give_up(wanted) { Recycling.realloc(start, layout, size) } else { moved }
        }
    }
}

/// Begins a call that may need memory.
pub(crate) fn put_aside() -> Result<()> {
    if HELD.load(Ordering::Relaxed).is_null() {
        // SAFETY: the layout is not of size 0.
        let block = unsafe { Recycling.alloc(RESERVE) };
        if block.is_null() {
            return Err(ErrorKind::Memory.into());
        }
        HELD.store(block, Ordering::Relaxed);
    }
    Ok(())
}
