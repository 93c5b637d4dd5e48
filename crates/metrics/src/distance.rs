//! Distances and similarities of vectors.

use crate::error::{MetricError, Result, check_lengths, check_values};
use crate::matrix::Matrix;
use rayon::prelude::*;

/// Cosine of the angle between `x` and `y`, in [-1, 1].
///
/// # Errors
/// [`MetricError::Empty`], [`MetricError::Length`], [`MetricError::Nan`]; [`MetricError::Domain`] for infinite values
/// or a vector of zeros.
pub fn cosine(x: &[f64], y: &[f64]) -> Result<f64> {
    check_lengths("x and y", x.len(), y.len())?;
    let (ux, uy) = (unit("x", x)?, unit("y", y)?);
    Ok(dot(&ux, &uy).clamp(-1.0, 1.0))
}

/// The vector scaled to length one; scaled by its largest entry first so that nothing over- or underflows.
fn unit(what: &'static str, values: &[f64]) -> Result<Vec<f64>> {
    check_values(what, values)?;
    let largest = values.iter().fold(0.0f64, |m, v| m.max(v.abs()));
    if largest == 0.0 || largest.is_infinite() {
        return Err(MetricError::Domain { what, reason: "an angle needs a finite vector that is not zero".into() });
    }
    let mut scaled: Vec<f64> = values.iter().map(|v| v / largest).collect();
    let norm = dot(&scaled, &scaled).sqrt();
    scaled.iter_mut().for_each(|v| *v /= norm);
    Ok(scaled)
}

/// Sums in eight lanes, which the compiler turns into vector instructions; the order of summation is fixed.
fn sum_of(x: &[f64], y: &[f64], term: impl Fn(f64, f64) -> f64) -> f64 {
    const LANES: usize = 8;
    let mut lanes = [0.0; LANES];
    let (xs, ys) = (x.chunks_exact(LANES), y.chunks_exact(LANES));
    let rest: f64 = xs.remainder().iter().zip(ys.remainder()).map(|(&a, &b)| term(a, b)).sum();
    for (a, b) in xs.zip(ys) {
        for lane in 0..LANES {
            lanes[lane] += term(a[lane], b[lane]);
        }
    }
    lanes.iter().sum::<f64>() + rest
}

/// The inner product of vectors of one length.
pub(crate) fn dot(x: &[f64], y: &[f64]) -> f64 {
    sum_of(x, y, |a, b| a * b)
}

/// The squared Euclidean distance of vectors of one length. Differences are squared as they are: the expanded form
/// `‖x‖² + ‖y‖² − 2⟨x, y⟩` cancels and would break ties at random.
pub(crate) fn squared_distance(x: &[f64], y: &[f64]) -> f64 {
    sum_of(x, y, |a, b| (a - b) * (a - b))
}

/// `f` of every pair of rows, row-major `[x.rows(), y.rows()]`.
pub(crate) fn pairwise(x: &Matrix, y: &Matrix, f: impl Fn(&[f64], &[f64]) -> f64 + Sync) -> Vec<f64> {
    let mut table = vec![0.0; x.rows() * y.rows()];
    table.par_chunks_mut(y.rows()).zip(x.values().par_chunks(x.columns())).for_each(|(out, a)| {
        out.iter_mut().zip(y.iter()).for_each(|(slot, b)| *slot = f(a, b));
    });
    table
}

/// The sum over all pairs of rows of `f`, without storing the table; the same for any number of threads.
pub(crate) fn sum_over_pairs(x: &Matrix, y: &Matrix, f: impl Fn(&[f64], &[f64]) -> f64 + Sync) -> f64 {
    let per_row: Vec<f64> =
        x.values().par_chunks(x.columns()).map(|a| y.iter().map(|b| f(a, b)).sum::<f64>()).collect();
    per_row.iter().sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn angles() {
        assert_eq!(cosine(&[1.0, 0.0], &[0.0, 2.0]).unwrap(), 0.0);
        assert!((cosine(&[1.0, 1.0], &[1.0, 0.0]).unwrap() - 0.5f64.sqrt()).abs() < 1e-15);
        assert!((cosine(&[1e-200, 0.0], &[-3e200, 0.0]).unwrap() + 1.0).abs() < 1e-15);
    }

    #[test]
    fn lanes_and_remainder_add_up() {
        let x: Vec<f64> = (0..19).map(f64::from).collect();
        let y: Vec<f64> = x.iter().map(|v| v + 2.0).collect();
        assert_eq!(squared_distance(&x, &y), 4.0 * 19.0);
        assert_eq!(dot(&x, &x), 2109.0);
    }

    #[test]
    fn pairs_of_rows() {
        let x = Matrix::new(&[0.0, 1.0, 5.0], 1).unwrap();
        let y = Matrix::new(&[1.0, 3.0], 1).unwrap();
        assert_eq!(pairwise(&x, &y, squared_distance), [1.0, 9.0, 0.0, 4.0, 16.0, 4.0]);
        assert_eq!(sum_over_pairs(&x, &y, squared_distance), 34.0);
    }

    #[test]
    fn refuses_what_has_no_angle() {
        assert!(matches!(cosine(&[0.0, 0.0], &[1.0, 0.0]), Err(MetricError::Domain { what: "x", .. })));
        assert!(matches!(cosine(&[1.0], &[f64::INFINITY]), Err(MetricError::Domain { what: "y", .. })));
        assert!(matches!(cosine(&[1.0], &[1.0, 2.0]), Err(MetricError::Length { .. })));
        assert!(matches!(cosine(&[], &[]), Err(MetricError::Empty { .. })));
    }
}
