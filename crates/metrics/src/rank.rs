//! Correlations of paired values.

use crate::error::{MetricError, Result, check_lengths, check_values};

/// Pearson's correlation coefficient of `x` and `y`, in [-1, 1].
///
/// # Errors
/// [`MetricError::Empty`], [`MetricError::Length`], [`MetricError::Nan`]; [`MetricError::Constant`] if either does
/// not vary; [`MetricError::Domain`] for infinite values.
pub fn pearson(x: &[f64], y: &[f64]) -> Result<f64> {
    check_pairs(x, y)?;
    if x.iter().chain(y).any(|v| v.is_infinite()) {
        let reason = "values must be finite; use a rank correlation for infinite ones".to_string();
        return Err(MetricError::Domain { what: "x and y", reason });
    }
    let centred = |values: &[f64]| -> Vec<f64> {
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        values.iter().map(|v| v - mean).collect()
    };
    let (dx, dy) = (centred(x), centred(y));
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    Ok((dot(&dx, &dy) / (dot(&dx, &dx).sqrt() * dot(&dy, &dy).sqrt())).clamp(-1.0, 1.0))
}

/// Spearman's rank correlation: [`pearson`] of the [`ranks`], ties sharing their average rank. Infinities are allowed.
///
/// # Errors
/// [`MetricError::Empty`], [`MetricError::Length`], [`MetricError::Nan`], [`MetricError::Constant`].
pub fn spearman(x: &[f64], y: &[f64]) -> Result<f64> {
    check_pairs(x, y)?;
    pearson(&ranks(x)?, &ranks(y)?)
}

/// Kendall's τ-b (Kendall 1945): `(concordant − discordant) / √((pairs − tied in x)(pairs − tied in y))`, in
/// O(n log n) by counting the exchanges of a merge sort (Knight 1966). Infinities are allowed.
///
/// # Errors
/// [`MetricError::Empty`], [`MetricError::Length`], [`MetricError::Nan`], [`MetricError::Constant`].
pub fn kendall_tau_b(x: &[f64], y: &[f64]) -> Result<f64> {
    check_pairs(x, y)?;
    // Adding 0.0 makes −0.0 and 0.0 one value for the total order used below.
    let mut points: Vec<(f64, f64)> = x.iter().zip(y).map(|(x, y)| (x + 0.0, y + 0.0)).collect();
    points.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
    let tied_x = tied_pairs(&points, |a, b| a.0 == b.0);
    let tied_both = tied_pairs(&points, |a, b| a == b);
    let mut ys: Vec<f64> = points.iter().map(|p| p.1).collect();
    let discordant = sort_counting_exchanges(&mut ys);
    let tied_y = tied_pairs(&ys, |a, b| a == b);
    let n = x.len() as u64;
    let pairs = n * (n - 1) / 2;
    let difference = (pairs + tied_both - tied_x - tied_y) as f64 - 2.0 * discordant as f64;
    Ok(difference / ((pairs - tied_x) as f64 * (pairs - tied_y) as f64).sqrt())
}

/// Ranks from 1 to n, ties sharing their average rank.
///
/// # Errors
/// [`MetricError::Empty`], [`MetricError::Nan`].
pub fn ranks(values: &[f64]) -> Result<Vec<f64>> {
    check_values("values", values)?;
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_unstable_by(|&i, &j| (values[i] + 0.0).total_cmp(&(values[j] + 0.0)));
    let mut ranks = vec![0.0; values.len()];
    let mut start = 0;
    for tie in order.chunk_by(|&i, &j| values[i] == values[j]) {
        let average = start as f64 + (tie.len() + 1) as f64 / 2.0;
        tie.iter().for_each(|&i| ranks[i] = average);
        start += tie.len();
    }
    Ok(ranks)
}

fn check_pairs(x: &[f64], y: &[f64]) -> Result<()> {
    check_lengths("x and y", x.len(), y.len())?;
    for (what, values) in [("x", x), ("y", y)] {
        check_values(what, values)?;
        if values.iter().all(|&v| v == values[0]) {
            return Err(MetricError::Constant { what });
        }
    }
    Ok(())
}

/// Number of pairs inside runs of equal neighbours.
fn tied_pairs<T>(sorted: &[T], equal: impl Fn(&T, &T) -> bool) -> u64 {
    sorted.chunk_by(equal).map(|run| run.len() as u64 * (run.len() as u64 - 1) / 2).sum()
}

