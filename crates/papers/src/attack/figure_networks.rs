//! Networks of different make that tell the figures of `shapes` apart.

use super::subjects::accuracy;
use crate::RunError;
use crate::training::Split;
use perturb_attack::Classifier;
use perturb_data::worlds::Shapes;
use perturb_graph::{Conv, DType, Expr, Graph, Pool};
use perturb_nn::{Adam, Attention, Cosine, Examples, Initializer, Layers, Shuffled, Step, Trainer, flatten};
use std::sync::Arc;

pub(super) const SIDE: usize = 32;
pub(super) const FIGURES: usize = Shapes::KINDS.len();
const BATCH: usize = 50;

/// How a network is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Make {
    /// Three convolutions of 3×3 with stride 2.
    Strided,
    /// Two convolutions of 5×5, each with the maximum over 2×2.
    Pooled,
    /// Residual blocks with group norm.
    Residual,
    /// Patches of 4×4 and two blocks of attention.
    Patches,
}

impl Make {
    fn logits(self, layers: &Layers, image: &Expr) -> Expr {
        let image = image.offset(-0.4).scale(4.0);
        let conv = |name: &str, x: &Expr, out, window, stride| {
            layers.at(name).conv2d(x, out, window, Conv::same().stride(stride))
        };
        let features = match self {
            Make::Strided => {
                let x = conv("conv1", &image, 16, 3, 2).relu();
                let x = conv("conv2", &x, 32, 3, 2).relu();
                flatten(&conv("conv3", &x, 48, 3, 2).relu())
            }
            Make::Pooled => {
                let pooled = |name, x: &Expr, out| conv(name, x, out, 5, 1).relu().max_pool(Pool::square(2, 2));
                flatten(&pooled("conv2", &pooled("conv1", &image, 12), 24))
            }
            Make::Residual => {
                let x = layers.at("block1").conditional_block(&conv("stem", &image, 16, 3, 2), 16, None);
                let x = layers.at("block2").conditional_block(&conv("halve", &x, 32, 3, 2), 32, None);
                let x = layers.at("block3").conditional_block(&x, 32, None);
                flatten(&x.relu().avg_pool(Pool::square(2, 2)))
            }
            Make::Patches => {
                let (width, places) = (48, (SIDE / 4) * (SIDE / 4));
                let x = layers.at("patches").conv2d(&image, width, 4, Conv::default().stride(4));
                let x = x.reshape([image.shape()[0], width, places]).transpose(&[0, 2, 1]);
                let x = layers.at("positions").learned_positions(&x);
                let x = layers.at("block1").transformer_block(&x, &Attention::full(4));
                let x = layers.at("block2").transformer_block(&x, &Attention::full(4));
                layers.at("norm").layer_norm(&x).reduce_mean(&[1], false)
            }
        };
        layers.at("fc").linear(&features, FIGURES)
    }

    /// A trained network of this make.
    pub fn train(self, data: &Split, epochs: usize, batch: usize, seed: u64) -> Result<FigureNetwork, RunError> {
        let layers = Layers::new(Initializer::he(seed));
        let x = Expr::input("image", [1, 3, SIDE, SIDE], DType::F32);
        let graph = Graph::new(vec![x.clone()], vec![("logits".into(), self.logits(&layers, &x))])?;
        let step = Step::classifier(&graph, BATCH)?;
        let batches = Shuffled::new(Examples::labelled(data.train.clone(), &data.train_labels, FIGURES)?, BATCH)?;
        // Those of few convolutions, or none, learn more slowly.
        let slow = [Make::Strided, Make::Patches].contains(&self);
        let trainer = Trainer {
            epochs: if slow { 2 * epochs } else { epochs },
            seed,
            schedule: Arc::new(Cosine { warm_up: 50, floor: 0.0 }),
            ..Trainer::with(Adam { learning_rate: 2e-3, ..Adam::default() })
        };
        let graph = trainer.fit(step, &batches, &mut [])?.parameters.bind(&graph)?;
        let model = Classifier::new(&graph, batch)?;
        Ok(FigureNetwork { accuracy: accuracy(&model, &data.test, &data.test_labels)?, model, graph })
    }
}

/// A trained network.
pub(super) struct FigureNetwork {
    pub graph: Graph,
    pub model: Classifier,
    /// Accuracy on the test images.
    pub accuracy: f64,
}

/// Images `[N, 3, 32, 32]` of single figures.
pub(super) fn figures([train, test]: [usize; 2], seed: u64) -> Split {
    // With little noise: it would hide what attacks add.
    let world = Shapes { size: SIDE, noise: 0.01 };
    let (train, test) = (world.dataset(2 * seed, train), world.dataset(2 * seed + 1, test));
    Split { train: train.images, train_labels: train.labels, test: test.images, test_labels: test.labels }
}
