//! Losses whose input gradient an attack follows.

use perturb_graph::Expr;

/// A loss of one example, of its logits z and a class y; attacks raise it for a label and lower it for a target.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Loss {
    /// `log Σᵢ exp(zᵢ) − z_y`.
    #[default]
    CrossEntropy,
    /// `max_{i≠y} zᵢ − z_y` (Carlini and Wagner 2017, f₆ without its floor): its gradient does not vanish where the
    /// cross-entropy saturates.
    Margin,
    /// Difference of logits ratio `(max_{i≠y} zᵢ − z_y)/(z_π1 − z_π3)` with π the classes by decreasing logit (Croce and
    /// Hein 2020, eq. 6): invariant to shifting and scaling the logits. Of two classes there is no third, and it is
    /// [`Loss::Margin`].
    Dlr,
}

/// What an attack raises: a loss of one class, or of a pair of classes. The batch brings `weights [batch, classes]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Objective {
    /// Weights are 1 at the class.
    Class(Loss),
    /// `(z_t − z_y)/(z_π1 − (z_π3 + z_π4)/2)` (Croce and Hein 2020, eq. 7); weights are 1 at y and −1 at t. Of three
    /// classes the denominator is `z_π1 − z_π3`, of two it is 1.
    TargetedDlr,
}

/// Added to denominators, which are 0 where logits are equal.
const TINY: f64 = 1e-12;

impl Objective {
    /// Weights for a class `y`, and a target `t` if the objective has one.
    pub(crate) fn weights(self, classes: usize, y: usize, t: usize) -> Vec<f32> {
        let mut weights = vec![0.0; classes];
        weights[y] = 1.0;
        if self == Objective::TargetedDlr {
            weights[t] -= 1.0;
        }
        weights
    }

    /// Sum over the batch; `logits` and `weights` are `[batch, classes]`.
    pub(crate) fn total(self, logits: &Expr, weights: &Expr) -> Expr {
        let classes = logits.shape()[1];
        let chosen = |z: &Expr| z.mul(weights).reduce_sum(&[1], true);
        let margin = || {
            let others = Expr::select(weights, &logits.like(f64::from(f32::MIN)), logits);
            others.reduce_max(&[1], true).sub(&chosen(logits))
        };
        let sorted = logits.sort(1, true);
        let ranked = |rank: usize| sorted.slice_axis(1, rank - 1, rank);
        let each = match self {
            Objective::Class(Loss::CrossEntropy) => chosen(&logits.log_softmax(1)).neg(),
            Objective::Class(Loss::Dlr) if classes > 2 => margin().div(&ranked(1).sub(&ranked(3)).offset(TINY)),
            Objective::Class(_) => margin(),
            Objective::TargetedDlr => {
                let difference = chosen(logits).neg();
                match classes {
                    2 => difference,
                    3 => difference.div(&ranked(1).sub(&ranked(3)).offset(TINY)),
                    _ => {
                        let low = ranked(3).add(&ranked(4)).scale(0.5);
                        difference.div(&ranked(1).sub(&low).offset(TINY))
                    }
                }
            }
        };
        each.sum()
    }

