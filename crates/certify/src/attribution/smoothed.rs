//! Attributions that are averaged over a ball around the input.
//!
//! The smoothed attribution is `h(x) = E g(x + u)` with u uniform in the ℓ2 ball of radius r, for an attribution g whose
//! length is at most 1. Two such balls whose centres are ε apart share the part κ of their volume ([`overlap`]); on the rest,
//! `h(x) − h(x̃)` is a difference of means of vectors of length at most 1, so `‖h(x) − h(x̃)‖ ≤ R = 2(1 − κ)`, and the cosine
//! of the two is at least `√(1 − R²/‖h(x)‖²)` where R is less than `‖h(x)‖`. Derived here from the claim of "Certified ℓ2
//! Attribution Robustness via Uniformly Smoothed Attributions", whose own constant may differ.
//!
//! In many dimensions κ falls fast unless r is much larger than `ε·√d`.

use super::least_cosine;
use crate::{CertifyError, Result};
use perturb_graph::Tensor;
use perturb_metrics::beta::regularized_beta;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;

/// How an attribution is smoothed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct UniformSmooth {
    /// Radius r of the ball that is averaged over, ℓ2, in units of the input. Nothing is clipped: the model sees inputs
    /// outside of the pixel range.
    pub radius: f64,
    /// Draws of the mean.
    pub samples: usize,
    /// Draws that the attribution sees at once.
    pub batch: usize,
    /// Seed of the draws.
    pub seed: u64,
}

/// What holds for a smoothed attribution with probability `1 − alpha` over the draws.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CosineCertificate {
    /// Upper bound R of how far the smoothed attribution moves within the radius.
    pub shift: f64,
    /// Lower bound of the length of the smoothed attribution at the input.
    pub length: f64,
    /// Lower bound of the cosine of the smoothed attributions at the input and at any point within the radius; nothing if the
    /// shift may be as long as the attribution.
    pub cosine: Option<f64>,
}

impl UniformSmooth {
    /// The mean over the draws of the attribution of unit length around `x`, an input `[…]` without axis of examples. Where
    /// the attribution is zero it counts as zero. `attribution` maps inputs `[batch, …]` to attributions of that shape;
    /// `example` selects the draws, which are the same for every input under one number.
    ///
    /// # Errors
    /// If a setting is out of range, `attribution` fails, or gives another shape or a value that is not finite.
    pub fn smooth<E: From<CertifyError>>(
        &self,
        x: &Tensor,
        example: u64,
        mut attribution: impl FnMut(&Tensor) -> Result<Tensor, E>,
    ) -> Result<Vec<f64>, E> {
        self.check()?;
        let (center, width) = (x.to_f64_vec(), x.count());
        let mut mean = vec![0.0; width];
        for start in (0..self.samples).step_by(self.batch) {
            let mut points = Vec::with_capacity(self.batch * width);
            for draw in start..start + self.batch {
                let noise = self.draw(example, draw as u64, width);
                points.extend(center.iter().zip(noise).map(|(c, u)| (c + u) as f32));
            }
            let shape = x.shape().prepend(self.batch);
            let points = Tensor::new(shape.clone(), points).map_err(CertifyError::from)?;
            let found = attribution(&points)?;
            let values = found.to_f64_vec();
            if *found.shape() != shape || values.iter().any(|v| !v.is_finite()) {
                let reason = format!("it gives {} for {shape}, or values that are not finite", found.shape());
                return Err(CertifyError::Unfit { what: "an attribution", reason }.into());
            }
            for row in values.chunks_exact(width).take(self.samples - start) {
                let length = norm(row).max(f64::MIN_POSITIVE);
                mean.iter_mut().zip(row).for_each(|(m, v)| *m += v / length / self.samples as f64);
            }
        }
        Ok(mean)
    }

    /// What is certified at ℓ2 distance up to `epsilon` from the input about whose smoothed attribution `smoothed` is an estimate
    /// by [`UniformSmooth::smooth`]. Its error, `(1 + √(2·ln(1/α)))/√n` with probability 1 − α in any dimension, is taken
    /// off its length (McDiarmid's inequality).
    ///
    /// # Errors
    /// If a setting, `epsilon` or `alpha` is out of range.
    pub fn certify(&self, smoothed: &[f64], epsilon: f64, alpha: f64) -> Result<CosineCertificate> {
        let shift = 2.0 * (1.0 - overlap(smoothed.len(), epsilon, self.radius)?);
        let length = self.least_length(smoothed, alpha)?;
        Ok(CosineCertificate { shift, length, cosine: least_cosine(length, shift) })
    }

    /// The largest ℓ2 distance, to nine digits, up to which the cosine is certified to be at least `cosine`; nothing if not
    /// even at distance 0.
    ///
    /// # Errors
    /// If a setting or `alpha` is out of range, or `cosine` is not in [0, 1).
    pub fn max_epsilon(&self, smoothed: &[f64], cosine: f64, alpha: f64) -> Result<Option<f64>> {
        let length = self.least_length(smoothed, alpha)?;
        let allowed = allowed_shift(length, cosine)?;
        let holds = |epsilon: f64| Ok(2.0 * (1.0 - overlap(smoothed.len(), epsilon, self.radius)?) < allowed);
        if length <= 0.0 {
            return Ok(None);
        }
        bisect(0.0, 2.0 * self.radius, holds).map(Some)
    }

