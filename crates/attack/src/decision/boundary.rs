//! The boundary attack.

use super::start::{Search, starts};
use super::{bisect, decisions};
use crate::problem::{Problem, require};
use crate::{Adversarial, Attack, AttackError, Ball, Classifier, Criterion, Norm, Seed};
use perturb_graph::Tensor;
use rand_distr::{Distribution, StandardNormal};
use rayon::prelude::*;

/// Boundary attack (Brendel et al. 2018, algorithm 1), ℓ2: from an adversarial point, a random step on the sphere around
/// the example, then a step towards the example, kept if still adversarial. Both relative sizes are adapted: the first so
/// that about half of the steps on the sphere stay adversarial, the second so that about a quarter of all steps do.
///
/// A targeted attack starts from another input of the target class; without one it fails.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Boundary {
    /// Steps.
    pub steps: usize,
    /// Length of a step on the sphere at the start, relative to the distance.
    pub spherical_step: f64,
    /// Length of a step towards the example at the start, relative to the distance.
    pub source_step: f64,
    /// Factor by which both are adapted.
    pub adaptation: f64,
}

impl Default for Boundary {
    /// 25 000 steps, sizes 0.01, factor 1.5.
    fn default() -> Self {
        Boundary { steps: 25_000, spherical_step: 0.01, source_step: 0.01, adaptation: 1.5 }
    }
}

// Every so many steps the point on the sphere is judged too.
const PROBING: usize = 10;
// Outcomes after which a step is adapted.
const SPHERICAL_WINDOW: usize = 100;
const SOURCE_WINDOW: usize = 30;
const START_TOLERANCE: f64 = 1e-3;

// The steps of one example and their outcomes since the last adaptation: (adversarial, all).
struct Walk {
    search: Search,
    spherical_step: f64,
    source_step: f64,
    on_sphere: (usize, usize),
    inward: (usize, usize),
    proposal: Vec<f32>,
    sphere: Vec<f32>,
}

impl Attack for Boundary {
    fn name(&self) -> &'static str {
        "boundary"
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
        let name = self.name();
        for (parameter, value) in [("spherical_step", self.spherical_step), ("source_step", self.source_step)] {
            require(value > 0.0 && value < 1.0, name, parameter, value, "in (0, 1)")?;
        }
        require(self.adaptation > 1.0 && self.adaptation.is_finite(), name, "adaptation", self.adaptation, "above 1")?;
        let mut problem = Problem::new(model, inputs, criterion, ball, seed)?;
        problem.supports(name, &[Norm::L2])?;
        problem.needs_bounds(name)?;
        let mut pending = self.begin(&mut problem)?;
        for step in 0..self.steps {
            if pending.is_empty() {
                break;
            }
            self.step(&mut problem, &mut pending, step % PROBING == 0)?;
        }
        problem.project();
        problem.finish()
    }
}

impl Boundary {
    fn begin(&self, problem: &mut Problem) -> Result<Vec<Walk>, AttackError> {
        let searches = starts(problem)?;
        let rows: Vec<usize> = searches.iter().map(|s| s.row).collect();
        let mut points: Vec<Vec<f32>> = searches.iter().map(|s| s.x.clone()).collect();
        bisect(problem, &rows, &mut points, START_TOLERANCE)?;
        let mut walks = Vec::with_capacity(searches.len());
        for (mut search, x) in searches.into_iter().zip(points) {
            search.x = x;
            if !problem.keep_nearer(search.row, &search.x, &mut search.best) {
                walks.push(Walk {
                    search,
                    spherical_step: self.spherical_step,
                    source_step: self.source_step,
                    on_sphere: (0, 0),
                    inward: (0, 0),
                    proposal: Vec::new(),
                    sphere: Vec::new(),
                });
            }
        }
        Ok(walks)
    }

