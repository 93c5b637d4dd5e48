//! Decoupled direction and norm.

use crate::loss::Objective;
use crate::problem::{Problem, require};
use crate::{Adversarial, Attack, AttackError, Ball, Classifier, Criterion, Loss, Norm, Seed};
use perturb_graph::Tensor;
use std::f64::consts::PI;

/// DDN (Rony et al. 2019, algorithm 1), ℓ2: the perturbation takes a step along the normalised gradient of the
/// cross-entropy, then its norm is set to a radius that shrinks by the factor 1 − γ if the point before was adversarial
/// and grows by 1 + γ if not. Step sizes fall from 1 to 0.01 along a cosine.
///
/// In a ball of infinite radius it returns the nearest adversarial example found; in a finite one, the first within it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ddn {
    /// Steps.
    pub steps: usize,
    /// γ.
    pub rate: f64,
    /// The radius at the start, in the units of the input.
    pub initial_radius: f64,
    /// Perturbations are rounded to this many levels of the input's range, if it has one; `None` for no rounding.
    pub levels: Option<u32>,
}

impl Default for Ddn {
    /// 100 steps, γ = 0.05, radius 1, 256 levels.
    fn default() -> Self {
        Ddn { steps: 100, rate: 0.05, initial_radius: 1.0, levels: Some(256) }
    }
}

const FIRST_STEP: f64 = 1.0;
const LAST_STEP: f64 = 0.01;

// The search for one example.
struct Search {
    row: usize,
    delta: Vec<f64>,
    radius: f64,
    best: f64,
    x: Vec<f32>,
}

impl Attack for Ddn {
    fn name(&self) -> &'static str {
        "DDN"
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
        let (name, radius) = (self.name(), self.initial_radius);
        require(self.steps > 0, name, "steps", 0.0, "1 or more")?;
        require(self.rate > 0.0 && self.rate < 1.0, name, "rate", self.rate, "in (0, 1)")?;
        require(radius > 0.0 && radius.is_finite(), name, "initial_radius", radius, "positive")?;
        require(self.levels.is_none_or(|l| l > 1), name, "levels", 1.0, "2 or more")?;
        let mut problem = Problem::new(model, inputs, criterion, ball, seed)?;
        problem.supports(name, &[Norm::L2])?;
        let start = |row| {
            let x = problem.center(row).to_vec();
            Search { row, delta: vec![0.0; x.len()], radius, best: f64::INFINITY, x }
        };
        let mut pending: Vec<Search> = problem.pending().into_iter().map(start).collect();
        for step in 0..=self.steps {
            if pending.is_empty() {
                break;
            }
            self.step(&mut problem, &mut pending, step)?;
        }
        problem.project();
        problem.finish()
    }
}

impl Ddn {
    // Judges the current points of all pending examples, and moves on from them.
    fn step(&self, problem: &mut Problem, pending: &mut Vec<Search>, step: usize) -> Result<(), AttackError> {
        let (model, criterion) = (problem.model, problem.criterion);
        let objective = Objective::Class(Loss::CrossEntropy);
        let rows: Vec<usize> = pending.iter().map(|s| s.row).collect();
        let class = |&row: &usize| objective.weights(model.classes(), criterion.classes()[row], 0);
        let weights: Vec<f32> = rows.iter().flat_map(class).collect();
        let x: Vec<f32> = pending.iter().flat_map(|s| &s.x).copied().collect();
        let found = problem.gradients(&rows, &x, objective, &weights)?;
        let share = step as f64 / self.steps as f64;
        let size = LAST_STEP + (FIRST_STEP - LAST_STEP) * 0.5 * (1.0 + (PI * share).cos());
        let mut gradients = found.gradients.chunks_exact(model.width());
        let mut logits = found.logits.chunks_exact(model.classes());
        pending.retain_mut(|search| {
            let (Some(gradient), Some(z)) = (gradients.next(), logits.next()) else { return false };
            let adversarial = criterion.is_adversarial(search.row, z);
            if adversarial && problem.keep_nearer(search.row, &search.x, &mut search.best) {
                return false;
            }
            search.radius *= if adversarial { 1.0 - self.rate } else { 1.0 + self.rate };
            self.advance(
                search,
                problem.center(search.row),
                problem.ball,
                gradient,
                f64::from(criterion.sign()) * size,
            );
            true
        });
        Ok(())
    }

    fn advance(&self, search: &mut Search, center: &[f32], ball: &Ball, gradient: &[f32], step: f64) {
        let length = gradient.iter().map(|&g| f64::from(g).powi(2)).sum::<f64>().sqrt();
        if length > 0.0 && length.is_finite() {
            search.delta.iter_mut().zip(gradient).for_each(|(d, &g)| *d += step * f64::from(g) / length);
        }
        let scale = search.radius / search.delta.iter().map(|d| d * d).sum::<f64>().sqrt().max(f64::MIN_POSITIVE);
        let (lo, hi) = ball.limits();
        let range = f64::from(hi) - f64::from(lo);
        let unit = self.levels.filter(|_| range.is_finite()).map(|levels| range / f64::from(levels - 1));
        for ((v, d), &c) in search.x.iter_mut().zip(&mut search.delta).zip(center) {
            *d *= scale;
            let rounded = unit.map_or(*d, |unit| (*d / unit).round() * unit);
            *v = ((f64::from(c) + rounded) as f32).clamp(lo, hi);
            *d = f64::from(*v) - f64::from(c);
        }
    }
}
