//! Sorting. The standard library's is compiled anew for each type, which takes some 4 kB of the module: here it is once.

use super::Pgno;

/// The numbers, ascending.
pub(crate) fn ascending(numbers: impl IntoIterator<Item = u32>) -> Vec<u32> {
    let mut keys: Vec<u64> = numbers.into_iter().map(u64::from).collect();
    keys.sort_unstable();
    keys.into_iter().map(|key| key as u32).collect()
}

/// The entries by page; those of one page stay in their order.
pub(super) fn by_page(entries: Vec<(Pgno, u64)>) -> Vec<(Pgno, u64)> {
    let place = |(at, &(pgno, _)): (usize, &(Pgno, u64))| u64::from(pgno.value()) << 32 | at as u64;
    let mut keys: Vec<u64> = entries.iter().enumerate().map(place).collect();
    keys.sort_unstable();
    keys.into_iter().filter_map(|key| entries.get(key as u32 as usize).copied()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_of_one_page_stay_in_their_order() {
        let entry = |pgno, offset| (Pgno::new(pgno).unwrap(), offset);
        let sorted = by_page(vec![entry(2, 9), entry(u32::MAX, 1), entry(2, 3), entry(1, 5), entry(2, 3)]);
        assert_eq!(sorted, [entry(1, 5), entry(2, 9), entry(2, 3), entry(2, 3), entry(u32::MAX, 1)]);
    }

    #[test]
    fn numbers_ascend() {
        assert_eq!(ascending([3, u32::MAX, 0, 3]), [0, 3, 3, u32::MAX]);
    }

    #[test]
    fn is_what_a_stable_sort_gives() {
        let mut seed = 7u32;
        let mut random = || {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            seed >> 8
        };
        let entries: Vec<_> = (0..2000).map(|at| (Pgno::new(random() % 300 + 1).unwrap(), at)).collect();
        let mut expected = entries.clone();
        expected.sort_by_key(|&(pgno, _)| pgno);
        assert_eq!(by_page(entries), expected);
    }
}
