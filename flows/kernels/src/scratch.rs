//! Memory that kernels work in, kept from one call to the next: a training allocates nothing after its first step.

use std::any::Any;
use std::sync::{Mutex, PoisonError};

/// Workspaces that are not in use. Threads take one each.
#[derive(Debug, Default)]
pub struct Scratch(Mutex<Vec<Box<dyn Any + Send>>>);

impl Scratch {
    /// Runs `f` with a workspace of type W: one that an earlier call left, as it left it, or a new one.
    pub fn with<W: Any + Send + Default, R>(&self, f: impl FnOnce(&mut W) -> R) -> R {
        let mut work = self.take::<W>();
        let result = f(&mut work);
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(work);
        result
    }

    fn take<W: Any + Send + Default>(&self) -> Box<W> {
        let mut free = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match free.iter().rposition(|work| work.is::<W>()) {
            Some(index) => free.swap_remove(index).downcast().unwrap_or_default(),
            None => Box::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workspaces_are_used_again_but_by_one_at_a_time() {
        let scratch = Scratch::default();
        scratch.with(|outer: &mut Vec<u8>| {
            outer.push(1);
            scratch.with(|inner: &mut Vec<u8>| assert!(inner.is_empty()));
            scratch.with(|other: &mut Vec<u16>| assert!(other.is_empty()));
        });
        scratch.with(|again: &mut Vec<u8>| assert_eq!(*again, [1]));
        assert_eq!(scratch.0.lock().unwrap().len(), 3);
    }
}
