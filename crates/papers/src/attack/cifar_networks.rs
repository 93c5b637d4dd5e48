//! Small convolutional networks of CIFAR-10 images, of two architectures.

use super::subjects::{BATCH, CLASSES, accuracy, trained};
use crate::training::Split;
use crate::{Run, RunError};
use perturb_attack::{Classifier, Criterion};
use perturb_graph::{Conv, DType, Expr, Graph, Pool, Tensor};
use perturb_nn::{Hook, Initializer, Layers, flatten};

/// Mean and standard deviation of the pixels, which networks normalise by.
pub(super) const MEAN: f64 = 0.47;
pub(super) const DEVIATION: f64 = 0.25;

/// An architecture.
#[derive(Clone, Copy)]
pub(super) enum Plan {
    /// Three convolutions, of which the first and the last have stride 2.
    Strided,
    /// A convolution of 5×5 and one of 3×3, with average pooling.
    Pooled,
}

impl Plan {
    /// The network without training.
    pub fn graph(self, seed: u64) -> Result<Graph, RunError> {
        let layers = Layers::new(Initializer::he(seed));
        let x = Expr::input("image", [1, 3, 32, 32], DType::F32);
        let normal = x.offset(-MEAN).scale(1.0 / DEVIATION);
        let conv = |name: &str, x: &Expr, channels, size, stride| {
            layers.at(name).conv2d(x, channels, size, Conv::same().stride(stride)).relu()
        };
        let last = match self {
            Plan::Strided => {
                let second = conv("conv2", &conv("conv1", &normal, 16, 3, 2), 24, 3, 1);
                conv("conv3", &second, 32, 3, 2)
            }
            Plan::Pooled => conv("conv2", &conv("conv1", &normal, 16, 5, 2), 32, 3, 1).avg_pool(Pool::square(2, 2)),
        };
        let logits = layers.at("fc").linear(&flatten(&last), CLASSES);
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
    pub fn train(
        plan: Plan,
        data: &Split,
        run: &Run,
        epochs: usize,
        hook: Option<&dyn Hook>,
    ) -> Result<Network, RunError> {
        let graph = trained(&plan.graph(run.seed)?, data, run, epochs, hook)?;
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
