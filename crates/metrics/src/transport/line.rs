//! Transport on a line, and over many lines.

use crate::distance::dot;
use crate::error::{MetricError, Result, check_values};
use crate::matrix::{Matrix, check_columns};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use rayon::prelude::*;

/// Which power of the distance is the cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// W₁, the earth mover's distance.
    One,
    /// W₂, the root of the mean squared distance.
    Two,
}

impl Order {
    /// The cost of a distance.
    pub(super) fn cost(self, distance: f64) -> f64 {
        if self == Order::One { distance } else { distance * distance }
    }

    /// The distance of a mean cost.
    pub(super) fn distance(self, cost: f64) -> f64 {
        if self == Order::One { cost } else { cost.max(0.0).sqrt() }
    }
}

/// The exact Wasserstein distance of two samples on a line, of any sizes: `(∫₀¹ |F⁻¹(t) − G⁻¹(t)|^p dt)^{1/p}`, by
/// sorting.
///
/// # Errors
/// [`MetricError::Empty`], [`MetricError::Nan`]; [`MetricError::Domain`] for infinite values.
pub fn wasserstein_line(x: &[f64], y: &[f64], order: Order) -> Result<f64> {
    for (what, values) in [("x", x), ("y", y)] {
        check_values(what, values)?;
        if values.iter().any(|v| v.is_infinite()) {
            return Err(MetricError::Domain { what, reason: "values must be finite".to_string() });
        }
    }
    Ok(order.distance(line_cost(x.to_vec(), y.to_vec(), order)))
}

/// The mean cost of matching quantiles.
fn line_cost(mut x: Vec<f64>, mut y: Vec<f64>, order: Order) -> f64 {
    x.sort_unstable_by(f64::total_cmp);
    y.sort_unstable_by(f64::total_cmp);
    // In units of 1/(n·m), in which all steps of both quantile functions are whole numbers.
    let (n, m) = (x.len() as u64, y.len() as u64);
    let (mut i, mut j, mut at, mut sum) = (0, 0, 0u64, 0.0);
    while i < x.len() && j < y.len() {
        let (next_x, next_y) = ((i as u64 + 1) * m, (j as u64 + 1) * n);
        let next = next_x.min(next_y);
        sum += (next - at) as f64 * order.cost((x[i] - y[j]).abs());
        i += usize::from(next == next_x);
        j += usize::from(next == next_y);
        at = next;
    }
    sum / (n as f64 * m as f64)
}

/// Sliced 2-Wasserstein distance (Bonneel et al. 2015): the root of the mean, over `projections` directions uniform on
/// the sphere, of the squared W₂ of the projected rows. Up to √d below W₂ itself.
///
/// # Errors
/// [`MetricError::Length`] for different numbers of columns; [`MetricError::Empty`] without projections.
pub fn sliced_wasserstein(x: &Matrix, y: &Matrix, projections: usize, seed: u64) -> Result<f64> {
    check_columns("columns of x and y", x, y)?;
    if projections == 0 {
        return Err(MetricError::Empty { what: "projections" });
    }
    let of_projection = |index: usize| {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(index as u64);
        let direction: Vec<f64> = (0..x.columns()).map(|_| StandardNormal.sample(&mut rng)).collect();
        let norm = dot(&direction, &direction).sqrt();
        let project = |z: &Matrix| z.iter().map(|row| dot(row, &direction) / norm).collect();
        line_cost(project(x), project(y), Order::Two)
    };
    let costs: Vec<f64> = (0..projections).into_par_iter().map(of_projection).collect();
    Ok((costs.iter().sum::<f64>() / projections as f64).sqrt())
}
