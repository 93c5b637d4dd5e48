//! Whether a classifier's probabilities mean what they say.
//!
//! Probabilities are rows `[n, classes]` that sum to one; the predicted class is the most probable one, the lower index
//! if several are.

use crate::accuracy::check_labels;
use crate::error::{MetricError, Result, check_lengths};
use crate::matrix::Matrix;

/// How confidences are grouped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Binning {
    /// Intervals `(i/b, (i+1)/b]` of one width (Naeini et al. 2015; Guo et al. 2017).
    EqualWidth,
    /// Groups of (nearly) one size along the sorted confidences, which keeps bins from being empty (Nguyen & O'Connor
    /// 2015).
    EqualMass,
}

/// One group of predictions of similar confidence.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ReliabilityBin {
    /// Number of predictions, at least one.
    pub count: usize,
    /// Their mean confidence.
    pub confidence: f64,
    /// The fraction of them that are right.
    pub accuracy: f64,
}

/// Accuracy against confidence.
#[derive(Clone, Debug, PartialEq)]
pub struct Reliability {
    /// The bins that hold predictions, by rising confidence.
    pub bins: Vec<ReliabilityBin>,
}

impl Reliability {
    /// Groups the predictions into at most `bins` bins.
    ///
    /// # Errors
    /// [`MetricError::Length`]; [`MetricError::Domain`] for a label that is no class, rows that are no probabilities,
    /// or no bins.
    pub fn new(probabilities: &Matrix, labels: &[usize], bins: usize, binning: Binning) -> Result<Reliability> {
        check_probabilities(probabilities, labels)?;
        if bins == 0 {
            return Err(MetricError::Domain { what: "bins", reason: "needs at least one".to_string() });
        }
        let predictions = probabilities.iter().zip(labels).map(|(row, &label)| {
            let best = (1..row.len()).fold(0, |best, class| if row[class] > row[best] { class } else { best });
            (row[best], best == label)
        });
        let mut predictions: Vec<(f64, bool)> = predictions.collect();
        predictions.sort_by(|a, b| a.0.total_cmp(&b.0));
        let n = predictions.len();
        let groups: Vec<&[(f64, bool)]> = match binning {
            Binning::EqualMass => (0..bins).map(|b| &predictions[b * n / bins..(b + 1) * n / bins]).collect(),
            Binning::EqualWidth => {
                let bin = |confidence: f64| ((confidence * bins as f64).ceil() as usize).clamp(1, bins);
                predictions.chunk_by(|a, b| bin(a.0) == bin(b.0)).collect()
            }
        };
        let bin = |group: &&[(f64, bool)]| ReliabilityBin {
            count: group.len(),
            confidence: group.iter().map(|p| p.0).sum::<f64>() / group.len() as f64,
            accuracy: group.iter().filter(|p| p.1).count() as f64 / group.len() as f64,
        };
        Ok(Reliability { bins: groups.iter().filter(|g| !g.is_empty()).map(bin).collect() })
    }

    /// Expected calibration error: the mean of `|accuracy − confidence|`, weighted by count; in [0, 1].
    pub fn expected_error(&self) -> f64 {
        let total: usize = self.bins.iter().map(|b| b.count).sum();
        self.bins.iter().map(|b| b.count as f64 * (b.accuracy - b.confidence).abs()).sum::<f64>() / total as f64
    }

    /// Maximum calibration error: the largest `|accuracy − confidence|`; in [0, 1].
    pub fn maximum_error(&self) -> f64 {
        self.bins.iter().map(|b| (b.accuracy - b.confidence).abs()).fold(0.0, f64::max)
    }
}

/// Brier score: mean over examples of `Σ_c (p_c − 1[label = c])²`, in [0, 2] (Brier 1950).
///
/// # Errors
/// As [`Reliability::new`].
pub fn brier_score(probabilities: &Matrix, labels: &[usize]) -> Result<f64> {
    check_probabilities(probabilities, labels)?;
    let score = |(row, &label): (&[f64], &usize)| -> f64 {
        row.iter().enumerate().map(|(class, p)| (p - f64::from(u8::from(class == label))).powi(2)).sum()
    };
    Ok(probabilities.iter().zip(labels).map(score).sum::<f64>() / labels.len() as f64)
}