    /// The value for one example.
    pub(crate) fn value(self, logits: &[f32], weights: &[f32]) -> f64 {
        let pairs = || logits.iter().zip(weights).map(|(&z, &w)| (f64::from(z), w));
        let chosen: f64 = pairs().map(|(z, w)| z * f64::from(w)).sum();
        let others = || pairs().filter(|(_, w)| *w == 0.0).fold(f64::NEG_INFINITY, |m, (z, _)| m.max(z));
        let ranked = || {
            let mut ranked: Vec<f64> = pairs().map(|(z, _)| z).collect();
            ranked.sort_unstable_by(|a, b| b.total_cmp(a));
            ranked
        };
        match self {
            Objective::Class(Loss::CrossEntropy) => {
                let largest = pairs().fold(f64::NEG_INFINITY, |m, (z, _)| m.max(z));
                largest - chosen + pairs().map(|(z, _)| (z - largest).exp()).sum::<f64>().ln()
            }
            Objective::Class(Loss::Dlr) if logits.len() > 2 => {
                let ranked = ranked();
                (others() - chosen) / (ranked[0] - ranked[2] + TINY)
            }
            Objective::Class(_) => others() - chosen,
            Objective::TargetedDlr => {
                let ranked = ranked();
                let scale = match ranked[..] {
                    [_, _] => 1.0,
                    [first, _, third] => first - third + TINY,
                    [first, _, third, fourth, ..] => first - 0.5 * (third + fourth) + TINY,
                    _ => f64::NAN,
                };
                -chosen / scale
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use perturb_graph::{DType, Tensor, eval, grad};

    const ALL: [Objective; 4] = [
        Objective::Class(Loss::CrossEntropy),
        Objective::Class(Loss::Margin),
        Objective::Class(Loss::Dlr),
        Objective::TargetedDlr,
    ];

    // By hand for z = (3, 1, 0, −2), y = 0, t = 1.
    #[test]
    fn values_are_those_of_the_formulas() {
        let z = [3.0, 1.0, 0.0, -2.0];
        let value = |o: Objective| o.value(&z, &o.weights(4, 0, 1));
        let expected = (3f64.exp() + 1f64.exp() + 1.0 + (-2f64).exp()).ln() - 3.0;
        assert!((value(ALL[0]) - expected).abs() < 1e-12);
        assert_eq!(value(ALL[1]), -2.0);
        assert!((value(ALL[2]) + 2.0 / 3.0).abs() < 1e-11 && (value(ALL[3]) + 2.0 / 4.0).abs() < 1e-11);
        let few = |o: Objective, z: &[f32]| o.value(z, &o.weights(z.len(), 0, 1));
        assert_eq!((few(ALL[2], &[3.0, 1.0]), few(ALL[3], &[3.0, 1.0])), (-2.0, -2.0));
        assert!((few(ALL[3], &[3.0, 1.0, 0.0]) + 2.0 / 3.0).abs() < 1e-11);
    }

    // The graph's total is the sum of the values, and its gradient their finite differences.
    #[test]
    fn graph_agrees_with_values() {
        for classes in [2, 3, 4, 7] {
            let z: Vec<f32> = (0..2 * classes).map(|i| ((i * 37 + 11) % 23) as f32 / 7.0).collect();
            for objective in ALL {
                let weights = [objective.weights(classes, 1, 0), objective.weights(classes, 0, 1)].concat();
                let logits = Expr::input("z", [2, classes], DType::F32);
                let w = Expr::constant(Tensor::new([2, classes], weights.clone()).unwrap());
                let total = objective.total(&logits, &w);
                let gradient = grad(&total, &[logits.clone()]).unwrap().remove(0);
                let feed = Tensor::new([2, classes], z.clone()).unwrap();
                let found = eval(&[total, gradient], &[(logits, feed)]).unwrap();
                let sum = |z: &[f32]| -> f64 {
                    let rows = z.chunks(classes).zip(weights.chunks(classes));
                    rows.map(|(z, w)| objective.value(z, w)).sum()
                };
                assert!((f64::from(found[0].as_slice::<f32>()[0]) - sum(&z)).abs() < 1e-5, "{objective:?}");
                for (i, &g) in found[1].as_slice::<f32>().iter().enumerate() {
                    let moved = |h: f32| {
                        let mut z = z.clone();
                        z[i] += h;
                        sum(&z)
                    };
                    let difference = (moved(1.0 / 256.0) - moved(-1.0 / 256.0)) * 128.0;
                    assert!((f64::from(g) - difference).abs() < 1e-3, "{objective:?} {classes}: {g} {difference}");
                }
            }
        }
    }
}
