//! Text functions whose time SQLite lets grow with the product of two lengths: here with their sum, or as the budget of
//! the connection allows. What they answer is the same (SQLite's func.c: `instrFunc`, `replaceFunc`, `trimFunc`), but for
//! half a unit of UTF-16 as what `instr` looks for.

use std::ffi::{CStr, c_int, c_void};
use std::{ptr, slice};

use memchr::memmem;

use super::budget::Budget;
use super::connection::Connection;
use super::ffi::{self, sqlite3_context as Context, sqlite3_value as Value};
use crate::error::Result;

/// Bytes that are searched in a unit of work; see [`Budget::has_left_after`].
const SEARCHED_A_UNIT: usize = 4;

/// What is found takes as long as to search so many bytes.
const FOUND: usize = 14 * SEARCHED_A_UNIT;

type Function = unsafe extern "C" fn(*mut Context, c_int, *mut *mut Value);

impl Connection {
    /// Puts them in the place of SQLite's own.
    pub(super) fn replace_functions(&self) -> Result<()> {
        let functions: [(&CStr, c_int, Function); 8] = [
            (c"instr", 2, instr),
            (c"replace", 3, replace),
            (c"trim", 1, trim),
            (c"trim", 2, trim),
            (c"ltrim", 1, ltrim),
            (c"ltrim", 2, ltrim),
            (c"rtrim", 1, rtrim),
            (c"rtrim", 2, rtrim),
        ];
        let flags = ffi::SQLITE_UTF8 | (ffi::SQLITE_DETERMINISTIC | ffi::SQLITE_INNOCUOUS) as c_int;
        let budget = ptr::from_ref(self.budget()).cast_mut().cast::<c_void>();
        for (name, arguments, function) in functions {
            // SAFETY: the connection is open, the name ends with NUL, and the budget, on the heap, outlives the
            // connection, which alone calls the function.
            let code = unsafe {
                ffi::sqlite3_create_function_v2(
                    self.db(),
                    name.as_ptr(),
                    arguments,
                    flags,
                    budget,
                    Some(function),
                    None,
                    None,
                    None,
                )
            };
            if code != ffi::SQLITE_OK {
                return Err(self.error(code));
            }
        }
        Ok(())
    }
}

/// The place of the first argument at which the second begins, counted from 1: in characters, or in bytes where both
/// are BLOBs; 0 where there is none.
unsafe extern "C" fn instr(context: *mut Context, count: c_int, values: *mut *mut Value) {
    // SAFETY: SQLite calls this with what `Call` says.
    let Some(call) = (unsafe { Call::new(context, count, values) }) else { return };
    let [hay, needle] = [call.value(0), call.value(1)];
    let [hay_type, needle_type] = [hay, needle].map(|value| value.map_or(ffi::SQLITE_NULL, kind));
    let (Some(hay), Some(needle)) = (hay, needle) else { return };
    if hay_type == ffi::SQLITE_NULL || needle_type == ffi::SQLITE_NULL {
        return;
    }
    let blobs = [hay_type, needle_type].map(|kind| kind == ffi::SQLITE_BLOB);
    // The bytes of a BLOB beside a text count as text. They are copied, because reading them as text changes the value.
    let copies = (blobs[0] != blobs[1]).then(|| [Copied::of(hay), Copied::of(needle)]);
    let place = match (&copies, blobs) {
        (Some([hay, needle]), _) => match (hay.text(), needle.text()) {
            (Some(hay), Some(needle)) => place(hay, needle, true),
            _ => return call.fail(ffi::SQLITE_NOMEM),
        },
        (None, [true, _]) => place(blob(hay), blob(needle), false),
        (None, _) => match (text(hay), text(needle)) {
            (Some(hay), Some(needle)) => place(hay, needle, true),
            _ => return call.fail(ffi::SQLITE_NOMEM),
        },
    };
    if call.has_left_after(place.searched) {
        // SAFETY: SQLite is in this call.
        unsafe { ffi::sqlite3_result_int64(context, place.at as i64) };
    }
}

struct Place {
    at: usize,
    /// In bytes.
    searched: usize,
}

fn place(hay: &[u8], needle: &[u8], is_text: bool) -> Place {
    let found = match needle.first() {
        // SQLite goes from character to character, and stands on such a byte at the start only.
        Some(&first) if is_text && is_continuation(first) => hay.starts_with(needle).then_some(0),
        _ => memmem::find(hay, needle),
    };
    let searched = found.unwrap_or(hay.len()) + needle.len();
    let at = found.map_or(0, |at| {
        let before = hay.get(1..=at).unwrap_or_default();
        1 + if is_text { before.iter().filter(|&&byte| !is_continuation(byte)).count() } else { before.len() }
    });
    Place { at, searched }
}

