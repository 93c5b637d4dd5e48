//! Accuracy of a classifier from its logits.
//!
//! Logits are row-major `[n, classes]`. Equal logits are decided in favour of the lower class index, everywhere in
//! this module.

use crate::error::{MetricError, Result, check_lengths};

/// The predicted class of each row: the index of its largest logit.
///
/// # Errors
/// [`MetricError::Empty`], [`MetricError::Nan`]; [`MetricError::Domain`] if the logits are not whole rows of `classes`.
pub fn predictions(logits: &[f32], classes: usize) -> Result<Vec<usize>> {
    Ok(rows(logits, classes)?.map(largest).collect())
}

/// The fraction of `predicted` classes that equal their label, in [0, 1].
///
/// # Errors
/// [`MetricError::Empty`], [`MetricError::Length`].
pub fn accuracy(predicted: &[usize], labels: &[usize]) -> Result<f64> {
    check_lengths("predicted and labels", predicted.len(), labels.len())?;
    if labels.is_empty() {
        return Err(MetricError::Empty { what: "labels" });
    }
    let correct = predicted.iter().zip(labels).filter(|(p, l)| p == l).count();
    Ok(correct as f64 / labels.len() as f64)
}

/// The fraction of rows whose label is among the `k` largest logits, in [0, 1].
///
/// # Errors
/// As [`predictions`]; [`MetricError::Length`] if there is not one label per row; [`MetricError::Domain`] unless
/// `1 ≤ k ≤ classes` and every label is below `classes`.
pub fn top_k_accuracy(logits: &[f32], classes: usize, labels: &[usize], k: usize) -> Result<f64> {
    let rows = rows(logits, classes)?;
    check_lengths("rows of logits and labels", rows.len(), labels.len())?;
    check_labels(labels, classes)?;
    if k == 0 || k > classes {
        return Err(MetricError::Domain { what: "k", reason: format!("needs 1 ≤ k ≤ {classes} classes, got {k}") });
    }
    let hit = |(row, &label): (&[f32], &usize)| {
        let ahead = |(class, &v): (usize, &f32)| v > row[label] || (v == row[label] && class < label);
        row.iter().enumerate().filter(|&entry| ahead(entry)).count() < k
    };
    Ok(rows.zip(labels).filter(|&pair| hit(pair)).count() as f64 / labels.len() as f64)
}

/// Counts of (label, predicted class) pairs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfusionMatrix {
    /// Number of classes.
    pub classes: usize,
    /// Row-major counts `[label, predicted]`.
    pub counts: Vec<usize>,
}

impl ConfusionMatrix {
    /// Counts the pairs of `predicted` and `labels`.
    ///
    /// # Errors
    /// [`MetricError::Length`]; [`MetricError::Domain`] for a class that is not below `classes`.
    pub fn new(predicted: &[usize], labels: &[usize], classes: usize) -> Result<ConfusionMatrix> {
        check_lengths("predicted and labels", predicted.len(), labels.len())?;
        check_labels(labels, classes)?;
        check_labels(predicted, classes)?;
        let mut counts = vec![0; classes * classes];
        predicted.iter().zip(labels).for_each(|(p, l)| counts[l * classes + p] += 1);
        Ok(ConfusionMatrix { classes, counts })
    }

    /// How many examples of class `label` were predicted as class `predicted`.
    ///
    /// # Panics
    /// If either is not below `classes`.
    pub fn count(&self, label: usize, predicted: usize) -> usize {
        assert!(label < self.classes && predicted < self.classes, "class out of range");
        self.counts[label * self.classes + predicted]
    }

    /// The fraction of each class that was predicted right, `None` for a class without examples.
    pub fn recall(&self) -> Vec<Option<f64>> {
        let recall = |label| {
            let total: usize = (0..self.classes).map(|p| self.count(label, p)).sum();
            (total > 0).then(|| self.count(label, label) as f64 / total as f64)
        };
        (0..self.classes).map(recall).collect()
    }

    /// The fraction of the predictions of each class that were right, `None` for a class never predicted.
    pub fn precision(&self) -> Vec<Option<f64>> {
        let precision = |class| {
            let total: usize = (0..self.classes).map(|l| self.count(l, class)).sum();
            (total > 0).then(|| self.count(class, class) as f64 / total as f64)
        };
        (0..self.classes).map(precision).collect()
    }

    /// F₁ of each class, the harmonic mean of precision and recall: `2·right / (examples + predictions)`. `None` for a
    /// class that neither occurs nor is predicted.
    pub fn f1(&self) -> Vec<Option<f64>> {
        let f1 = |class| {
            let involved: usize = (0..self.classes).map(|c| self.count(class, c) + self.count(c, class)).sum();
            (involved > 0).then(|| 2.0 * self.count(class, class) as f64 / involved as f64)
        };
        (0..self.classes).map(f1).collect()
    }

