//! What a user may say to name a moment: nothing, an id, a bookmark, a TXID, a time, an age.

use crate::bookmark::Bookmark;
use crate::error::{ErrorKind, Result};
use crate::page::Txid;

/// A moment to restore to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// The newest that no restore made of what it replaced: a restore that is run again must not undo itself.
    Unsaid,
    /// The newest there is.
    Latest,
    /// The backup whose id begins with these hex digits and dashes, eight or more.
    Id(String),
    /// Exactly this state.
    Bookmark(Bookmark),
    /// The state with this number.
    Txid(Txid),
    /// The newest state at or before this time, in milliseconds since 1970.
    Time(i64),
}

const MS_PER_SECOND: i64 = 1000;
const MS_PER_DAY: i64 = 86_400 * MS_PER_SECOND;

impl Target {
    /// Reads what a user typed: nothing, or `latest`; a bookmark; a TXID of 16 hex digits; an RFC 3339 time
    /// (seconds and fraction may be missing; without an offset it is UTC); seconds since 1970 (ten digits) or
    /// milliseconds (thirteen); an age such as `-500ms`, `-90s`, `-5m`, `-12h`, `-7d`, `-2w` before `now_ms`; or an id or its first eight digits or more.
    ///
    /// # Errors
    /// `AtSyntax`.
    pub fn parse(text: &str, now_ms: i64) -> Result<Self> {
        let text = text.trim();
        if text.is_empty() {
            return Ok(Self::Unsaid);
        }
        if text == "latest" {
            return Ok(Self::Latest);
        }
        if let Some(bookmark) = Bookmark::said(text) {
            return Ok(Self::Bookmark(bookmark));
        }
        if let Some(txid) = Txid::parse(text) {
            return Ok(Self::Txid(txid));
        }
        let time =
            age(text).map(|age| now_ms.saturating_sub(age)).or_else(|| unix_time(text)).or_else(|| rfc3339(text));
        if let Some(time) = time {
            return Ok(Self::Time(time));
        }
        if (8..=36).contains(&text.len()) && text.bytes().enumerate().all(fits_uuid) {
            return Ok(Self::Id(text.to_owned()));
        }
        Err(ErrorKind::AtSyntax.into())
    }
}

/// Whether a UUID can have this byte at this position.
fn fits_uuid((position, byte): (usize, u8)) -> bool {
    match position {
        8 | 13 | 18 | 23 => byte == b'-',
        _ => byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte),
    }
}

fn age(text: &str) -> Option<i64> {
    let text = text.strip_prefix('-')?;
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit())?);
    let scale = match unit {
        "ms" => 1,
        "s" => MS_PER_SECOND,
        "m" => 60 * MS_PER_SECOND,
        "h" => 3600 * MS_PER_SECOND,
        "d" => MS_PER_DAY,
        "w" => 7 * MS_PER_DAY,
        _ => return None,
    };
    digits(number).and_then(|number| number.checked_mul(scale))
}

/// Seconds since 1970 have ten digits from 2001 to 2286, and milliseconds thirteen.
fn unix_time(text: &str) -> Option<i64> {
    match text.len() {
        10 => digits(text).map(|seconds| seconds * MS_PER_SECOND),
        13 => digits(text),
        _ => None,
    }
}

/// Milliseconds since 1970 of an RFC 3339 time; fractions beyond milliseconds are rounded up, so that a time read
/// off a record (microseconds) is not before that record.
pub fn rfc3339(text: &str) -> Option<i64> {
    let (date, time) = text.split_once(['T', 't', ' ']).unwrap_or((text, "00:00:00"));
    let mut date = date.splitn(3, '-');
    let (year, month, day) = (fixed(date.next()?, 4)?, fixed(date.next()?, 2)?, fixed(date.next()?, 2)?);
    let (time, offset_minutes) = split_offset(time)?;
    let mut time = time.splitn(3, ':');
    let (hour, minute) = (fixed(time.next()?, 2)?, fixed(time.next()?, 2)?);
    let (second, fraction) = match time.next() {
        None => (0, 0),
        Some(second) => {
            let (whole, fraction) = second.split_once('.').unwrap_or((second, "0"));
            (fixed(whole, 2)?, fraction_ms(fraction)?)
        }
    };
    let days_in_month = match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if !(1..=days_in_month).contains(&day) || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let minutes = hour * 60 + minute - offset_minutes;
    Some(days_since_1970(year, month, day) * MS_PER_DAY + (minutes * 60 + second) * MS_PER_SECOND + fraction)
}

/// An RFC 3339 time in UTC with microseconds, which no clock here has: zeros.
pub fn format_rfc3339(ms: i64) -> String {
    let (days, ms) = (ms.div_euclid(MS_PER_DAY), ms.rem_euclid(MS_PER_DAY));
    let (year, month, day) = date_of(days);
    let (seconds, ms) = (ms / MS_PER_SECOND, ms % MS_PER_SECOND);
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{ms:03}000Z")
}

