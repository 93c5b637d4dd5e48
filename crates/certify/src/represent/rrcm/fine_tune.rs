//! A classifier on the representation, trained under the noise under which it will be smoothed.

use super::{Encode, represent};
use perturb_graph::{DType, Expr, Graph, substitute};
use perturb_nn::{Hook, Layers, Step, TrainError};

/// The classifier of one example of `shape [1, …]` that holds noise of standard deviation `sigma`: a linear layer, named
/// `head`, on the encoder's representation.
///
/// # Errors
/// If the level is not positive, or the graph cannot be built.
pub fn classifier(
    layers: &Layers,
    encode: Encode<'_>,
    shape: &[usize],
    classes: usize,
    sigma: f64,
) -> Result<Graph, TrainError> {
    check(sigma)?;
    let x = Expr::try_input("input", shape, DType::F32)?;
    let representation = represent(layers, encode, &x, &Expr::full([1, 1], sigma, DType::F32));
    let logits = layers.at("head").linear(&representation, classes);
    Ok(Graph::new(vec![x], vec![("logits".into(), logits)])?)
}

/// Trains a classifier on inputs with Gaussian noise (Cohen et al. 2019), and on agreement between two draws of it: with
/// probabilities p₁, p₂ and their mean p̄, `½·[CE(p₁) + CE(p₂)] + λ·½·[KL(p̄‖p₁) + KL(p̄‖p₂)]` (Jeong & Shin 2020,
/// without their entropy).
///
/// For a step made by [`Step::classifier`]. With λ = 0 it is augmentation by noise alone.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FineTune {
    /// Standard deviation of the noise, in units of the input.
    pub sigma: f64,
    /// Weight λ of agreement.
    pub consistency: f64,
}

impl Hook for FineTune {
    /// # Errors
    /// If the level is not positive, the weight is negative, or the step lacks what this needs.
    fn apply(&self, step: &mut Step) -> Result<(), TrainError> {
        check(self.sigma)?;
        if !(self.consistency >= 0.0 && self.consistency.is_finite()) {
            return Err(TrainError::Setting(format!("a weight is at least 0, not {}", self.consistency)));
        }
        let (x, logits, targets) = (step.named("input")?, step.named("logits")?, step.named("targets")?);
        let mut draw = || -> Result<Expr, TrainError> {
            let noisy = x.add(&step.key().normal(x.shape(), x.dtype()).scale(self.sigma));
            Ok(substitute(std::slice::from_ref(&logits), &[(x.clone(), noisy)])?.remove(0))
        };
        let (first, second) = (draw()?, draw()?);
        let plain = first.cross_entropy(&targets).add(&second.cross_entropy(&targets)).scale(0.5);
        step.minimize(plain.add(&disagreement(&first, &second).scale(self.consistency)));
        Ok(())
    }
}

// ½·[KL(p̄‖p₁) + KL(p̄‖p₂)] of each example: Σ p̄·(ln p̄ − ½·ln p₁ − ½·ln p₂).
fn disagreement(first: &Expr, second: &Expr) -> Expr {
    let (a, b) = (first.log_softmax(1), second.log_softmax(1));
    let mean = a.exp().add(&b.exp()).scale(0.5);
    // A probability that underflows adds nothing.
    let logarithm = mean.offset(1e-30).log();
    mean.mul(&logarithm.sub(&a.add(&b).scale(0.5))).reduce_sum(&[1], false)
}

fn check(sigma: f64) -> Result<(), TrainError> {
    if sigma > 0.0 && sigma.is_finite() {
        return Ok(());
    }
    Err(TrainError::Setting(format!("noise has a finite standard deviation above 0, not {sigma}")))
}
