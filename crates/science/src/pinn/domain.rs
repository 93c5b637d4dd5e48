//! Boxes.

use crate::{Result, ScienceError};
use perturb_graph::{Expr, Tensor};

/// A box, in which points are rows `[n, d]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Domain {
    /// Lower ends of the axes.
    low: Vec<f64>,
    /// Upper ends of the axes.
    high: Vec<f64>,
}

impl Domain {
    /// The box between two corners.
    ///
    /// # Errors
    /// If there are no axes, their numbers differ, or one is empty.
    pub fn new(low: &[f64], high: &[f64]) -> Result<Domain> {
        let axes = format!("{low:?} to {high:?}");
        let rises = !low.is_empty() && low.len() == high.len() && low.iter().zip(high).all(|(l, h)| l < h);
        ScienceError::check(rises, "domain", axes, "from lower to higher ends, as many of both")?;
        Ok(Domain { low: low.to_vec(), high: high.to_vec() })
    }

    /// `[−1, 1]²`.
    pub fn square() -> Domain {
        Domain { low: vec![-1.0; 2], high: vec![1.0; 2] }
    }

    /// Number of axes.
    pub fn dimension(&self) -> usize {
        self.low.len()
    }

    /// Coordinates of points as shares of each axis in `[−1, 1]`.
    pub fn normalised(&self, x: &Expr) -> Expr {
        let row = |values: Vec<f64>| {
            Expr::constant(Tensor::from_f64([1, values.len()], x.dtype(), values).expect("one value for each axis"))
        };
        let ends = self.low.iter().zip(&self.high);
        let scale = row(ends.clone().map(|(l, h)| 2.0 / (h - l)).collect());
        let offset = row(ends.map(|(l, h)| -(l + h) / (h - l)).collect());
        x.mul(&scale).add(&offset)
    }

    /// Points of `[0, 1)` to the power of d, moved to the domain.
    pub fn scaled(&self, unit: &Expr) -> Expr {
        let row = |values: Vec<f64>| {
            Expr::constant(Tensor::from_f64([1, values.len()], unit.dtype(), values).expect("one value for each axis"))
        };
        let sizes = self.low.iter().zip(&self.high).map(|(l, h)| h - l).collect();
        unit.mul(&row(sizes)).add(&row(self.low.clone()))
    }

    /// `n` points along each axis, in the middles of as many cells, `[n^d, d]`; the last axis runs fastest.
    pub fn lattice(&self, n: usize) -> Tensor {
        let d = self.dimension();
        let count = n.pow(d as u32);
        let place = |i: usize, axis: usize| {
            let cell = i / n.pow((d - 1 - axis) as u32) % n;
            self.low[axis] + (self.high[axis] - self.low[axis]) * (cell as f64 + 0.5) / n as f64
        };
        let values =
            (0..count).flat_map(|i| (0..d).map(move |axis| (i, axis))).map(|(i, axis)| place(i, axis)).collect();
        Tensor::new([count, d], values).expect("d coordinates for each point")
    }

    /// `n` points at equal distances along a side of a rectangle, ends included, where `axis` has its lower or `upper`
    /// end: `[n, 2]`.
    ///
    /// # Errors
    /// If this is no rectangle, there is no such axis, or there are fewer than two points.
    pub fn side(&self, axis: usize, upper: bool, n: usize) -> Result<Tensor> {
        ScienceError::check(self.dimension() == 2 && axis < 2, "axis", axis, "0 or 1, of a rectangle")?;
        ScienceError::check(n >= 2, "points on a side", n, "at least 2")?;
        let end = if upper { self.high[axis] } else { self.low[axis] };
        let other = 1 - axis;
        let place = |i: usize| self.low[other] + (self.high[other] - self.low[other]) * i as f64 / (n - 1) as f64;
        let point = |i: usize| if axis == 0 { [end, place(i)] } else { [place(i), end] };
        Ok(Tensor::new([n, 2], (0..n).flat_map(point).collect())?)
    }
}
