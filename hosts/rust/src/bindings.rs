//! What wasmtime makes of `pagemark.wit`.
#![allow(missing_docs, reason = "the interface file documents them, and wasmtime copies that")]

wasmtime::component::bindgen!({
    path: "component/pagemark.wit",
    world: "backups",
    with: { "pagemark:core/store.upload": crate::job::Begun },
});
