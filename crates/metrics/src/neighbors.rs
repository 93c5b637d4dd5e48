//! Nearest neighbours by brute force.
//!
//! Exact, in memory of `k` entries per query, with one rule for ties everywhere: of two points at one distance the one
//! with the lower index is nearer.

use crate::accuracy::check_labels;
use crate::distance::squared_distance;
use crate::error::{MetricError, Result, check_lengths};
use crate::matrix::{Matrix, check_columns};
use rayon::prelude::*;

/// One of the nearest points.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Neighbor {
    /// Its row.
    pub index: usize,
    /// Its Euclidean distance.
    pub distance: f64,
}

/// The `k` rows of `points` nearest to each row of `queries`, by rising Euclidean distance.
///
/// # Errors
/// [`MetricError::Length`] for different numbers of columns; [`MetricError::Domain`] unless `1 ≤ k ≤` number of points.
pub fn nearest(points: &Matrix, queries: &Matrix, k: usize) -> Result<Vec<Vec<Neighbor>>> {
    check_columns("columns of points and queries", points, queries)?;
    check_k(k, points.rows())?;
    Ok(queries.values().par_chunks(queries.columns()).map(|query| search(points, query, k, None)).collect())
}

/// The `k` other rows nearest to each row of `points`, itself excluded (by index: copies of a point are neighbours at
/// distance zero).
///
/// # Errors
/// [`MetricError::Domain`] unless `1 ≤ k <` number of points.
pub fn nearest_others(points: &Matrix, k: usize) -> Result<Vec<Vec<Neighbor>>> {
    check_k(k, points.rows() - 1)?;
    let rows = points.values().par_chunks(points.columns()).enumerate();
    Ok(rows.map(|(i, row)| search(points, row, k, Some(i))).collect())
}

/// The distance of each row to the `k`-th nearest other row.
pub(crate) fn kth_distances(points: &Matrix, k: usize) -> Result<Vec<f64>> {
    Ok(nearest_others(points, k)?.iter().map(|found| found[k - 1].distance).collect())
}

fn check_k(k: usize, available: usize) -> Result<()> {
    if (1..=available).contains(&k) {
        return Ok(());
    }
    Err(MetricError::Domain { what: "k", reason: format!("needs 1 ≤ k ≤ {available} available points, got {k}") })
}

fn search(points: &Matrix, query: &[f64], k: usize, excluded: Option<usize>) -> Vec<Neighbor> {
    // Squared distances, sorted; a later point of equal distance goes behind.
    let mut best: Vec<Neighbor> = Vec::with_capacity(k + 1);
    for (index, row) in points.iter().enumerate().filter(|&(index, _)| Some(index) != excluded) {
        let distance = squared_distance(query, row);
        if best.len() == k && distance >= best[k - 1].distance {
            continue;
        }
        let place = best.partition_point(|b| b.distance <= distance);
        best.insert(place, Neighbor { index, distance });
        best.truncate(k);
    }
    best.iter_mut().for_each(|b| b.distance = b.distance.sqrt());
    best
}

/// How neighbours vote for a class.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Vote {
    /// Each neighbour has one vote.
    Uniform,
    /// Each votes with weight `exp(cosine / temperature)`, the weighting of Wu et al. 2018 (with cosines between rows
    /// of length one, which the caller normalises; the paper's temperature is 0.07).
    Cosine {
        /// Temperature, positive.
        temperature: f64,
    },
}

/// The class with the most votes among the `k` nearest rows of `points`, for each row of `queries`; the lower class if
/// several have equally many.
///
/// # Errors
/// As [`nearest`]; [`MetricError::Length`] if there is not one label per point; [`MetricError::Domain`] for a
/// temperature that is not positive, or rows that are not of length one with [`Vote::Cosine`].
pub fn classify(points: &Matrix, labels: &[usize], queries: &Matrix, k: usize, vote: Vote) -> Result<Vec<usize>> {
    check_lengths("points and labels", points.rows(), labels.len())?;
    let classes = labels.iter().max().map_or(0, |m| m + 1);
    check_labels(labels, classes)?;
    if let Vote::Cosine { temperature } = vote {
        check_cosine(points, queries, temperature)?;
    }
    let weight = |neighbor: &Neighbor| match vote {
        Vote::Uniform => 1.0,
        // ‖x − y‖² = 2 − 2·cosine; the factor exp(1/temperature) common to all is left out, it could overflow.
        Vote::Cosine { temperature } => (-0.5 * neighbor.distance * neighbor.distance / temperature).exp(),
    };
    let elect = |found: &Vec<Neighbor>| {
        let mut votes = vec![0.0; classes];
        found.iter().for_each(|n| votes[labels[n.index]] += weight(n));
        (1..classes).fold(0, |best, class| if votes[class] > votes[best] { class } else { best })
    };
    Ok(nearest(points, queries, k)?.iter().map(elect).collect())
}

