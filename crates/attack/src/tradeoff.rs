//! The weight of the margin against the distance, and its binary search.

/// Bounds of the weight c (Carlini and Wagner 2017, §VI.D): success lowers it, failure raises it, tenfold as long as
/// nothing has succeeded.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Tradeoff {
    pub weight: f64,
    lower: f64,
    upper: f64,
}

impl Tradeoff {
    pub fn new(weight: f64) -> Tradeoff {
        Tradeoff { weight, lower: 0.0, upper: f64::INFINITY }
    }

    /// The next weight, after a search with this one.
    pub fn update(&mut self, succeeded: bool) {
        if succeeded {
            self.upper = self.upper.min(self.weight);
        } else {
            self.lower = self.lower.max(self.weight);
        }
        self.weight = if self.upper.is_finite() { 0.5 * (self.lower + self.upper) } else { 10.0 * self.weight };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // With success exactly from c = 0.6 on.
    #[test]
    fn weight_closes_in_on_the_smallest_that_succeeds() {
        let mut tradeoff = Tradeoff::new(1e-3);
        let mut tried = vec![];
        for _ in 0..30 {
            tried.push(tradeoff.weight);
            tradeoff.update(tradeoff.weight >= 0.6);
        }
        assert!((tried[3] - 1.0).abs() < 1e-12 && (tried[4] - 0.55).abs() < 1e-12);
        assert!((tradeoff.weight - 0.6).abs() < 1e-6);
    }
}
