//! Small convolutional networks of CIFAR-10 images, of two architectures.
//!
//! They are as deep as time allows: what one perturbation does to all images grows from layer to layer.

use super::subjects::{BATCH, CLASSES, accuracy, cifar};
use crate::training::Split;
use crate::{Run, RunError};
use perturb_attack::{Classifier, Criterion};
use perturb_graph::{Conv, DType, Expr, Graph, Tensor};
use perturb_nn::{Adam, Cosine, Examples, Hook, Initializer, Layers, Shuffled, Step, Trainer, flatten};
use std::sync::Arc;

/// Mean and standard deviation of the pixels, which networks normalise by.
pub(super) const MEAN: f64 = 0.47;
pub(super) const DEVIATION: f64 = 0.25;

/// An architecture: five convolutions of 3×3 with `relu`, three of them with stride 2.
#[derive(Clone, Copy)]
pub(super) enum Plan {
    /// The first, third and fifth have stride 2.
    Spread,
    /// The first two and the last have stride 2; there are more channels.
    Early,
}

impl Plan {
    /// Channels and stride of each convolution.
    const fn layers(self) -> [(usize, usize); 5] {
        match self {
            Plan::Spread => [(16, 2), (24, 1), (32, 2), (32, 1), (48, 2)],
            Plan::Early => [(20, 2), (32, 2), (40, 1), (40, 1), (48, 2)],
        }
    }

    /// The network without training.
    pub fn graph(self, seed: u64) -> Result<Graph, RunError> {
        let layers = Layers::new(Initializer::he(seed));
        let x = Expr::input("image", [1, 3, 32, 32], DType::F32);
        let mut hidden = x.offset(-MEAN).scale(1.0 / DEVIATION);
        for (i, (channels, stride)) in self.layers().into_iter().enumerate() {
            let conv = Conv::same().stride(stride);
            hidden = layers.at(format!("conv{}", i + 1)).conv2d(&hidden, channels, 3, conv).relu();
        }
        let logits = layers.at("fc").linear(&flatten(&hidden), CLASSES);
        Ok(Graph::new(vec![x], vec![("logits".into(), logits)])?)
    }
}

/// A trained network, with what it makes of the test images.
pub(super) struct Network {
    pub graph: Graph,
    pub model: Classifier,
    /// Accuracy on the test images.
    pub accuracy: f64,
    /// Its decisions on the test images: what fooling is measured against.
    pub clean: Criterion,
}

impl Network {
    pub fn train(plan: Plan, data: &Split, seed: u64, epochs: usize) -> Result<Network, RunError> {
        Network::tune(&plan.graph(seed)?, data, seed, epochs, 3e-3, None)
    }

    /// Trains a network on from the weights that it has.
    pub fn tune(
        graph: &Graph,
        data: &Split,
        seed: u64,
        epochs: usize,
        learning_rate: f64,
        hook: Option<&dyn Hook>,
    ) -> Result<Network, RunError> {
        let mut step = Step::classifier(graph, BATCH)?;
        if let Some(hook) = hook {
            step.apply(hook)?;
        }
        let batches = Shuffled::new(Examples::labelled(data.train.clone(), &data.train_labels, CLASSES)?, BATCH)?;
        let trainer = Trainer {
            epochs,
            seed,
            schedule: Arc::new(Cosine { warm_up: 20, floor: 0.0 }),
            ..Trainer::with(Adam { learning_rate, ..Adam::default() })
        };
        let graph = trainer.fit(step, &batches, &mut [])?.parameters.bind(graph)?;
        let model = Classifier::new(&graph, BATCH)?;
        let accuracy = accuracy(&model, &data.test, &data.test_labels)?;
        let clean = decisions(&model, &data.test)?;
        Ok(Network { graph, model, accuracy, clean })
    }
}

/// The criterion that a decision differs from that on the clean images.
pub(super) fn decisions(model: &Classifier, images: &Tensor) -> Result<Criterion, RunError> {
    let labels = model.predictions(images)?.into_iter();
    let labels: Option<Vec<usize>> = labels.collect();
    let labels = labels.ok_or_else(|| RunError::Measurement("the network gives no decision".into()))?;
    Ok(Criterion::Misclassify { labels })
}

/// Images, and a network of each architecture, trained beside each other: steps of so small ones do not fill two cores.
pub(super) fn subjects(run: &Run) -> Result<(Split, Network, Network), RunError> {
    let data = cifar(run, run.scaled([6000, 300], [10_000, 2000]))?;
    let (epochs, seed) = (run.scaled(6, 12), run.seed);
    let train = |plan| Network::train(plan, &data, seed, epochs);
    let (one, other) = std::thread::scope(|scope| {
        let other = scope.spawn(|| train(Plan::Early));
        let one = train(Plan::Spread);
        (one, other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    });
    Ok((data, one?, other?))
}
