//! HopSkipJump.

use super::start::{Search, starts};
use super::{bisect, decisions};
use crate::problem::{Problem, require};
use crate::{Adversarial, Attack, AttackError, Ball, Classifier, Criterion, Norm, Seed};
use perturb_graph::Tensor;
use rand::RngExt;
use rand_distr::{Distribution, StandardNormal};

/// HopSkipJump (Chen et al. 2020, algorithm 2), ℓ2 and ℓ∞: from a point at the boundary, found by bisection, the direction
/// of the gradient is estimated from the decisions at random points around it; a step along it of `‖x_t − x‖/√t`, halved
/// until adversarial, and the next bisection follow.
///
/// A targeted attack starts from another input of the target class; without one it fails.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HopSkipJump {
    /// Steps.
    pub steps: usize,
    /// Random points of the first estimate; their number grows with √t.
    pub initial_evaluations: usize,
    /// Most random points of one estimate.
    pub most_evaluations: usize,
}

impl Default for HopSkipJump {
    /// 64 steps, 100 evaluations at first and 10 000 at most.
    fn default() -> Self {
        HopSkipJump { steps: 64, initial_evaluations: 100, most_evaluations: 10_000 }
    }
}

// Halvings of a step before it is given up.
const HALVINGS: usize = 30;
// Points whose decisions are asked for at once.
const POINTS: usize = 4096;

impl Attack for HopSkipJump {
    fn name(&self) -> &'static str {
        "HopSkipJump"
    }

    fn minimizes_distance(&self) -> bool {
        true
    }

    fn run(
        &self,
        model: &Classifier,
        inputs: &Tensor,
        criterion: &Criterion,
        ball: &Ball,
        seed: &Seed,
    ) -> Result<Adversarial, AttackError> {
        let (name, first) = (self.name(), self.initial_evaluations);
        require(first > 0, name, "initial_evaluations", 0.0, "1 or more")?;
        require(self.most_evaluations >= first, name, "most_evaluations", self.most_evaluations as f64, "no fewer")?;
        let mut problem = Problem::new(model, inputs, criterion, ball, seed)?;
        problem.supports(name, &[Norm::L2, Norm::Linf])?;
        problem.needs_bounds(name)?;
        let mut pending = starts(&mut problem)?;
        for step in 0..=self.steps {
            land(&mut problem, &mut pending)?;
            if pending.is_empty() || step == self.steps {
                break;
            }
            self.hop(&mut problem, &mut pending, step)?;
        }
        problem.project();
        problem.finish()
    }
}

// How finely the boundary is looked for: `d^{-3/2}` in ℓ2, `d^{-2}` in ℓ∞ (§IV.C).
fn tolerance(problem: &Problem) -> f64 {
    let width = problem.model.width() as f64;
    match problem.ball.norm() {
        Norm::L2 => width.powf(-1.5),
        _ => width.powi(-2),
    }
}

// To the boundary; whoever is within the ball leaves.
fn land(problem: &mut Problem, pending: &mut Vec<Search>) -> Result<(), AttackError> {
    let rows: Vec<usize> = pending.iter().map(|s| s.row).collect();
    let mut points: Vec<Vec<f32>> = pending.iter().map(|s| s.x.clone()).collect();
    let tolerance = tolerance(problem).max(1e-9);
    bisect(problem, &rows, &mut points, tolerance)?;
    let mut points = points.into_iter();
    pending.retain_mut(|search| {
        search.x = points.next().unwrap_or_default();
        !problem.keep_nearer(search.row, &search.x, &mut search.best)
    });
    Ok(())
}

impl HopSkipJump {
    fn hop(&self, problem: &mut Problem, pending: &mut [Search], step: usize) -> Result<(), AttackError> {
        let grown = self.initial_evaluations as f64 * ((step + 1) as f64).sqrt();
        let evaluations = (grown as usize).min(self.most_evaluations);
        let mut directions = Vec::with_capacity(pending.len());
        for search in pending.iter_mut() {
            let distance = problem.ball.distance(problem.center(search.row), &search.x);
            let width = problem.model.width() as f64;
            // The first estimate looks a tenth of the range around; later ones relative to the distance.
            let radius = match (step, problem.ball.norm()) {
                (0, _) => 0.1 * f64::from(problem.ball.limits().1 - problem.ball.limits().0),
                (_, Norm::L2) => width.sqrt() * tolerance(problem) * distance,
                _ => width * tolerance(problem) * distance,
            };
            directions.push(direction(problem, search, radius, evaluations)?);
        }
        self.jump(problem, pending, &directions, step)
    }