    // The length of the estimate less its error.
    fn least_length(&self, smoothed: &[f64], alpha: f64) -> Result<f64> {
        self.check()?;
        if !(alpha > 0.0 && alpha < 1.0) {
            return Err(CertifyError::Parameter { name: "alpha", range: "between 0 and 1", value: alpha });
        }
        let error = (1.0 + (2.0 * (1.0 / alpha).ln()).sqrt()) / (self.samples as f64).sqrt();
        Ok((norm(smoothed) - error).max(0.0))
    }

    // A point of the ball: a direction of a normal vector, and a length whose power d is uniform.
    fn draw(&self, example: u64, draw: u64, width: usize) -> Vec<f64> {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&self.seed.to_le_bytes());
        key[8..16].copy_from_slice(&example.to_le_bytes());
        let mut rng = ChaCha8Rng::from_seed(key);
        rng.set_stream(draw);
        let direction: Vec<f64> = (0..width).map(|_| rng.sample(StandardNormal)).collect();
        let length = self.radius * rng.random::<f64>().powf(1.0 / width as f64) / norm(&direction);
        direction.into_iter().map(|v| v * length).collect()
    }

    fn check(&self) -> Result<()> {
        radius_is_sensible(self.radius)?;
        for (name, value) in [("samples", self.samples), ("batch", self.batch)] {
            if value == 0 {
                return Err(CertifyError::Parameter { name, range: "at least 1", value: 0.0 });
            }
        }
        Ok(())
    }
}

/// The share κ of its volume that a ball of `dimension` dimensions and this radius has in common with one whose centre is
/// `epsilon` away: `I_{1 − (ε/2r)²}((d + 1)/2, ½)`, the regularised incomplete beta function, less the error of its computation;
/// 0 from `epsilon = 2·radius` on.
///
/// # Errors
/// If the dimension is 0, the radius not above 0, or `epsilon` negative or not finite.
pub fn overlap(dimension: usize, epsilon: f64, radius: f64) -> Result<f64> {
    radius_is_sensible(radius)?;
    if dimension == 0 {
        return Err(CertifyError::Parameter { name: "dimension", range: "at least 1", value: 0.0 });
    }
    if !(epsilon.is_finite() && epsilon >= 0.0) {
        return Err(CertifyError::Epsilon { row: 0, epsilon });
    }
    let half = epsilon / (2.0 * radius);
    if half >= 1.0 {
        return Ok(0.0);
    }
    let share = regularized_beta((dimension as f64 + 1.0) / 2.0, 0.5, (1.0 - half) * (1.0 + half));
    // Continued fraction and logarithms of Γ, see the tests of the function: 1e-14, and 1e-11 for thousands of dimensions.
    Ok(if epsilon == 0.0 { 1.0 } else { (share - 1e-11).max(0.0) })
}

/// The smallest radius, to nine digits, with which the cosine is certified to be at least `cosine` within `epsilon`, if the smoothed
/// attribution is known to have at least this `length` for that radius. A larger radius also shortens the attribution, so
/// estimate the length anew with it.
///
/// # Errors
/// If an argument is out of range; if no radius below `1e9·epsilon` is enough.
pub fn min_radius(dimension: usize, length: f64, epsilon: f64, cosine: f64) -> Result<f64> {
    let allowed = allowed_shift(length, cosine)?;
    let fails = |radius: f64| Ok(2.0 * (1.0 - overlap(dimension, epsilon, radius)?) >= allowed);
    if fails(1e9 * epsilon)? {
        return Err(CertifyError::Parameter { name: "length", range: "large enough for the cosine", value: length });
    }
    // The end of the bisection that is given back still fails, by less than its precision.
    Ok(bisect(0.5 * epsilon, 1e9 * epsilon, fails)? * (1.0 + 1e-8))
}

// The shift at which the cosine falls to `cosine`.
fn allowed_shift(length: f64, cosine: f64) -> Result<f64> {
    if !(0.0..1.0).contains(&cosine) {
        return Err(CertifyError::Parameter { name: "cosine", range: "at least 0 and below 1", value: cosine });
    }
    Ok(length * (1.0 - cosine * cosine).sqrt())
}

// The last point from `low`, where `holds` does, to `high`, where it does not, up to which it does, rounded down.
fn bisect(low: f64, high: f64, holds: impl Fn(f64) -> Result<bool>) -> Result<f64> {
    let (mut low, mut high) = (low, high);
    while high - low > 1e-9 * high {
        let middle = 0.5 * (low + high);
        if holds(middle)? { low = middle } else { high = middle }
    }
    Ok(low)
}

fn radius_is_sensible(radius: f64) -> Result<()> {
    if radius.is_finite() && radius > 0.0 {
        return Ok(());
    }
    Err(CertifyError::Parameter { name: "radius", range: "a finite number above 0", value: radius })
}

fn norm(v: &[f64]) -> f64 {
    v.iter().map(|v| v * v).sum::<f64>().sqrt()
}
