//! Floating-point numbers as SQL that every SQLite reads back exactly.
//!
//! SQLite did not always read decimals exactly: up to 3.42 it takes the first 18 or 19 digits and multiplies or divides
//! them by a power of ten in the C compiler's `long double`, whose result is rounded a second time. So the shortest
//! decimal that names a number is only used where that second rounding cannot matter; else 18 digits, which are so
//! close to the number that no rounding on the way reaches another one; and where the power of ten itself is out of
//! reach, a whole number divided by powers of two.

use core::fmt::Write;

use super::digits::{digits_of, mantissa_and_exponent, write_scientific};

/// Whole numbers up to here are floating-point numbers, too.
const MOST_EXACT: u64 = 1 << 53;
/// The largest power of ten that is a floating-point number itself.
const EXACT_POWER: u32 = 22;
/// Beyond this power of two no decimal is safe.
const FARTHEST_SHIFT: i32 = 70;
/// Below this, the power of ten for 18 digits is beyond 10^307, which old SQLites do not reach in one step.
const SMALLEST_DECIMAL: f64 = 1e-280;

/// Appends a number.
pub(super) fn write_real(out: &mut Vec<u8>, real: f64) {
    if real.is_infinite() {
        out.extend_from_slice(if real > 0.0 { b"9e999" } else { b"-9e999" });
    } else if real == 0.0 {
        out.extend_from_slice(if real.is_sign_negative() { b"-0.0" } else { b"0.0" });
    } else if real.abs() < SMALLEST_DECIMAL {
        write_quotient(out, real);
    } else if !write_common(out, real) && !write_short(out, real) && !write_scientific(out, real) {
        let mut text = Text(out);
        let _ = write!(text, "{real:.17e}");
    }
}

/// Appends the shortest decimal that names a number, if every SQLite reads it back from that; else `false`.
fn write_short(out: &mut Vec<u8>, real: f64) -> bool {
    if mantissa_and_exponent(real.abs()).1.abs() > FARTHEST_SHIFT {
        return false;
    }
    let start = out.len();
    let mut text = Text(out);
    // Writing to a vector cannot fail.
    let _ = write!(text, "{real:?}");
    let shortest = parts(out.get(start..).unwrap_or_default());
    let is_safe = shortest.is_some_and(|(significant, power)| is_safe(significant, power, real));
    if !is_safe {
        out.truncate(start);
    }
    is_safe
}

/// Appends a number of common size, with 15 digits if it is read back from those, else with 18; `false` for others. It
/// is many times faster than the formatting of the standard library, which has to know all sizes.
fn write_common(out: &mut Vec<u8>, real: f64) -> bool {
    let size = real.abs();
    let places = match size {
        1.0..1e15 => DIGITS - 1 - (size as u64).ilog10(),
        0.1..1.0 => DIGITS,
        0.01..0.1 => DIGITS + 1,
        0.001..0.01 => DIGITS + 2,
        0.0001..0.001 => DIGITS + 3,
        _ => return false,
    };
    let (mantissa, exponent) = mantissa_and_exponent(size);
    let bits = exponent.unsigned_abs();
    let number = ((u128::from(mantissa) * power_of_ten(places) + (1 << (bits - 1))) >> bits) as u64;
    let short = (number + 500) / 1000;
    let is_short = number.abs_diff(short * 1000) <= FARTHEST && is_safe(short, 3 - places as i32, real);
    let number = if is_short { short * 1000 } else { number };
    // A number just below a power of ten may have been rounded up to it.
    if !(SMALLEST_NUMBER..SMALLEST_NUMBER * 10).contains(&number) {
        return false;
    }
    let digits = digits_of(number);
    let Some(digits) = digits.as_flattened().last_chunk::<{ DIGITS as usize }>() else { return false };
    if real < 0.0 {
        out.push(b'-');
    }
    if places >= DIGITS {
        out.extend_from_slice(b"0.000".get(..(places - DIGITS) as usize + 2).unwrap_or_default());
    }
    out.extend_from_slice(digits);
    if places < DIGITS {
        out.insert(out.len() - places as usize, b'.');
    }
    if is_short {
        trim_zeros(out);
    }
    true
}