/// Whether a byte of UTF-8 goes on with a character.
fn is_continuation(byte: u8) -> bool {
    byte & 0xc0 == 0x80
}

/// The first argument with every second one in it replaced by the third.
unsafe extern "C" fn replace(context: *mut Context, count: c_int, values: *mut *mut Value) {
    // SAFETY: SQLite calls this with what `Call` says.
    let Some(call) = (unsafe { Call::new(context, count, values) }) else { return };
    let (Some(first), Some(pattern), Some(by)) = (call.value(0), call.value(1), call.value(2)) else { return };
    let Some(hay) = text(first) else { return };
    let Some(pattern) = text(pattern) else { return };
    if pattern.first().is_none_or(|&byte| byte == 0) {
        return call.answer(hay);
    }
    let Some(by) = text(by) else { return };
    let finder = memmem::Finder::new(pattern);
    let found = finder.find_iter(hay).count();
    if !call.has_left_after(2 * hay.len() + FOUND * found) {
        return;
    }
    let size = (hay.len() - found * pattern.len()) as u64 + found as u64 * by.len() as u64;
    if size > call.longest() {
        return call.fail(ffi::SQLITE_TOOBIG);
    }
    // SAFETY: of `size` bytes, at least one, which are written whole before they are given to SQLite, which frees them.
    unsafe {
        let out = ffi::sqlite3_malloc64(size.max(1)).cast::<u8>();
        if out.is_null() {
            return call.fail(ffi::SQLITE_NOMEM);
        }
        let mut end = out;
        let mut put = |bytes: &[u8]| {
            ptr::copy_nonoverlapping(bytes.as_ptr(), end, bytes.len());
            end = end.add(bytes.len());
        };
        let mut from = 0;
        for at in finder.find_iter(hay) {
            put(hay.get(from..at).unwrap_or_default());
            put(by);
            from = at + pattern.len();
        }
        put(hay.get(from..).unwrap_or_default());
        let free: unsafe extern "C" fn(*mut c_void) = ffi::sqlite3_free;
        ffi::sqlite3_result_text64(context, out.cast(), size, Some(free), ffi::SQLITE_UTF8 as u8);
    }
}

unsafe extern "C" fn trim(context: *mut Context, count: c_int, values: *mut *mut Value) {
    // SAFETY: as SQLite calls this.
    unsafe { trim_sides(context, count, values, true, true) }
}

unsafe extern "C" fn ltrim(context: *mut Context, count: c_int, values: *mut *mut Value) {
    // SAFETY: as SQLite calls this.
    unsafe { trim_sides(context, count, values, true, false) }
}

unsafe extern "C" fn rtrim(context: *mut Context, count: c_int, values: *mut *mut Value) {
    // SAFETY: as SQLite calls this.
    unsafe { trim_sides(context, count, values, false, true) }
}

/// The first argument without the characters of the second, or spaces, at its start, its end, or both.
unsafe fn trim_sides(context: *mut Context, count: c_int, values: *mut *mut Value, left: bool, right: bool) {
    // SAFETY: as the caller promises.
    let Some(call) = (unsafe { Call::new(context, count, values) }) else { return };
    let Some(mut rest) = call.value(0).and_then(text) else { return };
    let set = match call.value(1) {
        Some(set) => match text(set) {
            Some(set) => set,
            None => return,
        },
        None => b" ",
    };
    let set = characters(set);
    if left && !call.trim(&set, &mut rest, |rest, one| rest.strip_prefix(one)) {
        return;
    }
    if right && !call.trim(&set, &mut rest, |rest, one| rest.strip_suffix(one)) {
        return;
    }
    call.answer(rest);
}

/// The characters of a text up to a NUL, as SQLite takes them apart, valid or not.
fn characters(text: &[u8]) -> Vec<&[u8]> {
    let mut rest = text.split(|&byte| byte == 0).next().unwrap_or_default();
    let mut all = Vec::new();
    while let Some((&first, after)) = rest.split_first() {
        let more = if first < 0xc0 { 0 } else { after.iter().take_while(|&&byte| is_continuation(byte)).count() };
        let (one, next) = rest.split_at(1 + more);
        all.push(one);
        rest = next;
    }
    all
}

/// A call of one of these: values and context are SQLite's while it lasts.
struct Call<'a> {
    context: *mut Context,
    values: &'a [*mut Value],
    budget: &'a Budget,
}

