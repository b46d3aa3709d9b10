use super::*;
pub(super) use crate::btree::sample::contents::EVERYTHING;
use crate::btree::sample::{ENCODINGS, PAGE_SIZES, Sample};

fn sample(page_size: u32, encoding: &str, more: &str) -> Sample {
    Sample::of(page_size, &format!("PRAGMA encoding = '{encoding}'; {more} {EVERYTHING}"))
}

#[test]
fn b26_every_object_in_every_format_is_byte_for_byte_what_the_shell_prints() {
    for (shell, program) in shells() {
        for page_size in PAGE_SIZES {
            let sample = sample(page_size, "UTF-8", "");
            let ours = dump(&sample.bytes, &shell_options(shell)).unwrap().0;
            assert_same(&ours, &shell_dump(&program, sample.path()), &format!("{shell:?}, {page_size}"));
        }
        for encoding in ENCODINGS {
            let sample = sample(1024, encoding, "PRAGMA auto_vacuum = FULL;");
            let ours = dump(&sample.bytes, &shell_options(shell)).unwrap().0;
            assert_same(&ours, &shell_dump(&program, sample.path()), &format!("{shell:?}, {encoding}"));
        }
    }
}
