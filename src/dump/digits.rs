//! The digits of numbers: of whole ones, eight at a time, and eighteen of real ones of any size, for which the standard
//! library takes microseconds.
//!
//! A real number is a whole one times a power of two. To see its digits it is multiplied by a power of ten that makes it a
//! whole one of eighteen digits and a fraction. Powers of ten are known to 128 bits, so the product is, too, but for
//! some of the last ones: where those matter to the rounding, the standard library is asked.

pub(super) const TEN_8: u64 = 10_u64.pow(8);
pub(super) const TEN_16: u64 = 10_u64.pow(16);

/// A number in decimal, with leading zeros.
pub(super) fn digits_of(number: u64) -> [[u8; 8]; 3] {
    decimal([number / TEN_16, number / TEN_8 % TEN_8, number % TEN_8])
}

/// A number in decimal, with leading zeros, from what it has of 10^16, of 10^8, and of 1.
pub(super) fn decimal(eights: [u64; 3]) -> [[u8; 8]; 3] {
    // `map` would be a call and a loop, as the code is built for size.
    let [first, second, third] = eights;
    [eight_digits(first), eight_digits(second), eight_digits(third)]
}

/// A number below 10^8 in decimal. It splits all lanes of a u64 at once, into fours, twos, and ones; the first lane is
/// the low one. Multiplying by 10486 / 2^20 divides by 100, and by 103 / 2^10 by ten, for all that a lane can hold.
pub(super) fn eight_digits(number: u64) -> [u8; 8] {
    let number = number as u32; // 64 bits take longer to divide
    let fours = u64::from(number / 10_000) | (u64::from(number % 10_000) << 32);
    let hundreds = ((fours * 10_486) >> 20) & 0x7f_0000_007f;
    let twos = hundreds | (fours - hundreds * 100) << 16;
    let tens = ((twos * 103) >> 10) & 0xf_000f_000f_000f;
    let ones = tens | (twos - tens * 10) << 8;
    (ones | 0x3030_3030_3030_3030).to_le_bytes()
}

/// A number above 0 as a whole number times a power of two.
pub(super) fn mantissa_and_exponent(real: f64) -> (u64, i32) {
    let bits = real.to_bits();
    let stored = (bits >> 52 & 0x7ff) as i32;
    let fraction = bits & ((1 << 52) - 1);
    // A stored exponent of 0 means a number without the leading bit.
    if stored == 0 { (fraction, -1074) } else { (fraction | 1 << 52, stored - 1075) }
}

/// Powers of 10^16, from 10^-304 to 10^304: each is its mantissa, whose first bit is set, times 2^exponent.
const POWERS: [Power; 39] = powers();
/// Which of them is 1.
const ONE: i32 = 19;
/// Each multiplication in making them may have lost one in the last place, or two when it was shifted; and one more in
/// using them.
const UNSURE: u128 = 1 << 7;

#[derive(Clone, Copy)]
struct Power {
    mantissa: u128,
    exponent: i32,
}

/// Appends a number, at least 1e-280 in size and finite, as `{:.17e}` does; `false`, with nothing appended, when its
/// last digit cannot be told.
pub(super) fn write_scientific(out: &mut Vec<u8>, real: f64) -> bool {
    let (mantissa, exponent) = mantissa_and_exponent(real.abs());
    // The decimal exponent of the first digit: that, or one more. log10(2) is a little more than 1233 / 2^12.
    let least = ((exponent + 52) * 1233) >> 12;
    let found = (least - 1..=least + 1).find_map(|first| Some((whole(mantissa, exponent, 17 - first)?, first)));
    let Some((number, first)) = found else { return false };
    let digits = digits_of(number);
    let Some((&leading, rest)) = digits.as_flattened().get(6..).and_then(<[u8]>::split_first) else { return false };
    if real < 0.0 {
        out.push(b'-');
    }
    out.extend_from_slice(&[leading, b'.']);
    out.extend_from_slice(rest);
    out.push(b'e');
    out.extend_from_slice(itoa::Buffer::new().format(first).as_bytes());
    true
}

