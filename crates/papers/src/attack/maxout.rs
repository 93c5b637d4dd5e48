//! Maxout networks of MNIST in the recipe of Goodfellow et al. 2013 (§5.1): small initial weights, dropout of inputs and
//! hidden units, weights of limited length, and a falling learning rate. With two pieces for each unit where the paper has
//! five, and Adam.

use super::subjects::CLASSES;
use crate::RunError;
use crate::training::Split;
use perturb_graph::{DType, Expr, Graph};
use perturb_nn::{
    Adam, Control, Cosine, Examples, Hook, Init, Initializer, Layers, Run, Shuffled, Step, TrainError, Trainer,
    flatten, losses,
};
use std::sync::Arc;

/// Linear functions of which a unit is the largest.
const PIECES: usize = 2;
/// Length of a linear function's weights at most.
const LONGEST: f64 = 1.9365;
/// Shares that dropout takes of the inputs and of hidden units.
const DROPPED: (f64, f64) = (0.2, 0.5);

/// A maxout network, for images `[1, 1, 28, 28]`.
pub(super) struct Maxout {
    widths: &'static [usize],
    layers: Layers,
}

impl Maxout {
    /// Hidden layers of so many units, not trained.
    pub fn new(widths: &'static [usize], seed: u64) -> Maxout {
        let initializer = Initializer { weight: Init::Uniform(0.005), bias: Init::Constant(0.0), seed };
        Maxout { widths, layers: Layers::new(initializer) }
    }

    /// Trains on the split's images, with dropout; the network that comes of it has none. `hook` changes the step, whose
    /// batch has `input` and `label`. `progress` sees the share of steps that are done.
    pub fn train(
        &self,
        data: &Split,
        [batch, epochs]: [usize; 2],
        seed: u64,
        hook: Option<&dyn Hook>,
        progress: impl Fn(f64),
    ) -> Result<Graph, RunError> {
        let mut step = self.step(batch);
        if let Some(hook) = hook {
            step.apply(hook)?;
        }
        step.apply(&limit_lengths)?;
        let examples = Examples::labelled(data.train.clone(), &data.train_labels, CLASSES)?;
        let schedule = Arc::new(Cosine::default());
        let trainer = Trainer { epochs, seed, schedule, ..Trainer::with(Adam::default()) };
        let mut watch = |run: &mut Run| {
            progress(run.step() as f64 / run.steps() as f64);
            Control::Continue
        };
        let trained = trainer.fit(step, &Shuffled::new(examples, batch)?, &mut [&mut watch])?;
        let x = Expr::input("image", [1, 1, 28, 28], DType::F32);
        let logits = self.logits(&self.layers, &x);
        Ok(trained.parameters.bind(&Graph::new(vec![x], vec![("logits".into(), logits)])?)?)
    }

    fn step(&self, batch: usize) -> Step {
        let mut step = Step::new();
        let x = step.input("input", [batch, 1, 1, 28, 28], DType::F32);
        let label = step.input("label", [batch], DType::I64);
        let logits = self.logits(&self.layers.training(step.key()), &x);
        step.minimize(losses::cross_entropy_of_labels(&logits, &label));
        step
    }

    fn logits(&self, layers: &Layers, images: &Expr) -> Expr {
        let mut hidden = layers.dropout(&flatten(images), DROPPED.0);
        for (k, &width) in self.widths.iter().enumerate() {
            let all = layers.at(format!("h{k}")).linear(&hidden, PIECES * width);
            let piece = |p: usize| all.slice_axis(1, p * width, (p + 1) * width);
            let largest = (1..PIECES).fold(piece(0), |best, p| best.maximum(&piece(p)));
            hidden = layers.dropout(&largest, DROPPED.1);
        }
        layers.at("y").linear(&hidden, CLASSES)
    }
}

/// After every step, linear functions whose weights are too long are made shorter.
fn limit_lengths(step: &mut Step) -> Result<(), TrainError> {
    step.after_update(|_, updated| {
        for weights in updated.iter_mut().filter(|u| u.next.rank() == 2) {
            let length = weights.next.square().reduce_sum(&[1], true).sqrt();
            let limit = length.like(LONGEST);
            weights.next = weights.next.mul(&limit.div(&length.maximum(&limit)));
        }
        Ok(())
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use perturb_graph::Tensor;

    #[test]
    fn a_unit_is_the_largest_of_its_pieces() {
        let net = Maxout::new(&[1], 3);
        let image: Vec<f32> = (0..784).map(|i| (i % 7) as f32 / 7.0).collect();
        let logits = net.logits(&net.layers, &Expr::constant(Tensor::new([1, 1, 28, 28], image.clone()).unwrap()));
        let found = perturb_graph::eval(&[logits], &[]).unwrap()[0].to_f64_vec();
        let value = |name: &str| {
            let parameter = net.layers.parameters().into_iter().find(|p| p.name() == Some(name)).unwrap();
            parameter.value().unwrap().to_f64_vec()
        };
        let dot = |w: &[f64]| w.iter().zip(&image).map(|(w, x)| w * f64::from(*x)).sum::<f64>();
        let largest = value("h0.weight").chunks_exact(784).map(dot).fold(f64::NEG_INFINITY, f64::max);
        for (found, weight) in found.iter().zip(value("y.weight")) {
            assert!((found - weight * largest).abs() < 1e-6);
        }
    }

    #[test]
    fn training_keeps_weights_short() {
        let net = Maxout::new(&[4], 1);
        let mut step = net.step(2);
        step.apply(&limit_lengths).unwrap();
        let images = Tensor::full([2, 1, 1, 28, 28], 1.0f32);
        let batches = Shuffled::new(Examples::labelled(images, &[0, 1], CLASSES).unwrap(), 2).unwrap();
        let trainer = Trainer { epochs: 5, ..Trainer::with(Adam { learning_rate: 1.0, ..Adam::default() }) };
        let trained = trainer.fit(step, &batches, &mut []).unwrap().parameters;
        let weights = trained.get("h0.weight").unwrap().to_f64_vec();
        let lengths = weights.chunks_exact(784).map(|row| row.iter().map(|w| w * w).sum::<f64>().sqrt());
        let longest = lengths.fold(0.0, f64::max);
        assert!(longest > 1.9 && longest <= LONGEST + 1e-5, "{longest}");
    }
}
