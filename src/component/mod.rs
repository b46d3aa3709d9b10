//! The boundary to a host of components (`wit/pagemark.wit`): copies in and out, maps errors, decides nothing. The only
//! user of wit-bindgen.

mod dumps;
mod formats;
mod host;
mod jobs;
mod machines;
mod told;

wit_bindgen::generate!({ path: "wit", world: "backups", generate_all });

/// What exports are implemented on.
struct Component;

#[allow(unsafe_code, reason = "the macro declares what the host calls")]
mod exported {
    super::export!(Component with_types_in super);

    use super::Component;
}
