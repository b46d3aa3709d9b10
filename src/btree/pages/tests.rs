//! Pages that are in hand are found, whichever way they came.

use super::*;
use crate::btree::sample::Random;

#[test]
fn a_page_is_found_in_any_of_the_runs_that_have_room() {
    let size = 512;
    let random = &mut Random(3);
    for _ in 0..40 {
        let mut pages = Pages::with_capacity(PageSize::new(size as u32).unwrap(), size * 40);
        let mut added: Vec<(usize, usize)> = Vec::new();
        for _ in 0..60 {
            let (first, count) = (1 + random.below(50), 1 + random.below(12));
            let bytes = (first..first + count).flat_map(|page| vec![page as u8; size]).collect();
            let came = pages.gone + pages.runs.len();
            pages.add(Pgno::new(first as u32).unwrap(), bytes);
            // One run has them all already, or this one was taken.
            if pages.gone + pages.runs.len() > came {
                added.push((first, count));
            }
            assert!((first..first + count).all(|page| pages.page(Pgno::new(page as u32).unwrap()).is_some()));
            for page in 1..70 {
                let found = pages.page(Pgno::new(page as u32).unwrap());
                assert!(found.is_none_or(|found| found.len() == size && found.iter().all(|&byte| byte == page as u8)));
                // The last runs always have room.
                let recent = added.iter().rev().take(2).any(|&(first, count)| (first..first + count).contains(&page));
                assert!(found.is_some() || !recent, "{page} of {added:?}");
            }
            assert!(pages.held <= size * 40);
            assert!(pages.starts.len() <= pages.runs.len());
        }
    }
}

#[test]
fn a_run_longer_than_the_room_is_kept_while_it_is_the_only_one() {
    let mut pages = Pages::with_capacity(PageSize::new(512).unwrap(), 512);
    pages.add(Pgno::FIRST, vec![1; 2048]);
    assert!(pages.page(Pgno::new(4).unwrap()).is_some());
    pages.add(Pgno::new(9).unwrap(), vec![2; 512]);
    assert!(pages.page(Pgno::new(4).unwrap()).is_none());
    assert!(pages.page(Pgno::new(9).unwrap()).is_some());
}