    // One step of all pending examples; whoever is within the ball leaves.
    fn step(&self, problem: &mut Problem, pending: &mut Vec<Walk>, probing: bool) -> Result<(), AttackError> {
        let centers: Vec<&[f32]> = pending.iter().map(|w| problem.center(w.search.row)).collect();
        let limits = problem.ball.limits();
        pending.par_iter_mut().zip(&centers).for_each(|(walk, center)| walk.propose(center, limits));
        let rows: Vec<usize> = pending.iter().map(|w| w.search.row).collect();
        if probing {
            let x: Vec<f32> = pending.iter().flat_map(|w| &w.sphere).copied().collect();
            for (walk, adversarial) in pending.iter_mut().zip(decisions(problem, &rows, &x)?) {
                walk.on_sphere.0 += usize::from(adversarial);
                walk.on_sphere.1 += 1;
            }
        }
        let x: Vec<f32> = pending.iter().flat_map(|w| &w.proposal).copied().collect();
        let mut verdicts = decisions(problem, &rows, &x)?.into_iter();
        pending.retain_mut(|walk| {
            let adversarial = verdicts.next().unwrap_or(false);
            walk.inward.0 += usize::from(adversarial);
            walk.inward.1 += 1;
            self.adapt(walk);
            let search = &mut walk.search;
            if !adversarial || problem.ball.distance(problem.center(search.row), &walk.proposal) >= search.best {
                return true;
            }
            search.x.copy_from_slice(&walk.proposal);
            !problem.keep_nearer(search.row, &search.x, &mut search.best)
        });
        Ok(())
    }

    fn adapt(&self, walk: &mut Walk) {
        let share = |(hits, all): (usize, usize)| hits as f64 / all as f64;
        if walk.on_sphere.1 >= SPHERICAL_WINDOW {
            let factor = match share(walk.on_sphere) {
                s if s > 0.5 => self.adaptation,
                s if s < 0.2 => 1.0 / self.adaptation,
                _ => 1.0,
            };
            walk.spherical_step = (walk.spherical_step * factor).min(1.0);
            walk.source_step = (walk.source_step * factor).min(0.5);
            walk.on_sphere = (0, 0);
        }
        if walk.inward.1 >= SOURCE_WINDOW {
            let factor = match share(walk.inward) {
                s if s > 0.25 => self.adaptation,
                s if s < 0.1 => 1.0 / self.adaptation,
                _ => 1.0,
            };
            walk.source_step = (walk.source_step * factor).min(0.5);
            walk.inward = (0, 0);
        }
    }
}

impl Walk {
    // A normal direction without its part along the way to the example, at the same distance; then nearer.
    fn propose(&mut self, center: &[f32], (lo, hi): (f32, f32)) {
        let search = &mut self.search;
        let offset: Vec<f64> = search.x.iter().zip(center).map(|(&v, &c)| f64::from(v) - f64::from(c)).collect();
        let length = |d: &[f64]| d.iter().map(|d| d * d).sum::<f64>().sqrt();
        let distance = length(&offset).max(f64::MIN_POSITIVE);
        let mut step: Vec<f64> = offset.iter().map(|_| StandardNormal.sample(&mut search.rng)).collect();
        let along = step.iter().zip(&offset).map(|(s, o)| s * o).sum::<f64>() / (distance * distance);
        step.iter_mut().zip(&offset).for_each(|(s, o)| *s -= along * o);
        let scale = self.spherical_step * distance / length(&step).max(f64::MIN_POSITIVE);
        let turned: Vec<f64> = offset.iter().zip(&step).map(|(o, s)| o + scale * s).collect();
        let back = distance / length(&turned).max(f64::MIN_POSITIVE);
        let at = |factor: f64| -> Vec<f32> {
            let points = center.iter().zip(&turned);
            points.map(|(&c, t)| ((f64::from(c) + factor * t) as f32).clamp(lo, hi)).collect()
        };
        (self.sphere, self.proposal) = (at(back), at(back * (1.0 - self.source_step)));
    }
}
