//! Limited-memory BFGS for smooth functions, with value and gradient from one evaluation (argmin asks for them
//! separately, which doubles the work of a probe).

use crate::distance::dot;
use std::collections::VecDeque;

/// Pairs of steps and gradient changes that are kept.
const MEMORY: usize = 10;
const MAX_LINE_SEARCH: usize = 60;

/// How a minimisation ended.
pub(super) struct Minimum {
    pub(super) point: Vec<f64>,
    pub(super) iterations: usize,
    pub(super) converged: bool,
}

/// Minimises `f`, which writes its gradient into the second argument and returns its value, from `start` until no entry
/// of the gradient exceeds `tolerance` (Nocedal & Wright 2006, algorithm 7.5).
pub(super) fn minimize(
    mut f: impl FnMut(&[f64], &mut [f64]) -> f64,
    start: Vec<f64>,
    tolerance: f64,
    max_iterations: usize,
) -> Minimum {
    let mut point = start;
    let mut gradient = vec![0.0; point.len()];
    let mut value = f(&point, &mut gradient);
    let mut history: VecDeque<(Vec<f64>, Vec<f64>)> = VecDeque::with_capacity(MEMORY);
    for iterations in 0..=max_iterations {
        if gradient.iter().all(|g| g.abs() <= tolerance) {
            return Minimum { point, iterations, converged: true };
        }
        let direction = descent_direction(&gradient, &history);
        let first = if history.is_empty() { 1.0 / dot(&gradient, &gradient).sqrt() } else { 1.0 };
        let Some(next) = line_search(&mut f, &point, value, &gradient, &direction, first) else {
            // No step lowers the value in floating point: this is as far as the arithmetic goes.
            return Minimum { point, iterations, converged: false };
        };
        let step: Vec<f64> = next.point.iter().zip(&point).map(|(a, b)| a - b).collect();
        let change: Vec<f64> = next.gradient.iter().zip(&gradient).map(|(a, b)| a - b).collect();
        if dot(&step, &change) > 0.0 {
            if history.len() == MEMORY {
                history.pop_front();
            }
            history.push_back((step, change));
        }
        (point, gradient, value) = (next.point, next.gradient, next.value);
    }
    Minimum { point, iterations: max_iterations, converged: false }
}

/// The two-loop recursion: minus the approximate inverse Hessian times the gradient.
fn descent_direction(gradient: &[f64], history: &VecDeque<(Vec<f64>, Vec<f64>)>) -> Vec<f64> {
    let mut q: Vec<f64> = gradient.iter().map(|g| -g).collect();
    let mut alphas = Vec::with_capacity(history.len());
    for (step, change) in history.iter().rev() {
        let alpha = dot(step, &q) / dot(step, change);
        q.iter_mut().zip(change).for_each(|(q, y)| *q -= alpha * y);
        alphas.push(alpha);
    }
    if let Some((step, change)) = history.back() {
        let scale = dot(step, change) / dot(change, change);
        q.iter_mut().for_each(|q| *q *= scale);
    }
    for ((step, change), alpha) in history.iter().zip(alphas.iter().rev()) {
        let beta = dot(change, &q) / dot(step, change);
        q.iter_mut().zip(step).for_each(|(q, s)| *q += (alpha - beta) * s);
    }
    q
}

struct Trial {
    point: Vec<f64>,
    gradient: Vec<f64>,
    value: f64,
}

/// A step that meets the weak Wolfe conditions, by bisection and doubling (Burke, Lewis & Overton 2020, algorithm 4.6).
fn line_search(
    f: &mut impl FnMut(&[f64], &mut [f64]) -> f64,
    point: &[f64],
    value: f64,
    gradient: &[f64],
    direction: &[f64],
    first: f64,
) -> Option<Trial> {
    let slope = dot(gradient, direction);
    let (mut low, mut high, mut length) = (0.0, f64::INFINITY, first);
    let mut lowered = None;
    for _ in 0..MAX_LINE_SEARCH {
        let trial: Vec<f64> = point.iter().zip(direction).map(|(x, d)| x + length * d).collect();
        let mut trial_gradient = vec![0.0; point.len()];
        let trial_value = f(&trial, &mut trial_gradient);
        // A value that is not a number fails the test as one that is too high does.
        if trial_value.is_nan() || trial_value > value + 1e-4 * length * slope {
            high = length;
        } else {
            let steep = dot(&trial_gradient, direction) < 0.9 * slope;
            lowered = Some(Trial { point: trial, gradient: trial_gradient, value: trial_value });
            if !steep {
                return lowered;
            }
            low = length;
        }
        length = if high.is_finite() { 0.5 * (low + high) } else { 2.0 * low };
    }
    lowered
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rosenbrock's valley, with its minimum at (1, 1).
    #[test]
    fn rosenbrock() {
        let f = |x: &[f64], g: &mut [f64]| {
            let (a, b) = (1.0 - x[0], x[1] - x[0] * x[0]);
            g[0] = -2.0 * a - 400.0 * x[0] * b;
            g[1] = 200.0 * b;
            a * a + 100.0 * b * b
        };
        let minimum = minimize(f, vec![-1.2, 1.0], 1e-9, 200);
        assert!(minimum.converged && minimum.iterations < 60, "{} iterations", minimum.iterations);
        assert!(minimum.point.iter().all(|x| (x - 1.0).abs() < 1e-8));
    }
}