/// Mean negative log-likelihood of the labels, in nats; infinite if a label was given probability zero.
///
/// # Errors
/// As [`Reliability::new`].
pub fn negative_log_likelihood(probabilities: &Matrix, labels: &[usize]) -> Result<f64> {
    check_probabilities(probabilities, labels)?;
    Ok(-probabilities.iter().zip(labels).map(|(row, &label)| row[label].ln()).sum::<f64>() / labels.len() as f64)
}

/// `softmax(logits / temperature)`, row by row.
///
/// # Errors
/// [`MetricError::Domain`] unless the temperature is positive.
pub fn softmax(logits: &Matrix, temperature: f64) -> Result<Matrix<'static>> {
    if temperature.is_nan() || temperature <= 0.0 {
        let reason = format!("must be positive, got {temperature}");
        return Err(MetricError::Domain { what: "temperature", reason });
    }
    let values = logits.iter().flat_map(|row| softmax_of(row, 1.0 / temperature)).collect();
    Matrix::from_vec(values, logits.columns())
}

fn softmax_of(row: &[f64], inverse_temperature: f64) -> Vec<f64> {
    let largest = row.iter().fold(f64::NEG_INFINITY, |m, &v| m.max(v));
    let weights: Vec<f64> = row.iter().map(|v| ((v - largest) * inverse_temperature).exp()).collect();
    let total: f64 = weights.iter().sum();
    weights.iter().map(|w| w / total).collect()
}

/// The temperature that minimises the [`negative_log_likelihood`] of `softmax(logits / T)` (Guo et al. 2017), to
/// relative accuracy 1e-10.
///
/// # Errors
/// [`MetricError::Length`]; [`MetricError::Domain`] for a label that is no class, or if no temperature between 1e-4 and
/// 1e4 is best: every label has the largest logit (T → 0), or labels are unrelated to the logits (T → ∞).
pub fn fit_temperature(logits: &Matrix, labels: &[usize]) -> Result<f64> {
    check_lengths("rows of logits and labels", logits.rows(), labels.len())?;
    check_labels(labels, logits.columns())?;
    // d/dβ of the loss at β = 1/T, mean over examples of E_p[z] − z_label: it rises with β, so bisection finds its root.
    let slope = |beta: f64| -> f64 {
        let of_row = |(row, &label): (&[f64], &usize)| {
            softmax_of(row, beta).iter().zip(row).map(|(p, z)| p * (z - row[label])).sum::<f64>()
        };
        logits.iter().zip(labels).map(of_row).sum()
    };
    let (mut low, mut high) = (1e-4f64, 1e4f64);
    let unbounded = |reason: &str| MetricError::Domain { what: "logits", reason: reason.to_string() };
    if slope(low) >= 0.0 {
        return Err(unbounded("no finite temperature is best: labels do not follow the logits"));
    }
    if slope(high) <= 0.0 {
        return Err(unbounded("no positive temperature is best: every label has the largest logit"));
    }
    while high / low > 1.0 + 1e-10 {
        let middle = (low * high).sqrt();
        if slope(middle) < 0.0 { low = middle } else { high = middle }
    }
    Ok(1.0 / (low * high).sqrt())
}