    // Steps of geometrically falling length, until adversarial.
    fn jump(
        &self,
        problem: &mut Problem,
        pending: &mut [Search],
        directions: &[Vec<f64>],
        step: usize,
    ) -> Result<(), AttackError> {
        let (lo, hi) = problem.ball.limits();
        let length = |s: &Search| problem.ball.distance(problem.center(s.row), &s.x) / ((step + 1) as f64).sqrt();
        let mut lengths: Vec<f64> = pending.iter().map(length).collect();
        let mut left: Vec<usize> = (0..pending.len()).collect();
        for _ in 0..HALVINGS {
            if left.is_empty() {
                break;
            }
            let tried: Vec<Vec<f32>> = left
                .iter()
                .map(|&i| {
                    let moved = pending[i].x.iter().zip(&directions[i]);
                    moved.map(|(&v, d)| ((f64::from(v) + lengths[i] * d) as f32).clamp(lo, hi)).collect()
                })
                .collect();
            let rows: Vec<usize> = left.iter().map(|&i| pending[i].row).collect();
            let verdicts = decisions(problem, &rows, &tried.concat())?;
            let mut rest = Vec::new();
            for ((i, tried), adversarial) in left.into_iter().zip(tried).zip(verdicts) {
                if adversarial {
                    pending[i].x = tried;
                } else {
                    lengths[i] *= 0.5;
                    rest.push(i);
                }
            }
            left = rest;
        }
        Ok(())
    }
}

// The estimate of eq. 16, with the mean decision as baseline: a unit vector in ℓ2, signs in ℓ∞.
fn direction(
    problem: &mut Problem,
    search: &mut Search,
    radius: f64,
    evaluations: usize,
) -> Result<Vec<f64>, AttackError> {
    let (lo, hi) = problem.ball.limits();
    let norm = problem.ball.norm();
    let mut drawn: Vec<(Vec<f64>, bool)> = Vec::with_capacity(evaluations);
    while drawn.len() < evaluations {
        let count = (evaluations - drawn.len()).min(POINTS);
        let points: Vec<Vec<f32>> = (0..count)
            .map(|_| {
                let step: Vec<f64> = match norm {
                    Norm::Linf => search.x.iter().map(|_| search.rng.random_range(-1.0..=1.0)).collect(),
                    _ => search.x.iter().map(|_| StandardNormal.sample(&mut search.rng)).collect(),
                };
                let length = step.iter().map(|s| s * s).sum::<f64>().sqrt().max(f64::MIN_POSITIVE);
                let moved = search.x.iter().zip(step).map(|(&v, s)| f64::from(v) + radius * s / length);
                moved.map(|v| (v as f32).clamp(lo, hi)).collect()
            })
            .collect();
        let verdicts = decisions(problem, &vec![search.row; count], &points.concat())?;
        for (point, adversarial) in points.into_iter().zip(verdicts) {
            // What clipping left of the step.
            let step = point.iter().zip(&search.x).map(|(&p, &v)| (f64::from(p) - f64::from(v)) / radius).collect();
            drawn.push((step, adversarial));
        }
    }
    let sign = |adversarial: bool| if adversarial { 1.0 } else { -1.0 };
    let mean = drawn.iter().map(|(_, a)| sign(*a)).sum::<f64>() / drawn.len() as f64;
    // Where all decisions agree there is no contrast: the mean direction, or its opposite.
    let baseline = if mean.abs() == 1.0 { 0.0 } else { mean };
    let mut estimate = vec![0.0; search.x.len()];
    for (step, adversarial) in &drawn {
        let weight = sign(*adversarial) - baseline;
        estimate.iter_mut().zip(step).for_each(|(e, s)| *e += weight * s);
    }
    if norm == Norm::Linf {
        return Ok(estimate.into_iter().map(|e| if e == 0.0 { 0.0 } else { e.signum() }).collect());
    }
    let length = estimate.iter().map(|e| e * e).sum::<f64>().sqrt().max(f64::MIN_POSITIVE);
    Ok(estimate.into_iter().map(|e| e / length).collect())
}
