//! Randomised smoothing (Cohen, Rosenfeld & Kolter 2019).

mod classifier;
mod noise;

pub use classifier::NoisyClassifier;

use crate::{CertifyError, Result};
use noise::{Noise, Purpose};
use perturb_graph::Tensor;
use perturb_metrics::{interval::clopper_pearson_lower, normal};

/// The smoothed classifier `g(x) = argmax_c P[f(x + N(0, σ²·I)) = c]` and how it is sampled.
///
/// Every example has noise of its own, from `seed` and its index alone: results do not depend on batches, threads, or which
/// other examples are certified.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Smoothed {
    /// Standard deviation of the noise, in units of the model's input.
    pub sigma: f64,
    /// Draws that choose the class to certify.
    pub n0: u64,
    /// Fresh draws that count how often that class wins.
    pub n: u64,
    /// Probability with which a certificate may be wrong.
    pub alpha: f64,
    /// Seed of the noise.
    pub seed: u64,
}

impl Default for Smoothed {
    /// σ = 0.25, 100 and 1,000 draws (the paper uses 100,000 of the second kind), failure probability 0.001.
    fn default() -> Smoothed {
        Smoothed { sigma: 0.25, n0: 100, n: 1000, alpha: 0.001, seed: 0 }
    }
}

/// What was certified about the smoothed classifier at one input.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Certificate {
    /// The class; `None` is abstention.
    pub class: Option<usize>,
    /// ℓ2 radius around the input within which the smoothed classifier gives this class; 0 when abstaining.
    pub radius: f64,
}

impl Smoothed {
    /// CERTIFY of Cohen et al. 2019: with probability at least `1 − alpha` over the noise, the smoothed classifier is
    /// constant within the radius `σ·Φ⁻¹(p)`, where `p > ½` is the one-sided Clopper–Pearson limit of the probability
    /// of the class (their theorem 1 and proposition 2).
    ///
    /// `x` is one example; `example` its index, which selects its noise.
    ///
    /// # Errors
    /// If a parameter is out of range, or `x` does not fit the model.
    pub fn certify(&self, model: &NoisyClassifier, x: &Tensor, example: u64) -> Result<Certificate> {
        self.check()?;
        let x = model.example(x)?;
        let draw = |purpose, draws| model.count(x, draws, &Noise::new(self.seed, example, purpose, self.sigma));
        let (class, _) = top_two(&draw(Purpose::Selection, self.n0)?);
        let wins = draw(Purpose::Counting, self.n)?[class];
        let probability = clopper_pearson_lower(wins, self.n, self.alpha)?;
        if probability <= 0.5 {
            return Ok(Certificate { class: None, radius: 0.0 });
        }
        Ok(Certificate { class: Some(class), radius: self.sigma * normal::inverse_cdf(probability)? })
    }

    /// PREDICT of Cohen et al. 2019: the class that wins most of `n` draws, or `None` if a two-sided binomial test of the
    /// two most frequent classes does not reject a tie at level `alpha`. A returned class differs from the smoothed
    /// classifier's with probability at most `alpha` (their proposition 1).
    ///
    /// # Errors
    /// As [`Smoothed::certify`].
    pub fn predict(&self, model: &NoisyClassifier, x: &Tensor, example: u64) -> Result<Option<usize>> {
        self.check()?;
        let x = model.example(x)?;
        let counts = model.count(x, self.n, &Noise::new(self.seed, example, Purpose::Prediction, self.sigma))?;
        let (first, second) = top_two(&counts);
        let rival = second.map_or(0, |s| counts[s]);
        Ok(rejects_tie(counts[first], rival, self.alpha)?.then_some(first))
    }

    fn check(&self) -> Result<()> {
        let sigma = self.sigma.is_finite() && self.sigma > 0.0;
        let alpha = self.alpha > 0.0 && self.alpha < 1.0;
        let checks = [
            (sigma, "sigma", "a finite number above 0", self.sigma),
            (alpha, "alpha", "between 0 and 1", self.alpha),
            (self.n0 > 0, "n0", "at least 1", 0.0),
            (self.n > 0, "n", "at least 1", 0.0),
        ];
        match checks.into_iter().find(|(fine, ..)| !fine) {
            Some((_, name, range, value)) => Err(CertifyError::Parameter { name, range, value }),
            None => Ok(()),
        }
    }
}

// The most frequent class and the second; of equal counts the first.
fn top_two(counts: &[u64]) -> (usize, Option<usize>) {
    let mut order: Vec<usize> = (0..counts.len()).collect();
    order.sort_by_key(|&c| std::cmp::Reverse(counts[c]));
    (order[0], order.get(1).copied())
}

// Two-sided binomial test of p = ½. Its p-value is 2·P[Binomial(a + b, ½) ≥ a] for a ≥ b, and that tail is at most alpha/2
// exactly if the Clopper–Pearson limit at alpha/2 is at least ½.
fn rejects_tie(a: u64, b: u64, alpha: f64) -> Result<bool> {
    Ok(a + b > 0 && clopper_pearson_lower(a, a + b, alpha / 2.0)? >= 0.5)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// p-values by exact summation of binomial coefficients: 0.06990, 0.05689, 112/1024, 22/1024, 1.
    #[test]
    fn binomial_test_by_enumeration() {
        for (a, b, alpha, rejected) in [
            (59, 40, 0.07, true),
            (59, 40, 0.0698, false),
            (60, 40, 0.0569, true),
            (60, 40, 0.0568, false),
            (8, 2, 0.11, true),
            (8, 2, 0.109, false),
            (9, 1, 0.0215, true),
            (9, 1, 0.0214, false),
            (5, 5, 0.9, false),
            (0, 0, 0.5, false),
        ] {
            assert_eq!(rejects_tie(a, b, alpha).unwrap(), rejected, "{a} {b} {alpha}");
        }
    }

    #[test]
    fn ties_go_to_the_first() {
        assert_eq!(top_two(&[3, 7, 7]), (1, Some(2)));
        assert_eq!(top_two(&[4]), (0, None));
    }
}
