//! Steps in the spectrum of an embedding.

use crate::{Result, SslError};

/// Finds the steps of stepwise learning (Simon et al. 2023): eigenvalues of an embedding's second moments that rise from
/// nearly nothing to a plateau.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StepDetector {
    /// The least plateau that counts, relative to the highest.
    pub least: f64,
}

impl Default for StepDetector {
    fn default() -> Self {
        StepDetector { least: 0.05 }
    }
}

/// One eigenvalue's rise.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LearnedStep {
    /// When it last was a tenth of its plateau.
    pub start: f64,
    /// When it last was half of its plateau.
    pub time: f64,
    /// When it last was nine tenths of its plateau.
    pub end: f64,
    /// The plateau: its last value.
    pub height: f64,
}

impl StepDetector {
    /// The steps in order of their times. `spectra` has the eigenvalues at each of `times`, which must be positive and
    /// rise, in descending order; between times a logarithm of the eigenvalue is linear in the logarithm of time. One
    /// that is more than a tenth of its plateau from the outset makes no step, nor does one that ends where it began.
    ///
    /// # Errors
    /// If there is not one spectrum for each time, of one length, or times do not rise.
    pub fn detect(&self, times: &[f64], spectra: &[Vec<f64>]) -> Result<Vec<LearnedStep>> {
        let (Some(last), true) = (spectra.last(), times.len() == spectra.len()) else {
            return SslError::matrix("spectra", format!("{} for {} times", spectra.len(), times.len()));
        };
        if spectra.iter().any(|s| s.len() != last.len()) {
            return SslError::matrix("spectra", "differ in their number of eigenvalues");
        }
        if times[0] <= 0.0 || !times.is_sorted_by(|a, b| a < b) {
            return SslError::matrix("times", "must be positive and rise");
        }
        let highest = last.iter().copied().fold(0.0, f64::max);
        let mut steps: Vec<LearnedStep> = (0..last.len())
            .filter(|&k| last[k] > 0.0 && last[k] >= self.least * highest)
            .filter_map(|k| rise(times, &spectra.iter().map(|s| s[k]).collect::<Vec<f64>>()))
            .collect();
        steps.sort_by(|a, b| a.time.total_cmp(&b.time));
        Ok(steps)
    }
}

/// How many steps stand apart: the first, and each that is not a tenth done when the last that was counted is half done.
pub fn separated(steps: &[LearnedStep]) -> usize {
    let apart = |(count, half): (usize, f64), step: &LearnedStep| {
        if step.start >= half { (count + 1, step.time) } else { (count, half) }
    };
    steps.iter().fold((0, 0.0), apart).0
}

fn rise(times: &[f64], curve: &[f64]) -> Option<LearnedStep> {
    let height = *curve.last()?;
    let crossing = |share: f64| {
        let level = share * height;
        let before = curve.iter().rposition(|&v| v < level)?;
        let (a, b) = (curve[before].max(f64::MIN_POSITIVE).ln(), curve.get(before + 1)?.ln());
        let (s, t) = (times[before].ln(), times[before + 1].ln());
        Some((s + (t - s) * (level.ln() - a) / (b - a)).exp())
    };
    Some(LearnedStep { start: crossing(0.1)?, time: crossing(0.5)?, end: crossing(0.9)?, height })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Logistic curves of rate r and middle m have 10 %, 50 % and 90 % at m − ln 9/r, m and m + ln 9/r.
    #[test]
    fn logistic_curves_are_measured() {
        let times: Vec<f64> = (1..=4000).map(|i| f64::from(i) * 0.01).collect();
        let curves = [(2.0, 5.0, 3.0), (1.0, 15.0, 1.0), (1.0, 17.0, 0.5)];
        let at = |t: f64| curves.iter().map(|&(r, m, h)| h / (1.0 + (r * (m - t)).exp())).collect();
        let spectra: Vec<Vec<f64>> = times.iter().map(|&t| at(t)).collect();
        let steps = StepDetector::default().detect(&times, &spectra).unwrap();
        assert_eq!(steps.len(), 3);
        for (step, (r, m, h)) in steps.iter().zip(curves) {
            let width = 9f64.ln() / r;
            for (found, expected) in [(step.start, m - width), (step.time, m), (step.end, m + width), (step.height, h)]
            {
                assert!((found - expected).abs() < 1e-4 * expected, "{found}, not {expected}");
            }
        }
        // The third is a tenth done at 17 − ln 9, before the second is half done.
        assert_eq!(separated(&steps), 2);
    }

    #[test]
    fn what_does_not_rise_or_is_too_low_makes_no_step() {
        let times = [1.0, 2.0, 4.0, 8.0];
        let spectra = [[1.0, 1e-6, 1e-6], [1.0, 1e-3, 1e-5], [1.1, 0.9, 1e-3], [1.0, 1.0, 1e-2]].map(|s| s.to_vec());
        let steps = StepDetector::default().detect(&times, &spectra).unwrap();
        assert_eq!(steps.len(), 1);
        assert_eq!(StepDetector { least: 0.001 }.detect(&times, &spectra).unwrap().len(), 2);
    }

    #[test]
    fn curves_and_times_must_fit() {
        let detector = StepDetector::default();
        assert!(detector.detect(&[], &[]).is_err());
        assert!(detector.detect(&[1.0], &[]).is_err());
        assert!(detector.detect(&[1.0, 2.0], &[vec![1.0], vec![1.0, 2.0]]).is_err());
        assert!(detector.detect(&[2.0, 1.0], &[vec![1.0], vec![1.0]]).is_err());
        assert!(detector.detect(&[0.0, 1.0], &[vec![1.0], vec![1.0]]).is_err());
    }
}
