//! Sets of rowids, small where rowids follow each other.

use super::identifier::write_quoted;
use super::literal::write_integer;

/// More ranges are not kept: 4 MiB.
const MOST: usize = 1 << 18;
/// Rowids that a statement names at most. Each takes D1 a few of the 25,000 instructions that a statement may have.
const AT_ONCE: usize = 2_000;
/// Rows in a row from which on they are a statement of their own.
const WORTH: i64 = 500;

/// A set of rowids, each of which is added behind all others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Rowids {
    /// First and last of each.
    ranges: Vec<(i64, i64)>,
    is_too_much: bool,
}

impl Rowids {
    pub(super) fn add(&mut self, rowid: i64) {
        let has_room = self.ranges.len() < MOST;
        match self.ranges.last_mut() {
            Some((_, last)) if last.checked_add(1) == Some(rowid) => *last = rowid,
            _ if has_room => self.ranges.push((rowid, rowid)),
            _ => self.is_too_much = true,
        }
    }

    /// Whether all were kept.
    pub(super) fn is_known(&self) -> bool {
        !self.is_too_much
    }

    /// How many of its rowids `other` lacks.
    pub(super) fn missing_in(&self, other: &Self) -> u64 {
        let both = self.clone().only(other);
        self.count() - both.count()
    }

    /// Rowids that `other` has, too.
    pub(super) fn only(self, other: &Self) -> Self {
        let mut both = Self::default();
        let mut others = other.ranges.iter().copied().peekable();
        for (first, last) in self.ranges {
            while let Some((from, to)) = others.peek().copied().filter(|&(from, _)| from <= last) {
                if to >= first {
                    both.ranges.push((first.max(from), last.min(to)));
                }
                if to > last {
                    break;
                }
                others.next();
            }
        }
        both
    }

    /// Appends statements that begin with `start` and go on with a condition on `column`.
    pub(super) fn write(&self, out: &mut Vec<u8>, start: &[u8], column: &str) {
        let mut listed = 0;
        let open = |out: &mut Vec<u8>, how: &[u8]| {
            out.extend_from_slice(start);
            out.extend_from_slice(b" WHERE ");
            write_quoted(out, column);
            out.extend_from_slice(how);
        };
        for &(first, last) in &self.ranges {
            if last.saturating_sub(first) >= WORTH {
                if core::mem::take(&mut listed) > 0 {
                    out.extend_from_slice(b");\n");
                }
                open(out, b" BETWEEN ");
                write_integer(out, first);
                out.extend_from_slice(b" AND ");
                write_integer(out, last);
                out.extend_from_slice(b";\n");
                continue;
            }
            for rowid in first..=last {
                match listed {
                    0 => open(out, b" IN ("),
                    _ => out.push(b','),
                }
                write_integer(out, rowid);
                listed += 1;
                if listed == AT_ONCE {
                    out.extend_from_slice(b");\n");
                    listed = 0;
                }
            }
        }
        if listed > 0 {
            out.extend_from_slice(b");\n");
        }
    }

    /// How many runs of rowids that follow each other there are.
    pub(super) fn ranges(&self) -> usize {
        self.ranges.len()
    }

    /// How many there are.
    pub(super) fn count(&self) -> u64 {
        self.ranges.iter().map(|&(first, last)| last.abs_diff(first).saturating_add(1)).fold(0, u64::saturating_add)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(rowids: impl IntoIterator<Item = i64>) -> Rowids {
        let mut set = Rowids::default();
        rowids.into_iter().for_each(|rowid| set.add(rowid));
        set
    }

    #[test]
    fn sets_are_compared_by_what_both_have() {
        let (odd, some) = (of((1..40).step_by(2)), of((-3..6).chain(11..=20)));
        assert_eq!(odd.clone().only(&some), of([1, 3, 5, 11, 13, 15, 17, 19]));
        assert_eq!(some.clone().only(&odd), odd.clone().only(&some));
        assert_eq!((odd.missing_in(&some), some.missing_in(&odd), some.missing_in(&some)), (12, 11, 0));
        assert_eq!(of([i64::MIN, i64::MAX]).missing_in(&of([i64::MAX])), 1);
    }

    #[test]
    fn each_is_named_once_in_statements_that_d1_takes() {
        let mut out = Vec::new();
        of((1..10).chain(100..2000).chain([i64::MAX])).write(&mut out, b"DELETE FROM t", "a");
        let sql = String::from_utf8(out).unwrap();
        assert_eq!(
            sql,
            "DELETE FROM t WHERE \"a\" IN (1,2,3,4,5,6,7,8,9);\nDELETE FROM t WHERE \"a\" BETWEEN 100 AND 1999;\n\
             DELETE FROM t WHERE \"a\" IN (9223372036854775807);\n"
        );
        let mut out = Vec::new();
        of((0..9000).step_by(2)).write(&mut out, b"DELETE FROM t", "a");
        let lines: Vec<_> = out.split(|&byte| byte == b'\n').map(<[u8]>::len).collect();
        assert!(lines.len() == 4 && lines.iter().all(|&length| length < 20_000), "{lines:?}");
    }
}