impl Call<'_> {
    /// # Safety
    /// SQLite must be calling one of the functions above with these.
    unsafe fn new(context: *mut Context, count: c_int, values: *mut *mut Value) -> Option<Self> {
        let count = usize::try_from(count).ok()?;
        // SAFETY: SQLite passes so many values, and what `replace_functions` gave it.
        unsafe {
            let budget = ffi::sqlite3_user_data(context).cast::<Budget>().as_ref()?;
            Some(Self { context, values: slice::from_raw_parts(values, count), budget })
        }
    }

    fn value(&self, index: usize) -> Option<*mut Value> {
        self.values.get(index).copied()
    }

    /// Takes what `strip` finds of `set` off `rest` until nothing of it is left there; whether the budget lasted.
    fn trim<'t>(
        &self,
        set: &[&[u8]],
        rest: &mut &'t [u8],
        strip: impl Fn(&'t [u8], &[u8]) -> Option<&'t [u8]>,
    ) -> bool {
        let mut unpaid = 0;
        loop {
            let next = set.iter().enumerate().find_map(|(index, one)| strip(rest, one).map(|next| (index + 1, next)));
            unpaid += SEARCHED_A_UNIT * next.map_or(set.len(), |(looked, _)| looked);
            if unpaid > 1 << 20 && !self.has_left_after(std::mem::take(&mut unpaid)) {
                return false;
            }
            match next {
                Some((_, next)) if next.len() < rest.len() => *rest = next,
                _ => return self.has_left_after(unpaid),
            }
        }
    }

    /// Whether the budget lasts for so many bytes searched. If not, the statement is interrupted.
    fn has_left_after(&self, bytes: usize) -> bool {
        let lasts = self.budget.has_left_after((bytes / SEARCHED_A_UNIT) as u64);
        if !lasts {
            self.fail(ffi::SQLITE_INTERRUPT);
        }
        lasts
    }

    fn answer(&self, text: &[u8]) {
        let (start, size) = (text.as_ptr().cast(), text.len() as u64);
        // SAFETY: SQLite is in this call, and copies the text.
        unsafe {
            ffi::sqlite3_result_text64(self.context, start, size, ffi::SQLITE_TRANSIENT(), ffi::SQLITE_UTF8 as u8);
        }
    }

    /// Longest text, in bytes.
    fn longest(&self) -> u64 {
        // SAFETY: SQLite is in this call; -1 changes nothing.
        let limit = unsafe {
            let db = ffi::sqlite3_context_db_handle(self.context);
            ffi::sqlite3_limit(db, ffi::SQLITE_LIMIT_LENGTH as c_int, -1)
        };
        u64::try_from(limit).unwrap_or(0)
    }

    fn fail(&self, code: c_int) {
        // SAFETY: SQLite is in this call.
        unsafe {
            match code {
                ffi::SQLITE_NOMEM => ffi::sqlite3_result_error_nomem(self.context),
                ffi::SQLITE_TOOBIG => ffi::sqlite3_result_error_toobig(self.context),
                _ => {
                    ffi::sqlite3_result_error(self.context, c"interrupted".as_ptr(), -1);
                    ffi::sqlite3_result_error_code(self.context, code);
                }
            }
        }
    }
}

fn kind(value: *mut Value) -> c_int {
    // SAFETY: the value is one of a call that is under way.
    unsafe { ffi::sqlite3_value_type(value) }
}

/// A value as UTF-8; `None` for NULL, and when memory runs out.
fn text<'a>(value: *mut Value) -> Option<&'a [u8]> {
    // SAFETY: the value is one of a call that is under way, and nothing converts it again while the text is looked at.
    // The size is asked for after the text, because it is then that of the text.
    unsafe {
        let start = ffi::sqlite3_value_text(value);
        let size = usize::try_from(ffi::sqlite3_value_bytes(value)).ok()?;
        (!start.is_null()).then(|| slice::from_raw_parts(start, size))
    }
}

fn blob<'a>(value: *mut Value) -> &'a [u8] {
    // SAFETY: as in `text`; of no bytes it is null.
    unsafe {
        let start = ffi::sqlite3_value_blob(value).cast::<u8>();
        let size = usize::try_from(ffi::sqlite3_value_bytes(value)).unwrap_or(0);
        if start.is_null() { &[] } else { slice::from_raw_parts(start, size) }
    }
}

/// A copy of a value.
struct Copied(*mut Value);

impl Copied {
    fn of(value: *mut Value) -> Self {
        // SAFETY: the value is one of a call that is under way. Of no memory comes null.
        Self(unsafe { ffi::sqlite3_value_dup(value) })
    }

    fn text(&self) -> Option<&[u8]> {
        if self.0.is_null() { None } else { text(self.0) }
    }
}

impl Drop for Copied {
    fn drop(&mut self) {
        // SAFETY: it is this one's own; null is allowed.
        unsafe { ffi::sqlite3_value_free(self.0) };
    }
}
