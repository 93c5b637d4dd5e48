//! Infidelity.

use crate::error::require;
use crate::seed::Purpose;
use crate::sweep::check_draws;
use crate::{Baseline, Magnitude, Model, Result, Seed};
use perturb_graph::Tensor;
use rand::RngExt;
use rand_distr::{Distribution, StandardNormal};

/// Infidelity (Yeh et al. 2019, definition 2.1): `E_I[(Iᵀφ − (f(x) − f(x − I)))²]`, the error with which the attributions
/// φ predict how much the target's logit f loses under a random perturbation I. Perturbed inputs are not clipped.
#[derive(Clone, Debug, PartialEq)]
pub struct Infidelity {
    /// Number of perturbations of each example.
    pub samples: usize,
    /// Distribution of I.
    pub perturbation: Perturbation,
    /// Where the perturbations come from.
    pub seed: Seed,
}

/// The random perturbation I, subtracted from the input.
#[derive(Clone, Debug, PartialEq)]
pub enum Perturbation {
    /// Independent normal noise with this standard deviation on every element.
    Gaussian {
        /// The standard deviation.
        deviation: Magnitude,
    },
    /// A square of pixels, all positions equally likely, goes to its baseline: `I = x − x′` inside, 0 outside (Yeh et al.
    /// 2019, section 2.3, "square removal").
    SquareRemoval {
        /// Side of the square in pixels.
        side: usize,
        /// x′.
        baseline: Baseline,
    },
}

/// Infidelity of each example.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct InfidelityScores {
    /// Of the attributions as they are.
    pub raw: Vec<f64>,
    /// Of `β·φ` with the β that makes it smallest, which judges the pattern of φ and not its unit. It is Captum's
    /// `normalize=True` and the official code's scaling.
    pub scaled: Vec<f64>,
    /// `β = E[Iᵀφ·(f(x) − f(x − I))] / E[(Iᵀφ)²]` over the same perturbations; 0 if all Iᵀφ are 0.
    pub factor: Vec<f64>,
}

impl Default for Infidelity {
    /// 1000 normal perturbations of a fifth of the example's range (0.2 in the official code, for pixels in \[0, 1\]).
    fn default() -> Self {
        let perturbation = Perturbation::Gaussian { deviation: Magnitude::OfRange(0.2) };
        Infidelity { samples: 1000, perturbation, seed: Seed::default() }
    }
}

impl Infidelity {
    /// Judges attributions `[N, …example]` of the logits of `targets` at `inputs`.
    ///
    /// # Errors
    /// If a tensor or a target does not fit the model, a hyperparameter is outside its domain, or a value is not finite.
    pub fn evaluate(
        &self,
        model: &Model,
        inputs: &Tensor,
        attributions: &Tensor,
        targets: &[usize],
    ) -> Result<InfidelityScores> {
        check_draws("infidelity samples", 1, self.samples)?;
        let examples = model.targeted(inputs, targets)?;
        let maps = examples.partner("attributions", attributions, model.example_shape())?;
        let perturb = self.perturbation.prepare(model, inputs, targets)?;
        let fill = |example: usize, draw: usize, row: &mut [f32]| {
            row.copy_from_slice(examples.row(example));
            if draw > 0 {
                perturb(self.seed.rng(Purpose::Infidelity, example, draw), example, row);
            }
        };
        let mut scores = InfidelityScores::default();
        let (mut whole, mut pairs) = (0.0, Vec::with_capacity(self.samples));
        model.for_each_logits(examples.count(), self.samples + 1, fill, |row| {
            let logit = f64::from(row.result[targets[row.example]]);
            if row.draw == 0 {
                whole = logit;
                return;
            }
            // I as it reached the model, rounding included.
            let lost = examples.row(row.example).iter().zip(row.input).map(|(x, y)| f64::from(*x) - f64::from(*y));
            let predicted: f64 = lost.zip(maps.row(row.example)).map(|(i, &phi)| i * f64::from(phi)).sum();
            pairs.push((predicted, whole - logit));
            if row.draw == self.samples {
                scores.push(&pairs);
                pairs.clear();
            }
        })?;
        Ok(scores)
    }
}

impl InfidelityScores {
    // From pairs of predicted and true loss.
    fn push(&mut self, pairs: &[(f64, f64)]) {
        let mean = |f: &dyn Fn(f64, f64) -> f64| pairs.iter().map(|&(p, t)| f(p, t)).sum::<f64>() / pairs.len() as f64;
        let square = mean(&|p, _| p * p);
        let factor = if square > 0.0 { mean(&|p, t| p * t) / square } else { 0.0 };
        self.raw.push(mean(&|p, t| (p - t).powi(2)));
        self.scaled.push(mean(&|p, t| (factor * p - t).powi(2)));
        self.factor.push(factor);
    }
}

type Perturb<'a> = Box<dyn Fn(rand_chacha::ChaCha8Rng, usize, &mut [f32]) + Sync + 'a>;

impl Perturbation {
    // The function that perturbs a copy of one of the examples.
    fn prepare<'a>(&self, model: &'a Model, inputs: &'a Tensor, targets: &[usize]) -> Result<Perturb<'a>> {
        let examples = model.targeted(inputs, targets)?;
        match self {
            Perturbation::Gaussian { deviation } => {
                deviation.check("infidelity deviation")?;
                let deviations: Vec<f32> = examples.rows().map(|row| deviation.of(row)).collect();
                Ok(Box::new(move |mut rng, example, row| {
                    row.iter_mut().for_each(|v| {
                        let noise: f32 = StandardNormal.sample(&mut rng);
                        *v -= deviations[example] * noise;
                    });
                }))
            }
            Perturbation::SquareRemoval { side, baseline } => {
                let (side, geometry) = (*side, model.geometry());
                let reason =
                    || format!("must be between 1 and the image's, but was {side} for {:?}", geometry.spatial());
                require(side > 0 && geometry.holds(side), "infidelity square side", reason)?;
                let (baselines, width) = (baseline.of(model, examples)?, geometry.elements());
                Ok(Box::new(move |mut rng, example, row| {
                    let corner: Vec<usize> =
                        geometry.spatial().iter().map(|&n| rng.random_range(0..=n - side)).collect();
                    geometry.copy_cube(&corner, side, &baselines[example * width..][..width], row);
                }))
            }
        }
    }
}
