//! The names of the databases that are open: each has one connection.

use std::cell::RefCell;
use std::collections::HashSet;

use crate::error::{ErrorKind, Result};

thread_local! {
    /// On one thread, as the databases themselves.
    static OPEN: RefCell<HashSet<Box<str>>> = RefCell::default();
}

/// A name taken until dropped.
pub(super) struct Name(Box<str>);

impl Name {
    /// Takes it.
    pub(super) fn take(name: &str) -> Result<Self> {
        let name: Box<str> = name.into();
        if OPEN.with_borrow_mut(|open| open.insert(name.clone())) {
            Ok(Self(name))
        } else {
            Err(ErrorKind::InUse.into())
        }
    }
}

impl Drop for Name {
    fn drop(&mut self) {
        OPEN.with_borrow_mut(|open| open.remove(&self.0));
    }
}
