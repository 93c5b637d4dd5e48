//! Periodic fields and their Fourier coefficients.

use super::trajectory::{Trajectory, check, positive};
use crate::worlds::error::WorldError;
use rustfft::num_complex::Complex;
use rustfft::{Fft, FftPlanner};
use std::f64::consts::TAU;
use std::sync::Arc;

pub(super) type Coefficient = Complex<f64>;

/// Transforms on [0, L) or [0, L)² with n points per axis.
///
/// Coefficients at the Nyquist frequency (even n) have no derivative of odd order and are dropped.
pub(super) struct Spectral {
    n: usize,
    dimensions: usize,
    length: f64,
    forward: Arc<dyn Fft<f64>>,
    inverse: Arc<dyn Fft<f64>>,
}

impl Spectral {
    /// # Errors
    /// [`WorldError::Parameter`] for fewer than four points or no length.
    pub(super) fn new(n: usize, dimensions: usize, length: f64) -> Result<Spectral, WorldError> {
        positive(&[("length", length)])?;
        if n < 4 {
            return Err(WorldError::parameter("pde", "n", n, "a periodic grid needs at least 4 points"));
        }
        let mut planner = FftPlanner::new();
        let (forward, inverse) = (planner.plan_fft_forward(n), planner.plan_fft_inverse(n));
        Ok(Spectral { n, dimensions, length, forward, inverse })
    }

    /// Number of values of a field.
    pub(super) fn count(&self) -> usize {
        self.n.pow(self.dimensions as u32)
    }

    /// Signed index of a frequency.
    fn frequency(&self, i: usize) -> i64 {
        if 2 * i < self.n { i as i64 } else { i as i64 - self.n as i64 }
    }

    /// Angular wavenumbers (k_x, k_y) of every coefficient; k_y = 0 on a line.
    pub(super) fn wavenumbers(&self) -> impl Iterator<Item = [f64; 2]> + '_ {
        let unit = TAU / self.length;
        let k = move |i: usize| unit * self.frequency(i) as f64;
        (0..self.count()).map(move |i| [k(i % self.n), if self.dimensions == 2 { k(i / self.n) } else { 0.0 }])
    }

    /// Whether each coefficient's frequencies are below `share` of the largest: 2/3 keeps quadratic products free of
    /// aliases, 1/2 cubic ones.
    pub(super) fn kept(&self, share: f64) -> Vec<bool> {
        let limit = share * self.n as f64 / 2.0;
        let low = |i: usize| (self.frequency(i).unsigned_abs() as f64) < limit;
        (0..self.count()).map(|i| low(i % self.n) && (self.dimensions == 1 || low(i / self.n))).collect()
    }

    /// Coefficients of a field, not normalized, without those at the Nyquist frequency.
    pub(super) fn transform(&self, field: &[f64]) -> Vec<Coefficient> {
        let mut values: Vec<Coefficient> = field.iter().map(|&v| Complex::new(v, 0.0)).collect();
        self.along_axes(&*self.forward, &mut values);
        if self.n.is_multiple_of(2) {
            for (i, value) in values.iter_mut().enumerate() {
                if i % self.n == self.n / 2 || (self.dimensions == 2 && i / self.n == self.n / 2) {
                    *value = Complex::ZERO;
                }
            }
        }
        values
    }

    /// The field of coefficients.
    pub(super) fn field(&self, coefficients: &[Coefficient]) -> Vec<f64> {
        let mut values = coefficients.to_vec();
        self.along_axes(&*self.inverse, &mut values);
        let scale = 1.0 / self.count() as f64;
        values.into_iter().map(|v| v.re * scale).collect()
    }

    fn along_axes(&self, fft: &dyn Fft<f64>, values: &mut [Coefficient]) {
        fft.process(values);
        if self.dimensions == 2 {
            transpose(values, self.n);
            fft.process(values);
            transpose(values, self.n);
        }
    }

    /// Solution of û_t = L û at the given times, channel after channel, by exp(L t).
    pub(super) fn solve_linear(
        &self,
        symbol: impl Fn([f64; 2]) -> Coefficient,
        initial: &[f64],
        times: &[f64],
        shape: &[usize],
    ) -> Result<Trajectory, WorldError> {
        check(initial, self.count(), times)?;
        let start = self.transform(initial);
        let mut states = Vec::with_capacity(times.len() * start.len());
        for t in times {
            let now: Vec<Coefficient> =
                start.iter().zip(self.wavenumbers()).map(|(u, k)| u * (symbol(k) * t).exp()).collect();
            states.extend(self.field(&now));
        }
        Ok(Trajectory::new(times, shape, states))
    }
}

fn transpose(values: &mut [Coefficient], n: usize) {
    for i in 0..n {
        for j in 0..i {
            values.swap(i * n + j, j * n + i);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transforms_are_inverse_and_find_waves() {
        let spectral = Spectral::new(12, 2, 3.0).unwrap();
        let wave = |i: usize| (TAU * (2 * (i % 12) + 3 * (i / 12)) as f64 / 12.0).cos();
        let field: Vec<f64> = (0..144).map(wave).collect();
        let coefficients = spectral.transform(&field);
        for (c, [kx, ky]) in coefficients.iter().zip(spectral.wavenumbers()) {
            let (x, y) = ((kx * 3.0 / TAU).round(), (ky * 3.0 / TAU).round());
            let expected = if (x, y) == (2.0, 3.0) || (x, y) == (-2.0, -3.0) { 72.0 } else { 0.0 };
            assert!((c - expected).norm() < 1e-11, "({x}, {y}): {c}");
        }
        assert!(spectral.field(&coefficients).iter().zip(&field).all(|(a, b)| (a - b).abs() < 1e-13));
    }
}
