//! Initial weights.

use perturb_graph::linear_algebra::qr;
use perturb_graph::{DType, Shape, Tensor};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

/// The distribution of one tensor's initial values. Of a shape `[out, in, window…]`, `fan_in` is `in·window` and
/// `fan_out` is `out·window`, as in PyTorch (for transposed convolutions, too, whose shape is `[in, out, window…]`).
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Init {
    /// All equal.
    Constant(f64),
    /// Normal with mean 0 and this standard deviation.
    Normal(f64),
    /// Normal with mean 0 and this standard deviation, drawn again outside of two deviations.
    TruncatedNormal(f64),
    /// Uniform in ± this.
    Uniform(f64),
    /// Uniform in ±√(6/fan_in) (He et al. 2015): keeps the variance of activations under ReLU.
    HeUniform,
    /// Normal with variance 2/fan_in (He et al. 2015).
    HeNormal,
    /// Uniform in ±√(6/(fan_in + fan_out)) (Glorot and Bengio 2010).
    XavierUniform,
    /// Normal with variance 2/(fan_in + fan_out) (Glorot and Bengio 2010).
    XavierNormal,
    /// Normal with variance 1/fan_in (LeCun et al. 1998).
    LeCunNormal,
    /// Uniform in ±1/√fan_in: PyTorch's default for linear and convolutional layers, their biases included.
    PyTorch,
    /// A matrix `[out, in·window]` with orthonormal rows, or columns where it is tall, times this gain (Saxe et al.
    /// 2014).
    Orthogonal(f64),
    /// The integer recipe that other languages rebuild bit for bit: uniform in ±√(3/fan_in) from [`recipe`] with the
    /// seed plus the number of the parameter.
    Recipe,
}

/// Where the initial weights of a model come from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Initializer {
    /// Of weights.
    pub weight: Init,
    /// Of biases; their fan_in is that of the weight.
    pub bias: Init,
    /// Seed; the k-th parameter of a model uses its own stream.
    pub seed: u64,
}

impl Initializer {
    /// [`Init::HeUniform`] with biases 0.
    pub fn he(seed: u64) -> Initializer {
        Initializer { weight: Init::HeUniform, bias: Init::Constant(0.0), seed }
    }

    /// [`Init::Recipe`] with biases 0; biases count as parameters.
    pub fn recipe(seed: u64) -> Initializer {
        Initializer { weight: Init::Recipe, bias: Init::Constant(0.0), seed }
    }

    /// PyTorch's default for weights and biases.
    pub fn pytorch(seed: u64) -> Initializer {
        Initializer { weight: Init::PyTorch, bias: Init::PyTorch, seed }
    }
}

impl Init {
    /// Initial values of `shape` for the parameter number `index`, whose fans are those of `fans` (a weight's shape).
    pub(crate) fn tensor(self, seed: u64, index: u64, shape: &Shape, fans: &Shape, dtype: DType) -> Tensor {
        let window: usize = fans.get(2..).unwrap_or_default().iter().product();
        let fan = |axis: usize| (fans.get(axis).copied().unwrap_or(1) * window).max(1) as f64;
        let (fan_in, fan_out) = (fan(1), fan(0));
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(index);
        let draws = Draws { rng, shape, dtype };
        match self {
            Init::Constant(value) => draws.fill(|_| value),
            Init::Normal(deviation) => draws.normal(deviation),
            Init::TruncatedNormal(deviation) => draws.truncated_normal(deviation),
            Init::Uniform(limit) => draws.uniform(limit),
            Init::HeUniform => draws.uniform((6.0 / fan_in).sqrt()),
            Init::HeNormal => draws.normal((2.0 / fan_in).sqrt()),
            Init::XavierUniform => draws.uniform((6.0 / (fan_in + fan_out)).sqrt()),
            Init::XavierNormal => draws.normal((2.0 / (fan_in + fan_out)).sqrt()),
            Init::LeCunNormal => draws.normal((1.0 / fan_in).sqrt()),
            Init::PyTorch => draws.uniform((1.0 / fan_in).sqrt()),
            Init::Orthogonal(gain) => draws.orthogonal(gain),
            Init::Recipe => recipe(seed + index, shape, (3.0 / fan_in).sqrt()).to_dtype(dtype),
        }
    }
}

struct Draws<'a> {
    rng: ChaCha8Rng,
    shape: &'a Shape,
    dtype: DType,
}

