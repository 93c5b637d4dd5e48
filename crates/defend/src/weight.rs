//! Perturbation of the weights.

use perturb_graph::{Expr, grad};
use perturb_nn::{Hook, Step, TrainError};

/// Robust weight perturbation (Yu et al. 2022, algorithm 1), with adversarial weight perturbation (Wu et al. 2020) as its
/// special case: the loss is taken at weights that were moved uphill, but only by examples whose loss is small.
///
/// From v = 0, in each ascent the gradient over v of the mean loss of the [`Perturbing`] examples at w + v (divided by the
/// size of the batch) is scaled, tensor by tensor, to the length of the weights and added to v, and v is scaled to γ times
/// that length. Which examples perturb is asked anew each time; where none does, v stays. Tensors of fewer than two axes (biases, scales of norms) do not move.
///
/// Apply it after hooks that change the batch: adversarial examples are made at the weights as they are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WeightPerturbation {
    /// Length of the perturbation of a tensor, relative to the tensor's.
    pub gamma: f64,
    /// Number of ascents.
    pub ascents: usize,
    /// Which examples move the weights.
    pub examples: Perturbing,
}

/// Which examples of a batch move the weights.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Perturbing {
    /// All of them.
    All,
    /// Those whose loss is below this (`c_min` of Yu et al. 2022).
    LossBelow(f64),
    /// Those whose loss is at least this: the control experiment.
    LossFrom(f64),
}

impl WeightPerturbation {
    /// Adversarial weight perturbation: one ascent, by all examples.
    pub fn awp(gamma: f64) -> WeightPerturbation {
        WeightPerturbation { gamma, ascents: 1, examples: Perturbing::All }
    }

    /// Robust weight perturbation of a classifier of `classes` classes: ten ascents with γ = 0.01, and as threshold ¾ of
    /// the loss of a guess, `0.75·ln C`.
    pub fn robust(classes: usize) -> WeightPerturbation {
        WeightPerturbation { gamma: 0.01, ascents: 10, examples: Perturbing::LossBelow(0.75 * (classes as f64).ln()) }
    }
}

impl Perturbing {
    // 1 for an example that perturbs, 0 for another.
    fn mask(self, losses: &Expr) -> Expr {
        let mask = match self {
            Perturbing::All => losses.like(1.0),
            Perturbing::LossBelow(c) => losses.less(&losses.like(c)),
            Perturbing::LossFrom(c) => losses.greater_equal(&losses.like(c)),
        };
        mask.stop_gradient()
    }
}

impl Hook for WeightPerturbation {
    /// # Errors
    /// If γ does not lie in [0, 1), a threshold is negative or not a number, or the step has no objective.
    fn apply(&self, step: &mut Step) -> Result<(), TrainError> {
        let threshold = match self.examples {
            Perturbing::All => 0.0,
            Perturbing::LossBelow(c) | Perturbing::LossFrom(c) => c,
        };
        if !(0.0..1.0).contains(&self.gamma) || threshold.is_nan() || threshold < 0.0 {
            let message = format!("{self:?}: gamma must lie in [0, 1), and a threshold of the loss be at least 0");
            return Err(TrainError::Setting(message));
        }
        let weights: Vec<Expr> = step.parameters()?.into_iter().filter(|p| p.rank() >= 2).collect();
        let mut moves: Vec<Expr> = weights.iter().map(|w| w.like(0.0)).collect();
        for _ in 0..self.ascents {
            let here: Vec<Expr> = weights.iter().map(|w| Expr::input("weight", w.shape(), w.dtype())).collect();
            let pairs: Vec<(Expr, Expr)> = weights.iter().cloned().zip(here.iter().cloned()).collect();
            let losses = step.loss_with(&pairs)?;
            let counted = self.examples.mask(&losses);
            let loss = losses.mul(&counted).reduce_mean(&(0..losses.rank()).collect::<Vec<_>>(), false);
            let ascents = grad(&loss, &here)?;
            let at: Vec<(Expr, Expr)> =
                here.into_iter().zip(weights.iter().zip(&moves).map(|(w, v)| w.add(v))).collect();
            let ascents = perturb_graph::substitute(&ascents, &at)?;
            for ((w, v), ascent) in weights.iter().zip(&mut moves).zip(ascents) {
                let length = norm(w);
                let moved = v.add(&ascent.mul(&ratio(&length, &norm(&ascent))));
                *v = moved.mul(&ratio(&length.scale(self.gamma), &norm(&moved)));
            }
        }
        step.move_weights(&weights.into_iter().zip(moves).collect::<Vec<_>>())
    }
}

fn norm(x: &Expr) -> Expr {
    x.square().sum().sqrt()
}

// a/b, and 0 where b is.
fn ratio(a: &Expr, b: &Expr) -> Expr {
    let positive = b.greater(&b.like(0.0));
    Expr::select(&positive, &a.div(&Expr::select(&positive, b, &b.like(1.0))), &a.like(0.0))
}