    /// The mean of [`f1`](Self::f1) over the classes that occur or are predicted.
    ///
    /// # Errors
    /// [`MetricError::Empty`] if nothing was counted.
    pub fn macro_f1(&self) -> Result<f64> {
        let scores: Vec<f64> = self.f1().into_iter().flatten().collect();
        if scores.is_empty() {
            return Err(MetricError::Empty { what: "labels" });
        }
        Ok(scores.iter().sum::<f64>() / scores.len() as f64)
    }
}

fn rows(logits: &[f32], classes: usize) -> Result<std::slice::ChunksExact<'_, f32>> {
    if logits.is_empty() {
        return Err(MetricError::Empty { what: "logits" });
    }
    if classes == 0 || !logits.len().is_multiple_of(classes) {
        let reason = format!("{} values are not whole rows of {classes} classes", logits.len());
        return Err(MetricError::Domain { what: "logits", reason });
    }
    match logits.iter().position(|v| v.is_nan()) {
        Some(index) => Err(MetricError::Nan { what: "logits", index }),
        None => Ok(logits.chunks_exact(classes)),
    }
}

fn largest(row: &[f32]) -> usize {
    (1..row.len()).fold(0, |best, class| if row[class] > row[best] { class } else { best })
}

pub(crate) fn check_labels(labels: &[usize], classes: usize) -> Result<()> {
    match labels.iter().position(|&l| l >= classes) {
        None => Ok(()),
        Some(index) => {
            let reason = format!("class {} at index {index}, but there are only {classes} classes", labels[index]);
            Err(MetricError::Domain { what: "labels", reason })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOGITS: [f32; 12] = [0.1, 0.9, 0.0, 2.0, 2.0, 1.0, -1.0, -3.0, -2.0, 0.0, f32::NEG_INFINITY, 5.0];
    const LABELS: [usize; 4] = [1, 1, 2, 2];

    #[test]
    fn worked_by_hand() {
        let predicted = predictions(&LOGITS, 3).unwrap();
        assert_eq!(predicted, [1, 0, 0, 2]);
        assert_eq!(accuracy(&predicted, &LABELS).unwrap(), 0.5);
        let top = |k| top_k_accuracy(&LOGITS, 3, &LABELS, k).unwrap();
        assert_eq!((top(1), top(2), top(3)), (0.5, 1.0, 1.0));
        let matrix = ConfusionMatrix::new(&predicted, &LABELS, 3).unwrap();
        assert_eq!(matrix.counts, [0, 0, 0, 1, 1, 0, 1, 0, 1]);
        assert_eq!(matrix.recall(), [None, Some(0.5), Some(0.5)]);
        assert_eq!(matrix.precision(), [Some(0.0), Some(1.0), Some(1.0)]);
        assert_eq!(matrix.f1(), [Some(0.0), Some(2.0 / 3.0), Some(2.0 / 3.0)]);
        assert!((matrix.macro_f1().unwrap() - 4.0 / 9.0).abs() < 1e-15);
        let apart = ConfusionMatrix::new(&[0, 2], &[0, 2], 4).unwrap();
        assert_eq!((apart.f1()[1], apart.precision()[1], apart.macro_f1().unwrap()), (None, None, 1.0));
        assert!(ConfusionMatrix::new(&[], &[], 2).unwrap().macro_f1().is_err());
    }

    #[test]
    fn refuses_what_has_no_answer() {
        assert!(matches!(predictions(&[], 3), Err(MetricError::Empty { .. })));
        assert!(matches!(predictions(&LOGITS, 5), Err(MetricError::Domain { .. })));
        assert!(matches!(predictions(&LOGITS, 0), Err(MetricError::Domain { .. })));
        assert!(matches!(predictions(&[0.0, f32::NAN], 2), Err(MetricError::Nan { what: "logits", index: 1 })));
        assert!(matches!(accuracy(&[1], &[1, 2]), Err(MetricError::Length { .. })));
        assert!(matches!(accuracy(&[], &[]), Err(MetricError::Empty { .. })));
        assert!(matches!(
            top_k_accuracy(&LOGITS, 3, &[0, 1, 2, 3], 1),
            Err(MetricError::Domain { what: "labels", .. })
        ));
        assert!(matches!(top_k_accuracy(&LOGITS, 3, &LABELS, 4), Err(MetricError::Domain { what: "k", .. })));
        assert!(matches!(ConfusionMatrix::new(&[3], &[0], 3), Err(MetricError::Domain { .. })));
    }
}
