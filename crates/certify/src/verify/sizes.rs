//! Executables for several numbers of subdomains, so that few of them do not cost what many do.

use crate::{CertifyError, Result};
use perturb_engine::EngineError;

/// How many times fewer items the next smaller executable has.
const STEP: usize = 4;

/// The same executable for `most` items and for fewer; the smaller ones are compiled when they are first needed.
pub(super) struct Sizes<'a, T> {
    compile: Box<dyn Fn(usize) -> Result<T> + 'a>,
    /// By number of items, the largest first.
    all: Vec<(usize, Option<T>)>,
}

impl<'a, T> Sizes<'a, T> {
    /// For `most` items, or as many fewer as the memory limit allows.
    ///
    /// # Errors
    /// If one item needs too much memory, or it cannot be compiled for another reason.
    pub fn new(most: usize, compile: impl Fn(usize) -> Result<T> + 'a) -> Result<Sizes<'a, T>> {
        let mut items = most.max(1);
        let largest = loop {
            match compile(items) {
                Err(CertifyError::Engine(EngineError::Memory { .. })) if items > 1 => items /= 2,
                other => break other?,
            }
        };
        let mut all = vec![(items, Some(largest))];
        while items >= STEP {
            items /= STEP;
            all.push((items, None));
        }
        Ok(Sizes { compile: Box::new(compile), all })
    }

    /// Most items at a time.
    pub fn most(&self) -> usize {
        self.all[0].0
    }

    /// The smallest executable for `count` items, or the largest if there are more.
    ///
    /// # Errors
    /// If it cannot be compiled.
    pub fn fitting(&mut self, count: usize) -> Result<&mut T> {
        let place = self.place(count);
        let (items, slot) = &mut self.all[place];
        let ready = match slot.take() {
            Some(ready) => ready,
            None => (self.compile)(*items)?,
        };
        Ok(slot.insert(ready))
    }

    fn place(&self, count: usize) -> usize {
        self.all.iter().rposition(|(items, _)| *items >= count).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;

    #[test]
    fn few_items_get_a_small_executable_and_memory_limits_all() {
        let compiled = RefCell::new(Vec::new());
        let compile = |items: usize| {
            if items > 32 {
                return Err(CertifyError::Engine(EngineError::Memory { need: items as u64, limit: 32 }));
            }
            compiled.borrow_mut().push(items);
            Ok(items)
        };
        let mut sizes = Sizes::new(64, compile).unwrap();
        assert_eq!(sizes.most(), 32);
        for (count, items) in [(1, 2), (2, 2), (3, 8), (8, 8), (9, 32), (32, 32), (100, 32)] {
            assert_eq!(*sizes.fitting(count).unwrap(), items, "{count}");
        }
        assert_eq!(*compiled.borrow(), [32, 2, 8]);
    }
}
