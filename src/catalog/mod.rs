//! What is stored under which name, what the records prove, and which objects a restore needs.
//! It decides; it never reads or writes.

pub mod folder;
pub mod follow;
pub mod history;
pub mod identity;
pub mod levels;
pub mod locality;
pub mod names;
pub mod record;
pub mod replica;
pub mod retention;
pub mod stored;
pub mod view;
pub mod when;

pub use folder::{Folder, Link};
pub use history::{History, Next};
pub use identity::{Identity, RowSearch};
pub use levels::Merging;
pub use locality::{Localities, Locality};
pub use names::{Layout, LtxName, Name};
pub use record::{Kind, Label, Record};
pub use stored::StoredFile;
pub use view::{BackupView, Plan, PlanError, Problem};
pub use when::Target;
