//! The order that D1 takes.

use super::plan::Planner;
use crate::error::Result;

impl Planner<'_> {
    pub(super) fn d1(&mut self) -> Result<()> {
        Ok(())
    }
}
