//! What each part of a WAL means, on WALs made by hand.

mod damage;
mod model;
pub(crate) mod spec;
mod workload;

use model::{Contents, Summary};
use spec::{WalSpec, end_of, reseal};

use super::*;

fn page_size(bytes: u32) -> PageSize {
    PageSize::new(bytes).unwrap()
}

/// Reads a WAL of a database with pages of 512 bytes.
fn read(bytes: &[u8]) -> Summary {
    read_chunks(WalReader::new(page_size(512)), [bytes])
}

fn read_chunks<'a>(mut reader: WalReader, chunks: impl IntoIterator<Item = &'a [u8]>) -> Summary {
    for chunk in chunks {
        if reader.is_finished() {
            break;
        }
        if let Err(error) = reader.feed(chunk) {
            assert_eq!(reader.clone().feed(chunk), Err(error), "an error is final");
            assert_eq!(reader.finish().unwrap_err(), error, "an error is final");
            return Err(error.kind);
        }
    }
    reader.finish().map(Contents::from).map_err(|error| error.kind)
}

#[test]
fn the_newest_committed_frame_of_a_page_counts() {
    let spec = WalSpec::new(&[(1, 0), (2, 2), (2, 0), (3, 3), (1, 0)]);
    let wal = read(&spec.bytes()).unwrap();
    assert_eq!(wal.page_count, Some(3));
    assert_eq!(wal.overlay, [(1, 56), (2, 32 + 2 * 536 + 24), (3, 32 + 3 * 536 + 24)]);
    assert_eq!(wal.mark.unwrap().frames, 4);
}

#[test]
fn pages_past_the_end_and_the_lock_page_are_left_out() {
    let lock_page = (1 << 30) / 512 + 1;
    let spec = WalSpec::new(&[(9, 9), (1, 4), (lock_page, 4), (4, 4)]);
    let pages = |wal: Contents| wal.overlay.iter().map(|&(pgno, _)| pgno).collect::<Vec<_>>();
    assert_eq!(pages(read(&spec.bytes()).unwrap()), [1, 4]);
    let spec = WalSpec::new(&[(lock_page, 0), (lock_page + 1, lock_page + 1)]);
    assert_eq!(pages(read(&spec.bytes()).unwrap()), [lock_page + 1]);
}

#[test]
fn a_wal_without_a_valid_header_is_empty() {
    let good = WalSpec::new(&[(1, 1)]).bytes();
    for (offset, value) in [(0, 0x377f_0684), (8, 0), (8, 256), (8, 1000), (8, 131_072), (24, 1)] {
        let mut bytes = good.clone();
        bytes[offset..offset + 4].copy_from_slice(&u32::to_be_bytes(value));
        if offset != 24 {
            reseal(&mut bytes, 512);
        }
        assert_eq!(read(&bytes), Ok(Contents::default()), "{value} at {offset}");
    }
    assert_eq!(read(&[]), Ok(Contents::default()));
    assert_eq!(read(&good[..31]), Ok(Contents::default()));
}

#[test]
fn a_valid_header_of_another_kind_is_named() {
    let mut bytes = WalSpec::new(&[(1, 1)]).bytes();
    bytes[7] += 1;
    reseal(&mut bytes, 512);
    assert_eq!(read(&bytes), Err(ErrorKind::WalHeader));
    let spec = WalSpec { page_size: 1024, ..WalSpec::new(&[(1, 1)]) };
    assert_eq!(read(&spec.bytes()), Err(ErrorKind::WalPageSize));
}

#[test]
fn both_byte_orders_are_read() {
    let little = WalSpec::new(&[(1, 0), (2, 2)]);
    let big = WalSpec { big_endian: true, ..little.clone() };
    assert_ne!(little.bytes(), big.bytes());
    let [little, big] = [little, big].map(|spec| read(&spec.bytes()).unwrap());
    assert_eq!(little.overlay, big.overlay);
    assert_eq!(big.page_count, Some(2));
}

#[test]
fn a_limit_takes_exactly_one_commit() {
    let bytes = WalSpec::new(&[(1, 0), (2, 2), (1, 2), (3, 0), (4, 4), (1, 0)]).bytes();
    let limited = |limit| read_chunks(WalReader::new(page_size(512)).with_limit(limit), [&bytes[..]]);
    for limit in [2, 3, 5] {
        assert_eq!(limited(limit), read(&bytes[..end_of(limit as usize, 512)]), "limit {limit}");
    }
    for limit in [1, 4, 6, 7, u32::MAX] {
        assert_eq!(limited(limit), Err(ErrorKind::WalFrameMissing), "limit {limit}");
    }
    let none = limited(0).unwrap();
    assert_eq!((none.page_count, none.overlay.len(), none.mark.unwrap().frames), (None, 0, 0));
}

#[test]
fn a_limit_ends_the_reading() {
    let bytes = WalSpec::new(&[(1, 1), (1, 1)]).bytes();
    let mut reader = WalReader::new(page_size(512)).with_limit(1);
    reader.feed(&bytes[..end_of(1, 512) - 1]).unwrap();
    assert!(!reader.is_finished());
    reader.feed(&bytes[end_of(1, 512) - 1..]).unwrap();
    assert!(reader.is_finished());
    reader.feed(b"whatever").unwrap();
    assert_eq!(reader.finish().unwrap().mark.unwrap().frames, 1);
}

#[test]
fn a_mark_of_the_same_wal_tells_what_changed() {
    let spec = WalSpec::new(&[(1, 0), (2, 5), (3, 5), (1, 0), (5, 5), (4, 4), (4, 0)]);
    let bytes = spec.bytes();
    let since = |mark| read_chunks(WalReader::new(page_size(512)).since(mark), [&bytes[..]]).unwrap().changed_since;
    let mark_at = |frames| read(&bytes[..end_of(frames, 512)]).unwrap().mark.unwrap();
    assert_eq!(since(mark_at(6)), Some(vec![]));
    assert_eq!(since(mark_at(5)), Some(vec![4]));
    assert_eq!(since(mark_at(3)), Some(vec![1, 4]));
    assert_eq!(since(mark_at(2)), Some(vec![1, 3, 4]));
    assert_eq!(since(mark_at(0)), Some(vec![1, 2, 3, 4]));
    let good = mark_at(3);
    for other in [
        WalMark { frames: 2, ..good },
        WalMark { frames: 7, ..good },
        WalMark { checksum: (good.checksum.0, !good.checksum.1), ..good },
        WalMark { salts: (good.salts.0 + 1, good.salts.1), ..good },
        WalMark { salts: (0, 0), frames: 0, checksum: (0, 0) },
    ] {
        assert_eq!(since(other), None, "{other:?}");
    }
}

#[test]
fn a_mark_past_the_last_commit_proves_nothing() {
    let bytes = WalSpec::new(&[(1, 1), (1, 0)]).bytes();
    let mark = read(&bytes).unwrap().mark.unwrap();
    let mut sums = Reader::new(&bytes[end_of(1, 512) + 16..], 0, ErrorKind::WalHeader);
    let mark = WalMark { frames: 2, checksum: (sums.u32().unwrap(), sums.u32().unwrap()), ..mark };
    let wal = read_chunks(WalReader::new(page_size(512)).since(mark), [&bytes[..]]).unwrap();
    assert_eq!(wal.changed_since, None);
}

#[test]
fn chunks_of_one_byte_are_as_good_as_the_whole() {
    let bytes = WalSpec::new(&[(1, 0), (2, 2), (1, 2)]).bytes();
    assert_eq!(read_chunks(WalReader::new(page_size(512)), bytes.chunks(1)), read(&bytes));
}
