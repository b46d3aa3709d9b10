//! What is left of a damaged database: pages read for whatever is sound in them, wherever they lie.
//!
//! Nothing here takes a page's word for what another page is. A record says how long it is in two places, which bytes
//! that are none hardly ever do: that is what tells a row from anything else.
//!
//! | | |
//! | --- | --- |
//! | [`detect`] | page size, reserve and encoding, from the pages where the header does not say; whether the first is lost |
//! | [`cell`], [`page`] | the sound cells of a page |
//! | [`map`], [`survey`] | what each page of the file is, a byte a page |
//! | [`tree`] | the rows of a b-tree, and where it is broken |
//! | [`marker`] | pages of trees whose rows are of no interest |
//! | [`orphans`], [`freelist`] | pages that nothing points to, without those that are free |

mod ascending;
pub mod cell;
pub mod detect;
pub mod freelist;
pub mod map;
pub mod marker;
pub mod orphans;
pub mod page;
mod shift;
mod shorten;
pub mod survey;
pub mod tree;

pub use cell::{LooseCell, LoosePayload, types};
pub use detect::Detect;
pub use map::PageMap;
pub use page::LoosePage;
pub use survey::{Survey, Surveyed};
pub use tree::{Rowids, Tree, TreeStep};
