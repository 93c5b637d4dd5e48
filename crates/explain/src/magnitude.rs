//! Sizes of perturbations.

use crate::Result;
use crate::error::require;

/// A size in units of the input.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Magnitude {
    /// The same for all examples.
    Absolute(f64),
    /// A multiple of the example's own range, its largest minus its smallest element.
    OfRange(f64),
}

impl Magnitude {
    /// Fails unless the number is finite and not negative.
    pub(crate) fn check(self, name: &'static str) -> Result<()> {
        let (Magnitude::Absolute(value) | Magnitude::OfRange(value)) = self;
        require(value.is_finite() && value >= 0.0, name, || format!("must be finite and at least 0, but was {value}"))
    }

    /// The size for one example.
    pub(crate) fn of(self, example: &[f32]) -> f32 {
        match self {
            Magnitude::Absolute(value) => value as f32,
            Magnitude::OfRange(factor) => {
                let (lo, hi) =
                    example.iter().fold((f32::INFINITY, f32::NEG_INFINITY), |(lo, hi), &v| (lo.min(v), hi.max(v)));
                (factor * (f64::from(hi) - f64::from(lo))) as f32
            }
        }
    }
}
