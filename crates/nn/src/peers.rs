//! The networks on which perturb and its peers are timed and compared; all but the transformer with the same weights in
//! every language.

use crate::layers::images;
use crate::{Attention, Initializer, Layers, flatten};
use perturb_graph::{Conv, DType, Expr, Graph};

fn classifier(x: Expr, logits: Expr) -> Graph {
    Graph::new(vec![x], vec![("logits".into(), logits)]).expect("the logits depend on the image alone")
}

/// 784-256-256-10 with ReLU on one image `[1, 1, 28, 28]`.
pub fn mlp() -> Graph {
    let layers = Layers::new(Initializer::recipe(1));
    let x = images([1, 1, 28, 28]);
    let logits = layers.mlp(&flatten(&x), &[256, 256, 10], Expr::relu);
    classifier(x, logits)
}

/// Three 3×3 convolutions (32, 64 and 64 channels; strides 1, 2, 2) and two linear layers on one image
/// `[1, 1, 28, 28]`.
pub fn cnn() -> Graph {
    let layers = Layers::new(Initializer::recipe(100));
    let x = images([1, 1, 28, 28]);
    let same = |stride: usize| Conv { padding: vec![(1, 1); 2], ..Conv::default() }.stride(stride);
    let h = layers.at("conv1").conv2d(&x, 32, 3, same(1)).relu();
    let h = layers.at("conv2").conv2d(&h, 64, 3, same(2)).relu();
    let h = layers.at("conv3").conv2d(&h, 64, 3, same(2)).relu();
    let h = layers.at("fc1").linear(&flatten(&h), 128).relu();
    classifier(x, layers.at("fc2").linear(&h, 10))
}

/// Four pre-norm transformer blocks (width 128, 4 heads, GELU) on one sequence `[1, 64, 128]`.
pub fn transformer() -> Graph {
    const WIDTH: usize = 128;
    let layers = Layers::new(Initializer::recipe(200));
    let x = Expr::input("sequence", [1, 64, WIDTH], DType::F32);
    let attention = Attention::full(4);
    let h = (0..4).fold(x.clone(), |h, k| layers.at(format!("blocks.{k}")).transformer_block(&h, &attention));
    Graph::new(vec![x], vec![("sequence".into(), h)]).expect("the result depends on the sequence alone")
}

/// 2-64-64-64-64-1 with tanh on one point `[1, 2]`: a solution of a differential equation.
pub fn field() -> Graph {
    let layers = Layers::new(Initializer::recipe(300));
    let x = Expr::input("point", [1, 2], DType::F32);
    let u = layers.mlp(&x, &[64, 64, 64, 64, 1], Expr::tanh);
    Graph::new(vec![x], vec![("value".into(), u)]).expect("the value depends on the point alone")
}
