//! What wasmtime makes of `engine.wit`.
#![allow(missing_docs, reason = "the interface file documents them, and wasmtime copies that")]

wasmtime::component::bindgen!({
    path: "component/engine.wit",
    world: "engine",
    with: { "pagemark:engine/store.page-store": crate::engine::lend::Lent },
});
