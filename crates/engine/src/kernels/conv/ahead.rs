//! Bringing what will be read next into the caches.

use crate::kernels::simd::prefetch;

/// Fetches memory a little at a time, while there is arithmetic to hide it.
pub(super) struct Ahead<'a, T> {
    next: &'a [T],
    per_step: usize,
}

impl<'a, T> Ahead<'a, T> {
    /// Fetches `next` in about `steps` steps.
    pub fn new(next: &'a [T], steps: usize) -> Ahead<'a, T> {
        Ahead { next, per_step: next.len() / steps.max(1) + 1 }
    }

    #[inline(always)]
    pub fn step(&mut self) {
        let (now, later) = self.next.split_at(self.per_step.min(self.next.len()));
        prefetch(now);
        self.next = later;
    }
}
