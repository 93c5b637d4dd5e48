//! Mean squared error and structural similarity.

use super::{Metric, shape_error, sizes};
use perturb_graph::{Conv, Expr, GraphError, Pool, Tensor};

/// The mean of squared differences.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MeanSquaredError;

/// One minus structural similarity (Wang et al. 2004): Gaussian windows of 11×11 with σ = 1.5, K₁ = 0.01, K₂ = 0.03, the
/// mean over all windows inside the image and over channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ssim;

/// One minus multi-scale structural similarity (Wang, Simoncelli and Bovik 2003): the contrast–structure terms of all
/// scales, each half as wide as the one before, and the luminance term of the last, each raised to the paper's exponent.
/// With fewer than five scales the exponents are divided by their sum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MsSsim {
    /// Number of scales, 1 to 5; the image's sides must be at least `11·2^(scales − 1)`.
    pub scales: usize,
}

impl Default for MsSsim {
    /// Five scales.
    fn default() -> Self {
        MsSsim { scales: 5 }
    }
}

const WINDOW: usize = 11;
const SIGMA: f64 = 1.5;
const EXPONENTS: [f64; 5] = [0.0448, 0.2856, 0.3001, 0.2363, 0.1333];
/// A term that is not positive counts as this, which has a logarithm.
const TINY: f64 = 1e-6;

impl Metric for MeanSquaredError {
    fn name(&self) -> &'static str {
        "MSE"
    }

    fn distance(&self, x: &Expr, y: &Expr) -> Result<Expr, GraphError> {
        sizes(self.name(), x, y)?;
        Ok(x.try_sub(y)?.square().reduce_mean(&[0, 1, 2], false))
    }
}

impl Metric for Ssim {
    fn name(&self) -> &'static str {
        "SSIM"
    }

    fn distance(&self, x: &Expr, y: &Expr) -> Result<Expr, GraphError> {
        let [c, h, w] = sizes(self.name(), x, y)?;
        let planes = |v: &Expr| v.reshape([c, 1, h, w]);
        let (whole, _) = similarity(self.name(), &planes(x), &planes(y))?;
        Ok(whole.reduce_mean(&[0], false).neg().offset(1.0))
    }
}

impl Metric for MsSsim {
    fn name(&self) -> &'static str {
        "MS-SSIM"
    }

    fn distance(&self, x: &Expr, y: &Expr) -> Result<Expr, GraphError> {
        let [c, h, w] = sizes(self.name(), x, y)?;
        if !(1..=EXPONENTS.len()).contains(&self.scales) {
            return shape_error(self.name(), format!("has 1 to 5 scales, not {}", self.scales), &[x, y]);
        }
        let exponents = &EXPONENTS[..self.scales];
        let total: f64 = exponents.iter().sum();
        let (mut x, mut y) = (x.reshape([c, 1, h, w]), y.reshape([c, 1, h, w]));
        let mut logarithm = Expr::full([c], 0.0, x.dtype());
        for (scale, exponent) in exponents.iter().enumerate() {
            let (whole, structure) = similarity(self.name(), &x, &y)?;
            let term = if scale + 1 == self.scales { whole } else { structure };
            logarithm = logarithm.add(&term.maximum(&term.like(TINY)).log().scale(exponent / total));
            if scale + 1 < self.scales {
                (x, y) = (halved(&x), halved(&y));
            }
        }
        Ok(logarithm.exp().reduce_mean(&[0], false).neg().offset(1.0))
    }
}

// Of planes [C, 1, H, W] the means over windows of the index and of its contrast–structure term, each [C].
fn similarity(op: &str, x: &Expr, y: &Expr) -> Result<(Expr, Expr), GraphError> {
    let (c, h, w) = (x.shape()[0], x.shape()[2], x.shape()[3]);
    if h < WINDOW || w < WINDOW {
        return shape_error(op, format!("needs sides of at least {WINDOW} at the last scale"), &[x, y]);
    }
    let (c1, c2) = (0.01f64.powi(2), 0.03f64.powi(2));
    let all = Expr::try_concat(&[x.clone(), y.clone(), x.square(), y.square(), x.mul(y)], 0)?;
    let means = windows(&all)?;
    let [mx, my, xx, yy, xy] = [0, 1, 2, 3, 4].map(|k| means.slice_axis(0, k * c, (k + 1) * c));
    let (products, squares) = (mx.mul(&my), mx.square().add(&my.square()));
    let covariance = xy.sub(&products).scale(2.0).offset(c2);
    let structure = covariance.div(&xx.add(&yy).sub(&squares).offset(c2));
    let whole = structure.mul(&products.scale(2.0).offset(c1).div(&squares.offset(c1)));
    let mean = |v: &Expr| v.reduce_mean(&[1, 2, 3], false);
    Ok((mean(&whole), mean(&structure)))
}

