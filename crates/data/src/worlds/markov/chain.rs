//! Finite Markov chains.

use super::{check_rows, draw, random_law};
use crate::worlds::error::WorldError;
use crate::worlds::stream::stream;
use faer::prelude::Solve;
use faer::{Mat, Side};
use rand::RngExt;

/// A chain on the states 0 to n − 1.
#[derive(Clone, Debug, PartialEq)]
pub struct Chain {
    states: usize,
    transitions: Vec<f64>,
}

/// Steps after which a chain that has not mixed is called periodic or reducible.
const LONGEST: usize = 1 << 40;

impl Chain {
    /// The chain with P(next = j | now = i) at `transitions[i·n + j]`.
    ///
    /// # Errors
    /// [`WorldError::Parameter`] for another number of values, and rows that are no laws.
    pub fn new(states: usize, transitions: Vec<f64>) -> Result<Chain, WorldError> {
        if states == 0 || transitions.len() != states * states {
            let expected = format!("{states} states (at least one) need {states}×{states} values");
            return Err(WorldError::parameter(
                "markov",
                "transitions",
                format!("{} values", transitions.len()),
                expected,
            ));
        }
        check_rows("transitions", &transitions, states)?;
        Ok(Chain { states, transitions })
    }

    /// Every row is uniform among all laws; one state at least.
    pub fn random(states: usize, seed: u64) -> Chain {
        let states = states.max(1);
        let mut rng = stream("markov chain", seed, 0);
        Chain { states, transitions: (0..states).flat_map(|_| random_law(states, 1.0, &mut rng)).collect() }
    }

    /// A random chain with a symmetric matrix: symmetric uniform weights over the largest sum of a row, the rest to stay.
    /// Its stationary law is uniform.
    pub fn random_symmetric(states: usize, seed: u64) -> Chain {
        let n = states.max(1);
        let mut rng = stream("markov chain", seed, 1);
        let mut weights = vec![0.0; n * n];
        for i in 0..n {
            for j in 0..i {
                let weight = rng.random_range(0.0..1.0);
                (weights[i * n + j], weights[j * n + i]) = (weight, weight);
            }
        }
        let largest = weights.chunks(n).map(|row| row.iter().sum::<f64>()).fold(f64::MIN_POSITIVE, f64::max);
        weights.iter_mut().for_each(|w| *w /= largest);
        for i in 0..n {
            let moving: f64 = weights[i * n..][..n].iter().sum();
            weights[i * n + i] = 1.0 - moving;
        }
        Chain { states: n, transitions: weights }
    }

    /// Number of states.
    pub fn states(&self) -> usize {
        self.states
    }

    /// The matrix, row-major.
    pub fn transitions(&self) -> &[f64] {
        &self.transitions
    }

    /// P(next | state).
    pub fn row(&self, state: usize) -> &[f64] {
        &self.transitions[state * self.states..][..self.states]
    }

    /// The law after one step from a law.
    pub fn step(&self, law: &[f64]) -> Vec<f64> {
        let mut next = vec![0.0; self.states];
        for (p, row) in law.iter().zip(self.transitions.chunks(self.states)) {
            next.iter_mut().zip(row).for_each(|(n, t)| *n += p * t);
        }
        next
    }

    /// The stationary law: π (P − I) = 0, Σ π = 1.
    ///
    /// # Errors
    /// [`WorldError::NoExactAnswer`] if there is more than one.
    pub fn stationary(&self) -> Result<Vec<f64>, WorldError> {
        let n = self.states;
        // The last balance equation follows from the others: it gives way to the sum.
        let entry = |i: usize, j: usize| self.transitions[j * n + i] - if i == j { 1.0 } else { 0.0 };
        let matrix = Mat::from_fn(n, n, |i, j| if i + 1 == n { 1.0 } else { entry(i, j) });
        let right = Mat::from_fn(n, 1, |i, _| if i + 1 == n { 1.0 } else { 0.0 });
        let solution = matrix.full_piv_lu().solve(&right);
        let law: Vec<f64> = (0..n).map(|i| solution[(i, 0)]).collect();
        let moved = self.step(&law);
        let stays = law.iter().zip(&moved).all(|(a, b)| (a - b).abs() < 1e-9 && *a > -1e-9);
        if !stays || self.closed_classes() != 1 {
            let reason = "the chain has several closed classes, so its stationary law is not unique; join them";
            return Err(WorldError::NoExactAnswer { world: "markov", reason: reason.to_string() });
        }
        Ok(law.into_iter().map(|p| p.max(0.0)).collect())
    }