/// `mantissa` times 2^`exponent` times 10^`power`, rounded; `None` when that has not eighteen digits, or when it is so
/// near to the middle between two that it cannot be told which.
fn whole(mantissa: u64, exponent: i32, power: i32) -> Option<u64> {
    let ten = POWERS.get(usize::try_from(power.div_euclid(16) + ONE).ok()?)?;
    // 53 bits and 50 bits: exact.
    let exact = u128::from(mantissa) * u128::from(10_u64.pow(power.rem_euclid(16) as u32));
    let zeros = exact.leading_zeros();
    let product = high(exact << zeros, ten.mantissa);
    let behind_point = u32::try_from(-(exponent - zeros as i32 + ten.exponent + 128)).ok()?;
    let fraction = product & (1_u128.checked_shl(behind_point)? - 1);
    let half = 1_u128.checked_shl(behind_point.checked_sub(1)?)?;
    if fraction.abs_diff(half) <= UNSURE || half <= UNSURE {
        return None;
    }
    let number = u64::try_from(product >> behind_point).ok()? + u64::from(fraction > half);
    (10_u64.pow(17)..10_u64.pow(18)).contains(&number).then_some(number)
}

/// The upper half of a product.
const fn high(left: u128, right: u128) -> u128 {
    const LOW: u128 = u64::MAX as u128;
    let (a, b) = (left >> 64, left & LOW);
    let (c, d) = (right >> 64, right & LOW);
    let (middle, carry) = (b * c + ((b * d) >> 64), a * d);
    let sum = (middle & LOW) + (carry & LOW);
    a * c + (middle >> 64) + (carry >> 64) + (sum >> 64)
}

const fn powers() -> [Power; 39] {
    const TEN_16: u128 = 10_u128.pow(16);
    // 2^181 divided by 10^16, in two steps.
    let (whole, rest) = ((1 << 127) / TEN_16, (1 << 127) % TEN_16);
    let down = Power { mantissa: (whole << 54) + (rest << 54) / TEN_16, exponent: -181 };
    let up = Power { mantissa: TEN_16 << TEN_16.leading_zeros(), exponent: -(TEN_16.leading_zeros() as i32) };
    let mut powers = [Power { mantissa: 1 << 127, exponent: -127 }; 39];
    let mut step = 1;
    while step <= ONE as usize {
        powers[ONE as usize + step] = times(powers[ONE as usize + step - 1], up);
        powers[ONE as usize - step] = times(powers[ONE as usize - step + 1], down);
        step += 1;
    }
    powers
}

const fn times(left: Power, right: Power) -> Power {
    let product = high(left.mantissa, right.mantissa);
    let zeros = product.leading_zeros();
    Power { mantissa: product << zeros, exponent: left.exponent + right.exponent + 128 - zeros as i32 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c14_the_digits_are_those_of_the_standard_library() {
        let mut bits = 1u64;
        let (mut written, mut asked) = (0, 0);
        let mut check = |real: f64| {
            if !real.is_finite() || real.abs() < 1e-280 {
                return;
            }
            let mut out = Vec::new();
            asked += 1;
            if write_scientific(&mut out, real) {
                written += 1;
                assert_eq!(String::from_utf8(out).unwrap(), format!("{real:.17e}"));
            } else {
                assert_eq!(out, b"");
            }
        };
        for _ in 0..400_000 {
            bits = bits.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            check(f64::from_bits(bits ^ bits >> 29));
        }
        for power in -280..309 {
            let ten: f64 = format!("1e{power}").parse().unwrap();
            for near in 0..200 {
                check(f64::from_bits(ten.to_bits() + near));
                check(f64::from_bits(ten.to_bits() - near));
                check(-ten * f64::from(near as u32));
            }
        }
        check(f64::MAX);
        // Only where rounding is near to a tie, as it is in whole numbers with a few digits more.
        assert!(written > asked - asked / 20, "{written} of {asked}");
    }
}
