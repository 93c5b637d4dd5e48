//! The nearest features that put classes in an order: a small quadratic program, solved exactly.

use super::Ranking;
use crate::AttackError;

/// The features z for which a last layer `W·z + b` puts classes in an order: `G·z ≥ h`, one row `W_a − W_b` for each pair of
/// classes (a above b), with `h = margin − (b_a − b_b)`.
///
/// Of features f only their logits matter here: with multipliers λ ≥ 0 the nearest point of the polytope is
/// `z* = f + Gᵀ·λ`, where λ minimises `½·λᵀ·G·Gᵀ·λ − λᵀ·(h − G·f)`; `G·Gᵀ` comes from `W·Wᵀ`, and `h − G·f` is the margin
/// less the differences of logits.
#[derive(Clone, Debug, PartialEq)]
pub struct Polytope {
    pairs: Vec<(usize, usize)>,
    /// `G·Gᵀ`, row-major.
    gram: Vec<f64>,
    margin: f64,
}

/// The nearest point of a [`Polytope`].
#[derive(Clone, Debug, PartialEq)]
pub struct Projection {
    /// λ, one for each pair.
    pub multipliers: Vec<f64>,
    /// `‖f − z*‖²`.
    pub squared_distance: f64,
    /// By how much the conditions of Karush, Kuhn and Tucker are missed at most: the largest violation of a row, the largest
    /// product of a multiplier and its row's slack, and the most negative multiplier.
    pub residual: f64,
}

/// A row whose part orthogonal to the active ones is shorter than this share of it depends on them.
const DEPENDENT: f64 = 1e-10;
/// Violations below this share of the scale of the problem are rounding.
const ROUNDING: f64 = 1e-12;

impl Polytope {
    /// For the targets of example `row` of a ranking, each logit a `margin` above the next, with the `products`
    /// `W·Wᵀ` of the last layer, row-major `[classes, classes]` (see
    /// [`AffineLayer::products`](crate::measure::harmless::AffineLayer::products)).
    ///
    /// # Panics
    /// If the ranking has no such example, or is for more classes.
    pub fn new(ranking: &Ranking, row: usize, products: &[f64], margin: f64) -> Polytope {
        let classes = products.len().isqrt();
        let pairs = ranking.pairs(row, classes);
        let of = |a: usize, b: usize| products[a * classes + b];
        let entry = |&(a, b): &(usize, usize), &(c, d): &(usize, usize)| of(a, c) - of(a, d) - of(b, c) + of(b, d);
        let gram = pairs.iter().flat_map(|p| pairs.iter().map(move |q| entry(p, q))).collect();
        Polytope { pairs, gram, margin }
    }

    /// The pairs of classes (above, below).
    pub fn pairs(&self) -> &[(usize, usize)] {
        &self.pairs
    }

    /// Projects features with these `logits`: the dual method of Goldfarb and Idnani (1983), which starts at the features and
    /// takes up one violated row after another, so that it ends after finitely many exact steps.
    ///
    /// # Errors
    /// [`AttackError::InfeasibleRanking`] if no features are in the polytope, with the pairs whose rows contradict each
    /// other: a sum of theirs with positive weights is zero.
    pub fn project(&self, logits: &[f32]) -> Result<Projection, AttackError> {
        let logit = |class: usize| f64::from(logits[class]);
        let missing: Vec<f64> = self.pairs.iter().map(|&(a, b)| self.margin - (logit(a) - logit(b))).collect();
        let scale = missing.iter().fold(self.margin.abs(), |m, v| m.max(v.abs()));
        let mut search =
            Search { polytope: self, active: Vec::new(), factor: Vec::new(), lambda: vec![0.0; missing.len()] };
        // Each step lowers the dual objective, so that no set of active rows comes twice; the bound is for rounding.
        for _ in 0..50 * missing.len() {
            let slack = self.slack(&search.lambda, &missing);
            let worst = (0..slack.len()).reduce(|w, i| if slack[i] < slack[w] { i } else { w });
            match worst {
                Some(row) if slack[row] < -ROUNDING * scale => search.take_up(row, -slack[row])?,
                _ => break,
            }
        }
        search.polish(&missing);
        let multipliers = search.lambda;
        let squared_distance = multipliers.iter().zip(&missing).map(|(l, c)| l * c).sum::<f64>().max(0.0);
        let residual = self.residual(&multipliers, &missing);
        Ok(Projection { multipliers, squared_distance, residual })
    }

    /// `G·z − h` for the point of these multipliers.
    fn slack(&self, lambda: &[f64], missing: &[f64]) -> Vec<f64> {
        let moved = |row: &[f64]| row.iter().zip(lambda).map(|(g, l)| g * l).sum::<f64>();
        self.gram.chunks_exact(missing.len()).zip(missing).map(|(row, c)| moved(row) - c).collect()
    }

