//! Precision, recall, density and coverage.

use crate::distance::squared_distance;
use crate::error::Result;
use crate::matrix::{Matrix, check_columns};
use crate::neighbors::kth_distances;
use rayon::prelude::*;

/// How generated data lie among real data.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fidelity {
    /// The fraction of generated points inside the ball of some real point, whose radius is the distance to its k-th
    /// nearest real neighbour (Kynkäänniemi et al. 2019).
    pub precision: f64,
    /// The fraction of real points inside the ball of some generated point.
    pub recall: f64,
    /// The mean number of real balls around a generated point, divided by k: about 1 for a perfect model, above 1 if it
    /// concentrates; robust against outliers among the real points (Naeem et al. 2020).
    pub density: f64,
    /// The fraction of real points whose ball holds a generated point (Naeem et al. 2020), in [0, 1].
    pub coverage: f64,
}

/// [`Fidelity`] of generated to real rows with balls that reach to the `k`-th nearest neighbour of the same sample,
/// boundary included.
///
/// # Errors
/// [`MetricError::Length`](crate::MetricError::Length) for different numbers of columns;
/// [`MetricError::Domain`](crate::MetricError::Domain) unless k is at least 1 and less than both samples' sizes.
pub fn fidelity(real: &Matrix, generated: &Matrix, k: usize) -> Result<Fidelity> {
    check_columns("columns of real and generated", real, generated)?;
    let real_radii = kth_distances(real, k)?;
    let generated_radii = kth_distances(generated, k)?;
    let around_generated = balls_around(generated, real, &real_radii);
    let around_real = balls_around(real, generated, &generated_radii);
    let covered: Vec<bool> = (real.values().par_chunks(real.columns()).zip(&real_radii))
        .map(|(row, radius)| generated.iter().any(|g| squared_distance(row, g).sqrt() <= *radius))
        .collect();
    let share = |hits: usize, n: usize| hits as f64 / n as f64;
    let inside = |counts: &[usize]| share(counts.iter().filter(|c| **c > 0).count(), counts.len());
    Ok(Fidelity {
        precision: inside(&around_generated),
        recall: inside(&around_real),
        density: share(around_generated.iter().sum(), k * generated.rows()),
        coverage: share(covered.iter().filter(|c| **c).count(), real.rows()),
    })
}

/// For each row of `points`, how many balls it lies in.
fn balls_around(points: &Matrix, centres: &Matrix, radii: &[f64]) -> Vec<usize> {
    let count = |row: &[f64]| {
        centres.iter().zip(radii).filter(|(centre, radius)| squared_distance(row, centre).sqrt() <= **radius).count()
    };
    points.values().par_chunks(points.columns()).map(count).collect()
}
