//! SQLite's b-trees, read from pages the caller hands in: pages, cells, payloads, records, and what a database holds.
//!
//! Follows the [SQLite file format](https://www.sqlite.org/fileformat2.html), sections 1.6, 2.1 and 2.6.

mod ahead;
pub mod cursor;
pub mod entries;
pub mod inventory;
mod layout;
pub mod page;
pub mod pages;
pub mod parts;
pub mod payload;
pub mod record;
#[cfg(test)]
pub(crate) mod sample;
mod schema;
mod walk;

pub use ahead::read_ahead;
pub use cursor::{Cursor, Entry, Stand};
pub use entries::{Budget, Entries, Next, Row};
pub use inventory::{Inventory, InventoryStep, TableInfo};
pub use layout::{Kind, Layout};
pub use page::{BtreePage, Cell};
pub use pages::{CAPACITY, PageRange, Pages};
pub use parts::Part;
pub use payload::{Overflow, Payload};
pub use record::{Encoding, Record, Slot, Storage, Value};
