//! REAL values as `.dump` of the sqlite3 command line prints them, byte for byte.
//!
//! | shell | integral, within 64 bits | other | infinite |
//! | --- | --- | --- | --- |
//! | 3.40 | `%lld.0` | `%!.20g` | `1e999` |
//! | 3.54 | `%0.16g` | `%0.16g` | `9e+999` |
//!
//! These are formats of SQLite's own printf, and no exact one prints the same: the digits carry the rounding errors of
//! the arithmetic behind them, which is followed here step by step, in integers.
//!
//! What comes of them: neither shell tells -0.0 from 0.0. 3.54 prints 16 digits at most, which do not always give the
//! same value back (the largest becomes infinite), and its integral values below 10^16 read back as integers.

#[cfg(test)]
mod tests;

use super::digits::{TEN_8, TEN_16, decimal, digits_of, eight_digits};

/// Which command line to print like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shell {
    /// 3.40.1 on x86-64, where its `long double` has 64 bits of mantissa.
    V3_40,
    /// 3.54.1.
    V3_54,
}

/// Appends `value` as the `.dump` of `shell` prints it. NaN is `NULL`: SQLite reads it so from a file.
pub(crate) fn write_real(out: &mut Vec<u8>, value: f64, shell: Shell) {
    if value.is_nan() {
        return out.extend_from_slice(b"NULL");
    }
    if value < 0.0 {
        out.push(b'-');
    }
    let size = value.abs();
    match shell {
        Shell::V3_40 if size.is_infinite() => out.extend_from_slice(b"1e999"),
        Shell::V3_54 if size.is_infinite() => out.extend_from_slice(b"9e+999"),
        // C's cast of 2^63 does not give it back, so it is printed with `%!.20g`. That of -2^63 does.
        Shell::V3_40 if size.trunc() == size && (size < TWO_63 || value == -TWO_63) => {
            let number = size as u64;
            let digits = digits_of(number);
            let digits = digits.as_flattened();
            let zeros = digits.iter().take_while(|&&digit| digit == b'0').count().min(digits.len() - 1);
            out.extend_from_slice(digits.get(zeros..).unwrap_or_default());
            out.extend_from_slice(b".0");
        }
        Shell::V3_40 => {
            let (digits, exponent) = digits_in_x87(size);
            // All but those above the first.
            lay_out(out, digits.as_flattened().get(4..).unwrap_or_default(), exponent, b".0");
        }
        Shell::V3_54 if size == 0.0 => out.push(b'0'),
        Shell::V3_54 => {
            let (digits, exponent) = digits_in_u64(size);
            lay_out(out, digits.as_flattened().get(8..).unwrap_or_default(), exponent, b"");
        }
    }
}

const TWO_63: f64 = (1_u64 << 63) as f64;

/// As `%g` does whose precision is the number of `digits`; `exponent` is that of the first one. `whole` follows a number
/// without digits behind the point.
fn lay_out(out: &mut Vec<u8>, digits: &[u8], exponent: i32, whole: &[u8]) {
    let fixed = (-4..digits.len() as i32).contains(&exponent);
    let length = digits.iter().rposition(|&digit| digit != b'0').map_or(1, |last| last + 1);
    let significant = digits.get(..length).unwrap_or(digits);

    if fixed && exponent < 0 {
        out.extend_from_slice(b"0.000".get(..exponent.unsigned_abs() as usize + 1).unwrap_or_default());
        return out.extend_from_slice(significant);
    }
    let point = if fixed { exponent as usize + 1 } else { 1 };
    match significant.split_at_checked(point) {
        Some((before, behind)) if !behind.is_empty() => {
            out.extend_from_slice(before);
            out.push(b'.');
            out.extend_from_slice(behind);
        }
        _ => {
            out.extend_from_slice(digits.get(..point).unwrap_or(digits));
            out.extend_from_slice(whole);
        }
    }
    if !fixed {
        let [.., hundreds, tens, ones] = eight_digits(exponent.unsigned_abs().into());
        out.extend_from_slice(if exponent < 0 { b"e-" } else { b"e+" });
        out.extend((hundreds != b'0').then_some(hundreds));
        out.extend_from_slice(&[tens, ones]);
    }
}

/// The digits of `%!.20g` in 3.40, and the decimal exponent of the first.
///
/// It divides the value by a power of ten, or multiplies it, until it is within 1..10, rounding at each step; then it
/// takes the integral part off and multiplies by ten, twenty times. (It also adds 5e-20 to round the last digit, which
/// is less than half a unit of the mantissa, even at 1.0, and so changes nothing.)
fn digits_in_x87(value: f64) -> ([[u8; 8]; 3], i32) {
    let (value, exponent) = if (1.0..1e18).contains(&value) {
        // What `scaled` does, sooner: up to here powers of ten are exact, and no quotient rounds up to ten.
        let exponent = (value as u64).ilog10();
        let scale = 10_u64.pow(exponent) as f64;
        (Extended::of(value).over(Extended::of(scale)), exponent as i32)
    } else {
        scaled(Extended::of(value))
    };
    let shift = value.exponent.unsigned_abs();
    let first = value.mantissa.unbounded_shr(shift);
    // The fraction, in units of 2^-64. It is even, as the mantissa has 63 bits behind the point at most.
    let fraction = value.mantissa.unbounded_shl(64_u32.saturating_sub(shift));

    // Each multiplication by ten leaves one more zero bit at the end. Rounding clears four at most, for the digits 8
    // and 9, hence it ends after two steps: what is left has an exact expansion, any number of whose digits may be
    // taken at once.
    let (second, fraction) = times_ten(fraction);
    let (third, fraction) = times_ten(fraction);
    let (fourth, fraction) = next_digits(fraction, 10);
    let (middle, fraction) = next_digits(fraction, TEN_8);
    let (last, _) = next_digits(fraction, TEN_8);
    (decimal([first * 1000 + second * 100 + third * 10 + fourth, middle, last]), exponent)
}

