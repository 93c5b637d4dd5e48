//! stAdv: pixels move instead of changing their values.

mod flow;

use crate::adam::Adam;
use crate::geometry::Geometry;
use crate::problem::{Problem, require};
use crate::{Adversarial, Attack, AttackError, Ball, Classifier, Criterion, Seed};
use flow::{roughness, roughness_gradient, warp, warp_gradient};
use perturb_graph::Tensor;
use rayon::prelude::*;

/// stAdv (Xiao et al. 2018): Adam (the paper: L-BFGS) minimises `max(margin, −κ) + τ·R(f)` over a flow field f, by which
/// each pixel takes its value, interpolated bilinearly, from elsewhere. `R = Σ √(‖Δu‖² + ‖Δv‖²)`, over all pixels and
/// their four neighbours, keeps the flow smooth. Of the adversarial images in the ball the one with the smoothest flow is
/// returned.
///
/// Small flows can change pixels by much: the ball is meant to be of infinite radius.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spatial {
    /// Steps of Adam.
    pub steps: usize,
    /// Learning rate, in pixels.
    pub rate: f64,
    /// τ, the weight of the roughness of the flow.
    pub smoothness: f64,
    /// κ, by how much the margin should be passed.
    pub confidence: f64,
}

impl Default for Spatial {
    /// 200 steps of 0.02 pixels, τ = 0.05, κ = 0.
    fn default() -> Self {
        Spatial { steps: 200, rate: 0.02, smoothness: 0.05, confidence: 0.0 }
    }
}

// The search for one example: its flow, (down, right) in pixels for all pixels.
struct Search {
    row: usize,
    flow: Vec<f64>,
    adam: Adam,
    x: Vec<f32>,
    best: f64,
}

impl Attack for Spatial {
    fn name(&self) -> &'static str {
        "stAdv"
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
        require(self.steps > 0, name, "steps", 0.0, "1 or more")?;
        require(self.rate > 0.0 && self.rate.is_finite(), name, "rate", self.rate, "positive")?;
        for (parameter, value) in [("smoothness", self.smoothness), ("confidence", self.confidence)] {
            require(value >= 0.0 && value.is_finite(), name, parameter, value, "0 or more")?;
        }
        let geometry = Geometry::of(model.example_shape());
        let mut problem = Problem::new(model, inputs, criterion, ball, seed)?;
        let start = |row| {
            let (flow, x) = (vec![0.0; 2 * geometry.height * geometry.width], problem.center(row).to_vec());
            Search { row, flow, adam: Adam::default(), x, best: f64::INFINITY }
        };
        let mut pending: Vec<Search> = problem.pending().into_iter().map(start).collect();
        for _ in 0..=self.steps {
            if pending.is_empty() {
                break;
            }
            self.step(&mut problem, &mut pending, geometry)?;
        }
        problem.finish()
    }
}

impl Spatial {
    fn step(&self, problem: &mut Problem, pending: &mut [Search], geometry: Geometry) -> Result<(), AttackError> {
        let (width, classes) = (problem.model.width(), problem.model.classes());
        let rows: Vec<usize> = pending.iter().map(|s| s.row).collect();
        let x: Vec<f32> = pending.iter().flat_map(|s| &s.x).copied().collect();
        let found = problem.margin_gradients(&rows, &x)?;
        for (search, z) in pending.iter_mut().zip(found.logits.chunks_exact(classes)) {
            let rough = roughness(&search.flow, geometry);
            let inside = problem.ball.contains(problem.center(search.row), &search.x);
            if inside && rough < search.best && problem.criterion.is_adversarial(search.row, z) {
                search.best = rough;
                problem.keep(search.row, &search.x);
            }
        }
        let (criterion, limits) = (problem.criterion, problem.ball.limits());
        let centers: Vec<&[f32]> = rows.iter().map(|&row| problem.center(row)).collect();
        let parts = found.gradients.par_chunks_exact(width).zip(found.logits.par_chunks_exact(classes)).zip(centers);
        pending.par_iter_mut().zip(parts).for_each(|(search, ((gradient, z), center))| {
            let mut slope = roughness_gradient(&search.flow, geometry);
            slope.iter_mut().for_each(|s| *s *= self.smoothness);
            if criterion.margin(search.row, z) > -self.confidence {
                let by_margin = warp_gradient(center, &search.flow, gradient, geometry);
                slope.iter_mut().zip(by_margin).for_each(|(s, g)| *s += g);
            }
            search.adam.descend(&mut search.flow, &slope, self.rate);
            search.x = warp(center, &search.flow, geometry);
            search.x.iter_mut().for_each(|v| *v = v.clamp(limits.0, limits.1));
        });
        Ok(())
    }
}
