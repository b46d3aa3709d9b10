//! CRC-64/GO-ISO, and the rolling checksum of a database made of it (LTX format, "Checksum").
//!
//! No table is needed: the polynomial x^64 + x^4 + x^3 + x + 1 has so few terms that a whole 64-bit word is
//! reduced by shifts, several times as fast as a 16-table CRC.

use core::fmt;

use super::pair::Pair;
use super::{PageSize, Pgno};

/// Bit 63 is set in every checksum that is stored.
const CHECKSUM_FLAG: u64 = 1 << 63;

/// x^0 in the reflected bit order, where bit 63 is the coefficient of x^0.
const ONE: u64 = 1 << 63;

/// A running CRC-64/GO-ISO, with the number of bytes it covers so that two can be joined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Crc64 {
    /// The register, which is the complement of the checksum.
    register: u64,
    len: u64,
}

impl Default for Crc64 {
    fn default() -> Self {
        Self { register: !0, len: 0 }
    }
}

impl Crc64 {
    /// The CRC-64 of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        let mut crc = Self::default();
        crc.update(bytes);
        crc
    }

    /// From [`Crc64::value`] and [`Crc64::len`] of another process or worker.
    pub fn from_parts(value: u64, len: u64) -> Self {
        Self { register: !value, len }
    }

    /// Appends `bytes`.
    pub fn update(&mut self, bytes: &[u8]) {
        self.len += bytes.len() as u64;
        let (words, tail) = bytes.as_chunks::<8>();
        let (blocks, words) = words.as_chunks::<8>();
        let step = |register, word: &[u8; 8]| fold(register ^ u64::from_le_bytes(*word));
        let mut register = words.iter().fold(fold_blocks(self.register, blocks), step);
        if !tail.is_empty() {
            let mut word = [0; 8];
            word.iter_mut().zip(tail).for_each(|(to, from)| *to = *from);
            let value = register ^ u64::from_le_bytes(word);
            let bits = 8 * tail.len();
            register = value >> bits ^ fold(value << (64 - bits));
        }
        self.register = register;
    }

    /// Appends what `next` covers: as if its bytes had been given to [`Crc64::update`].
    pub fn join(&mut self, next: Self) {
        // The register of `next` alone began as all ones instead of ours: take that out, shifted over its bytes.
        self.register = next.register ^ multiply(!self.register, x_to_the_bits_of(next.len));
        self.len += next.len;
    }

    /// The checksum.
    pub fn value(self) -> u64 {
        !self.register
    }

    /// How many bytes it covers.
    pub fn len(self) -> u64 {
        self.len
    }

    /// Whether it covers no bytes.
    pub fn is_empty(self) -> bool {
        self.len == 0
    }
}

/// `value` * x^64 modulo the polynomial: one word's worth of steps at once.
fn fold(value: u64) -> u64 {
    // x^64 = x^4 + x^3 + x + 1. Multiplying by x is a shift to the right here; what leaves on the right is
    // x^64 and above, and is reduced once more.
    let over = value << 63 ^ value << 61 ^ value << 60;
    let sum = value ^ over;
    sum ^ sum >> 1 ^ sum >> 3 ^ sum >> 4
}

/// [`fold`] over eight words at a time.
///
/// A step needs the result of the one before it, which leaves most of a processor idle. So each word of a block goes
/// into a register of its own, where the next one is 512 bits away; in the end these become one.
fn fold_blocks(register: u64, blocks: &[[[u8; 8]; 8]]) -> u64 {
    let Some((first, rest)) = blocks.split_first() else { return register };
    let [a, b, c, d] = pairs(first);
    let mut registers = [a.xor(Pair::new([register, 0])), b, c, d];
    for block in rest {
        let ([a, b, c, d], [e, f, g, h]) = (registers, pairs(block));
        registers = [fold_512(a).xor(e), fold_512(b).xor(f), fold_512(c).xor(g), fold_512(d).xor(h)];
    }
    registers.into_iter().flat_map(Pair::words).fold(0, |register, word| fold(register ^ word))
}