/// Multiplies a fraction, in units of 2^-64, by a `factor` below 2^32: what is before the point then, and the fraction
/// behind it.
fn next_digits(fraction: u64, factor: u64) -> (u64, u64) {
    let low = (fraction & 0xffff_ffff) * factor;
    let high = (fraction >> 32) * factor + (low >> 32);
    (high >> 32, (high << 32) | (low & 0xffff_ffff))
}

/// The next digit of a fraction in units of 2^-64, and the fraction behind it, rounded to the 64 bits of mantissa that
/// both share.
fn times_ten(fraction: u64) -> (u64, u64) {
    let (digit, fraction) = next_digits(fraction, 10);
    let unit = 1 << (u64::BITS - digit.leading_zeros());
    let rest = fraction & (unit - 1);
    let up = rest * 2 > unit || rest * 2 == unit && fraction & unit != 0;
    let (fraction, carry) = (fraction - rest).overflowing_add(if up { unit } else { 0 });
    (digit + u64::from(carry), fraction)
}

/// `value` brought into 1..10, and the power of ten that was taken off it.
fn scaled(mut value: Extended) -> (Extended, i32) {
    const ONE: Extended = Extended::of(1.0);
    const TEN: Extended = Extended::of(10.0);

    let (mut scale, mut exponent) = (ONE, 0);
    for (factor, power) in [(const { Extended::of(1e100) }, 100), (const { Extended::of(1e10) }, 10), (TEN, 1)] {
        loop {
            let next = scale.times(factor);
            if value < next {
                break;
            }
            (scale, exponent) = (next, exponent + power);
        }
    }
    if exponent > 0 {
        value = value.over(scale);
    }
    while value < const { Extended::of(1e-8) } {
        (value, exponent) = (value.times(const { Extended::of(1e8) }), exponent - 8);
    }
    while value < ONE {
        (value, exponent) = (value.times(TEN), exponent - 1);
    }
    // The division may have rounded up.
    if value >= TEN {
        (value, exponent) = (value.times(const { Extended::of(0.1) }), exponent + 1);
    }
    (value, exponent)
}

/// A positive number as the x87 holds it: `mantissa * 2^exponent`, the top bit of `mantissa` set. The order of the
/// fields makes the derived order that of the numbers.
#[derive(Clone, Copy, PartialEq, PartialOrd)]
struct Extended {
    exponent: i32,
    mantissa: u64,
}

impl Extended {
    /// Exact. `value` is positive and finite.
    const fn of(value: f64) -> Self {
        let bits = value.to_bits();
        let (biased, fraction) = ((bits >> 52) as i32, bits & ((1 << 52) - 1));
        let (mantissa, exponent) = if biased == 0 { (fraction, -1074) } else { (fraction | 1 << 52, biased - 1075) };
        let shift = mantissa.leading_zeros();
        Self { exponent: exponent - shift as i32, mantissa: mantissa.unbounded_shl(shift) }
    }

    /// The product, rounded to nearest, ties to even.
    fn times(self, other: Self) -> Self {
        let (high, low) = wide_product(self.mantissa, other.mantissa);
        let exponent = self.exponent + other.exponent + 64;
        let (exponent, mantissa, rest) =
            if high >> 63 == 0 { (exponent - 1, high << 1 | low >> 63, low << 1) } else { (exponent, high, low) };
        let up = rest > 1 << 63 || rest == 1 << 63 && mantissa & 1 != 0;
        match mantissa.checked_add(up.into()) {
            Some(mantissa) => Self { exponent, mantissa },
            None => Self { exponent: exponent + 1, mantissa: 1 << 63 },
        }
    }

    /// The quotient, rounded to nearest. There are no ties: a quotient of 65 bits, the last one set, would have to
    /// divide a dividend of 64. Nor does it round up to 2^64.
    fn over(self, divisor: Self) -> Self {
        // Halving a dividend that is not below the divisor makes every quotient fill 64 bits.
        let (half, rest) = if self.mantissa < divisor.mantissa { (0, 0) } else { (1, (self.mantissa & 1) << 31) };
        let (high, remainder) = divide(self.mantissa >> half, rest, divisor.mantissa);
        let (low, remainder) = divide(remainder, 0, divisor.mantissa);
        let up = remainder > divisor.mantissa - remainder;
        Self { exponent: self.exponent - divisor.exponent - 64 + half, mantissa: (high << 32 | low) + u64::from(up) }
    }
}

