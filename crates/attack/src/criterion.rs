//! What counts as success.

use crate::AttackError;

/// What an adversarial example must achieve, with one class for each example.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Criterion {
    /// The prediction differs from the label.
    Misclassify {
        /// The true classes.
        labels: Vec<usize>,
    },
    /// The prediction is the target.
    Targeted {
        /// The wanted classes.
        classes: Vec<usize>,
    },
}

impl Criterion {
    /// The labels or targets.
    pub fn classes(&self) -> &[usize] {
        match self {
            Criterion::Misclassify { labels } => labels,
            Criterion::Targeted { classes } => classes,
        }
    }

    /// Whether example `row` with these `logits` counts as adversarial. Logits with a NaN never do.
    ///
    /// # Panics
    /// If there is no class for the row.
    pub fn is_adversarial(&self, row: usize, logits: &[f32]) -> bool {
        let Some(prediction) = prediction(logits) else { return false };
        match self {
            Criterion::Misclassify { labels } => prediction != labels[row],
            Criterion::Targeted { classes } => prediction == classes[row],
        }
    }

    /// By how much the logits miss the goal; negative once it is reached: `z_label − max z_other`, or
    /// `max z_other − z_target`.
    pub(crate) fn margin(&self, row: usize, logits: &[f32]) -> f64 {
        let class = self.classes()[row];
        let others = logits.iter().enumerate().filter(|&(k, _)| k != class).map(|(_, &z)| f64::from(z));
        let difference = f64::from(logits[class]) - others.fold(f64::NEG_INFINITY, f64::max);
        match self {
            Criterion::Misclassify { .. } => difference,
            Criterion::Targeted { .. } => -difference,
        }
    }

    /// +1 to raise the loss of the class, −1 to lower it.
    pub(crate) fn sign(&self) -> f32 {
        match self {
            Criterion::Misclassify { .. } => 1.0,
            Criterion::Targeted { .. } => -1.0,
        }
    }

    /// The criterion for some of the rows.
    pub(crate) fn select(&self, rows: &[usize]) -> Criterion {
        let chosen = rows.iter().map(|&r| self.classes()[r]).collect();
        match self {
            Criterion::Misclassify { .. } => Criterion::Misclassify { labels: chosen },
            Criterion::Targeted { .. } => Criterion::Targeted { classes: chosen },
        }
    }

    pub(crate) fn check(&self, examples: usize, classes: usize) -> Result<(), AttackError> {
        if self.classes().len() != examples {
            return Err(AttackError::ClassCount { classes: self.classes().len(), examples });
        }
        match self.classes().iter().enumerate().find(|&(_, &c)| c >= classes) {
            Some((row, &class)) => Err(AttackError::ClassRange { row, class, classes }),
            None => Ok(()),
        }
    }
}

/// The class with the largest logit, the first of equals; none if a logit is NaN.
pub(crate) fn prediction(logits: &[f32]) -> Option<usize> {
    if logits.iter().any(|z| z.is_nan()) {
        return None;
    }
    (0..logits.len()).reduce(|best, k| if logits[k] > logits[best] { k } else { best })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn margin_is_negative_exactly_when_adversarial() {
        let logits = [0.5, 2.0, -1.0];
        let untargeted = Criterion::Misclassify { labels: vec![1, 0] };
        assert_eq!((untargeted.margin(0, &logits), untargeted.margin(1, &logits)), (1.5, -1.5));
        assert!(!untargeted.is_adversarial(0, &logits) && untargeted.is_adversarial(1, &logits));
        let targeted = Criterion::Targeted { classes: vec![1, 0] };
        assert_eq!((targeted.margin(0, &logits), targeted.margin(1, &logits)), (-1.5, 1.5));
        assert!(targeted.is_adversarial(0, &logits) && !targeted.is_adversarial(1, &logits));
    }

    #[test]
    fn ties_go_to_the_first_class_and_nan_to_none() {
        assert_eq!(prediction(&[1.0, 1.0]), Some(0));
        assert_eq!(prediction(&[1.0, f32::NAN]), None);
        assert!(!Criterion::Misclassify { labels: vec![0] }.is_adversarial(0, &[f32::NAN, 1.0]));
    }
}
