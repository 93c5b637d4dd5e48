//! The two networks on which perturb and its peers are timed and compared, with the same weights in every language.

use crate::layers::images;
use crate::{Initializer, Layers, flatten};
use perturb_graph::{Conv, Expr, Graph};

fn classifier(x: Expr, logits: Expr) -> Graph {
    Graph::new(vec![x], vec![("logits".into(), logits)]).expect("the logits depend on the image alone")
}

/// 784-256-256-10 with ReLU on one image `[1, 1, 28, 28]`.
pub fn mlp() -> Graph {
    let mut layers = Layers::new(Initializer::Recipe { seed: 1 });
    let x = images([1, 1, 28, 28]);
    let h = layers.linear(&flatten(&x), 256).relu();
    let h = layers.linear(&h, 256).relu();
    classifier(x, layers.linear(&h, 10))
}

/// Three 3×3 convolutions (32, 64 and 64 channels; strides 1, 2, 2) and two linear layers on one image
/// `[1, 1, 28, 28]`.
pub fn cnn() -> Graph {
    let mut layers = Layers::new(Initializer::Recipe { seed: 100 });
    let x = images([1, 1, 28, 28]);
    let same = |stride: usize| Conv { padding: vec![(1, 1); 2], ..Conv::default() }.stride(stride);
    let h = layers.conv2d(&x, 32, 3, same(1)).relu();
    let h = layers.conv2d(&h, 64, 3, same(2)).relu();
    let h = layers.conv2d(&h, 64, 3, same(2)).relu();
    let h = layers.linear(&flatten(&h), 128).relu();
    classifier(x, layers.linear(&h, 10))
}
