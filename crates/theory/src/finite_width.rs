//! Finite-width corrections to the Gaussian process of a random network (Antognini 2019).
//!
//! One hidden layer, `f(x) = N^{−1/2} Σ v_i φ(u_i·x)` with independent preactivations `u_i·x ~ N(0, 1)` and output
//! weights v of mean 0 and variance 1. Everything is about the distribution of f over random weights.

use crate::TheoryError;
use crate::activation::Activation;
use crate::gaussian::expectation;
use perturb_metrics::normal;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Cauchy, Distribution, Exp1, StandardNormal};
use rayon::prelude::*;
use std::f64::consts::PI;

/// The law of the output weights, of mean 0 and variance 1 where they exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WeightLaw {
    /// Standard normal.
    Gaussian,
    /// Uniform on ±√3.
    Uniform,
    /// ±1 with probability one half each.
    Rademacher,
    /// Exponential minus one: E v³ = 2, so the leading correction is not the symmetric one of this module.
    Skewed,
    /// Standard Cauchy, without moments.
    Cauchy,
}

impl WeightLaw {
    /// `E v⁴`.
    ///
    /// # Errors
    /// [`TheoryError::InfiniteMoment`] for [`WeightLaw::Cauchy`].
    pub fn fourth_moment(self) -> Result<f64, TheoryError> {
        match self {
            WeightLaw::Gaussian => Ok(3.0),
            WeightLaw::Uniform => Ok(9.0 / 5.0),
            WeightLaw::Rademacher => Ok(1.0),
            WeightLaw::Skewed => Ok(9.0),
            WeightLaw::Cauchy => Err(TheoryError::InfiniteMoment { law: self.name(), moment: "fourth moment" }),
        }
    }

    /// Its name in tables.
    pub fn name(self) -> &'static str {
        match self {
            WeightLaw::Gaussian => "Gaussian",
            WeightLaw::Uniform => "uniform",
            WeightLaw::Rademacher => "Rademacher",
            WeightLaw::Skewed => "skewed",
            WeightLaw::Cauchy => "Cauchy",
        }
    }

    fn sample(self, rng: &mut ChaCha8Rng) -> f64 {
        match self {
            WeightLaw::Gaussian => StandardNormal.sample(rng),
            WeightLaw::Uniform => 3f64.sqrt() * rng.random_range(-1.0..1.0),
            WeightLaw::Rademacher => {
                if rng.random() {
                    1.0
                } else {
                    -1.0
                }
            }
            WeightLaw::Skewed => <Exp1 as Distribution<f64>>::sample(&Exp1, rng) - 1.0,
            WeightLaw::Cauchy => Cauchy::new(0.0, 1.0).map_or(f64::NAN, |law| law.sample(rng)),
        }
    }
}

/// `E φ(z)²` for `z ~ N(0, 1)`: the variance of the output, of any width.
pub fn variance(activation: Activation) -> f64 {
    expectation(1.0, |z| activation.apply(z).powi(2))
}

/// The exact fourth cumulant of the output over its squared variance, `(E v⁴·E φ⁴/(E φ²)² − 3) / N`.
///
/// # Errors
/// [`TheoryError::InfiniteMoment`]; [`TheoryError::Domain`] for width 0.
pub fn excess_kurtosis(activation: Activation, law: WeightLaw, width: usize) -> Result<f64, TheoryError> {
    check_width(width)?;
    let fourth = expectation(1.0, |z| activation.apply(z).powi(4));
    Ok((law.fourth_moment()? * fourth / variance(activation).powi(2) - 3.0) / width as f64)
}

/// The density of an output of the given variance and excess kurtosis to first order in 1/width (Edgeworth):
/// `N(0, K)·(1 + κ₄/24·He₄(f/√K))`. It may be negative in the tails.
pub fn edgeworth_pdf(output: f64, variance: f64, kurtosis: f64) -> f64 {
    let z = output / variance.sqrt();
    let hermite = z.powi(4) - 6.0 * z * z + 3.0;
    (-0.5 * z * z).exp() / (2.0 * PI * variance).sqrt() * (1.0 + kurtosis / 24.0 * hermite)
}

/// The integral of [`edgeworth_pdf`] from −∞: `Φ(z) − κ₄/24·He₃(z)·φ(z)`.
pub fn edgeworth_cdf(output: f64, variance: f64, kurtosis: f64) -> f64 {
    let z = output / variance.sqrt();
    let hermite = z.powi(3) - 3.0 * z;
    normal::cdf(z) - kurtosis / 24.0 * hermite * (-0.5 * z * z).exp() / (2.0 * PI).sqrt()
}

/// Outputs that share one stream of random numbers, so that the result does not depend on the number of threads.
const BLOCK: usize = 4096;

