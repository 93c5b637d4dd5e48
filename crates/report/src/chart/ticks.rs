//! Ticks at round numbers (Heckbert 1990, "Nice numbers for graph labels").

/// Positions of ticks and how many decimals their labels need.
#[derive(Clone, Debug, PartialEq)]
pub struct Ticks {
    /// Multiples of 1, 2 or 5 times a power of ten, increasing.
    pub values: Vec<f64>,
    /// Decimals that tell neighbours apart.
    pub decimals: usize,
}

/// Ticks inside `[low, high]`, at most `at_most` + 1 of them. An empty or non-finite range has one tick at `low`.
pub fn ticks(low: f64, high: f64, at_most: usize) -> Ticks {
    let raw = (high - low) / at_most.max(1) as f64;
    if !raw.is_finite() || raw <= 0.0 {
        return Ticks { values: vec![low], decimals: 0 };
    }
    let decade = 10f64.powf(raw.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].map(|m| m * decade).into_iter().find(|s| *s >= raw * 0.999_999);
    let step = step.unwrap_or(10.0 * decade);
    // Rounding of the logarithm must not cost the end ticks.
    let first = (low / step - 1e-9).ceil();
    let last = (high / step + 1e-9).floor();
    let values = (0..=(last - first).max(0.0) as usize).map(|i| (first + i as f64) * step).collect();
    Ticks { values, decimals: (-(step * 1.000_001).log10().floor()).max(0.0) as usize }
}

impl Ticks {
    /// The label of one tick; very small and very large numbers in scientific notation.
    pub fn label(&self, value: f64) -> String {
        if self.decimals > 4 || value.abs() >= 1e6 {
            return crate::format::number(value, 3);
        }
        let text = format!("{value:.*}", self.decimals);
        if text.trim_start_matches('-').chars().all(|c| c == '0' || c == '.') { "0".into() } else { text }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_axes() {
        let t = ticks(0.0, 0.3, 6);
        assert_eq!(
            t.values.iter().map(|&v| t.label(v)).collect::<Vec<_>>(),
            ["0", "0.05", "0.10", "0.15", "0.20", "0.25", "0.30"]
        );
        let t = ticks(0.0, 1.0, 5);
        assert_eq!(t.values.iter().map(|&v| t.label(v)).collect::<Vec<_>>(), ["0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
        let t = ticks(0.0, 137.0, 4);
        assert_eq!(t.values, [0.0, 50.0, 100.0]);
        assert_eq!(t.decimals, 0);
    }

    #[test]
    fn ticks_are_round_inside_and_not_too_many() {
        for (low, high) in [(0.0, 1e-5), (0.0, 0.0314), (0.3, 0.9), (-4.0, 7.7), (0.0, 99_999.0), (1.0, 1.001)] {
            for at_most in 2..10 {
                let t = ticks(low, high, at_most);
                let slack = 1e-6 * (high - low);
                assert!(t.values.iter().all(|v| *v >= low - slack && *v <= high + slack), "{low} {high} {t:?}");
                assert!(t.values.len() <= at_most + 1 && t.values.len() * 3 >= at_most, "{low} {high} {at_most} {t:?}");
                let labels: std::collections::BTreeSet<String> = t.values.iter().map(|&v| t.label(v)).collect();
                assert_eq!(labels.len(), t.values.len().max(1), "{low} {high} {at_most} {labels:?}");
            }
        }
    }

    #[test]
    fn degenerate_ranges_have_one_tick() {
        assert_eq!(ticks(2.0, 2.0, 5).values, [2.0]);
        assert_eq!(ticks(0.0, f64::INFINITY, 5).values, [0.0]);
    }
}