    /// Number of classes of states that lead to each other and nowhere else.
    fn closed_classes(&self) -> usize {
        let n = self.states;
        let mut reach: Vec<bool> = (0..n * n).map(|i| self.transitions[i] > 0.0 || i / n == i % n).collect();
        for k in 0..n {
            for i in (0..n).filter(|&i| i != k) {
                if reach[i * n + k] {
                    (0..n)
                        .filter(|&j| reach[k * n + j])
                        .collect::<Vec<_>>()
                        .into_iter()
                        .for_each(|j| reach[i * n + j] = true);
                }
            }
        }
        let closed = |i: usize| (0..n).all(|j| !reach[i * n + j] || reach[j * n + i]);
        let first = |i: usize| (0..i).all(|j| !(reach[i * n + j] && reach[j * n + i]));
        (0..n).filter(|&i| closed(i) && first(i)).count()
    }

    /// The smallest t from which on every start is within total variation `epsilon` of the stationary law.
    ///
    /// # Errors
    /// As [`Chain::stationary`]; [`WorldError::NoExactAnswer`] for chains that do not converge within 2⁴⁰ steps.
    pub fn mixing_time(&self, epsilon: f64) -> Result<u64, WorldError> {
        let (n, stationary) = (self.states, self.stationary()?);
        let one = Mat::from_fn(n, n, |i, j| self.transitions[i * n + j]);
        let far = |power: &Mat<f64>| {
            let distance = |i: usize| 0.5 * (0..n).map(|j| (power[(i, j)] - stationary[j]).abs()).sum::<f64>();
            (0..n).map(distance).fold(0.0, f64::max) > epsilon
        };
        // The distance never grows: double until near, then halve the interval, keeping the power of its far end.
        let mut powers = vec![one];
        while far(powers.last().expect("not empty")) {
            let last = powers.last().expect("not empty");
            if 1 << powers.len() > LONGEST {
                let reason = "the chain does not mix; it is periodic: add a probability to stay".to_string();
                return Err(WorldError::NoExactAnswer { world: "markov", reason });
            }
            powers.push(last * last);
        }
        if !far(&Mat::identity(n, n)) {
            return Ok(0);
        }
        let (mut time, mut reached) = (0, Mat::<f64>::identity(n, n));
        for (k, power) in powers.iter().enumerate().rev() {
            let further = &reached * power;
            if far(&further) {
                (time, reached) = (time + (1u64 << k), further);
            }
        }
        Ok(time + 1)
    }

    /// 1 − the second largest size of an eigenvalue, for reversible chains (π_i P_ij = π_j P_ji).
    ///
    /// # Errors
    /// As [`Chain::stationary`]; [`WorldError::NoExactAnswer`] for chains that are not reversible.
    pub fn spectral_gap(&self) -> Result<f64, WorldError> {
        let (n, law) = (self.states, self.stationary()?);
        let flow = |i: usize, j: usize| law[i] * self.transitions[i * n + j];
        let reversible = (0..n * n).all(|k| (flow(k / n, k % n) - flow(k % n, k / n)).abs() < 1e-12);
        if !reversible || law.contains(&0.0) {
            let reason =
                "the chain is not reversible, so its eigenvalues need not be real; use the mixing time".to_string();
            return Err(WorldError::NoExactAnswer { world: "markov", reason });
        }
        let symmetric = Mat::from_fn(n, n, |i, j| flow(i, j) / (law[i] * law[j]).sqrt());
        let Ok(values) = symmetric.self_adjoint_eigenvalues(Side::Lower) else {
            let reason = "the eigenvalues do not converge".to_string();
            return Err(WorldError::NoExactAnswer { world: "markov", reason });
        };
        let mut sizes: Vec<f64> = values.iter().map(|v| v.abs()).collect();
        sizes.sort_by(f64::total_cmp);
        Ok(1.0 - if n > 1 { sizes[n - 2] } else { 0.0 })
    }

    /// Path `index` of `seed`, which depends on nothing else: `length` states, the first one given.
    pub fn sample(&self, start: usize, length: usize, seed: u64, index: u64) -> Vec<usize> {
        let mut rng = stream("markov path", seed, index);
        let step = |state: &usize| Some(draw(self.row(*state), &mut rng));
        std::iter::successors(Some(start), step).take(length).collect()
    }
}
