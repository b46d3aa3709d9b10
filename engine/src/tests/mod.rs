//! The engine as a whole. Times are counted from `T0`, in milliseconds.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod crash;
mod differential;
mod functions;
mod history;
mod import;
mod import_scripts;
mod journal;
mod memory;
mod pins;
mod restore;
mod spilling;
mod sqlite_behaviour;
mod statements;
mod support;
mod thinning;
mod whole;