/// A step of long division, by 32 bits, as wasm has no division of 128 bits by 64: the quotient and the remainder of
/// `high * 2^32 + low`. The top bit of `divisor` is set, and `high` is below it.
fn divide(high: u64, low: u64, divisor: u64) -> (u64, u64) {
    let (top, bottom) = (divisor >> 32, divisor & 0xffff_ffff);
    // Dividing by the top half alone gives at most two too much.
    let (mut quotient, mut rest) = (high / top, high % top);
    while rest >> 32 == 0 && quotient * bottom > (rest << 32 | low) {
        (quotient, rest) = (quotient - 1, rest + top);
    }
    (quotient, (high << 32 | low).wrapping_sub(quotient.wrapping_mul(divisor)))
}

/// The digits of `%0.16g` in 3.54, and the decimal exponent of the first.
///
/// It multiplies the mantissa by 64 bits of a power of ten, and so gets 17 digits or 18, cut off rather than rounded.
/// Then it rounds these to 16, half up.
fn digits_in_u64(value: f64) -> ([[u8; 8]; 3], i32) {
    let Extended { mantissa, exponent: binary } = Extended::of(value);
    let power = 16 - (((binary + 63) * 78_913) >> 18); // log10(2) * 2^18
    let (product, _) = wide_product(mantissa, power_of_ten(power));
    let power_binary = (power * 108_853) >> 15; // log2(10) * 2^15
    let mut number = product.unbounded_shr((binary + power_binary + 1).unsigned_abs());

    let (mut exponent, mut dropped) = (15 - power, 0);
    while number >= TEN_16 {
        (number, dropped, exponent) = (number / 10, number % 10, exponent + 1);
    }
    if dropped >= 5 {
        number += 1;
        if number == TEN_16 {
            (number, exponent) = (TEN_16 / 10, exponent + 1);
        }
    }
    (decimal([0, number / TEN_8, number % TEN_8]), exponent)
}

/// 10^`power`, times that power of two which makes it fill 64 bits, cut off.
///
/// It is a product of two: 10^27 to some power, to 96 bits, and a smaller one, which is exact, as 5^26 fits 64.
fn power_of_ten(power: i32) -> u64 {
    // From -291, for the largest value, to 340, for the smallest.
    let step = (power.div_euclid(27) + 11) as usize;
    let (high, low) = TEN_27.get(step).copied().unwrap_or_default();
    let small = 5_u64.pow(power.rem_euclid(27).unsigned_abs());
    let small = u128::from(small << small.leading_zeros());
    let product = small * u128::from(high) + ((small * u128::from(low)) >> 32);
    (if product >> 127 == 0 { product >> 63 } else { product >> 64 }) as u64
}

/// 10^(27 * (i - 11)), scaled to 96 bits and rounded: the first 64, and the other 32.
const TEN_27: [(u64, u32); 24] = [
    (0xa76c_5823_38ed_2621, 0xaf2a_f2b8),
    (0x873e_4f75_e222_4e68, 0x5a77_44a7),
    (0xda7f_5bf5_9096_6848, 0xaf39_a475),
    (0xb080_392c_c434_9dec, 0xbd8d_794e),
    (0x8e93_8662_882a_f53e, 0x547e_b47b),
    (0xe658_29b3_046b_0afa, 0x0cb4_a5a3),
    (0xba12_1a46_50e4_ddeb, 0x92f3_4d62),
    (0x964e_858c_91ba_2655, 0x3a6a_07f9),
    (0xf2d5_6790_ab41_c2a2, 0xfae2_7299),
    (0xc428_d05a_a475_1e4c, 0xaa97_e14c),
    (0x9e74_d1b7_91e0_7e48, 0x775e_a265),
    (0x8000_0000_0000_0000, 0x0000_0000),
    (0xcecb_8f27_f420_0f3a, 0x0000_0000),
    (0xa70c_3c40_a64e_6c51, 0x9990_90b6),
    (0x86f0_ac99_b4e8_dafd, 0x69a0_28bb),
    (0xda01_ee64_1a70_8de9, 0xe80e_6f48),
    (0xb01a_e745_b101_e9e4, 0x5ec0_5dd0),
    (0x8e41_ade9_fbeb_c27d, 0x1458_8f14),
    (0xe5d3_ef28_2a24_2e81, 0x8f16_68c9),
    (0xb9a7_4a06_37ce_2ee1, 0x6d95_3e2c),
    (0x95f8_3d0a_1fb6_9cd9, 0x4abd_af10),
    (0xf24a_01a7_3cf2_dccf, 0xbc63_3b39),
    (0xc3b8_3581_09e8_4f07, 0x0a86_2f81),
    (0x9e19_db92_b4e3_1ba9, 0x6c07_a2c2),
];

/// The upper and the lower half of `a * b`.
fn wide_product(a: u64, b: u64) -> (u64, u64) {
    let product = u128::from(a) * u128::from(b);
    ((product >> 64) as u64, product as u64)
}
