//! From elements to pixels.

use crate::Geometry;

/// How the attributions of a pixel's channels become the pixel's score.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ChannelSum {
    /// Their sum: evidence against the class counts as such. Right for methods whose sign says whether an element
    /// speaks for the class (input×gradient, integrated gradients, occlusion).
    #[default]
    Signed,
    /// The sum of their absolute values: how much the pixel matters, either way. Right for gradients, whose sign says
    /// in which direction to change an element.
    Absolute,
}

impl ChannelSum {
    /// One score for each pixel of an example `[channels, spatial…]`.
    pub(crate) fn pixels(self, geometry: &Geometry, example: &[f32]) -> Vec<f64> {
        let mut scores = vec![0.0; geometry.pixels()];
        for plane in example.chunks_exact(scores.len()) {
            for (score, &v) in scores.iter_mut().zip(plane) {
                *score += match self {
                    ChannelSum::Signed => f64::from(v),
                    ChannelSum::Absolute => f64::from(v).abs(),
                };
            }
        }
        scores
    }
}

/// Pixels from the highest score to the lowest; ties in order of position.
pub(crate) fn descending(scores: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    // Adding 0.0 makes −0.0 and 0.0 a tie.
    order.sort_by(|&i, &j| (scores[j] + 0.0).total_cmp(&(scores[i] + 0.0)));
    order
}
