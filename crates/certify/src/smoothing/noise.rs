//! Gaussian noise that is the same whatever the batches.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;

/// What noise is drawn for. Draws for different purposes are independent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Choosing the class to certify.
    Selection,
    /// Counting how often that class wins.
    Counting,
    /// Predicting without a radius.
    Prediction,
}

/// The noise of one example for one purpose: a generator with one stream for each draw.
pub(super) struct Noise {
    key: [u8; 32],
    sigma: f32,
}

impl Noise {
    pub fn new(seed: u64, example: u64, purpose: Purpose, sigma: f64) -> Noise {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        key[8..16].copy_from_slice(&example.to_le_bytes());
        key[16] = purpose as u8;
        Noise { key, sigma: sigma as f32 }
    }

    /// Writes draw number `draw` around `x`. Nothing is clipped: the certificate is about exactly this noise.
    pub fn around(&self, x: &[f32], draw: u64, target: &mut [f32]) {
        let mut rng = ChaCha8Rng::from_seed(self.key);
        rng.set_stream(draw);
        for (t, &x) in target.iter_mut().zip(x) {
            let z: f32 = rng.sample(StandardNormal);
            *t = x + self.sigma * z;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draws(noise: &Noise, count: u64) -> Vec<f32> {
        let mut all = vec![0.0; 4 * count as usize];
        all.chunks_mut(4).zip(0..).for_each(|(t, draw)| noise.around(&[10.0; 4], draw, t));
        all
    }

    #[test]
    fn has_the_moments_of_the_normal_distribution() {
        let all = draws(&Noise::new(1, 0, Purpose::Counting, 0.5), 50_000);
        let n = all.len() as f64;
        let mean = all.iter().map(|&v| f64::from(v)).sum::<f64>() / n;
        let moment = |k: i32| all.iter().map(|&v| (f64::from(v) - mean).powi(k)).sum::<f64>() / n;
        // Five standard errors: σ/√n, σ²√(2/n), σ⁴√(96/n).
        assert!((mean - 10.0).abs() < 5.0 * 0.5 / n.sqrt());
        assert!((moment(2) - 0.25).abs() < 5.0 * 0.25 * (2.0 / n).sqrt());
        assert!((moment(4) - 3.0 * 0.0625).abs() < 5.0 * 0.0625 * (96.0 / n).sqrt());
    }

    #[test]
    fn seeds_examples_purposes_and_draws_are_uncorrelated() {
        let n = 20_000;
        let base = draws(&Noise::new(1, 0, Purpose::Counting, 1.0), n);
        let mut others: Vec<Vec<f32>> = [
            Noise::new(2, 0, Purpose::Counting, 1.0),
            Noise::new(1, 1, Purpose::Counting, 1.0),
            Noise::new(1, 0, Purpose::Selection, 1.0),
            Noise::new(1, 0, Purpose::Prediction, 1.0),
        ]
        .iter()
        .map(|noise| draws(noise, n))
        .collect();
        // The next draw of the same stream family.
        others.push([&base[4..], &base[..4]].concat());
        for other in others {
            let pairs = base.iter().zip(&other).map(|(&a, &b)| f64::from(a - 10.0) * f64::from(b - 10.0));
            let correlation = pairs.sum::<f64>() / base.len() as f64;
            assert!(correlation.abs() < 5.0 / (base.len() as f64).sqrt(), "{correlation}");
        }
    }
}