fn check_probabilities(probabilities: &Matrix, labels: &[usize]) -> Result<()> {
    check_lengths("rows of probabilities and labels", probabilities.rows(), labels.len())?;
    check_labels(labels, probabilities.columns())?;
    // Softmax in single precision over thousands of classes sums to one within about 1e-4.
    let valid = |row: &[f64]| {
        row.iter().all(|p| (0.0..=1.0 + 1e-6).contains(p)) && (row.iter().sum::<f64>() - 1.0).abs() < 1e-3
    };
    match probabilities.iter().position(|row| !valid(row)) {
        None => Ok(()),
        Some(row) => {
            let reason = format!("row {row} is no distribution: needs values in [0, 1] that sum to 1 (apply softmax)");
            Err(MetricError::Domain { what: "probabilities", reason })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    fn binary(confidences: &[f64]) -> Matrix<'static> {
        Matrix::from_vec(confidences.iter().flat_map(|&p| [p, 1.0 - p]).collect(), 2).unwrap()
    }

    #[test]
    fn bins_by_hand() {
        let p = binary(&[0.55, 0.6, 0.65, 0.95, 0.9, 1.0]);
        let labels = [0, 1, 0, 0, 1, 0];
        // Widths of a tenth: (0.5, 0.6] holds 0.55, 0.6; (0.6, 0.7] holds 0.65; (0.8, 0.9] holds 0.9; the rest the others.
        let width = Reliability::new(&p, &labels, 10, Binning::EqualWidth).unwrap();
        assert_eq!(width.bins.iter().map(|b| b.count).collect::<Vec<_>>(), [2, 1, 1, 2]);
        let expected = (2.0 * (0.5f64 - 0.575).abs() + 0.35 + 0.9 + 2.0 * 0.025) / 6.0;
        assert!((width.expected_error() - expected).abs() < 1e-15);
        assert!((width.maximum_error() - 0.9).abs() < 1e-15);
        let mass = Reliability::new(&p, &labels, 2, Binning::EqualMass).unwrap();
        let expected = ((0.6f64 - 2.0 / 3.0).abs() + (0.95f64 - 2.0 / 3.0).abs()) / 2.0;
        assert!((mass.expected_error() - expected).abs() < 1e-15);
    }

    #[test]
    fn scores_by_hand() {
        let p = Matrix::new(&[0.7, 0.2, 0.1, 0.1, 0.4, 0.5], 3).unwrap();
        let brier = ((0.09 + 0.04 + 0.01) + (0.01 + 0.36 + 0.25)) / 2.0;
        assert!((brier_score(&p, &[0, 1]).unwrap() - brier).abs() < 1e-15);
        let nll = -(0.7f64.ln() + 0.4f64.ln()) / 2.0;
        assert!((negative_log_likelihood(&p, &[0, 1]).unwrap() - nll).abs() < 1e-15);
        assert_eq!(negative_log_likelihood(&binary(&[1.0]), &[1]).unwrap(), f64::INFINITY);
    }

    /// With logits (a, 0) and share q of label 0 the optimum is σ(a/T) = q, that is T = a / ln(q/(1−q)).
    #[test]
    fn temperature_of_a_binary_problem() {
        for (a, right) in [(3.0, 9), (0.2, 7), (8.0, 6)] {
            let logits = Matrix::from_vec([a, 0.0].repeat(10), 2).unwrap();
            let labels: Vec<usize> = (0..10).map(|i| usize::from(i >= right)).collect();
            let q = f64::from(right) / 10.0;
            let expected = a / (q / (1.0 - q)).ln();
            assert!((fit_temperature(&logits, &labels).unwrap() / expected - 1.0).abs() < 1e-9);
        }
    }

    #[test]
    fn temperature_recovers_the_scale_of_sampled_labels() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let values: Vec<f64> = (0..30_000).map(|_| rng.random_range(-2.0..2.0)).collect();
        let truth = softmax(&Matrix::new(&values, 3).unwrap(), 1.0).unwrap();
        let draw = |row: &[f64], u: f64| if u < row[0] { 0 } else { 1 + usize::from(u >= row[0] + row[1]) };
        let labels: Vec<usize> = truth.iter().map(|row| draw(row, rng.random())).collect();
        let overconfident: Vec<f64> = values.iter().map(|v| v * 4.0).collect();
        let overconfident = Matrix::new(&overconfident, 3).unwrap();
        let temperature = fit_temperature(&overconfident, &labels).unwrap();
        assert!((temperature - 4.0).abs() < 0.15, "{temperature}");
        let error = |t| {
            let p = softmax(&overconfident, t).unwrap();
            Reliability::new(&p, &labels, 15, Binning::EqualWidth).unwrap().expected_error()
        };
        assert!(error(1.0) > 0.2 && error(temperature) < 0.015, "{} {}", error(1.0), error(temperature));
    }

    #[test]
    fn refuses_what_has_no_answer() {
        let p = binary(&[0.5, 0.9]);
        assert!(matches!(brier_score(&p, &[0]), Err(MetricError::Length { .. })));
        assert!(matches!(brier_score(&p, &[0, 2]), Err(MetricError::Domain { what: "labels", .. })));
        let logits = Matrix::new(&[3.0, -1.0], 2).unwrap();
        assert!(matches!(brier_score(&logits, &[0]), Err(MetricError::Domain { what: "probabilities", .. })));
        assert!(matches!(Reliability::new(&p, &[0, 0], 0, Binning::EqualMass), Err(MetricError::Domain { .. })));
        assert!(matches!(fit_temperature(&logits, &[0]), Err(MetricError::Domain { .. })));
        assert!(matches!(fit_temperature(&logits, &[1]), Err(MetricError::Domain { .. })));
        assert!(matches!(softmax(&logits, 0.0), Err(MetricError::Domain { .. })));
    }
}
