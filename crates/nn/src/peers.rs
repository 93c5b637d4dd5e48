//! The networks on which perturb and its peers are timed and compared; all but the transformer with the same weights in
//! every language.

use crate::layers::images;
use crate::{Initializer, Layers, flatten};
use perturb_graph::{Conv, DType, Expr, Graph};

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

/// Four pre-norm transformer blocks (width 128, 4 heads, GELU) on one sequence `[1, 64, 128]`.
pub fn transformer() -> Graph {
    const WIDTH: usize = 128;
    let mut layers = Layers::new(Initializer::Recipe { seed: 200 });
    let x = Expr::input("sequence", [1, 64, WIDTH], DType::F32);
    let mut h = x.clone();
    for _ in 0..4 {
        let normed = layers.layer_norm(&h);
        h = h.add(&layers.self_attention(&normed, 4));
        let inner = layers.layer_norm(&h);
        let inner = layers.linear(&inner, 4 * WIDTH).gelu();
        h = h.add(&layers.linear(&inner, WIDTH));
    }
    Graph::new(vec![x], vec![("sequence".into(), h)]).expect("the result depends on the sequence alone")
}

/// 2-64-64-64-64-1 with tanh on one point `[1, 2]`: a solution of a differential equation.
pub fn field() -> Graph {
    let mut layers = Layers::new(Initializer::Recipe { seed: 300 });
    let x = Expr::input("point", [1, 2], DType::F32);
    let mut h = x.clone();
    for _ in 0..4 {
        h = layers.linear(&h, 64).tanh();
    }
    let u = layers.linear(&h, 1);
    Graph::new(vec![x], vec![("value".into(), u)]).expect("the value depends on the point alone")
}
