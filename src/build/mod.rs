//! Rows become pages: a database file, laid out as a stream from rows that come sorted.
//!
//! Sources that answer SQL only (D1, a Durable Object's storage) give rows and no pages. [`Builder`] makes the pages of a
//! valid database of them. Nothing is sorted and nothing is read again: tables come in the order of their rowids,
//! indexes and tables WITHOUT ROWID in that of their keys.
//!
//! Pages come in ascending order from page 2 on, as each is complete; page 1, which says where every b-tree's root is
//! and how many pages there are, comes last. So memory holds two pages for each level of one b-tree, the schema, and
//! what a batch of rows became; and a host that must have page 1 first puts the others by until then. Values of any
//! length come in pieces: their overflow pages go out as the bytes come.
//!
//! Pages are as full as `VACUUM` leaves them, and equal rows give equal bytes.
//!
//! A row more or less moves all that is behind it, and an incremental backup would store nearly every page. So
//! [`Builder::after`] takes what [`Previous`] learnt of the database before: pages end where they ended, with the numbers
//! that they had; what does not fit goes to new pages, what is no longer used becomes free. As with any database in use,
//! there is room in such pages; a full backup is built without.
//!
//! Where it is known which rows changed since, only these have to be given: [`Builder::keep`] and
//! [`Builder::begin_after`] take all others from the database before.

mod batch;
mod builder;
mod collate;
mod draft;
mod first;
mod guide;
mod merge;
mod open;
mod output;
mod pool;
mod previous;
mod record;
mod saved;
mod spill;
mod tree;

pub use batch::Batch;
pub use builder::{Builder, Object};
pub use collate::{Collation, Term};
pub use first::Options;
pub use merge::Order;
pub use previous::Previous;
pub use record::Column;
pub use tree::Form;

#[cfg(test)]
mod tests;
