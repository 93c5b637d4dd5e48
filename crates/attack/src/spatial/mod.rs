//! stAdv: pixels move instead of changing their values.

mod flow;

use crate::descent::{Parametrization, Search, descend};
use crate::geometry::Geometry;
use crate::problem::{Problem, require};
use crate::{Adversarial, Attack, AttackError, Ball, Classifier, Criterion, Loss, Seed};
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
            let flow = vec![0.0; 2 * geometry.height * geometry.width];
            Search::new(row, flow, problem.center(row).to_vec(), f64::INFINITY)
        };
        let searches = problem.pending().into_iter().map(start).collect();
        descend(&mut problem, searches, &Flow { attack: *self, geometry }, self.steps, self.rate)?;
        problem.finish()
    }
}

// Flows, (down, right) in pixels for all pixels, and the lowest roughness of an adversarial image.
struct Flow {
    attack: Spatial,
    geometry: Geometry,
}

impl Parametrization for Flow {
    type Memory = f64;
    const LOSS: Loss = Loss::Margin;

    fn judge(&self, problem: &mut Problem, search: &mut Search<f64>, logits: &[f32]) -> bool {
        let rough = roughness(&search.variables, self.geometry);
        let inside = problem.ball.contains(problem.center(search.row), &search.x);
        if inside && rough < search.memory && problem.criterion.is_adversarial(search.row, logits) {
            search.memory = rough;
            problem.keep(search.row, &search.x);
        }
        false
    }

    fn slopes(
        &self,
        problem: &Problem,
        searches: &[Search<f64>],
        logits: &[f32],
        gradients: &[f32],
    ) -> Result<Vec<Vec<f64>>, AttackError> {
        let (width, classes) = (problem.model.width(), problem.model.classes());
        let criterion = problem.criterion;
        let centers: Vec<&[f32]> = searches.iter().map(|s| problem.center(s.row)).collect();
        let parts = gradients.par_chunks_exact(width).zip(logits.par_chunks_exact(classes)).zip(centers);
        let slopes = searches.par_iter().zip(parts).map(|(search, ((gradient, z), center))| {
            let mut slope = roughness_gradient(&search.variables, self.geometry);
            slope.iter_mut().for_each(|s| *s *= self.attack.smoothness);
            if criterion.margin(search.row, z) > -self.attack.confidence {
                let by_margin = warp_gradient(center, &search.variables, gradient, self.geometry);
                slope.iter_mut().zip(by_margin).for_each(|(s, g)| *s += g);
            }
            slope
        });
        Ok(slopes.collect())
    }

    fn place(&self, problem: &Problem, searches: &mut [Search<f64>]) -> Result<(), AttackError> {
        let limits = problem.ball.limits();
        let centers: Vec<&[f32]> = searches.iter().map(|s| problem.center(s.row)).collect();
        searches.par_iter_mut().zip(centers).for_each(|(search, center)| {
            search.x = warp(center, &search.variables, self.geometry);
            search.x.iter_mut().for_each(|v| *v = v.clamp(limits.0, limits.1));
        });
        Ok(())
    }
}
