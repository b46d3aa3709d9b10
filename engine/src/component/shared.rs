//! What a database and all that was made of it have in common.

use std::cell::{RefCell, RefMut};
use std::rc::Rc;

use super::pagemark::engine::clock;
use crate::Database as Engine;
use crate::error::{ErrorKind, Result};
use crate::memory::put_aside;

/// A database that statements, moments and the like share.
#[derive(Clone)]
pub(super) struct Shared(Rc<RefCell<Engine>>);

impl Shared {
    pub(super) fn new(engine: Engine) -> Self {
        Self(Rc::new(RefCell::new(engine)))
    }

    /// Begins a call. The host cannot call while it is called.
    pub(super) fn engine(&self) -> Result<RefMut<'_, Engine>> {
        put_aside()?;
        self.0.try_borrow_mut().map_err(|_| ErrorKind::Busy.into())
    }
}

/// In milliseconds since 1970.
pub(super) fn now_ms() -> i64 {
    clock::now_ms()
}
