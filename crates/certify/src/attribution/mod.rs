//! How far an attribution can move when the input does.
//!
//! - [`smoothed`]: an attribution averaged over a ball hardly moves, whatever the model and the method are.
//! - [`deviation`]: how far the gradient of a smooth model moves, to first order or over the whole ball.

pub mod deviation;
pub mod smoothed;

// The smallest cosine of a vector of this length and one within `shift` of it, if there is any bound at all.
fn least_cosine(length: f64, shift: f64) -> Option<f64> {
    (shift < length).then(|| (1.0 - (shift / length).powi(2)).max(0.0).sqrt())
}