fn check_cosine(points: &Matrix, queries: &Matrix, temperature: f64) -> Result<()> {
    if temperature.is_nan() || temperature <= 0.0 {
        let reason = format!("must be positive, got {temperature}");
        return Err(MetricError::Domain { what: "temperature", reason });
    }
    let is_unit = |row: &[f64]| (crate::distance::dot(row, row) - 1.0).abs() < 1e-3;
    if points.iter().chain(queries.iter()).all(is_unit) {
        return Ok(());
    }
    let reason = "rows must have length one for a vote by cosine; normalise them".to_string();
    Err(MetricError::Domain { what: "points and queries", reason })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    /// Integer points, so that there are many exact ties.
    fn lattice(seed: u64, n: usize) -> Matrix<'static> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        Matrix::from_vec((0..n * 3).map(|_| f64::from(rng.random_range(0..4))).collect(), 3).unwrap()
    }

    #[test]
    fn equals_a_full_sort() {
        let (points, queries) = (lattice(1, 60), lattice(2, 20));
        for (query, found) in queries.iter().zip(nearest(&points, &queries, 9).unwrap()) {
            let mut order: Vec<usize> = (0..60).collect();
            let distance = |&i: &usize| squared_distance(points.row(i), query);
            order.sort_by(|i, j| distance(i).total_cmp(&distance(j)).then(i.cmp(j)));
            assert_eq!(found.iter().map(|n| n.index).collect::<Vec<_>>(), order[..9]);
            assert!(found.iter().all(|n| n.distance == distance(&n.index).sqrt()));
        }
    }

    #[test]
    fn others_exclude_oneself_only() {
        let points = Matrix::new(&[0.0, 0.0, 1.0, 3.0], 1).unwrap();
        let found = nearest_others(&points, 2).unwrap();
        let indices: Vec<Vec<usize>> = found.iter().map(|f| f.iter().map(|n| n.index).collect()).collect();
        assert_eq!(indices, [[1, 2], [0, 2], [0, 1], [2, 0]]);
        assert_eq!(kth_distances(&points, 1).unwrap(), [0.0, 0.0, 1.0, 2.0]);
    }

    #[test]
    fn votes() {
        let angle = |degrees: f64| [degrees.to_radians().cos(), degrees.to_radians().sin()];
        let points: Vec<f64> = [0.0, 50.0, 55.0].into_iter().flat_map(angle).collect();
        let (points, query) = (Matrix::new(&points, 2).unwrap(), Matrix::from_vec(angle(5.0).to_vec(), 2).unwrap());
        let labels = [1, 0, 0];
        assert_eq!(classify(&points, &labels, &query, 1, Vote::Uniform).unwrap(), [1]);
        assert_eq!(classify(&points, &labels, &query, 3, Vote::Uniform).unwrap(), [0]);
        assert_eq!(classify(&points, &labels, &query, 2, Vote::Uniform).unwrap(), [0], "a tie");
        let cosine = |temperature| classify(&points, &labels, &query, 3, Vote::Cosine { temperature }).unwrap();
        // Votes relative to each other: exp((cos 5° − cos 45°)/T) = 4.1 for T = 0.2, 1.3 for T = 1; against two.
        assert_eq!((cosine(0.2), cosine(1.0)), (vec![1], vec![0]));
    }

    #[test]
    fn refuses_what_has_no_answer() {
        let points = lattice(3, 5);
        assert!(matches!(nearest(&points, &points, 6), Err(MetricError::Domain { what: "k", .. })));
        assert!(matches!(nearest_others(&points, 5), Err(MetricError::Domain { what: "k", .. })));
        assert!(matches!(nearest(&points, &Matrix::new(&[1.0], 1).unwrap(), 1), Err(MetricError::Length { .. })));
        assert!(matches!(classify(&points, &[0], &points, 1, Vote::Uniform), Err(MetricError::Length { .. })));
        let cosine = Vote::Cosine { temperature: 0.1 };
        assert!(matches!(classify(&points, &[0; 5], &points, 1, cosine), Err(MetricError::Domain { .. })));
    }
}
