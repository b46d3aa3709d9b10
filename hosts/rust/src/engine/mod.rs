//! SQLite with bookmarks, and with going back in time: the component `engine.wasm`.
//!
//! Its pages lie in a [`PageStore`]: [`FilePages`] keeps them in a file, and what you implement keeps them where you like. It
//! reaches no file itself, and asks its host for the time and for random bytes ([`Surroundings`]).
//!
//! ```no_run
//! use pagemark_host::Limits;
//! use pagemark_host::engine::{FilePages, Options, Sqlite};
//! use std::time::Duration;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let sqlite = Sqlite::new(Limits::default())?;
//! let options = Options { history: Duration::from_secs(3600), ..Options::default() };
//! let mut database = sqlite.open(FilePages::new("app.pages")?, &options)?;
//! database.execute("CREATE TABLE IF NOT EXISTS notes (text)")?;
//! let before = database.bookmark()?;
//! database.run("INSERT INTO notes VALUES (?)", &["hello".into()])?;
//! let undo = database.restore(&before, Duration::from_secs(60))?; // `restore(&undo, …)` takes that back.
//! database.write_file(&undo, std::fs::File::create("app.db")?)?;
//! # Ok(())
//! # }
//! ```

mod bindings;
mod database;
mod file_pages;
mod lend;
mod sqlite;

pub use bindings::exports::pagemark::engine::sqlite::{Outcome, Report, Rows, State};
pub(crate) use bindings::pagemark::engine::types::Error;
pub use bindings::pagemark::engine::types::{Fault, Value};
pub use database::Database;
pub use file_pages::FilePages;
pub use lend::{Commit, CommitRecord, Failure, Keep, Page, PageStore, StoreState, Surroundings, System};
pub use sqlite::{Options, Sqlite};