/// Sorts by merging and returns the number of pairs that were strictly out of order.
fn sort_counting_exchanges(values: &mut [f64]) -> u64 {
    if values.len() < 2 {
        return 0;
    }
    let (left, right) = values.split_at_mut(values.len() / 2);
    let mut exchanges = sort_counting_exchanges(left) + sort_counting_exchanges(right);
    let mut merged = Vec::with_capacity(left.len() + right.len());
    let (mut i, mut j) = (0, 0);
    while i < left.len() && j < right.len() {
        if right[j] < left[i] {
            exchanges += (left.len() - i) as u64;
            merged.push(right[j]);
            j += 1;
        } else {
            merged.push(left[i]);
            i += 1;
        }
    }
    merged.extend_from_slice(&left[i..]);
    merged.extend_from_slice(&right[j..]);
    values.copy_from_slice(&merged);
    exchanges
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    fn sample(seed: u64, n: usize, levels: u32) -> (Vec<f64>, Vec<f64>) {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut draw = || (0..n).map(|_| f64::from(rng.random_range(0..levels))).collect::<Vec<_>>();
        (draw(), draw())
    }

    /// τ-b by looking at every pair.
    fn tau_b_by_pairs(x: &[f64], y: &[f64]) -> f64 {
        let (mut sum, mut nx, mut ny) = (0.0, 0.0f64, 0.0f64);
        for i in 0..x.len() {
            for j in 0..i {
                let sign = |a: f64, b: f64| f64::from(i8::from(a > b) - i8::from(a < b));
                let (sx, sy) = (sign(x[i], x[j]), sign(y[i], y[j]));
                sum += sx * sy;
                nx += sx * sx;
                ny += sy * sy;
            }
        }
        sum / (nx * ny).sqrt()
    }

    #[test]
    fn kendall_equals_pair_count() {
        for (seed, n, levels) in [(1, 2, 1000), (2, 30, 4), (3, 101, 10), (4, 200, 100_000), (5, 57, 2)] {
            let (x, y) = sample(seed, n, levels);
            let (fast, slow) = (kendall_tau_b(&x, &y).unwrap(), tau_b_by_pairs(&x, &y));
            assert!((fast - slow).abs() < 1e-13, "seed {seed}: {fast} instead of {slow}");
        }
    }

    #[test]
    fn ranks_by_counting() {
        let (x, _) = sample(9, 60, 8);
        for (value, rank) in x.iter().zip(ranks(&x).unwrap()) {
            let below = x.iter().filter(|v| *v < value).count() as f64;
            let equal = x.iter().filter(|v| *v == value).count() as f64;
            assert_eq!(rank, below + (equal + 1.0) / 2.0);
        }
    }

    /// scipy 1.17.1: `pearsonr`, `spearmanr`, `kendalltau` of these vectors.
    #[test]
    fn correlations_of_scipy() {
        let x = [1.0, 2.5, 2.5, 4.0, -3.0, 0.0, 7.5, 2.5];
        let y = [0.3, 2.0, -1.0, 2.0, -2.0, 0.5, 3.0, 0.5];
        assert!((pearson(&x, &y).unwrap() - 0.8324701263524545).abs() < 1e-14);
        assert!((spearman(&x, &y).unwrap() - 0.777837057361552).abs() < 1e-14);
        assert!((kendall_tau_b(&x, &y).unwrap() - 0.6667948594698258).abs() < 1e-14);
    }

    #[test]
    fn monotone_is_one() {
        let x: Vec<f64> = (0..20).map(f64::from).collect();
        let y: Vec<f64> = x.iter().map(|v| v.exp()).collect();
        let z: Vec<f64> = x.iter().map(|v| 3.0 - 2.0 * v).collect();
        assert!((spearman(&x, &y).unwrap() - 1.0).abs() < 1e-15);
        assert_eq!(kendall_tau_b(&x, &y).unwrap(), 1.0);
        assert!((pearson(&x, &z).unwrap() + 1.0).abs() < 1e-15);
        assert_eq!(
            kendall_tau_b(&[0.0, -0.0, 1.0], &[1.0, 2.0, 3.0]).unwrap(),
            tau_b_by_pairs(&[0.0, 0.0, 1.0], &[1.0, 2.0, 3.0])
        );
        assert!((spearman(&[0.0, 1.0, f64::INFINITY], &[1.0, 2.0, 3.0]).unwrap() - 1.0).abs() < 1e-15);
    }

    #[test]
    fn refuses_what_has_no_answer() {
        assert!(matches!(pearson(&[1.0], &[]), Err(MetricError::Length { .. })));
        assert!(matches!(spearman(&[], &[]), Err(MetricError::Empty { .. })));
        assert_eq!(kendall_tau_b(&[1.0, 2.0], &[5.0, 5.0]), Err(MetricError::Constant { what: "y" }));
        assert!(matches!(pearson(&[1.0, f64::NAN], &[1.0, 2.0]), Err(MetricError::Nan { what: "x", index: 1 })));
        assert!(matches!(pearson(&[1.0, f64::INFINITY], &[1.0, 2.0]), Err(MetricError::Domain { .. })));
    }
}
