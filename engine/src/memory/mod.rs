//! The memory of wasm: how it is given out, copied, and what is left of it when there is no more.

mod copy;
mod recycle;
mod reserve;

pub(crate) use reserve::put_aside;
