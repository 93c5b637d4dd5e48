//! When a search without limits of size is over.

use crate::problem::Problem;

/// When a search is over: at the first image that meets the criterion, is far enough from any other class, and whose gap
/// has settled.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stop {
    /// By how much the largest probability must exceed the second.
    pub gap: f64,
    /// The largest change of that gap in the last step; infinite for the first image past the gap.
    pub stability: f64,
}

impl Default for Stop {
    /// A gap of 0.05, stable to 1e-3.
    fn default() -> Self {
        Stop { gap: 0.05, stability: 1e-3 }
    }
}

impl Stop {
    /// At the first image past the gap.
    pub fn at_gap(gap: f64) -> Stop {
        Stop { gap, stability: f64::INFINITY }
    }
}

/// By how much the largest probability exceeds the second, for the logits of one example.
pub fn probability_gap(logits: &[f32]) -> f64 {
    let largest = |skip: Option<usize>| {
        let others = (0..logits.len()).filter(|&k| Some(k) != skip);
        others.reduce(|best, k| if logits[k] > logits[best] { k } else { best })
    };
    let Some(first) = largest(None) else { return 0.0 };
    let relative = |k: usize| (f64::from(logits[k]) - f64::from(logits[first])).exp();
    let second = largest(Some(first)).map_or(0.0, relative);
    (1.0 - second) / (0..logits.len()).map(relative).sum::<f64>()
}

/// What a search remembers: the last gap, and the smallest margin.
pub(super) struct Watch {
    gap: f64,
    margin: f64,
}

impl Watch {
    pub fn new() -> Watch {
        Watch { gap: 0.0, margin: f64::INFINITY }
    }

    /// Keeps the image where the search ends, or until then the one that came closest; tells whether it ends.
    pub fn judge(&mut self, stop: Stop, problem: &mut Problem, (row, x): (usize, &[f32]), logits: &[f32]) -> bool {
        let gap = probability_gap(logits);
        let settled = (gap - self.gap).abs() < stop.stability;
        let over = problem.criterion.is_adversarial(row, logits) && gap > stop.gap && settled;
        let margin = problem.criterion.margin(row, logits);
        if over || margin < self.margin {
            self.margin = margin;
            problem.keep(row, x);
        }
        self.gap = gap;
        over
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_of_known_probabilities() {
        let logits = [0.2f32, 0.5, 0.3].map(|p: f32| p.ln() + 7.0);
        assert!((probability_gap(&logits) - 0.2).abs() < 1e-6);
        assert!(probability_gap(&[1.0, 1.0]).abs() < 1e-12);
        assert!((probability_gap(&[500.0, -500.0]) - 1.0).abs() < 1e-12);
    }
}
