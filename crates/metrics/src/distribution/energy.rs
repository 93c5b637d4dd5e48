//! Energy distance.

use crate::distance::{pairwise, squared_distance, sum_over_pairs};
use crate::error::{MetricError, Result};
use crate::matrix::{Matrix, check_columns};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

/// Energy distance `2·E‖X − Y‖ − E‖X − X′‖ − E‖Y − Y′‖` of two samples (Székely & Rizzo 2013), all pairs counted; not
/// negative, and zero only for equal empirical distributions. (SciPy's one-dimensional `energy_distance` is its square
/// root.)
///
/// # Errors
/// [`MetricError::Length`] for different numbers of columns.
pub fn energy_distance(x: &Matrix, y: &Matrix) -> Result<f64> {
    check_columns("columns of x and y", x, y)?;
    let mean = |a: &Matrix, b: &Matrix| {
        sum_over_pairs(a, b, |p, q| squared_distance(p, q).sqrt()) / (a.rows() as f64 * b.rows() as f64)
    };
    Ok((2.0 * mean(x, y) - mean(x, x) - mean(y, y)).max(0.0))
}

/// Outcome of a permutation test.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EnergyTest {
    /// [`energy_distance`] of the samples.
    pub distance: f64,
    /// `(1 + permutations with at least this distance) / (1 + permutations)`: valid at any number of permutations
    /// (Phipson & Smyth 2010).
    pub p_value: f64,
}

/// Tests whether both samples come from one distribution, by dealing the pooled rows out at random `permutations` times.
/// Holds all pairwise distances in memory.
///
/// # Errors
/// As [`energy_distance`]; [`MetricError::Empty`] without permutations.
pub fn energy_test(x: &Matrix, y: &Matrix, permutations: usize, seed: u64) -> Result<EnergyTest> {
    check_columns("columns of x and y", x, y)?;
    if permutations == 0 {
        return Err(MetricError::Empty { what: "permutations" });
    }
    let pooled = Matrix::from_vec([x.values(), y.values()].concat(), x.columns())?;
    let n = pooled.rows();
    let table = pairwise(&pooled, &pooled, |a, b| squared_distance(a, b).sqrt());
    let total: f64 = table.iter().sum();
    let statistic = |in_first: &[bool]| {
        let (mut first, mut second) = (0.0, 0.0);
        for (i, row) in table.chunks_exact(n).enumerate() {
            let same = row.iter().zip(in_first).filter(|(_, s)| **s == in_first[i]).map(|(d, _)| d).sum::<f64>();
            *(if in_first[i] { &mut first } else { &mut second }) += same;
        }
        let (a, b) = (x.rows() as f64, y.rows() as f64);
        (total - first - second) / (a * b) - first / (a * a) - second / (b * b)
    };
    let mut in_first: Vec<bool> = (0..n).map(|i| i < x.rows()).collect();
    let distance = statistic(&in_first);
    // Dealings that are equal up to rounding count as equal.
    let threshold = distance - 1e-12 * total / n as f64;
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut at_least = 0;
    for _ in 0..permutations {
        in_first.shuffle(&mut rng);
        at_least += usize::from(statistic(&in_first) >= threshold);
    }
    Ok(EnergyTest { distance: distance.max(0.0), p_value: (1 + at_least) as f64 / (1 + permutations) as f64 })
}
