//! The boundary to a host of components (`engine/wit/engine.wit`): copies in and out, maps errors, decides nothing. The only
//! user of wit-bindgen here.

mod database;
mod shared;
mod states;
mod store;
mod told;
mod whole;

wit_bindgen::generate!({ path: "wit", world: "engine", generate_all });

/// What exports are implemented on.
struct Component;

#[allow(unsafe_code, reason = "the macro declares what the host calls")]
mod exported {
    super::export!(Component with_types_in super);

    use super::Component;
}
