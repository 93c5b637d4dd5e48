//! Universal perturbations: one for all inputs.

mod gd_uap;
mod tpower;

pub use gd_uap::{GdUap, Prior};
pub use tpower::{Singular, TPower};

use crate::problem::require;
use crate::{Attack, AttackError, Ball, Classifier, Criterion, DeepFool, Norm, Seed};
use perturb_graph::Tensor;

/// UAP (Moosavi-Dezfooli et al. 2017, algorithm 1): for one example after another that `x + v` does not fool, v takes up
/// the step of DeepFool from there over the nearest boundary, and is projected onto the ball around zero; until the share
/// of examples fooled is reached. The best v after a pass is returned.
///
/// Examples are looked at one by one: a [`Classifier`] with batches of one example is the fastest.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Uap {
    /// Most passes over the examples.
    pub passes: usize,
    /// Share of examples at which to stop.
    pub fooling_rate: f64,
    /// What takes a single example over a boundary.
    pub inner: DeepFool,
}

impl Default for Uap {
    /// Ten passes, 0.8, ten steps of DeepFool.
    fn default() -> Self {
        Uap { passes: 10, fooling_rate: 0.8, inner: DeepFool { steps: 10, ..DeepFool::default() } }
    }
}

/// A perturbation of any input of a model.
#[derive(Clone, Debug, PartialEq)]
pub struct Universal {
    /// What is added, of the shape of one example.
    pub delta: Tensor,
    ball: Ball,
}

const NAME: &str = "UAP";

impl Uap {
    /// The perturbation in `ball` around zero (whose bounds are those of the inputs) for `inputs [N, …example]`.
    ///
    /// # Errors
    /// See [`Attack::run`].
    pub fn fit(
        &self,
        model: &Classifier,
        inputs: &Tensor,
        criterion: &Criterion,
        ball: &Ball,
    ) -> Result<Universal, AttackError> {
        require(self.passes > 0, NAME, "passes", 0.0, "1 or more")?;
        require((0.0..=1.0).contains(&self.fooling_rate), NAME, "fooling_rate", self.fooling_rate, "in [0, 1]")?;
        if ball.epsilon().is_infinite() {
            return Err(AttackError::NoBudget { attack: NAME });
        }
        let count = model.rows(inputs)?.len() / model.width();
        criterion.check(count, model.classes())?;
        let reach = Ball::new(ball.norm(), ball.epsilon(), (f64::NEG_INFINITY, f64::INFINITY))?;
        // DeepFool knows ℓ2 and ℓ∞.
        let norm = if ball.norm() == Norm::Linf { Norm::Linf } else { Norm::L2 };
        let free = Ball::unbounded(norm, ball.bounds())?;
        let shape = model.example_shape().clone();
        let origin = vec![0.0f32; model.width()];
        let mut universal = Universal { delta: Tensor::new(shape, origin.clone())?, ball: *ball };
        let mut best = (universal.success_rate(model, inputs, criterion)?, universal.clone());
        for _ in 0..self.passes {
            if best.0 >= self.fooling_rate {
                break;
            }
            for row in 0..count {
                let moved = universal.apply(&inputs.rows(row, row + 1))?;
                let found = self.inner.run(model, &moved, &criterion.select(&[row]), &free, &Seed::new(0, 0))?;
                let delta = universal.delta.as_mut_slice::<f32>();
                let steps = found.inputs.as_slice::<f32>().iter().zip(moved.as_slice::<f32>());
                delta.iter_mut().zip(steps).for_each(|(d, (to, from))| *d += to - from);
                reach.project(&origin, delta);
            }
            let rate = universal.success_rate(model, inputs, criterion)?;
            if rate > best.0 {
                best = (rate, universal.clone());
            }
        }
        Ok(best.1)
    }
}

impl Universal {
    /// The perturbation `delta`, of the shape of one example, in a ball around zero whose bounds are those of the inputs.
    ///
    /// # Errors
    /// If the perturbation is longer than the ball's radius, or not in single precision.
    pub fn new(delta: Tensor, ball: Ball) -> Result<Universal, AttackError> {
        let Some(values) = delta.try_as_slice::<f32>() else {
            let (dtype, shape) = (delta.dtype(), delta.shape().clone());
            return Err(AttackError::Inputs { dtype, shape: shape.clone(), expected: shape });
        };
        let length = ball.distance(&vec![0.0; values.len()], values);
        // A projection may round up.
        require(length <= ball.epsilon() * (1.0 + 1e-6), "universal", "perturbation", length, "within epsilon")?;
        Ok(Universal { delta, ball })
    }

    /// `inputs [N, …example]` with the perturbation, within bounds and ball: a sum that rounding takes out is moved back.
    ///
    /// # Errors
    /// If the inputs do not have the perturbation's size.
    pub fn apply(&self, inputs: &Tensor) -> Result<Tensor, AttackError> {
        let delta = self.delta.as_slice::<f32>();
        let Some(values) = inputs.try_as_slice::<f32>().filter(|v| v.len() % delta.len() == 0) else {
            let (dtype, shape, expected) = (inputs.dtype(), inputs.shape().clone(), self.delta.shape().clone());
            return Err(AttackError::Inputs { dtype, shape, expected });
        };
        let (lo, hi) = self.ball.limits();
        let mut moved = Vec::with_capacity(values.len());
        for center in values.chunks_exact(delta.len()) {
            let mut x: Vec<f32> = center.iter().zip(delta).map(|(v, d)| (v + d).clamp(lo, hi)).collect();
            self.ball.project(center, &mut x);
            moved.extend(x);
        }
        Ok(Tensor::new(inputs.shape(), moved)?)
    }

    /// Share of inputs that meet the criterion with the perturbation. With the clean predictions as labels this is the
    /// fooling rate.
    ///
    /// # Errors
    /// If the inputs do not fit, or the engine fails.
    pub fn success_rate(&self, model: &Classifier, inputs: &Tensor, criterion: &Criterion) -> Result<f64, AttackError> {
        let logits = model.logits(&self.apply(inputs)?)?;
        let rows = logits.as_slice::<f32>().chunks_exact(model.classes()).enumerate();
        let (mut met, mut all) = (0, 0);
        for (row, z) in rows {
            met += usize::from(criterion.is_adversarial(row, z));
            all += 1;
        }
        Ok(if all == 0 { 1.0 } else { met as f64 / all as f64 })
    }
}

/// The criterion of the fooling rate: another class than that of each of the clean `inputs`. Where a logit is NaN, the
/// first class counts.
fn fooling(model: &Classifier, inputs: &Tensor) -> Result<Criterion, AttackError> {
    let labels = model.predictions(inputs)?.into_iter().map(Option::unwrap_or_default).collect();
    Ok(Criterion::Misclassify { labels })
}