/// `count` outputs of random networks for each of `widths`, which must rise: the networks of one index are nested, each
/// adding units to the one before.
///
/// # Errors
/// [`TheoryError::Domain`] for width 0 or widths that do not rise.
pub fn sample_outputs(
    activation: Activation,
    law: WeightLaw,
    widths: &[usize],
    count: usize,
    seed: u64,
) -> Result<Vec<Vec<f64>>, TheoryError> {
    widths.iter().try_for_each(|&w| check_width(w))?;
    if !widths.is_sorted_by(|a, b| a < b) {
        return Err(TheoryError::Domain { what: "widths", reason: "must rise" });
    }
    let block = |index: usize| -> Vec<Vec<f64>> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(index as u64);
        let size = BLOCK.min(count - index * BLOCK);
        let mut outputs = vec![Vec::with_capacity(size); widths.len()];
        for _ in 0..size {
            let (mut sum, mut unit) = (0.0, 0);
            for (&width, out) in widths.iter().zip(&mut outputs) {
                for _ in unit..width {
                    let z: f64 = StandardNormal.sample(&mut rng);
                    sum += law.sample(&mut rng) * activation.apply(z);
                }
                unit = width;
                out.push(sum / (width as f64).sqrt());
            }
        }
        outputs
    };
    let blocks: Vec<Vec<Vec<f64>>> = (0..count.div_ceil(BLOCK)).into_par_iter().map(block).collect();
    let of_width = |k: usize| blocks.iter().flat_map(|b| &b[k]).copied().collect();
    Ok((0..widths.len()).map(of_width).collect())
}

fn check_width(width: usize) -> Result<(), TheoryError> {
    if width > 0 { Ok(()) } else { Err(TheoryError::Domain { what: "width", reason: "must be at least 1" }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Closed forms (linear, ReLU, sign) and quadrature with 40 digits (others) of `E v⁴·E φ⁴/(E φ²)² − 3`.
    #[test]
    fn constants() {
        use Activation::*;
        use WeightLaw::*;
        for (activation, law, expected) in [
            (Linear, Gaussian, 6.0),
            (Relu, Gaussian, 15.0),
            (Linear, Uniform, 9.0 / 5.0 * 3.0 - 3.0),
            (Relu, Rademacher, 3.0),
            (Sign, Rademacher, -2.0),
        ] {
            let found = excess_kurtosis(activation, law, 7).unwrap() * 7.0;
            assert!((found - expected).abs() < 1e-12, "{activation:?} {law:?}: {found}");
        }
        // Rounded to the digits of the specification.
        for (activation, expected) in [(Tanh, 1.8819), (Erf, 1.6795), (Gelu, 18.647)] {
            let found = excess_kurtosis(activation, Gaussian, 1).unwrap();
            assert!((found / expected - 1.0).abs() < 5e-5, "{activation:?}: {found}");
        }
    }

    #[test]
    fn the_density_integrates_to_its_distribution() {
        let (variance, kurtosis) = (2.5, 0.7);
        let (mut sum, step) = (0.0, 1e-3);
        for i in -20_000..5000 {
            let x = f64::from(i) * step;
            sum += step * edgeworth_pdf(x + 0.5 * step, variance, kurtosis);
        }
        assert!((sum - edgeworth_cdf(5.0, variance, kurtosis)).abs() < 1e-7);
        assert!((edgeworth_cdf(50.0, variance, kurtosis) - 1.0).abs() < 1e-15);
    }

    /// Rademacher weights on signs: N^{−1/2} times a sum of N fair signs, so for N = 2 the outputs are 0 and ±√2.
    #[test]
    fn signs_are_binomial() {
        let outputs = sample_outputs(Activation::Sign, WeightLaw::Rademacher, &[2], 40_000, 3).unwrap();
        let zero = outputs[0].iter().filter(|f| f.abs() < 1e-12).count() as f64 / 40_000.0;
        let up = outputs[0].iter().filter(|f| (**f - 2f64.sqrt()).abs() < 1e-12).count() as f64 / 40_000.0;
        assert!((zero - 0.5).abs() < 0.01 && (up - 0.25).abs() < 0.01, "{zero} {up}");
    }

    #[test]
    fn samples_do_not_depend_on_threads_and_nest() {
        let draw = || sample_outputs(Activation::Tanh, WeightLaw::Uniform, &[3, 5], 10_000, 9).unwrap();
        let one = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap().install(draw);
        let three = rayon::ThreadPoolBuilder::new().num_threads(3).build().unwrap().install(draw);
        assert_eq!(one, three);
        let narrow = sample_outputs(Activation::Tanh, WeightLaw::Uniform, &[3], 10, 9).unwrap();
        assert_eq!(narrow[0][0], one[0][0]);
    }

    #[test]
    fn refuses_what_has_no_expansion() {
        let cauchy = excess_kurtosis(Activation::Relu, WeightLaw::Cauchy, 4);
        assert!(matches!(cauchy, Err(TheoryError::InfiniteMoment { .. })));
        assert!(matches!(excess_kurtosis(Activation::Relu, WeightLaw::Gaussian, 0), Err(TheoryError::Domain { .. })));
        assert!(sample_outputs(Activation::Relu, WeightLaw::Gaussian, &[4, 4], 10, 0).is_err());
    }
}