// Weighted means over all windows inside planes [N, 1, H, W]; the Gaussian separates into rows and columns.
fn windows(planes: &Expr) -> Result<Expr, GraphError> {
    let centre = (WINDOW / 2) as f64;
    let bell = |i: usize| (-(i as f64 - centre).powi(2) / (2.0 * SIGMA * SIGMA)).exp();
    let total: f64 = (0..WINDOW).map(bell).sum();
    let weights = Tensor::from_f64([WINDOW], planes.dtype(), (0..WINDOW).map(|i| bell(i) / total).collect())?;
    let weights = Expr::constant(weights);
    let rows = planes.try_conv(&weights.reshape([1, 1, 1, WINDOW]), &Conv::default())?;
    rows.try_conv(&weights.reshape([1, 1, WINDOW, 1]), &Conv::default())
}

// Means of blocks of 2×2; an odd last row or column is left out.
fn halved(planes: &Expr) -> Expr {
    planes.avg_pool(Pool::square(2, 2))
}

#[cfg(test)]
mod tests {
    use super::*;
    use perturb_engine::{Executable, Options};
    use perturb_graph::DType;
    use perturb_metrics::image;
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    fn pair(shape: [usize; 3]) -> [Tensor; 2] {
        let mut rng = ChaCha8Rng::seed_from_u64(4);
        let count = shape.iter().product::<usize>();
        let x: Vec<f32> = (0..count).map(|i| 0.5 + 0.3 * (i as f32 / 9.0).sin()).collect();
        let y = x.iter().map(|v| (v + rng.random_range(-0.1..0.1f32)).clamp(0.0, 1.0)).collect();
        [x, y].map(|values| Tensor::new(shape, values).unwrap())
    }

    fn distance(metric: &dyn Metric, [a, b]: &[Tensor; 2]) -> f64 {
        let [x, y] = ["x", "y"].map(|name| Expr::input(name, a.shape(), DType::F32));
        let distance = metric.distance(&x, &y).unwrap();
        let exe = Executable::compile(&[distance], &[x, y], &Options::default()).unwrap();
        f64::from(exe.run(&[a, b]).unwrap()[0].as_slice::<f32>()[0])
    }

    // The measures in double precision are the oracle.
    #[test]
    fn graphs_agree_with_the_measures() {
        let small = pair([3, 14, 17]);
        let values = |pair: &[Tensor; 2]| [0, 1].map(|k| pair[k].as_slice::<f32>().to_vec());
        let [x, y] = values(&small);
        let expected = 1.0 - image::ssim(&x, &y, [3, 14, 17], 1.0).unwrap();
        assert!((distance(&Ssim, &small) - expected).abs() < 1e-4);
        let large = pair([1, 176, 180]);
        let [x, y] = values(&large);
        let expected = 1.0 - image::ms_ssim(&x, &y, [1, 176, 180], 1.0).unwrap();
        assert!((distance(&MsSsim::default(), &large) - expected).abs() < 1e-3);
        let squares: f32 = x.iter().zip(&y).map(|(a, b)| (a - b).powi(2)).sum();
        assert!((distance(&MeanSquaredError, &large) - f64::from(squares) / x.len() as f64).abs() < 1e-6);
        // With one scale it is the plain index.
        assert!((distance(&MsSsim { scales: 1 }, &small) - distance(&Ssim, &small)).abs() < 1e-5);
    }

    #[test]
    fn small_images_are_refused() {
        let [x, y] = ["x", "y"].map(|name| Expr::input(name, [1, 20, 20], DType::F32));
        assert!(MsSsim { scales: 2 }.distance(&x, &y).is_err() && MsSsim { scales: 0 }.distance(&x, &y).is_err());
        assert!(Ssim.distance(&x, &x.slice_axis(1, 0, 10)).is_err() && Ssim.distance(&x, &y).is_ok());
    }
}
