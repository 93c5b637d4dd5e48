//! What the padding of convolutions leaves on perturbations: anomalies at the border.

use crate::AttackError;
use perturb_graph::Tensor;

/// How strong perturbations are towards the border.
#[derive(Clone, Debug, PartialEq)]
pub struct RingProfile {
    /// A(k), the mean of |δ| on ring k over that inside of all rings; ring 0 is the outermost line of pixels.
    pub ratios: Vec<f64>,
}

impl RingProfile {
    /// |log A(0)|, 0 where the border is like the inside.
    pub fn anomaly(&self) -> f64 {
        self.ratios[0].ln().abs()
    }
}

/// The profile of perturbations `[N, …, H, W]` over the outermost `rings`, all examples and channels together (after
/// Gavrikov and Keuper 2023).
///
/// # Errors
/// If these are not images in single precision, there are no rings, or nothing is perturbed inside of them.
pub fn ring_profile(perturbations: &Tensor, rings: usize) -> Result<RingProfile, AttackError> {
    let unfit = || AttackError::Inputs {
        dtype: perturbations.dtype(),
        shape: perturbations.shape().clone(),
        expected: [2 * rings + 1; 2].into(),
    };
    let (&[.., h, w], Some(values)) = (&perturbations.shape()[..], perturbations.try_as_slice::<f32>()) else {
        return Err(unfit());
    };
    if rings == 0 || h.min(w) <= 2 * rings || values.is_empty() {
        return Err(unfit());
    }
    let mut sums = vec![(0.0, 0usize); rings + 1];
    for plane in values.chunks_exact(h * w) {
        for (pixel, &value) in plane.iter().enumerate() {
            let (row, column) = (pixel / w, pixel % w);
            let ring = row.min(h - 1 - row).min(column).min(w - 1 - column).min(rings);
            sums[ring].0 += f64::from(value).abs();
            sums[ring].1 += 1;
        }
    }
    let means: Vec<f64> = sums.iter().map(|(sum, count)| sum / *count as f64).collect();
    if means[rings] > 0.0 {
        Ok(RingProfile { ratios: means[..rings].iter().map(|m| m / means[rings]).collect() })
    } else {
        Err(unfit())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // 4×5: a border of 2, inside −1 and 1.
    #[test]
    fn rings_by_hand() {
        let inside = |i: usize| (1..3).contains(&(i / 5)) && (1..4).contains(&(i % 5));
        let value = |i: usize| if inside(i) { 1.0 - 2.0 * (i % 2) as f32 } else { 2.0 };
        let delta = Tensor::new([1, 4, 5], (0..20).map(value).collect()).unwrap();
        let profile = ring_profile(&delta, 1).unwrap();
        assert_eq!(profile.ratios, [2.0]);
        assert!((profile.anomaly() - 2f64.ln()).abs() < 1e-12);
        assert!(ring_profile(&delta, 2).is_err() && ring_profile(&delta, 0).is_err());
        assert!(ring_profile(&Tensor::full([1, 4, 5], 0.0f32), 1).is_err());
    }
}