#[inline]
fn pairs([a, b, c, d, e, f, g, h]: &[[u8; 8]; 8]) -> [Pair; 4] {
    let pair = |first: &[u8; 8], second: &[u8; 8]| Pair::new([u64::from_le_bytes(*first), u64::from_le_bytes(*second)]);
    [pair(a, b), pair(c, d), pair(e, f), pair(g, h)]
}

/// Each value * x^512, as [`fold`].
#[inline]
fn fold_512(value: Pair) -> Pair {
    // x^512 = (x^4 + x^3 + x + 1)^8 = x^32 + x^24 + x^8 + 1, because squaring a sum of powers squares each of them.
    // That is (x^24 + 1) * (x^8 + 1), and x^64 is (x^3 + 1) * (x + 1).
    let times = |value: Pair, power| value.xor(value.right(power));
    let over = value.left(56).xor(value.left(40)).xor(value.left(32));
    times(times(value, 8), 24).xor(times(times(over, 1), 3))
}

fn times_x(value: u64) -> u64 {
    // x^4 + x^3 + x + 1 in the reflected order.
    const POLYNOMIAL: u64 = 0xD800_0000_0000_0000;
    value >> 1 ^ POLYNOMIAL & (value & 1).wrapping_neg()
}

/// `a` * `b` modulo the polynomial.
fn multiply(a: u64, mut b: u64) -> u64 {
    let mut product = 0;
    for bit in (0..64).rev() {
        product ^= b & (a >> bit & 1).wrapping_neg();
        b = times_x(b);
    }
    product
}

/// x^(8 * `len`) modulo the polynomial: multiplying by it appends `len` zero bytes.
fn x_to_the_bits_of(len: u64) -> u64 {
    let mut power = ONE >> 8;
    let mut result = ONE;
    let mut rest = len;
    while rest > 0 {
        if rest & 1 == 1 {
            result = multiply(result, power);
        }
        power = multiply(power, power);
        rest >>= 1;
    }
    result
}

/// The rolling checksum of a database, or of one page: CRC-64 with bit 63 set.
///
/// A database's is the exclusive or of its pages', so that changing a page is taking the old one out and the
/// new one in, in any order. The lock page does not take part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checksum(u64);

impl Checksum {
    /// The checksum of a database without pages.
    pub const EMPTY: Self = Self(CHECKSUM_FLAG);

    /// From a stored integer; `None` when bit 63 is not set.
    pub fn new(value: u64) -> Option<Self> {
        (value & CHECKSUM_FLAG != 0).then_some(Self(value))
    }

    /// The checksum of page `pgno`, whose content has the checksum `data`: CRC-64 of the number in four bytes, then the content.
    pub fn of_page(pgno: Pgno, data: Crc64) -> Self {
        let mut crc = Crc64::of(&pgno.value().to_be_bytes());
        crc.join(data);
        Self(crc.value() | CHECKSUM_FLAG)
    }

    /// Takes a page's checksum in, or, when it is in already, out.
    pub fn toggle(&mut self, page: Self) {
        self.0 = CHECKSUM_FLAG | (self.0 ^ page.0);
    }

