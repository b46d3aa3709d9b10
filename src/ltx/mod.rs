//! LTX version 3: the file format in which backups are stored, as Litestream 0.5.16 and later read it.
//!
//! A file is a [`Header`], page frames in ascending order, six zero bytes, a page index and a [`Trailer`].
//! [`Encoder`] and [`Decoder`] mirror each other; [`Merge`] makes one run of pages out of a chain of files, [`Compaction`] one file.
//! Offsets and rules are those of the [superfly/ltx](https://github.com/superfly/ltx) README.

pub mod compaction;
mod compress;
pub mod decoder;
pub mod encoder;
pub mod frame;
pub mod header;
pub mod index;
mod lz4;
pub mod merge;

pub use compaction::{Compaction, CompactionEvent};
pub use decoder::{Decoder, Event};
pub use encoder::{END_OF_PAGES, Encoder};
pub use frame::{FramePacker, FrameUnpacker, PackedFrames};
pub use header::{HEADER_SIZE, Header, TRAILER_SIZE, Trailer};
pub use index::{IndexBuilder, PageIndex, triple_len};
pub use merge::{Merge, MergeEvent};