impl Draws<'_> {
    fn fill(mut self, mut draw: impl FnMut(&mut ChaCha8Rng) -> f64) -> Tensor {
        let values = (0..self.shape.count()).map(|_| draw(&mut self.rng)).collect();
        Tensor::from_f64(self.shape, self.dtype, values).expect("one value for each element")
    }

    fn uniform(self, limit: f64) -> Tensor {
        self.fill(|rng| limit * rng.random_range(-1.0..1.0))
    }

    fn normal(self, deviation: f64) -> Tensor {
        self.fill(|rng| deviation * <StandardNormal as Distribution<f64>>::sample(&StandardNormal, rng))
    }

    fn truncated_normal(self, deviation: f64) -> Tensor {
        self.fill(|rng| {
            loop {
                let z: f64 = StandardNormal.sample(rng);
                if z.abs() <= 2.0 {
                    return deviation * z;
                }
            }
        })
    }

    fn orthogonal(mut self, gain: f64) -> Tensor {
        let rows = self.shape.first().copied().unwrap_or(1);
        let columns = self.shape.count() / rows.max(1);
        let (long, short) = (rows.max(columns), rows.min(columns));
        let gaussian: Vec<f64> = (0..long * short).map(|_| StandardNormal.sample(&mut self.rng)).collect();
        // Q [long, short], then R [short, short].
        let mut factors = vec![0.0; long * short + short * short];
        qr(long, short, &gaussian, &mut factors);
        let (q, r) = factors.split_at(long * short);
        // With the signs of R's diagonal, Q is uniform among orthogonal matrices (Mezzadri 2007).
        let entry = |i: usize, k: usize| gain * q[i * short + k] * r[k * short + k].signum();
        let at = |row: usize, column: usize| if rows >= columns { entry(row, column) } else { entry(column, row) };
        let values = (0..rows * columns).map(|i| at(i / columns, i % columns)).collect();
        Tensor::from_f64(self.shape, self.dtype, values).expect("one value for each element")
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

    fn draw(init: Init, shape: [usize; 2]) -> Vec<f64> {
        init.tensor(3, 1, &Shape::from(shape), &Shape::from(shape), DType::F64).to_f64_vec()
    }

    fn variance(values: &[f64]) -> f64 {
        values.iter().map(|v| v * v).sum::<f64>() / values.len() as f64
    }

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
    fn every_distribution_has_its_variance() {
        // fan_in 80, fan_out 250; 20,000 draws, so that variances are within 5 %.
        let expected = [
            (Init::HeUniform, 2.0 / 80.0),
            (Init::HeNormal, 2.0 / 80.0),
            (Init::XavierUniform, 2.0 / 330.0),
            (Init::XavierNormal, 2.0 / 330.0),
            (Init::LeCunNormal, 1.0 / 80.0),
            (Init::PyTorch, 1.0 / 240.0),
            (Init::Recipe, 1.0 / 80.0),
            (Init::Normal(0.3), 0.09),
            (Init::Uniform(0.3), 0.03),
            // Variance of a standard normal cut at ±2: 1 − 4φ(2)/(2Φ(2) − 1) = 0.773741.
            (Init::TruncatedNormal(0.3), 0.09 * 0.773741),
        ];
        for (init, expected) in expected {
            let found = variance(&draw(init, [250, 80]));
            assert!((found / expected - 1.0).abs() < 0.05, "{init:?}: {found} instead of {expected}");
        }
        assert!(draw(Init::TruncatedNormal(1.0), [250, 80]).iter().all(|v| v.abs() <= 2.0));
    }

    #[test]
    fn windows_count_as_inputs() {
        let shape = Shape::from([64, 16, 3, 3]);
        let weight = Init::HeNormal.tensor(0, 0, &shape, &shape, DType::F64).to_f64_vec();
        assert!((variance(&weight) * 144.0 / 2.0 - 1.0).abs() < 0.05);
    }

    #[test]
    fn orthogonal_weights_are() {
        for [rows, columns] in [[5, 8], [8, 5], [6, 6]] {
            let w = draw(Init::Orthogonal(2.0), [rows, columns]);
            let short = rows.min(columns);
            for i in 0..short {
                for j in 0..short {
                    let product: f64 = if rows <= columns {
                        (0..columns).map(|k| w[i * columns + k] * w[j * columns + k]).sum()
                    } else {
                        (0..rows).map(|k| w[k * columns + i] * w[k * columns + j]).sum()
                    };
                    assert!((product - if i == j { 4.0 } else { 0.0 }).abs() < 1e-12);
                }
            }
        }
    }
}