    /// The checksum as it is stored.
    pub fn value(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// [`Checksum::of_page`] for many pages of one size: the shift over a page's bytes is worked out once.
#[derive(Clone, Debug)]
pub struct PageChecksummer {
    shift: Multiplier,
}

impl PageChecksummer {
    /// A checksummer for pages of `page_size`.
    pub fn new(page_size: PageSize) -> Self {
        Self { shift: Multiplier::new(x_to_the_bits_of(u64::from(page_size.value()))) }
    }

    /// The page's checksum; `data` must cover one whole page.
    pub fn page(&self, pgno: Pgno, data: Crc64) -> Checksum {
        let number = Crc64::of(&pgno.value().to_be_bytes());
        Checksum(!self.shifted(number, data).register | CHECKSUM_FLAG)
    }

    /// `crc` followed by `data`, which must cover one whole page.
    pub fn join(&self, crc: &mut Crc64, data: Crc64) {
        *crc = self.shifted(*crc, data);
    }

    fn shifted(&self, first: Crc64, data: Crc64) -> Crc64 {
        Crc64 { register: data.register ^ self.shift.times(!first.register), len: first.len + data.len }
    }
}

/// [`multiply`] by one fixed number, four bits at a time.
#[derive(Clone, Debug)]
struct Multiplier {
    /// The products of the number with each nibble at each place, the lowest place first.
    products: Box<[[u64; 16]; 16]>,
}

impl Multiplier {
    fn new(number: u64) -> Self {
        let mut products = Box::new([[0; 16]; 16]);
        // What the highest bit, which is x^0, contributes; the next lower ones are x^1, x^2 and so on.
        let mut power = number;
        for row in products.iter_mut().rev() {
            for bit in (0..4).rev() {
                let with_bit = row.iter_mut().enumerate().filter(|(nibble, _)| nibble >> bit & 1 == 1);
                with_bit.for_each(|(_, product)| *product ^= power);
                power = times_x(power);
            }
        }
        Self { products }
    }

    fn times(&self, value: u64) -> u64 {
        let rows = self.products.iter().enumerate();
        rows.fold(0, |product, (place, row)| {
            let nibble = (value >> (4 * place) & 0xf) as usize;
            product ^ row.get(nibble).copied().unwrap_or(0)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const REFERENCE: crc::Crc<u64> = crc::Crc::<u64>::new(&crc::CRC_64_GO_ISO);

    #[test]
    fn check_value_of_the_catalogue() {
        assert_eq!(Crc64::of(b"123456789").value(), 0xB909_56C7_75A4_1001);
    }

    #[test]
    fn page_checksum_is_the_crc_of_number_and_data() {
        let page_size = PageSize::new(512).unwrap();
        let data = vec![7; 512];
        let pgno = Pgno::new(3).unwrap();
        let mut whole = 3u32.to_be_bytes().to_vec();
        whole.extend_from_slice(&data);
        let expected = REFERENCE.checksum(&whole) | 1 << 63;
        assert_eq!(Checksum::of_page(pgno, Crc64::of(&data)).value(), expected);
        let checksummer = PageChecksummer::new(page_size);
        assert_eq!(checksummer.page(pgno, Crc64::of(&data)).value(), expected);
    }

    #[test]
    fn a_multiplier_gives_what_multiplying_does() {
        let number = 0x1234_5678_9abc_def1;
        let multiplier = Multiplier::new(number);
        for value in [0, 1, 1 << 63, u64::MAX, 0x0f1e_2d3c_4b5a_6978] {
            assert_eq!(multiplier.times(value), multiply(value, number));
        }
    }

    #[test]
    fn toggling_twice_is_nothing() {
        let page = Checksum::of_page(Pgno::FIRST, Crc64::of(b"x"));
        let mut sum = Checksum::EMPTY;
        sum.toggle(page);
        assert_eq!(sum, page);
        sum.toggle(page);
        assert_eq!(sum, Checksum::EMPTY);
    }

    proptest! {
        #[test]
        fn equals_the_reference_in_any_pieces(bytes in prop::collection::vec(any::<u8>(), 0..300), cut in 0usize..300) {
            let (a, b) = bytes.split_at(cut.min(bytes.len()));
            let mut fed = Crc64::of(a);
            fed.update(b);
            prop_assert_eq!(fed.value(), REFERENCE.checksum(&bytes));
            let mut joined = Crc64::of(a);
            joined.join(Crc64::of(b));
            prop_assert_eq!(joined, fed);
        }
    }
}
