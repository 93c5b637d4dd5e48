//! Counts of words, weighted by how rare they are.

use super::{HammingRobust, ROUNDING, check};
use crate::{CertifyError, Result};
use std::collections::BTreeSet;

/// Term frequency times inverse document frequency: how often each word occurs, times its weight; then, if asked, divided by
/// the ℓ2 norm.
///
/// One replaced word changes two entries, by their weights: the distance of h replacements is at most `√2·v_max·h`. After
/// normalisation it is at most `2·√2·v_max·h/(‖u‖ + ‖u′‖)` (Dunkl & Williams 1964), where the norm of the changed document u′
/// is at least `‖u‖ − √2·v_max·h` and at least `v_min·√T`, which a document of T different words has; and at most √2,
/// because no entry is negative.
#[derive(Clone, Debug, PartialEq)]
pub struct TfIdf {
    weights: Vec<f64>,
    normalized: bool,
}

impl TfIdf {
    /// With these weights, one for each word.
    ///
    /// # Errors
    /// If there are none, or one is not a finite number above 0: a document of words of weight 0 could not be normalised.
    pub fn new(weights: Vec<f64>, normalized: bool) -> Result<TfIdf> {
        if weights.is_empty() {
            return CertifyError::unfit("weights of words", "there are none");
        }
        match weights.iter().find(|v| !(v.is_finite() && **v > 0.0)) {
            Some(&value) => {
                Err(CertifyError::Parameter { name: "a word's weight", range: "a finite number above 0", value })
            }
            None => Ok(TfIdf { weights, normalized }),
        }
    }

    /// With the weights of a corpus of N documents over `vocabulary` words: `ln((1 + N)/(1 + n)) + 1` for a word that n
    /// documents have (scikit-learn's smoothed weights).
    ///
    /// # Errors
    /// If a document has a word that is none of the vocabulary, or the vocabulary is empty.
    pub fn fit(documents: &[Vec<usize>], vocabulary: usize, normalized: bool) -> Result<TfIdf> {
        let mut found = vec![0usize; vocabulary];
        for document in documents.iter().filter(|d| !d.is_empty()) {
            check(document, vocabulary)?;
            document.iter().collect::<BTreeSet<_>>().into_iter().for_each(|&w| found[w] += 1);
        }
        let all = 1.0 + documents.len() as f64;
        TfIdf::new(found.iter().map(|&n| (all / (1.0 + n as f64)).ln() + 1.0).collect(), normalized)
    }

    /// The weights, one for each word.
    pub fn weights(&self) -> &[f64] {
        &self.weights
    }

    fn weighted_counts(&self, document: &[usize]) -> Result<Vec<f64>> {
        check(document, self.weights.len())?;
        let mut counts = vec![0.0; self.weights.len()];
        document.iter().for_each(|&w| counts[w] += 1.0);
        counts.iter_mut().zip(&self.weights).for_each(|(count, weight)| *count *= weight);
        Ok(counts)
    }
}

impl HammingRobust for TfIdf {
    fn transform(&self, document: &[usize]) -> Result<Vec<f64>> {
        let mut counts = self.weighted_counts(document)?;
        if self.normalized {
            let norm = norm(&counts);
            counts.iter_mut().for_each(|v| *v /= norm);
        }
        Ok(counts)
    }

    fn bound(&self, document: &[usize], changes: usize) -> Result<f64> {
        let norm = norm(&self.weighted_counts(document)?);
        let (least, most) = self.weights.iter().fold((f64::INFINITY, 0.0f64), |(l, m), &v| (l.min(v), m.max(v)));
        let moved = std::f64::consts::SQRT_2 * most * changes.min(document.len()) as f64;
        if !self.normalized {
            return Ok(moved * ROUNDING);
        }
        let other = (norm - moved).max(least * (document.len() as f64).sqrt());
        Ok((2.0 * moved / (norm + other)).min(std::f64::consts::SQRT_2) * ROUNDING)
    }
}

fn norm(v: &[f64]) -> f64 {
    v.iter().map(|v| v * v).sum::<f64>().sqrt()
}
