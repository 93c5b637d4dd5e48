//! Losses of the logits that put classes in an order.

use super::{Polytope, Ranking};
use crate::AttackError;

/// What an ordered top-K attack lowers: a function of the logits z of an example and its targets t₁…t_K.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum OrderedLoss {
    /// `‖f − z*‖²` of the features f before the last affine map and their nearest point z* in the [`Polytope`] of features
    /// whose logits are in the order, each pair a margin apart (Paniagua, Grainger and Wu 2023). z* is held: that is the
    /// exact gradient of a squared distance to a convex set.
    Projection {
        /// Margin of the logits of classes that follow each other.
        margin: f64,
    },
    /// `Σᵢ max(0, max_{j∉{t₁…tᵢ}} z_j − min_{j∈{t₁…tᵢ}} z_j + margin)`, the hinge of Carlini and Wagner, extended (Zhang and
    /// Wu 2020).
    Hinge {
        /// Margin of the logits.
        margin: f64,
    },
    /// Adversarial distillation (Zhang and Wu 2020): the Kullback–Leibler divergence of the prediction from the softmax of
    /// `first − i·decay` for tᵢ (i from 0) and 0 for all other classes.
    Distillation {
        /// Logit of the first target.
        first: f64,
        /// What each next one has less.
        decay: f64,
    },
}

/// A loss and its derivatives by the logits.
pub(super) struct Pull {
    pub loss: f64,
    pub weights: Vec<f32>,
}

impl OrderedLoss {
    /// For example `row` of the ranking, with `W·Wᵀ` of the last layer, which only the projection looks at.
    pub(super) fn pull(
        self,
        ranking: &Ranking,
        row: usize,
        logits: &[f32],
        products: &[f64],
    ) -> Result<Pull, AttackError> {
        let z: Vec<f64> = logits.iter().map(|&z| f64::from(z)).collect();
        let targets = &ranking.targets()[row];
        let (loss, weights) = match self {
            OrderedLoss::Projection { margin } => {
                let polytope = Polytope::new(ranking, row, products, margin);
                let found = polytope.project(logits)?;
                let mut weights = vec![0.0; z.len()];
                // 2·(f − z*) = −2·Gᵀ·λ, and the rows of G are differences of rows of W.
                for (&(above, below), l) in polytope.pairs().iter().zip(&found.multipliers) {
                    weights[above] -= 2.0 * l;
                    weights[below] += 2.0 * l;
                }
                (found.squared_distance, weights)
            }
            OrderedLoss::Hinge { margin } => hinge(&z, targets, margin),
            OrderedLoss::Distillation { first, decay } => distillation(&z, targets, first, decay),
        };
        Ok(Pull { loss, weights: weights.into_iter().map(|w| w as f32).collect() })
    }
}

fn hinge(z: &[f64], targets: &[usize], margin: f64) -> (f64, Vec<f64>) {
    let (mut loss, mut weights) = (0.0, vec![0.0; z.len()]);
    for i in 1..=targets.len() {
        let (top, rest): (Vec<usize>, Vec<usize>) = (0..z.len()).partition(|class| targets[..i].contains(class));
        let low = top.into_iter().min_by(|&a, &b| z[a].total_cmp(&z[b]));
        let high = rest.into_iter().max_by(|&a, &b| z[a].total_cmp(&z[b]));
        if let (Some(low), Some(high)) = (low, high)
            && z[high] - z[low] + margin > 0.0
        {
            loss += z[high] - z[low] + margin;
            weights[high] += 1.0;
            weights[low] -= 1.0;
        }
    }
    (loss, weights)
}

fn distillation(z: &[f64], targets: &[usize], first: f64, decay: f64) -> (f64, Vec<f64>) {
    let mut wanted = vec![0.0; z.len()];
    targets.iter().enumerate().for_each(|(i, &class)| wanted[class] = first - i as f64 * decay);
    let (wanted, found) = (log_softmax(&wanted), log_softmax(z));
    let loss = wanted.iter().zip(&found).map(|(p, q)| p.exp() * (p - q)).sum();
    (loss, wanted.iter().zip(&found).map(|(p, q)| q.exp() - p.exp()).collect())
}

fn log_softmax(z: &[f64]) -> Vec<f64> {
    let largest = z.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let sum = z.iter().map(|z| (z - largest).exp()).sum::<f64>().ln();
    z.iter().map(|z| z - largest - sum).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [OrderedLoss; 3] = [
        OrderedLoss::Projection { margin: 0.3 },
        OrderedLoss::Hinge { margin: 0.3 },
        OrderedLoss::Distillation { first: 10.0, decay: 0.3 },
    ];

    // With W the identity, features are logits, and the weights are the gradient.
    #[test]
    fn weights_are_finite_differences() {
        let classes = 5;
        let products: Vec<f64> = (0..25).map(|i| f64::from(u8::from(i % 6 == 0))).collect();
        let ranking = Ranking::new(vec![vec![3, 0]], classes).unwrap();
        let z = [0.5f32, -1.0, 2.0, 0.25, -0.125];
        for loss in ALL {
            let at = |z: &[f32]| loss.pull(&ranking, 0, z, &products).unwrap();
            let found = at(&z);
            assert!(found.loss > 0.0);
            for class in 0..classes {
                let moved = |h: f32| {
                    let mut z = z;
                    z[class] += h;
                    at(&z).loss
                };
                let difference = (moved(1.0 / 256.0) - moved(-1.0 / 256.0)) * 128.0;
                assert!((f64::from(found.weights[class]) - difference).abs() < 1e-3, "{loss:?} {class}: {difference}");
            }
        }
    }

    #[test]
    fn nothing_pulls_where_the_order_is_reached() {
        let products: Vec<f64> = (0..16).map(|i| f64::from(u8::from(i % 5 == 0))).collect();
        let ranking = Ranking::new(vec![vec![3, 0]], 4).unwrap();
        for loss in &ALL[..2] {
            let found = loss.pull(&ranking, 0, &[2.0, -1.0, 0.5, 3.0], &products).unwrap();
            assert!(found.loss == 0.0 && found.weights.iter().all(|w| *w == 0.0));
        }
        // Of two places in the wrong order both move by half of what is missing: 2·0.65².
        let found = ALL[0].pull(&ranking, 0, &[3.0, -1.0, 0.5, 2.0], &products).unwrap();
        assert!((found.loss - 2.0 * 0.65f64.powi(2)).abs() < 1e-12);
    }
}
