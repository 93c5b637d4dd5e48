//! Solutions over time, and what equations of evolution have in common.

use crate::worlds::error::WorldError;
use perturb_graph::Tensor;
use rayon::prelude::*;

/// A solution at chosen times.
#[derive(Clone, Debug, PartialEq)]
pub struct Trajectory {
    /// The times, from 0 on.
    pub times: Vec<f64>,
    /// f64 `[T, C, n]` on a line, `[T, C, n, n]` (rows are y) in the plane; C fields.
    pub fields: Tensor,
}

/// An equation of evolution on a periodic domain.
pub trait Evolution: Sync {
    /// Shape of a state: `[C, n]` or `[C, n, n]`.
    fn shape(&self) -> Vec<usize>;

    /// The initial state of sample `index` of `seed`, which depends on nothing else; row-major.
    fn initial(&self, seed: u64, index: u64) -> Vec<f64>;

    /// The solution from an initial state (at time 0) at the given times, which must not decrease.
    ///
    /// # Errors
    /// [`WorldError::Parameter`] for a state of another size or with values that are not finite, times that are
    /// negative or decrease, parameters that make no equation, and solutions that leave the range of numbers.
    fn solve(&self, initial: &[f64], times: &[f64]) -> Result<Trajectory, WorldError>;

    /// The solution from the initial state of a sample.
    ///
    /// # Errors
    /// As [`Evolution::solve`].
    fn sample(&self, seed: u64, index: u64, times: &[f64]) -> Result<Trajectory, WorldError> {
        self.solve(&self.initial(seed, index), times)
    }

    /// Solutions of the first `n` samples of a seed, f64 `[N, T, C, …]`, computed in parallel.
    ///
    /// # Errors
    /// As [`Evolution::solve`].
    fn dataset(&self, seed: u64, n: usize, times: &[f64]) -> Result<Tensor, WorldError> {
        let solve = |index| Ok(self.sample(seed, index as u64, times)?.fields.as_slice::<f64>().to_vec());
        let all = (0..n).into_par_iter().map(solve).collect::<Result<Vec<Vec<f64>>, WorldError>>()?;
        let shape: Vec<usize> = [n, times.len()].into_iter().chain(self.shape()).collect();
        Ok(Tensor::new(&shape[..], all.concat()).expect("one state per time"))
    }
}

impl Trajectory {
    pub(crate) fn new(times: &[f64], shape: &[usize], states: Vec<f64>) -> Trajectory {
        let shape: Vec<usize> = [times.len()].iter().chain(shape).copied().collect();
        Trajectory { times: times.to_vec(), fields: Tensor::new(&shape[..], states).expect("one state per time") }
    }

    /// ‖this − finer‖₂ / ‖finer‖₂ over the points of this grid, at the last time: how far this solution is from one on
    /// a grid that is an integer number of times as fine. A solver's error is its difference from itself on the
    /// doubled grid.
    ///
    /// # Errors
    /// [`WorldError::Parameter`] if the grids or times do not match.
    pub fn relative_difference(&self, finer: &Trajectory) -> Result<f64, WorldError> {
        let (a, b) = (self.fields.shape(), finer.fields.shape());
        let (n, m) = (a[a.len() - 1], b[b.len() - 1]);
        if a.len() != b.len() || a[1] != b[1] || n == 0 || m % n != 0 || self.times.last() != finer.times.last() {
            let expected =
                "compare with the same equation up to the same time on a grid a whole number of times as fine";
            return Err(WorldError::parameter("pde", "the finer grid", format!("{b:?} against {a:?}"), expected));
        }
        let (ratio, rows) = (m / n, if a.len() == 4 { n } else { 1 });
        let coarse = self.fields.as_slice::<f64>();
        let fine = finer.fields.as_slice::<f64>();
        let (coarse, fine) =
            (&coarse[coarse.len() - a[1] * rows * n..], &fine[fine.len() - b[1..].iter().product::<usize>()..]);
        let (mut difference, mut norm) = (0.0, 0.0);
        for (i, u) in coarse.iter().enumerate() {
            let (channel, row, column) = (i / (rows * n), i / n % rows, i % n);
            let fine_rows = if rows == 1 { 1 } else { m };
            let v = fine[channel * fine_rows * m + row * ratio * m + column * ratio];
            difference += (u - v) * (u - v);
            norm += v * v;
        }
        Ok((difference / norm).sqrt())
    }
}

/// Checks what every solver is given.
pub(super) fn check(initial: &[f64], count: usize, times: &[f64]) -> Result<(), WorldError> {
    if initial.len() != count {
        let expected = format!("the equation's grid has {count} values");
        return Err(WorldError::parameter("pde", "length of the initial state", initial.len(), expected));
    }
    if let Some(value) = initial.iter().find(|v| !v.is_finite()) {
        return Err(WorldError::parameter("pde", "a value of the initial state", value, "all must be finite"));
    }
    let from_zero = std::iter::once(&0.0).chain(times);
    if let Some((_, t)) = from_zero.zip(times).find(|(s, t)| !(s <= t && t.is_finite())) {
        return Err(WorldError::parameter("pde", "time", t, "times must be finite, start from 0 and not decrease"));
    }
    Ok(())
}

/// Checks that parameters are finite and positive.
pub(super) fn positive(parameters: &[(&'static str, f64)]) -> Result<(), WorldError> {
    match parameters.iter().find(|(_, value)| !(*value > 0.0 && value.is_finite())) {
        Some((name, value)) => Err(WorldError::parameter("pde", name, value, "it must be positive and finite")),
        None => Ok(()),
    }
}
