//! Keeps memory that was just freed for the next allocation of that size.
//!
//! Every commit takes and frees the same few sizes: pieces of SQLite's journal, pages. The system allocator looks for
//! what fits best among all that is free, and joins what it gets back with its neighbours; here the last block of the
//! very size is given again.

#![allow(unsafe_code, reason = "an allocator is unsafe by nature; every use says why it is sound")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering::Relaxed};

/// Smaller ones the system allocator finds at once, in bytes.
const SMALLEST: usize = 256;
const LARGEST: usize = 8192;
/// What a shelf holds at most, in bytes.
const MOST: usize = 64 * 1024;
/// What the system allocator aligns everything to.
const ALIGN: usize = 2 * size_of::<usize>();
const COUNT: usize = 8;

static SHELVES: [Shelf; COUNT] = [const { Shelf::new() }; COUNT];

/// Free blocks of one size. There is one thread: atomics are how a `static` may change.
struct Shelf {
    /// Size of its blocks, in bytes.
    size: AtomicUsize,
    /// The bytes of all of them.
    held: AtomicUsize,
    /// The block that came last; each begins with the address of the one before.
    last: AtomicPtr<u8>,
}

/// The system allocator behind these.
pub(super) struct Recycling;

impl Shelf {
    const fn new() -> Self {
        Self { size: AtomicUsize::new(0), held: AtomicUsize::new(0), last: AtomicPtr::new(ptr::null_mut()) }
    }

    /// The one for blocks of a layout, if there is one.
    fn of(layout: Layout) -> Option<&'static Self> {
        let size = layout.size();
        let fits = (SMALLEST..=LARGEST).contains(&size) && layout.align() <= ALIGN;
        if fits { SHELVES.get(size / ALIGN % COUNT) } else { None }
    }

    /// Takes a block of `size` bytes from it; null when there is none.
    fn take(&self, size: usize) -> *mut u8 {
        if self.size.load(Relaxed) == size { self.pop() } else { ptr::null_mut() }
    }

    /// Puts a block of `size` bytes on it; whether there was place.
    ///
    /// # Safety
    /// `block` must be one of the system allocator's that nobody uses any more, of `size` bytes.
    unsafe fn put(&self, block: *mut u8, size: usize) -> bool {
        if self.size.load(Relaxed) != size {
            // Another size is wanted here now: those of the last one go, one at a time.
            self.drop_one();
            if self.held.load(Relaxed) > 0 {
                return false;
            }
            self.size.store(size, Relaxed);
        }
        let held = self.held.load(Relaxed) + size;
        if held > MOST {
            return false;
        }
        // SAFETY: a block is larger than an address, aligned for one, and nobody else's, as the caller promises.
        unsafe { block.cast::<*mut u8>().write(self.last.load(Relaxed)) };
        self.last.store(block, Relaxed);
        self.held.store(held, Relaxed);
        true
    }

    fn pop(&self) -> *mut u8 {
        let block = self.last.load(Relaxed);
        if !block.is_null() {
            // SAFETY: `put` wrote the address there, and nobody has used the block since.
            self.last.store(unsafe { block.cast::<*mut u8>().read() }, Relaxed);
            self.held.store(self.held.load(Relaxed) - self.size.load(Relaxed), Relaxed);
        }
        block
    }

    /// Gives a block back to the system allocator; whether there was one.
    fn drop_one(&self) -> bool {
        let block = self.pop();
        if block.is_null() {
            return false;
        }
        // SAFETY: the block is one of the system allocator's, of this size. That looks at no more than at the size, and
        // at the alignment only to see that it is not above its own.
        unsafe { System.dealloc(block, Layout::from_size_align_unchecked(self.size.load(Relaxed), 1)) };
        true
    }
}

// SAFETY: what is given was got from the system allocator with at least that size and alignment, and is nobody else's;
// everything else is the system allocator's.
unsafe impl GlobalAlloc for Recycling {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let block = Shelf::of(layout).map_or(ptr::null_mut(), |shelf| shelf.take(layout.size()));
        if !block.is_null() {
            return block;
        }
        // SAFETY: as the caller promises.
        let block = unsafe { System.alloc(layout) };
        if block.is_null() && give_back() {
            // SAFETY: as before.
            return unsafe { System.alloc(layout) };
        }
        block
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: as the caller promises.
        unsafe {
            if !Shelf::of(layout).is_some_and(|shelf| shelf.put(block, layout.size())) {
                System.dealloc(block, layout);
            }
        }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: as the caller promises; a failed attempt leaves the allocation as it was.
        unsafe {
            let moved = System.realloc(block, layout, size);
            if moved.is_null() && give_back() { System.realloc(block, layout, size) } else { moved }
        }
    }
}

/// Gives everything back to the system allocator; whether there was anything.
fn give_back() -> bool {
    let mut any = false;
    for shelf in &SHELVES {
        while shelf.drop_one() {
            any = true;
        }
    }
    any
}