/// Splits `Z`, `UTC`, `+hh:mm`, `+hhmm` or `+hh` off, also behind a space; nothing there means UTC.
fn split_offset(time: &str) -> Option<(&str, i64)> {
    if let Some(time) = time.strip_suffix(['Z', 'z']).or_else(|| time.strip_suffix("UTC")) {
        return Some((time.trim_end(), 0));
    }
    let Some(position) = time.rfind(['+', '-']) else { return Some((time, 0)) };
    let (time, offset) = time.split_at_checked(position)?;
    let sign = if offset.starts_with('-') { -1 } else { 1 };
    let (time, offset) = (time.trim_end(), offset.get(1..)?);
    let (hours, minutes) = match offset.len() {
        2 => (offset, "00"),
        4 => offset.split_at_checked(2)?,
        _ => offset.split_once(':')?,
    };
    let (hours, minutes) = (fixed(hours, 2)?, fixed(minutes, 2)?);
    (hours <= 23 && minutes <= 59).then_some((time, sign * (hours * 60 + minutes)))
}

fn fraction_ms(text: &str) -> Option<i64> {
    digits(text)?;
    let mut ms = 0;
    for position in 0..3 {
        let digit = text.as_bytes().get(position).map_or(0, |b| i64::from(b - b'0'));
        ms = ms * 10 + digit;
    }
    let more = text.get(3..).is_some_and(|rest| rest.bytes().any(|b| b != b'0'));
    Some(ms + i64::from(more))
}

fn fixed(text: &str, len: usize) -> Option<i64> {
    if text.len() == len { digits(text) } else { None }
}

fn digits(text: &str) -> Option<i64> {
    if text.is_empty() || text.len() > 18 || !text.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}

/// Days since 1970-01-01 in the proleptic Gregorian calendar, counting years from March so that leap days come last.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let month_from_march = (month + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    year * 365 + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + day_of_year - 719_468
}

/// Year, month and day of a day since 1970; the way back of [`days_since_1970`].
pub(super) fn date_of(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = (month_from_march + 2) % 12 + 1;
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn b11_times_ages_bookmarks_txids_and_ids_are_told_apart() {
        let now = 1_700_000_000_000;
        let time = |text| Target::parse(text, now);
        assert_eq!((time(""), time("latest")), (Ok(Target::Unsaid), Ok(Target::Latest)));
        assert_eq!(time("-1m"), Ok(Target::Time(now - 60_000)));
        assert_eq!(time("-7d"), Ok(Target::Time(now - 7 * MS_PER_DAY)));
        assert_eq!(time("-1w"), time("-7d"));
        assert_eq!(time("-1500ms"), Ok(Target::Time(now - 1500)));
        assert_eq!(time("1700000000"), Ok(Target::Time(now)));
        assert_eq!(time("1700000000000"), Ok(Target::Time(now)));
        assert_eq!(time("2023-11-14T22:13:20Z"), Ok(Target::Time(now)));
        for said in [
            "2023-11-14 22:13:20 UTC",
            "2023-11-14 17:13:20 -05:00",
            "2023-11-15T03:43:20+0530",
            "2023-11-14 23:13:20+01",
        ] {
            assert_eq!(time(said), Ok(Target::Time(now)), "{said}");
        }
        assert_eq!(time("2023-11-14 23:13:20.000+01:00"), Ok(Target::Time(now)));
        assert_eq!(time("2023-11-14T22:13:20.0000001"), Ok(Target::Time(now + 1)));
        assert_eq!(time("00000000000000ff"), Ok(Target::Txid(Txid(255))));
        assert_eq!(time("123a81a2"), Ok(Target::Id("123a81a2".into())));
        for bad in [
            "yesterday",
            "-5",
            "-5y",
            "-w",
            "-5 m",
            "-5ms ago",
            "2023-13-01",
            "2023-02-29",
            "2023-11-14T24:00:00Z",
            "123",
            "2023-11-14T1:00",
            "17000000000",
            "2023-11-14T22:13:20+1",
            "2023-11-14T22:13:20 +24:00",
        ] {
            assert_eq!(time(bad).unwrap_err().kind, ErrorKind::AtSyntax, "{bad}");
        }
    }

    #[test]
    fn times_are_written_as_they_are_read() {
        for ms in [0, 1_700_000_000_123, 951_782_399_999, 951_782_400_000, 1_709_164_800_000, 4_102_444_800_001] {
            assert_eq!(rfc3339(&format_rfc3339(ms)), Some(ms));
        }
        assert_eq!(format_rfc3339(1_700_000_000_123), "2023-11-14T22:13:20.123000Z");
    }

    #[test]
    fn f7_the_calendar_has_its_leap_days() {
        assert_eq!(rfc3339("1970-01-01T00:00:00Z"), Some(0));
        assert_eq!(rfc3339("2000-02-29T00:00:00Z"), Some(951_782_400_000));
        assert_eq!(rfc3339("2038-01-19T03:14:08Z"), Some(2_147_483_648_000));
        assert_eq!(rfc3339("1900-02-29T00:00:00Z"), None);
    }
}
