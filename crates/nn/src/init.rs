//! Initial weights.

use perturb_graph::{DType, Shape, Tensor};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Where initial weights come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Initializer {
    /// Uniform in ±√(6/fan_in) from a seed (He et al. 2015): keeps the variance of activations under ReLU.
    He {
        /// Seed; the k-th weight of a model uses its own stream.
        seed: u64,
    },
    /// The integer recipe that other languages rebuild bit for bit: weights uniform in ±√(3/fan_in) from [`recipe`]
    /// with seed `seed + k` for the k-th parameter (biases count), biases zero.
    Recipe {
        /// Seed of the first parameter.
        seed: u64,
    },
}

impl Initializer {
    /// The `index`-th parameter of a model, a weight of `shape [out, in, …]`.
    pub fn weight(&self, index: u64, shape: impl Into<Shape>) -> Tensor {
        let shape = shape.into();
        let fan_in: usize = shape[1..].iter().product();
        match self {
            Initializer::Recipe { seed } => recipe(seed + index, shape, (3.0 / fan_in as f64).sqrt()),
            Initializer::He { seed } => {
                let mut rng = ChaCha8Rng::seed_from_u64(*seed);
                rng.set_stream(index);
                let limit = (6.0 / fan_in as f64).sqrt();
                let values = (0..shape.count()).map(|_| rng.random_range(-limit..limit)).collect();
                Tensor::from_f64(shape, DType::F32, values).expect("one value for each element")
            }
        }
    }
}

/// Uniform values in `[−scale, scale)` by `x ← 6364136223846793005·x + 1442695040888963407 (mod 2⁶⁴)`, `x₀ = seed`,
/// value `(x >> 40) / 2²³ − 1`, in f32.
pub fn recipe(seed: u64, shape: impl Into<Shape>, scale: f64) -> Tensor {
    let shape = shape.into();
    let mut x = seed;
    let values: Vec<f32> = (0..shape.count())
        .map(|_| {
            x = x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            ((x >> 40) as f64 / 8_388_608.0 - 1.0) as f32 * scale as f32
        })
        .collect();
    Tensor::new(shape, values).expect("one value for each element")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_recipe_follows_its_definition() {
        let values = recipe(7, [3], 1.0);
        let mut x: u128 = 7;
        for &v in values.as_slice::<f32>() {
            x = (6364136223846793005 * x + 1442695040888963407) % (1 << 64);
            assert_eq!(f64::from(v), (x >> 40) as f64 / 8388608.0 - 1.0);
        }
    }

    #[test]
    fn he_weights_have_the_variance_that_keeps_activations_level() {
        let w = Initializer::He { seed: 1 }.weight(0, [200, 50]).to_f64_vec();
        let variance = w.iter().map(|v| v * v).sum::<f64>() / w.len() as f64;
        assert!((variance * 50.0 - 2.0).abs() < 0.1, "{variance}");
    }
}
