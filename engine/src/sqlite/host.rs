//! What SQLite asks of its surroundings in wasm (the symbols that sqlite-wasm-rs leaves to be defined).
//!
//! The clock is not among it: the VFS of the connection answers with the time of the call. The local time zone comes from
//! a function that is handed in once; without it local time is UTC. So do a component's random bytes; elsewhere they are the runtime's.

use std::cell::RefCell;
use std::ffi::c_int;

use sqlite_wasm_rs::host::{Error, LocalTime, OK};

/// Local time minus UTC, in seconds, at a time in seconds since 1970.
pub(crate) type UtcOffset = Box<dyn Fn(i64) -> Option<i32>>;

/// So many random bytes that nobody can guess.
#[cfg(feature = "component")]
pub(crate) type Random = fn(u32) -> Vec<u8>;

thread_local! {
    static UTC_OFFSET: RefCell<Option<UtcOffset>> = const { RefCell::new(None) };
    #[cfg(feature = "component")]
    static RANDOM: std::cell::Cell<Option<Random>> = const { std::cell::Cell::new(None) };
}

/// Sets where the time zone comes from.
pub(crate) fn set_utc_offset(utc_offset: UtcOffset) {
    UTC_OFFSET.set(Some(utc_offset));
}

/// Sets where random bytes come from.
#[cfg(feature = "component")]
pub(crate) fn set_random(random: Random) {
    RANDOM.set(Some(random));
}

/// Fills `room` with random bytes; whether there were enough.
#[cfg(feature = "component")]
fn fill(room: &mut [u8]) -> bool {
    let bytes = RANDOM.get().map(|random| random(u32::try_from(room.len()).unwrap_or(0)));
    let Some(bytes) = bytes.filter(|bytes| bytes.len() == room.len()) else { return false };
    room.copy_from_slice(&bytes);
    true
}

#[cfg(not(feature = "component"))]
fn fill(room: &mut [u8]) -> bool {
    getrandom::fill(room).is_ok()
}

/// # Safety
/// `start` must point to `len` bytes that are nobody else's.
unsafe fn bytes<'a>(start: *mut u8, len: usize) -> &'a mut [u8] {
    if start.is_null() || len == 0 {
        return &mut [];
    }
    // SAFETY: as the caller promises; they are made initialised first.
    unsafe {
        start.write_bytes(0, len);
        std::slice::from_raw_parts_mut(start, len)
    }
}

/// Nobody holds a lock that waiting could end.
// SAFETY: no other crate defines this symbol; sqlite-wasm-rs does so only with its feature `wasm-bindgen`.
#[unsafe(no_mangle)]
extern "C" fn rust_sqlite_wasm_host_sleep(_seconds: u64, _nanoseconds: u32) {}

// SAFETY: as above.
#[unsafe(no_mangle)]
unsafe extern "C" fn rust_sqlite_wasm_host_random(start: *mut u8, len: usize) -> usize {
    // SAFETY: SQLite passes room for `len` bytes.
    if fill(unsafe { bytes(start, len) }) { len } else { 0 }
}

// SAFETY: as above.
#[unsafe(no_mangle)]
unsafe extern "C" fn rust_sqlite_wasm_host_fill_entropy(start: *mut u8, len: usize) -> c_int {
    // SAFETY: the caller passes room for `len` bytes.
    if fill(unsafe { bytes(start, len) }) { OK } else { Error::Unavailable as c_int }
}

/// Only the default VFS asks for it, which no connection uses.
// SAFETY: as above.
#[unsafe(no_mangle)]
unsafe extern "C" fn rust_sqlite_wasm_host_epoch_timestamp_in_ms(_out: *mut i64) -> c_int {
    Error::Unsupported as c_int
}

// SAFETY: as above.
#[unsafe(no_mangle)]
unsafe extern "C" fn rust_sqlite_wasm_host_localtime(unix_seconds: i64, out: *mut LocalTime) -> c_int {
    let offset = UTC_OFFSET.with(|offset| match offset.try_borrow() {
        Ok(offset) => offset.as_ref().map_or(Some(0), |offset| offset(unix_seconds)),
        Err(_) => None,
    });
    let Some(offset) = offset else { return Error::Unavailable as c_int };
    // SAFETY: SQLite passes room for the answer.
    unsafe { out.write(local_time(unix_seconds, offset)) };
    OK
}

/// The calendar, after Howard Hinnant's description of the Gregorian cycle of 146,097 days that begins on 1 March.
fn local_time(unix_seconds: i64, offset: i32) -> LocalTime {
    const DAY: i64 = 86_400;
    let local = unix_seconds.saturating_add(i64::from(offset));
    let (days, second) = (local.div_euclid(DAY), local.rem_euclid(DAY));
    let since_march = days + 719_468;
    let (era, day_of_era) = (since_march.div_euclid(146_097), since_march.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let from_january = if month <= 2 { day_of_year - 306 } else { day_of_year + 59 + i64::from(leap) };
    LocalTime {
        year: year as i32,
        month: month as i32,
        day: (day_of_year - (153 * march_month + 2) / 5 + 1) as i32,
        hour: (second / 3600) as i32,
        minute: (second / 60 % 60) as i32,
        second: (second % 60) as i32,
        weekday: (days + 4).rem_euclid(7) as i32,
        yearday: from_january as i32,
        is_dst: -1,
        utc_offset_seconds: offset,
    }
}