/// Digits that name any number.
const DIGITS: u32 = 18;
/// The smallest whole number of so many digits.
const SMALLEST_NUMBER: u64 = 10_u64.pow(DIGITS - 1);
/// Half the way from one floating-point number to the next is never farther than so many units of the last digit.
const FARTHEST: u64 = 10_u64.pow(DIGITS) >> 53;

/// Takes zeros off the end, but for one behind the point.
fn trim_zeros(out: &mut Vec<u8>) {
    while out.ends_with(b"00") {
        out.pop();
    }
    if let [.., before, b'0'] = out.as_slice()
        && *before != b'.'
    {
        out.pop();
    }
}

/// Whether every SQLite reads `significant` times that power of ten as `real`: one multiplication or division of exact
/// numbers (Clinger's fast path) gives it, and its exact value is so far from the middle between two numbers that
/// rounding to 64 bits first, as x87 does, changes nothing.
fn is_safe(significant: u64, power: i32, real: f64) -> bool {
    let (mantissa, shift) = mantissa_and_exponent(real.abs());
    if significant > MOST_EXACT || power.unsigned_abs() > EXACT_POWER || shift.abs() > FARTHEST_SHIFT {
        return false;
    }
    // decimal = significant * 10^power and real = mantissa * 2^shift, both times whatever makes them whole.
    let ten = power_of_ten(power.unsigned_abs());
    let (decimal, half_way) =
        if power < 0 { (u128::from(significant), ten) } else { (u128::from(significant) * ten, 1) };
    let (left, right) = if shift < 0 { (-shift, 0) } else { (0, shift) };
    let real = shifted(u128::from(mantissa) * half_way, right);
    let (Some(decimal), Some(real), Some(half_way)) = (shifted(decimal, left), real, shifted(half_way, right)) else {
        return false;
    };
    // Twice the distance, of which one is half the way to the next number.
    let distance = decimal.abs_diff(real).saturating_mul(2);
    distance <= half_way - half_way / 256
}

/// The digits of `decimal` as a whole number, without zeros at the end of a fraction, and the power of ten that it is
/// to be multiplied by; `None` when there are too many of them.
fn parts(decimal: &[u8]) -> Option<(u64, i32)> {
    let (mut significant, mut places, mut zeros, mut is_fraction) = (0u64, 0, 0, false);
    let mut bytes = decimal.iter();
    for &byte in bytes.by_ref() {
        match byte {
            b'.' => is_fraction = true,
            b'e' => break,
            b'0' if is_fraction => zeros += 1,
            b'0'..=b'9' => {
                for _ in 0..=zeros {
                    significant = significant.checked_mul(10).filter(|&shifted| shifted < MOST_EXACT)?;
                }
                significant += u64::from(byte - b'0');
                places += if is_fraction { zeros + 1 } else { 0 };
                zeros = 0;
            }
            _ => {}
        }
    }
    let exponent = core::str::from_utf8(bytes.as_slice()).ok()?;
    let exponent: i32 = if exponent.is_empty() { 0 } else { exponent.parse().ok()? };
    Some((significant, exponent - places))
}

/// A power of ten that fits; 0 for larger ones.
fn power_of_ten(power: u32) -> u128 {
    const POWERS: [u128; EXACT_POWER as usize + 1] = {
        let mut powers = [1; EXACT_POWER as usize + 1];
        let mut power = 1;
        while power < powers.len() {
            powers[power] = powers[power - 1] * 10;
            power += 1;
        }
        powers
    };
    POWERS.get(power as usize).copied().unwrap_or_default()
}

/// `number` times a power of two, if that fits.
fn shifted(number: u128, by: i32) -> Option<u128> {
    (number.leading_zeros() >= by.unsigned_abs()).then_some(number << by)
}

