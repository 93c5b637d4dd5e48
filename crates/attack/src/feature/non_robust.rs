//! An attack that strengthens gradients along the channels that bear least noise.

use super::{Bottleneck, Cut};
use crate::{Adversarial, Attack, AttackError, Ball, CarliniWagner, Classifier, Criterion, Seed};
use perturb_graph::{DType, Expr, Graph, Tensor, grad, substitute};

/// The attack on non-robust features (Kim, Lee and Ro 2021): Carlini and Wagner's, but a step also follows the margin's
/// gradient over the non-robust channels of a hidden layer, made a unit vector: `min ‖δ‖² + c·max(margin, 0) + s·⟨u, z(x + δ)⟩`,
/// where `u ∝ mask ∘ ∂margin/∂z` counts as constant.
///
/// Channels are told apart on the clean inputs, with the classes of the criterion.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NonRobustAttack {
    /// How channels are told apart.
    pub bottleneck: Bottleneck,
    /// Share of the channels that count as non-robust.
    pub share: f64,
    /// s.
    pub strength: f64,
    /// The attack that is strengthened.
    pub base: CarliniWagner,
}

impl Default for NonRobustAttack {
    /// Half of the channels, s = 1; C&W with c = 0.1, one search of 200 steps at a rate of 0.1.
    fn default() -> Self {
        let base =
            CarliniWagner { steps: 200, searches: 1, initial_weight: 0.1, rate: 0.1, ..CarliniWagner::default() };
        NonRobustAttack { bottleneck: Bottleneck::default(), share: 0.5, strength: 1.0, base }
    }
}

impl NonRobustAttack {
    /// Searches as [`Attack::run`] does, on a model that is cut at the layer.
    ///
    /// # Errors
    /// As for [`Attack::run`] and [`Bottleneck::distill`].
    pub fn run(
        &self,
        model: &Cut,
        inputs: &Tensor,
        criterion: &Criterion,
        ball: &Ball,
        seed: &Seed,
    ) -> Result<Adversarial, AttackError> {
        let found = self.bottleneck.distill(model, inputs, criterion.classes(), seed)?;
        let (graph, contexts) = self.strengthened(model, &found.non_robust(self.share), criterion.classes())?;
        let classifier = Classifier::with_context(&graph, self.bottleneck.batch, &contexts)?;
        self.base.run(&classifier, inputs, criterion, ball, seed)
    }

    /// The model with the same logits, but of the margin another gradient: that of the margin plus `s/c·u·∂z/∂x`, which is
    /// added to the logit of the class. Its context is an example's mask and class, `[C + classes]`.
    fn strengthened(&self, model: &Cut, mask: &Tensor, classes: &[usize]) -> Result<(Graph, Tensor), AttackError> {
        let (x, z) = (&model.body.inputs[0], &model.body.outputs[0].1);
        let (channels, _) = model.channels()?;
        let logits = substitute(&model.head.output_exprs(), &[(model.head.inputs[0].clone(), z.clone())])?.remove(0);
        let count = logits.shape().count();
        let logits = logits.try_reshape([1, count])?;
        let context = Expr::input("mask and class", [1, channels + count], DType::F32);
        let (kept, class) = (context.slice_axis(1, 0, channels), context.slice_axis(1, channels, channels + count));
        let others = logits.sub(&class.scale(1e9)).reduce_max(&[1], false);
        let margin = logits.mul(&class).sum().sub(&others.sum());
        let column: Vec<usize> = [1, channels].into_iter().chain(vec![1; z.rank() - 2]).collect();
        let slope = grad(&margin, std::slice::from_ref(z))?.remove(0).mul(&kept.try_reshape(column)?).stop_gradient();
        let length = slope.square().sum().offset(1e-24).sqrt();
        let along = slope.div(&length).mul(&z.sub(&z.stop_gradient())).sum();
        let stronger = logits.add(&class.mul(&along.scale(self.strength / self.base.initial_weight)));
        let graph = Graph::new(vec![x.clone(), context], vec![("logits".into(), stronger)])?;
        let mut rows = Vec::with_capacity(classes.len() * (channels + count));
        for (mask, &class) in mask.as_slice::<f32>().chunks_exact(channels).zip(classes) {
            rows.extend_from_slice(mask);
            rows.extend((0..count).map(|k| if k == class { 1.0 } else { 0.0 }));
        }
        Ok((graph, Tensor::new([classes.len(), channels + count], rows)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Loss;

    // Features are the inputs, logits their images under W. The margin's gradient is the difference g of two rows of W; on
    // the first channel alone, u is the sign of g there.
    #[test]
    fn gradients_are_stronger_along_the_mask_and_logits_are_the_same() {
        let w = [0.5f32, -0.3, 0.2, 0.1, 0.4, -0.6];
        let x = Expr::input("x", [1, 2, 1], DType::F32);
        let z = x.scale(1.0).offset(0.0);
        let weights = Expr::constant(Tensor::new([3, 2], w.to_vec()).unwrap());
        let logits = z.square().reshape([1, 2]).matmul(&weights.transpose(&[1, 0]));
        let model = Graph::new(vec![x.clone()], vec![("logits".into(), logits)]).unwrap();
        let inputs = Tensor::new([1, 2, 1], vec![1.0f32, 2.0]).unwrap();
        let plain = Classifier::new(&model, 1).unwrap();
        let attack = NonRobustAttack { strength: 0.7, ..NonRobustAttack::default() };
        let mask = Tensor::new([1, 2], vec![1.0f32, 0.0]).unwrap();
        let (graph, rows) = attack.strengthened(&Cut::at(&model, &z).unwrap(), &mask, &[1]).unwrap();
        let stronger = Classifier::with_context(&graph, 1, &rows).unwrap();
        let (logits, gradient) = plain.loss_gradient(Loss::Margin, &inputs, &[1]).unwrap();
        let (same, other) = stronger.loss_gradient(Loss::Margin, &inputs, &[1]).unwrap();
        let close = |a: &[f32], b: &[f32]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-5);
        assert!(close(logits.as_slice::<f32>(), same.as_slice::<f32>()));
        let gradient = gradient.as_slice::<f32>();
        // The loss is minus the margin, c is 0.1.
        let expected = [gradient[0] + 7.0 * gradient[0].signum(), gradient[1]];
        assert!(gradient[0].abs() > 0.1 && close(other.as_slice::<f32>(), &expected), "{other:?} {expected:?}");
    }
}
