//! Floating-point numbers as SQL that every SQLite reads back exactly.
//!
//! SQLite did not always read decimals exactly: up to 3.42 it multiplies the first 19 digits by a power of ten in the
//! C compiler's `long double`. So the shortest decimal that names a number is only used where one exact multiplication
//! or division gives it; else 19 digits, which are so close that no rounding on the way reaches another number; and
//! where the power of ten itself is out of reach, a whole number divided by powers of two.

use core::fmt::Write;

/// Digits that a whole number below 2^53 surely has room for.
const EXACT_DIGITS: usize = 15;
/// The largest power of ten that is a floating-point number itself.
const EXACT_POWER: i32 = 22;
/// Below this, the power of ten for 19 digits is beyond 10^307, which old SQLites do not reach in one step.
const SMALLEST_DECIMAL: f64 = 1e-280;

/// Appends a number.
pub(super) fn write_real(out: &mut Vec<u8>, real: f64) {
    if real.is_infinite() {
        out.extend_from_slice(if real > 0.0 { b"9e999" } else { b"-9e999" });
    } else if real == 0.0 {
        out.extend_from_slice(if real.is_sign_negative() { b"-0.0" } else { b"0.0" });
    } else if real.abs() < SMALLEST_DECIMAL {
        write_quotient(out, real);
    } else {
        let mut buffer = zmij::Buffer::new();
        let shortest = buffer.format_finite(real);
        if is_exact(shortest) {
            out.extend_from_slice(shortest.as_bytes());
        } else {
            let mut text = Text(out);
            // Writing to a vector cannot fail.
            let _ = write!(text, "{real:.18e}");
        }
    }
}

/// Whether reading a decimal takes one exact step (Clinger's fast path).
fn is_exact(decimal: &str) -> bool {
    let (digits, exponent) = decimal.split_once('e').unwrap_or((decimal, "0"));
    let Ok(exponent) = exponent.parse::<i32>() else { return false };
    let fraction = digits.split_once('.').map_or(0, |(_, fraction)| if fraction == "0" { 0 } else { fraction.len() });
    let significant = digits.bytes().filter(u8::is_ascii_digit).skip_while(|&digit| digit == b'0').count();
    significant <= EXACT_DIGITS && (exponent - fraction as i32).abs() <= EXACT_POWER
}

/// Appends a number so small that it is below the reach of decimals: `(m.0/2^62/2^62/…)`.
fn write_quotient(out: &mut Vec<u8>, real: f64) {
    let bits = real.to_bits();
    let stored = (bits >> 52 & 0x7ff) as i32;
    let fraction = bits & ((1 << 52) - 1);
    // A stored exponent of 0 means a number without the leading bit.
    let (mantissa, exponent) = if stored == 0 { (fraction, -1074) } else { (fraction | 1 << 52, stored - 1075) };
    let sign = if real < 0.0 { "-" } else { "" };
    let mut text = Text(out);
    let _ = write!(text, "({sign}{mantissa}.0");
    let mut left = -exponent;
    while left > 0 {
        let step = left.min(62);
        let _ = write!(text, "/{}", 1u64 << step);
        left -= step;
    }
    out.push(b')');
}

/// Text that is appended to bytes.
struct Text<'a>(&'a mut Vec<u8>);

impl Write for Text<'_> {
    fn write_str(&mut self, text: &str) -> core::fmt::Result {
        self.0.extend_from_slice(text.as_bytes());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rusqlite::Connection;

    fn written(real: f64) -> String {
        let mut out = Vec::new();
        write_real(&mut out, real);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn people_can_read_what_people_wrote() {
        for (real, text) in [(0.1, "0.1"), (2.0, "2.0"), (-1.5, "-1.5"), (12.34, "12.34"), (1e20, "1e+20")] {
            assert_eq!(written(real), text);
        }
        assert_eq!(written(0.1 + 0.2), "3.000000000000000444e-1");
    }

    #[test]
    fn c14_sqlite_reads_every_number_back_bit_by_bit() {
        let db = Connection::open_in_memory().unwrap();
        let mut bits = 1u64;
        let mut check = |real: f64| {
            let sql = written(real);
            let read: f64 = db.query_row(&format!("SELECT {sql}"), [], |row| row.get(0)).unwrap();
            assert_eq!(read.to_bits(), real.to_bits(), "{real:e} as {sql}");
        };
        for real in [0.0, -0.0, 5e-324, -5e-324, f64::MIN_POSITIVE, f64::MAX, f64::MIN, 1e-280, 1e22, 1e23] {
            check(real);
        }
        for _ in 0..20_000 {
            bits = bits.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let real = f64::from_bits(bits ^ bits >> 29);
            if !real.is_nan() {
                check(real);
            }
        }
    }
}
