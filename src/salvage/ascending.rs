//! Keys that should ascend, some of which are damaged.

/// Which of the keys are in ascending order, leaving out as few as possible.
pub(super) fn ascending(keys: &[Option<i64>]) -> Vec<bool> {
    // The smallest last key of each length, with its place, and what comes before each key.
    let mut tails: Vec<(i64, usize)> = Vec::new();
    let mut before: Vec<Option<usize>> = vec![None; keys.len()];
    for (index, key) in keys.iter().enumerate() {
        let Some(key) = *key else { continue };
        let length = tails.partition_point(|&(tail, _)| tail < key);
        if let Some(slot) = before.get_mut(index) {
            *slot = length.checked_sub(1).and_then(|shorter| tails.get(shorter)).map(|&(_, place)| place);
        }
        match tails.get_mut(length) {
            Some(tail) => *tail = (key, index),
            None => tails.push((key, index)),
        }
    }
    let mut good = vec![false; keys.len()];
    let mut place = tails.last().map(|&(_, place)| place);
    while let Some(index) = place {
        if let Some(slot) = good.get_mut(index) {
            *slot = true;
        }
        place = before.get(index).copied().flatten();
    }
    good
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_out_of_order_are_left_out_and_no_others() {
        let good = |keys: &[i64]| ascending(&keys.iter().copied().map(Some).collect::<Vec<_>>());
        assert_eq!(good(&[10, 5000, 30, 40]), [true, false, true, true]);
        assert_eq!(good(&[10, 20, -7, 40]), [true, true, false, true]);
        assert_eq!(ascending(&[Some(1), None, Some(2)]), [true, false, true]);
        assert_eq!(good(&[]), [false; 0]);
    }
}
