//! Two 64-bit words side by side, which wasm32 has instructions for.

#[cfg(not(target_arch = "wasm32"))]
pub(super) use portable::Pair;
#[cfg(target_arch = "wasm32")]
pub(super) use vector::Pair;

#[cfg(target_arch = "wasm32")]
mod vector {
    use core::arch::wasm32::{u64x2, u64x2_extract_lane, u64x2_shl, u64x2_shr, v128, v128_xor};

    #[derive(Clone, Copy)]
    pub(in super::super) struct Pair(v128);

    impl Pair {
        pub(in super::super) fn new(words: [u64; 2]) -> Self {
            let [first, second] = words;
            Self(u64x2(first, second))
        }

        pub(in super::super) fn words(self) -> [u64; 2] {
            [u64x2_extract_lane::<0>(self.0), u64x2_extract_lane::<1>(self.0)]
        }

        pub(in super::super) fn xor(self, other: Self) -> Self {
            Self(v128_xor(self.0, other.0))
        }

        pub(in super::super) fn left(self, bits: u32) -> Self {
            Self(u64x2_shl(self.0, bits))
        }

        pub(in super::super) fn right(self, bits: u32) -> Self {
            Self(u64x2_shr(self.0, bits))
        }
    }
}

#[cfg(not(target_arch = "wasm32"))]
mod portable {
    #[derive(Clone, Copy)]
    pub(in super::super) struct Pair([u64; 2]);

    impl Pair {
        pub(in super::super) fn new(words: [u64; 2]) -> Self {
            Self(words)
        }

        pub(in super::super) fn words(self) -> [u64; 2] {
            self.0
        }

        pub(in super::super) fn xor(self, other: Self) -> Self {
            let ([a, b], [c, d]) = (self.0, other.0);
            Self([a ^ c, b ^ d])
        }

        pub(in super::super) fn left(self, bits: u32) -> Self {
            Self(self.0.map(|word| word << bits))
        }

        pub(in super::super) fn right(self, bits: u32) -> Self {
            Self(self.0.map(|word| word >> bits))
        }
    }
}
