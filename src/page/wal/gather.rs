//! Units of a known length out of chunks of any length.

use core::mem;

/// Holds the part of a unit that has come so far; copies nothing when a whole unit lies in one chunk.
#[derive(Clone, Debug, Default)]
pub(in crate::page) struct Gather {
    /// Shorter than a unit, except from the return of a gathered unit until the next call.
    held: Vec<u8>,
    /// Whether `held` is a unit that has been returned.
    returned: bool,
}

impl Gather {
    /// The next `len` bytes, taken from the front of `input`; `None` when they have not all come, and then `input` is
    /// used up. Ask for the same `len` until it is there.
    pub(in crate::page) fn next<'g, 'i: 'g>(&'g mut self, input: &mut &'i [u8], len: usize) -> Option<&'g [u8]> {
        if mem::take(&mut self.returned) {
            self.held.clear();
        }
        if self.held.is_empty()
            && let Some((unit, rest)) = input.split_at_checked(len)
        {
            *input = rest;
            return Some(unit);
        }
        let missing = len.saturating_sub(self.held.len());
        let (more, rest) = input.split_at_checked(missing).unwrap_or((*input, &[]));
        self.held.extend_from_slice(more);
        *input = rest;
        self.returned = self.held.len() == len;
        self.returned.then_some(&self.held)
    }
}