    fn residual(&self, lambda: &[f64], missing: &[f64]) -> f64 {
        let each = |(s, l): (f64, &f64)| (-s).max((s * l).abs()).max(-l);
        self.slack(lambda, missing).into_iter().zip(lambda).map(each).fold(0.0, f64::max)
    }

    fn entry(&self, i: usize, j: usize) -> f64 {
        self.gram[i * self.pairs.len() + j]
    }
}

/// The active rows, and the factor L of their Gram matrix, one row after another.
struct Search<'a> {
    polytope: &'a Polytope,
    active: Vec<usize>,
    factor: Vec<Vec<f64>>,
    lambda: Vec<f64>,
}

impl Search<'_> {
    /// Moves until `row`, which is `violation` away, is met; rows whose multipliers would turn negative are let go.
    fn take_up(&mut self, row: usize, mut violation: f64) -> Result<(), AttackError> {
        let length = self.polytope.entry(row, row);
        loop {
            // The row in terms of the active ones, and the square of what is left of it.
            let half = self.forward(&self.active.iter().map(|&i| self.polytope.entry(i, row)).collect::<Vec<_>>());
            let left = length - half.iter().map(|v| v * v).sum::<f64>();
            let share = self.backward(half.clone());
            let dependent = left <= DEPENDENT * length;
            let full = if dependent { f64::INFINITY } else { violation / left };
            let limits = self.active.iter().zip(&share).enumerate().filter(|(_, (_, r))| **r > 0.0);
            let limits = limits.map(|(at, (&i, r))| (self.lambda[i] / r, at));
            let first = limits.reduce(|a, b| if b.0 < a.0 { b } else { a });
            let step = first.map_or(full, |(t, _)| t.min(full));
            if step.is_infinite() {
                return Err(self.contradiction(row, &share));
            }
            self.active.iter().zip(&share).for_each(|(&i, r)| self.lambda[i] = (self.lambda[i] - step * r).max(0.0));
            self.lambda[row] += step;
            if step == full {
                self.factor.push(half.into_iter().chain([left.sqrt()]).collect());
                self.active.push(row);
                return Ok(());
            }
            violation -= if dependent { 0.0 } else { step * left };
            if let Some((_, at)) = first {
                self.lambda[self.active[at]] = 0.0;
                self.active.remove(at);
                self.refactor();
            }
        }
    }

    /// The multipliers of the active rows once more, from scratch.
    fn polish(&mut self, missing: &[f64]) {
        let half = self.forward(&self.active.iter().map(|&i| missing[i]).collect::<Vec<_>>());
        let exact = self.backward(half);
        self.active.iter().zip(exact).for_each(|(&i, l)| self.lambda[i] = l.max(0.0));
    }

    fn contradiction(&self, row: usize, share: &[f64]) -> AttackError {
        let pairs = &self.polytope.pairs;
        let others = self.active.iter().zip(share).filter(|(_, r)| r.abs() > DEPENDENT).map(|(&i, _)| pairs[i]);
        AttackError::InfeasibleRanking { pairs: std::iter::once(pairs[row]).chain(others).collect() }
    }

    fn refactor(&mut self) {
        let active = std::mem::take(&mut self.active);
        self.factor.clear();
        for row in active {
            let mut half = self.forward(&self.active.iter().map(|&i| self.polytope.entry(i, row)).collect::<Vec<_>>());
            let left = self.polytope.entry(row, row) - half.iter().map(|v| v * v).sum::<f64>();
            half.push(left.max(f64::MIN_POSITIVE).sqrt());
            self.factor.push(half);
            self.active.push(row);
        }
    }

    /// `L⁻¹·b`.
    fn forward(&self, b: &[f64]) -> Vec<f64> {
        let mut y: Vec<f64> = Vec::with_capacity(b.len());
        for (row, b) in self.factor.iter().zip(b) {
            let sum: f64 = row.iter().zip(&y).map(|(l, y)| l * y).sum();
            y.push((b - sum) / row[y.len()]);
        }
        y
    }

    /// `L⁻ᵀ·y`.
    fn backward(&self, mut y: Vec<f64>) -> Vec<f64> {
        for i in (0..y.len()).rev() {
            y[i] /= self.factor[i][i];
            let (before, at) = y.split_at_mut(i);
            before.iter_mut().zip(&self.factor[i]).for_each(|(v, l)| *v -= l * at[0]);
        }
        y
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    fn products(w: &[f64], classes: usize) -> Vec<f64> {
        let width = w.len() / classes;
        let row = |a: usize| &w[a * width..(a + 1) * width];
        let dot = |a: usize, b: usize| row(a).iter().zip(row(b)).map(|(x, y)| x * y).sum::<f64>();
        (0..classes * classes).map(|i| dot(i / classes, i % classes)).collect()
    }

    // The oracle: of all subsets of active rows, the one whose solution meets all conditions.
    fn enumerated(polytope: &Polytope, missing: &[f64]) -> Option<Vec<f64>> {
        let n = missing.len();
        (0..1usize << n).find_map(|set| {
            let rows: Vec<usize> = (0..n).filter(|i| set >> i & 1 == 1).collect();
            let mut search = Search { polytope, active: rows, factor: Vec::new(), lambda: vec![0.0; n] };
            search.refactor();
            let active: Vec<f64> = search.active.iter().map(|&i| missing[i]).collect();
            let solved = search.backward(search.forward(&active));
            search.active.iter().zip(&solved).for_each(|(&i, l)| search.lambda[i] = *l);
            (polytope.residual(&search.lambda, missing) < 1e-9).then_some(search.lambda)
        })
    }

    #[test]
    fn projections_are_those_of_the_only_right_active_set() {
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        let mut most = 0;
        for trial in 0..60 {
            let (classes, width) = (6, 7);
            let w: Vec<f64> = (0..classes * width).map(|_| rng.random_range(-1.0..1.0)).collect();
            let logits: Vec<f32> = (0..classes).map(|_| rng.random_range(-3.0..3.0)).collect();
            let ranking = Ranking::new(vec![vec![4, 1, 3][..1 + trial % 3].to_vec()], classes).unwrap();
            let polytope = Polytope::new(&ranking, 0, &products(&w, classes), 0.5);
            let found = polytope.project(&logits).unwrap();
            let gap = |&(a, b): &(usize, usize)| 0.5 - f64::from(logits[a]) + f64::from(logits[b]);
            let missing: Vec<f64> = polytope.pairs().iter().map(gap).collect();
            let exact = enumerated(&polytope, &missing).unwrap();
            let apart = found.multipliers.iter().zip(&exact).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
            assert!(apart < 1e-7 && found.residual < 1e-9, "{apart} {}", found.residual);
            // ‖Gᵀλ‖², by the rows themselves.
            let row = |c: usize| &w[c * width..(c + 1) * width];
            let step = |k: usize| {
                let pairs = polytope.pairs().iter().zip(&found.multipliers);
                pairs.map(|(&(a, b), l)| l * (row(a)[k] - row(b)[k])).sum::<f64>()
            };
            let length: f64 = (0..width).map(|k| step(k).powi(2)).sum();
            assert!((length - found.squared_distance).abs() < 1e-8 * length.max(1.0));
            most = most.max(found.multipliers.iter().filter(|l| **l > 0.0).count());
        }
        assert!(most >= 4, "the problems are too easy: {most}");
    }

    // Fewer features than rows: many more rows than can be active together.
    #[test]
    fn rows_that_depend_on_each_other_are_no_hindrance() {
        let mut rng = ChaCha8Rng::seed_from_u64(6);
        let (classes, width) = (20, 3);
        let mut feasible = 0;
        for _ in 0..60 {
            let w: Vec<f64> = (0..classes * width).map(|_| rng.random_range(-1.0..1.0)).collect();
            let logits: Vec<f32> = (0..classes).map(|_| rng.random_range(-3.0..3.0)).collect();
            let ranking = Ranking::new(vec![vec![3]], classes).unwrap();
            let polytope = Polytope::new(&ranking, 0, &products(&w, classes), 0.1);
            match polytope.project(&logits) {
                Ok(found) => {
                    assert!(found.residual < 1e-6, "{}", found.residual);
                    feasible += 1;
                }
                // Class 3 is inside of the hull of the others: it is never the largest, see the next test.
                Err(error) => assert!(matches!(error, AttackError::InfeasibleRanking { .. }), "{error}"),
            }
        }
        assert!((10..60).contains(&feasible), "{feasible}");
    }

    // The row of class 1 is the mean of those of classes 0 and 2: it never exceeds both.
    #[test]
    fn contradictions_are_named() {
        let w = [1.0, 0.0, 0.5, 0.5, 0.0, 1.0, -1.0, -1.0];
        let ranking = Ranking::new(vec![vec![1]], 4).unwrap();
        let polytope = Polytope::new(&ranking, 0, &products(&w, 4), 0.1);
        let error = polytope.project(&[0.0; 4]).unwrap_err();
        let AttackError::InfeasibleRanking { mut pairs } = error else { panic!("{error}") };
        pairs.sort_unstable();
        assert_eq!(pairs, [(1, 0), (1, 2)]);
    }
}