/// Appends a number so small that it is below the reach of decimals: `(m.0/2^62/2^62/…)`.
fn write_quotient(out: &mut Vec<u8>, real: f64) {
    let (mantissa, exponent) = mantissa_and_exponent(real.abs());
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
        for (real, text) in [
            (0.1, "0.1"),
            (2.0, "2.0"),
            (-1.5, "-1.5"),
            (12.34, "12.34"),
            (1e20, "1e20"),
            (1234567.0, "1234567.0"),
            (0.05, "0.05"),
            (-0.00025, "-0.00025"),
            (1e15, "1000000000000000.0"),
        ] {
            assert_eq!(written(real), text);
        }
        assert_eq!(written(0.1 + 0.2), "0.300000000000000044");
    }

    /// Numbers of every size, and decimals of up to 17 digits, which are nearest to the middles between numbers.
    fn numbers() -> Vec<f64> {
        let mut numbers = vec![
            0.0,
            -0.0,
            5e-324,
            -5e-324,
            f64::MIN_POSITIVE,
            f64::MAX,
            f64::MIN,
            1e-280,
            1e22,
            1e23,
            907861860.737737,
        ];
        for power in -10..20 {
            // The neighbours of a power of ten, on both sides.
            let ten = format!("1e{power}").parse::<f64>().unwrap();
            numbers.extend((0..200).flat_map(|n| [ten.to_bits() - n, ten.to_bits() + n]).map(f64::from_bits));
        }
        let mut bits = 1u64;
        let mut random = || {
            bits = bits.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            bits ^ bits >> 29
        };
        for _ in 0..20_000 {
            let number = f64::from_bits(random());
            numbers.extend((!number.is_nan()).then_some(number));
            let digits = random() % 10u64.pow(1 + (random() >> 40) as u32 % 17);
            let decimal = format!("{digits}e{}", (random() >> 40) % 40).parse::<f64>().unwrap();
            numbers.extend([decimal, decimal / 1e20, digits as f64 / 100.0, digits as f64 / 1e6]);
        }
        numbers
    }

    fn check(read: &[f64], numbers: &[f64]) {
        assert_eq!(read.len(), numbers.len());
        for (read, real) in read.iter().zip(numbers) {
            assert_eq!(read.to_bits(), real.to_bits(), "{real:e} as {}", written(*real));
        }
    }

    #[test]
    fn c14_sqlite_reads_every_number_back_bit_by_bit() {
        let db = Connection::open_in_memory().unwrap();
        let numbers = numbers();
        for numbers in numbers.chunks(500) {
            let rows: Vec<String> = numbers.iter().map(|&real| format!("({})", written(real))).collect();
            let mut statement = db.prepare(&format!("VALUES {}", rows.join(","))).unwrap();
            let read: Vec<f64> = statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
            check(&read, numbers);
        }
    }

    /// The last versions before 3.43 are the ones that round twice.
    #[test]
    fn c14_so_does_the_shell_of_2022() {
        let path = std::env::temp_dir().join(format!("pagemark-real-{}.db", std::process::id()));
        let _ = std::fs::remove_file(&path);
        let numbers = numbers();
        let rows: Vec<String> = numbers.iter().map(|&real| format!("({})", written(real))).collect();
        let mut sql = String::from("CREATE TABLE t (x);");
        for rows in rows.chunks(500) {
            sql += &format!("INSERT INTO t VALUES {};\n", rows.join(",\n"));
        }
        let mut shell =
            std::process::Command::new("sqlite3").arg(&path).stdin(std::process::Stdio::piped()).spawn().unwrap();
        std::io::Write::write_all(&mut shell.stdin.take().unwrap(), sql.as_bytes()).unwrap();
        assert!(shell.wait().unwrap().success());
        let db = Connection::open(&path).unwrap();
        let mut statement = db.prepare("SELECT x FROM t").unwrap();
        let read: Vec<f64> = statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
        check(&read, &numbers);
        let _ = std::fs::remove_file(&path);
    }
}
