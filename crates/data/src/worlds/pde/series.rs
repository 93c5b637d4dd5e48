//! Random periodic functions, the same at every resolution.

use crate::worlds::stream::stream;
use rand::RngExt;
use rand_distr::StandardNormal;
use std::f64::consts::TAU;

/// A trigonometric polynomial of mean zero in one or two variables of period L:
/// Σ aₖ cos(2π k·x/L) + bₖ sin(2π k·x/L).
#[derive(Clone, Debug, PartialEq)]
pub struct FourierSeries {
    /// L.
    pub length: f64,
    /// Frequency and the coefficients of cosine and sine. The frequency (0, 0) is a constant.
    pub terms: Vec<([i32; 2], [f64; 2])>,
}

/// A law of series: independent normal coefficients of standard deviation ∝ |k|^(−decay) for 0 < |k| ≤ `modes`, scaled
/// so that the expected mean square over the domain is `amplitude`².
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SeriesLaw {
    /// Largest frequency.
    pub modes: u32,
    /// Exponent of decay.
    pub decay: f64,
    /// Root of the expected mean square.
    pub amplitude: f64,
}

impl SeriesLaw {
    /// The series of a sample, in one or two dimensions. `world` keeps equations apart.
    pub(super) fn draw(&self, world: &str, seed: u64, index: u64, dimensions: usize, length: f64) -> FourierSeries {
        let mut rng = stream(world, seed, index);
        let modes = self.modes as i32;
        let rows = if dimensions == 2 { -modes..=modes } else { 0..=0 };
        // Half of the plane: the other half holds the same functions.
        let half = |&[x, y]: &[i32; 2]| (y > 0 || (y == 0 && x > 0)) && x * x + y * y <= modes * modes;
        let frequencies: Vec<[i32; 2]> =
            rows.flat_map(|y| (-modes..=modes).map(move |x| [x, y])).filter(half).collect();
        let size = |[x, y]: [i32; 2]| f64::from(x * x + y * y).powf(-0.5 * self.decay);
        let total: f64 = frequencies.iter().map(|&k| size(k).powi(2)).sum();
        let scale = if total > 0.0 { self.amplitude / total.sqrt() } else { 0.0 };
        let mut term = |k| (k, [0, 1].map(|_| scale * size(k) * rng.sample::<f64, _>(StandardNormal)));
        FourierSeries { length, terms: frequencies.into_iter().map(&mut term).collect() }
    }
}

impl FourierSeries {
    /// The value at (x, y); y does not matter in one dimension.
    pub fn at(&self, [x, y]: [f64; 2]) -> f64 {
        let term = |&([kx, ky], [a, b]): &([i32; 2], [f64; 2])| {
            let (sin, cos) = (TAU * (f64::from(kx) * x + f64::from(ky) * y) / self.length).sin_cos();
            a * cos + b * sin
        };
        self.terms.iter().map(term).sum()
    }

    /// ∫₀ˣ of a series in one dimension.
    pub fn integral(&self, x: f64) -> f64 {
        let term = |&([k, _], [a, b]): &([i32; 2], [f64; 2])| {
            if k == 0 {
                return a * x;
            }
            let omega = TAU * f64::from(k) / self.length;
            let (sin, cos) = (omega * x).sin_cos();
            (a * sin + b * (1.0 - cos)) / omega
        };
        self.terms.iter().map(term).sum()
    }

    /// Bounds of |u| and |u_x| in one dimension, by the sum of the terms.
    pub(super) fn bounds(&self) -> [f64; 2] {
        let size = |t: &([i32; 2], [f64; 2])| t.1[0].hypot(t.1[1]);
        let slope = |t: &([i32; 2], [f64; 2])| TAU * f64::from(t.0[0].abs()) / self.length * size(t);
        [self.terms.iter().map(size).sum(), self.terms.iter().map(slope).sum()]
    }

    /// The values on n points of a line.
    pub fn on_line(&self, n: usize) -> Vec<f64> {
        (0..n).map(|i| self.at([self.length * i as f64 / n as f64, 0.0])).collect()
    }

    /// The values on n×n points of a plane, rows are y.
    pub fn on_plane(&self, n: usize) -> Vec<f64> {
        let place = |i: usize| self.length * i as f64 / n as f64;
        (0..n * n).map(|i| self.at([place(i % n), place(i / n)])).collect()
    }
}
