//! Deletion and insertion.

use crate::channels::descending;
use crate::sweep::check_draws;
use crate::{Baseline, ChannelSum, ExplainError, Model, Result};
use perturb_graph::Tensor;
use perturb_metrics::curve::trapezoid;

/// Deletion or insertion (Petsiuk et al. 2018, section 4.1): the probability (softmax) of the target class while pixels
/// are removed from the input, or put into an empty one, from the highest attribution to the lowest. Pixels with equal
/// attributions go in order of position.
#[derive(Clone, Debug, PartialEq)]
pub struct RemovalCurve {
    /// Which way.
    pub route: Route,
    /// What an absent pixel is.
    pub baseline: Baseline,
    /// Number of steps, of equally many pixels each; no more than there are pixels are made.
    pub steps: usize,
    /// How a pixel's channels are summed.
    pub channels: ChannelSum,
}

/// Between which images a [`RemovalCurve`] goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    /// From the input to the baseline: attributions that find what matters make the probability fall early.
    Deletion,
    /// From the baseline to the input: attributions that find what matters make the probability rise early.
    Insertion,
}

/// The probability of one example's target class along the way.
#[derive(Clone, Debug, PartialEq)]
pub struct Curve {
    /// Share of the pixels that have been removed or inserted, from 0 to 1.
    pub fraction: Vec<f64>,
    /// Probability of the target class.
    pub probability: Vec<f64>,
}

impl RemovalCurve {
    /// Deletion towards zero in 50 steps, signed; a smaller area is better.
    pub fn deletion() -> RemovalCurve {
        let (route, baseline) = (Route::Deletion, Baseline::Zero);
        RemovalCurve { route, baseline, steps: 50, channels: ChannelSum::Signed }
    }

    /// Insertion into the blurred input in 50 steps, signed; a larger area is better.
    pub fn insertion() -> RemovalCurve {
        RemovalCurve { route: Route::Insertion, baseline: Baseline::PETSIUK, ..RemovalCurve::deletion() }
    }

    /// Area under each example's curve, in \[0, 1\], by the trapezoid rule.
    ///
    /// # Errors
    /// See [`RemovalCurve::curves`].
    pub fn evaluate(
        &self,
        model: &Model,
        inputs: &Tensor,
        attributions: &Tensor,
        targets: &[usize],
    ) -> Result<Vec<f64>> {
        let curves = self.curves(model, inputs, attributions, targets)?;
        curves.iter().map(|curve| Ok(trapezoid(&curve.fraction, &curve.probability)?)).collect()
    }

    /// The curve of each example.
    ///
    /// # Errors
    /// If a tensor or a target does not fit the model, the model has a single output and so no probabilities, a
    /// hyperparameter is outside its domain, or a value is not finite.
    pub fn curves(
        &self,
        model: &Model,
        inputs: &Tensor,
        attributions: &Tensor,
        targets: &[usize],
    ) -> Result<Vec<Curve>> {
        check_draws("deletion/insertion steps", 1, self.steps)?;
        if model.classes() < 2 {
            let reason = "deletion and insertion need class probabilities, and it has a single output".into();
            return Err(ExplainError::Model { reason });
        }
        let geometry = model.geometry();
        let examples = model.targeted(inputs, targets)?;
        let maps = examples.partner("attributions", attributions, model.example_shape())?;
        let baselines = self.baseline.of(model, examples)?;
        let (pixels, width) = (geometry.pixels(), geometry.elements());
        let steps = self.steps.min(pixels);
        let replaced = |step: usize| (step * pixels + steps / 2) / steps;
        // When each pixel of each example is replaced: 0 for the first.
        let mut turns = vec![0; examples.count() * pixels];
        for (turns, map) in turns.chunks_exact_mut(pixels).zip(maps.rows()) {
            let order = descending(&self.channels.pixels(geometry, map));
            order.into_iter().enumerate().for_each(|(turn, pixel)| turns[pixel] = turn);
        }
        let fill = |example: usize, step: usize, row: &mut [f32]| {
            let (input, empty) = (examples.row(example), &baselines[example * width..][..width]);
            let (from, to) = if self.route == Route::Deletion { (input, empty) } else { (empty, input) };
            let turns = &turns[example * pixels..][..pixels];
            for (i, v) in row.iter_mut().enumerate() {
                *v = if turns[i % pixels] < replaced(step) { to[i] } else { from[i] };
            }
        };
        let fraction: Vec<f64> = (0..=steps).map(|step| replaced(step) as f64 / pixels as f64).collect();
        let mut curves: Vec<Curve> = Vec::with_capacity(examples.count());
        model.for_each_logits(examples.count(), steps + 1, fill, |row| {
            if row.draw == 0 {
                curves.push(Curve { fraction: fraction.clone(), probability: Vec::with_capacity(steps + 1) });
            }
            curves[row.example].probability.push(probability(row.result, targets[row.example]));
        })?;
        Ok(curves)
    }
}

// Softmax in f64.
fn probability(logits: &[f32], class: usize) -> f64 {
    let odds = logits.iter().map(|&l| (f64::from(l) - f64::from(logits[class])).exp());
    1.0 / odds.sum::<f64>()
}
