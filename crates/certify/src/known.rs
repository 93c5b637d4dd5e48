//! Concrete bounds of the inner nodes for a group of examples.

use crate::region::Balls;

/// Bounds of one node for every example of a group, each `[examples · elements]`.
pub(crate) struct Known {
    pub lo: Vec<f32>,
    pub hi: Vec<f32>,
}

impl Known {
    /// Whether 0 lies inside the bounds of an element.
    pub fn straddles(&self, at: usize) -> bool {
        self.lo[at] < 0.0 && self.hi[at] > 0.0
    }

    /// Takes the better of two bounds. Ends that cross, which only rounding to nearest can make, and NaN, which means
    /// that nothing is known, leave the bounds as they were.
    pub fn intersect(&mut self, at: usize, lo: f32, hi: f32) {
        let (lo, hi) = (self.lo[at].max(lo), self.hi[at].min(hi));
        if lo <= hi {
            (self.lo[at], self.hi[at]) = (lo, hi);
        }
    }
}

/// A group of examples on its way through the stages.
pub(crate) struct Group<'a> {
    pub balls: &'a Balls<'a>,
    /// First row of the group.
    pub start: usize,
    /// Number of examples.
    pub len: usize,
    /// Bounds of the nodes bounded so far, in their order.
    pub known: Vec<Known>,
}

impl Group<'_> {
    /// The centre of an example's ball, or the lower corner of its box.
    pub fn first(&self, example: usize) -> &[f32] {
        let (row, width) = (self.start + example, self.balls.width);
        &self.balls.first[row * width..(row + 1) * width]
    }

    /// The radius, or the upper corner.
    pub fn second(&self, example: usize) -> &[f32] {
        let (row, width) = (self.start + example, self.balls.second.len() / self.balls.rows);
        &self.balls.second[row * width..(row + 1) * width]
    }

    /// One example's known bounds: the lower ends for even `end`, the upper ends for odd, two for each node.
    pub fn end(&self, example: usize, end: usize) -> &[f32] {
        let known = &self.known[end / 2];
        let values = if end.is_multiple_of(2) { &known.lo } else { &known.hi };
        let width = values.len() / self.len;
        &values[example * width..(example + 1) * width]
    }

    /// Writes what one example feeds to mapped input `k` of [`Problem::mapped`](crate::problem::Problem::mapped).
    pub fn feed(&self, example: usize, k: usize, target: &mut [f32]) {
        match k {
            0 => target.copy_from_slice(self.first(example)),
            1 => target.copy_from_slice(self.second(example)),
            _ => target.copy_from_slice(self.end(example, k - 2)),
        }
    }
}
