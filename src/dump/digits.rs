//! Numbers taken apart: whole ones into digits, eight at a time; real ones into a whole number and a power of two.

pub(super) const TEN_8: u64 = 10_u64.pow(8);
pub(super) const TEN_16: u64 = 10_u64.pow(16);

/// A number in decimal, with leading zeros.
pub(super) fn digits_of(number: u64) -> [[u8; 8]; 3] {
    decimal([number / TEN_16, number / TEN_8 % TEN_8, number % TEN_8])
}

/// A number in decimal, with leading zeros, from what it has of 10^16, of 10^8, and of 1.
pub(super) fn decimal(eights: [u64; 3]) -> [[u8; 8]; 3] {
    // Not `map`: built for size, it is a call and a loop.
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
