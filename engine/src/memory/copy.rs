//! Copying, filling and comparing memory for SQLite's C, which does it a few bytes at a time: a value, a cell, a key.
//!
//! The instructions of wasm for that (`memory.copy`, `memory.fill`) are calls into the runtime, which cost more than
//! such a copy itself; and the functions that Rust brings go byte by byte or word by word. So these take up to
//! [`LARGE`] bytes with 128-bit vectors, and leave the rest to the instructions. The C compiler is told not to use
//! those itself (`-mno-bulk-memory` in .cargo/config.toml); Rust's own code goes on doing so.

#![allow(unsafe_code, reason = "these are what other code's copies are made of; every function says what it takes")]

use std::arch::wasm32::v128;
use std::ptr;

use crate::sqlite::count_moved;

/// From here on the runtime is faster, in bytes.
const LARGE: usize = 256;

/// # Safety
/// `from` must have `len` bytes to read and `to` as many to write, which do not overlap.
#[unsafe(no_mangle)]
unsafe extern "C" fn memcpy(to: *mut u8, from: *const u8, len: usize) -> *mut u8 {
    // SAFETY: as the caller promises; in between, `at` stays below `len - 16`.
    unsafe {
        if len <= 32 {
            copy_short(to, from, len);
        } else if len < LARGE {
            let last = len - size_of::<v128>();
            let end = load::<v128>(from, last);
            let mut at = 0;
            while at < last {
                store(to, at, load::<v128>(from, at));
                at += size_of::<v128>();
            }
            store(to, last, end);
        } else {
            count_moved(len);
            ptr::copy_nonoverlapping(from, to, len);
        }
    }
    to
}

/// # Safety
/// As [`memcpy`], but they may overlap.
#[unsafe(no_mangle)]
unsafe extern "C" fn memmove(to: *mut u8, from: *const u8, len: usize) -> *mut u8 {
    // SAFETY: as the caller promises.
    unsafe {
        if len <= 32 {
            copy_short(to, from, len);
        } else {
            count_moved(len);
            ptr::copy(from, to, len);
        }
    }
    to
}

/// Up to 32 bytes: all are read before the first is written, so that they may overlap.
///
/// # Safety
/// As [`memmove`].
#[inline(always)]
unsafe fn copy_short(to: *mut u8, from: *const u8, len: usize) {
    // SAFETY: as the caller promises; each pair covers `len` bytes from both ends.
    unsafe {
        if len >= 16 {
            copy_ends::<v128>(to, from, len);
        } else if len >= 8 {
            copy_ends::<u64>(to, from, len);
        } else if len >= 4 {
            copy_ends::<u32>(to, from, len);
        } else if len >= 2 {
            copy_ends::<u16>(to, from, len);
        } else if len == 1 {
            *to = *from;
        }
    }
}

/// Copies the first and the last bytes, which may be the same.
///
/// # Safety
/// As [`memmove`], and `len` must not be below `T`'s size.
#[inline(always)]
unsafe fn copy_ends<T: Copy>(to: *mut u8, from: *const u8, len: usize) {
    let last = len - size_of::<T>();
    // SAFETY: as the caller promises.
    unsafe {
        let (start, end) = (load::<T>(from, 0), load::<T>(from, last));
        store(to, 0, start);
        store(to, last, end);
    }
}

/// # Safety
/// `to` must have `len` bytes to write.
#[unsafe(no_mangle)]
unsafe extern "C" fn memset(to: *mut u8, byte: i32, len: usize) -> *mut u8 {
    let byte = byte as u8;
    // SAFETY: as the caller promises.
    unsafe {
        if len >= LARGE {
            count_moved(len);
            ptr::write_bytes(to, byte, len);
        } else if len >= 8 {
            let eight = u64::from(byte) * 0x0101_0101_0101_0101;
            let last = len - 8;
            let mut at = 0;
            while at < last {
                store(to, at, eight);
                at += 8;
            }
            store(to, last, eight);
        } else {
            for at in 0..len {
                store(to, at, byte);
            }
        }
    }
    to
}

/// # Safety
/// Both must have `len` bytes to read.
#[unsafe(no_mangle)]
unsafe extern "C" fn memcmp(left: *const u8, right: *const u8, len: usize) -> i32 {
    let (mut at, mut differs) = (0, 0);
    // SAFETY: as the caller promises; `at` stays at most at `len`.
    unsafe {
        while len - at >= 8 && differs == 0 {
            let (one, other) = (load::<u64>(left, at), load::<u64>(right, at));
            if one != other {
                differs = if one.swap_bytes() < other.swap_bytes() { -1 } else { 1 };
            }
            at += 8;
        }
        while at < len && differs == 0 {
            let (one, other) = (load::<u8>(left, at), load::<u8>(right, at));
            differs = i32::from(one) - i32::from(other);
            at += 1;
        }
    }
    if at >= LARGE {
        count_moved(at);
    }
    differs
}

/// # Safety
/// `T` must be readable at `at` bytes from `start`.
#[inline(always)]
unsafe fn load<T: Copy>(start: *const u8, at: usize) -> T {
    // SAFETY: as the caller promises.
    unsafe { start.add(at).cast::<T>().read_unaligned() }
}

/// # Safety
/// `T` must be writable at `at` bytes from `start`.
#[inline(always)]
unsafe fn store<T: Copy>(start: *mut u8, at: usize, value: T) {
    // SAFETY: as the caller promises.
    unsafe { start.add(at).cast::<T>().write_unaligned(value) }
}
