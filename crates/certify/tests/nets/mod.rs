//! Small random networks of several kinds, the same in both precisions.

use perturb_graph::{Conv, DType, Expr, Graph, Pool, Shape, Tensor};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Builds one network; weights are `f32` values in either precision.
struct Builder {
    rng: ChaCha8Rng,
    dtype: DType,
}

impl Builder {
    fn weights(&mut self, shape: impl Into<Shape>, fan_in: usize) -> Expr {
        let shape = shape.into();
        let spread = 1.5 * (3.0 / fan_in as f32).sqrt();
        let values: Vec<f64> = (0..shape.count()).map(|_| f64::from(self.rng.random_range(-spread..spread))).collect();
        Expr::constant(Tensor::from_f64(shape, self.dtype, values).unwrap())
    }

    fn linear(&mut self, x: &Expr, outputs: usize) -> Expr {
        let inputs = x.shape()[1];
        x.matmul(&self.weights([inputs, outputs], inputs)).add(&self.weights([outputs], 12))
    }

    fn conv(&mut self, x: &Expr, channels: usize, window: usize, conv: Conv) -> Expr {
        let inputs = x.shape()[1];
        let kernel = self.weights([channels, inputs, window, window], inputs * window * window);
        x.conv(&kernel, conv).add(&self.weights([channels, 1, 1], 12))
    }

    fn activation(&mut self, x: &Expr) -> Expr {
        match self.rng.random_range(0..4) {
            0 | 1 => x.relu(),
            2 => x.tanh(),
            _ => x.sigmoid(),
        }
    }

    fn flat(&self, x: &Expr) -> Expr {
        x.reshape([1, x.shape().count()])
    }
}

fn padded(stride: usize) -> Conv {
    Conv { padding: vec![(1, 1); 2], strides: vec![stride; 2], ..Conv::unit(2) }
}

/// Names of the kinds of networks.
pub const KINDS: [&str; 5] = ["mlp", "residual mlp", "conv", "residual conv", "pooled conv"];

/// Network number `index`: its kind is `index % KINDS.len()`.
pub fn random(index: u64, dtype: DType) -> Graph {
    let mut b = Builder { rng: ChaCha8Rng::seed_from_u64(index), dtype };
    let kind = KINDS[index as usize % KINDS.len()];
    let image = |c: usize| Expr::input("x", [1, c, 6, 6], dtype);
    let (x, features) = match kind {
        "mlp" => {
            let x = Expr::input("x", [1, 5], dtype);
            let mut h = x.clone();
            for _ in 0..b.rng.random_range(1..4) {
                h = b.linear(&h, 8);
                h = b.activation(&h);
            }
            (x, h)
        }
        "residual mlp" => {
            let x = Expr::input("x", [1, 5], dtype);
            let h = b.linear(&x, 7).relu();
            let inner = b.linear(&h, 7);
            let inner = b.activation(&inner);
            let outer = b.linear(&inner, 7);
            (x, h.add(&outer).relu())
        }
        "conv" => {
            let x = image(2);
            let h = b.conv(&x, 3, 3, padded(1));
            let h = b.activation(&h);
            let stride = b.rng.random_range(1..3);
            let h = b.conv(&h, 4, 3, padded(stride));
            let h = b.activation(&h);
            let h = b.conv(&h, 3, 2, Conv::unit(2)).relu();
            (x, b.flat(&h))
        }
        "residual conv" => {
            let x = image(1);
            let h = b.conv(&x, 3, 3, padded(2)).relu();
            let inner = b.conv(&h, 3, 3, padded(1));
            let inner = b.activation(&inner);
            let outer = b.conv(&inner, 3, 3, padded(1)).add(&b.conv(&h, 3, 1, Conv::unit(2))).relu();
            (x, b.flat(&outer))
        }
        _ => {
            let x = image(1);
            let h = b.conv(&x, 3, 3, padded(1)).relu().max_pool(Pool::square(2, 2));
            let h = b.conv(&h, 4, 2, Conv::unit(2));
            let h = b.activation(&h);
            (x, b.flat(&h))
        }
    };
    let logits = b.linear(&features, 3);
    Graph::new(vec![x], vec![("logits".into(), logits)]).unwrap()
}
