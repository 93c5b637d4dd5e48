//! Flat space.

use super::{Manifold, squared_distance};

/// ℝᵈ with the usual distance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Euclidean {
    /// d.
    pub dim: usize,
}

impl Manifold for Euclidean {
    fn dim(&self) -> usize {
        self.dim
    }

    fn contains(&self, x: &[f64]) -> bool {
        x.iter().all(|v| v.is_finite())
    }

    fn dist(&self, x: &[f64], y: &[f64]) -> f64 {
        squared_distance(x, y).sqrt()
    }

    fn expmap(&self, x: &[f64], v: &[f64], out: &mut [f64]) {
        out.iter_mut().zip(x.iter().zip(v)).for_each(|(o, (x, v))| *o = x + v);
    }

    fn logmap(&self, x: &[f64], y: &[f64], out: &mut [f64]) {
        out.iter_mut().zip(x.iter().zip(y)).for_each(|(o, (x, y))| *o = y - x);
    }

    fn egrad2rgrad(&self, _x: &[f64], _gradient: &mut [f64]) {}

    fn retr(&self, x: &mut [f64], v: &[f64]) {
        x.iter_mut().zip(v).for_each(|(x, v)| *x += v);
    }

    fn proj(&self, _x: &mut [f64]) {}
}
