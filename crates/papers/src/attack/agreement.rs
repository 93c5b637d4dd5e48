//! How often two classifiers make the same mistake.

use crate::RunError;

/// Agreement of two classifiers on the examples that both get wrong.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Agreement {
    /// Share to which they give the same class.
    pub share: f64,
    /// What that share would be on average if, among the examples of each true class, their mistakes had nothing to do
    /// with each other: both may take 4 for 9 more often than for 0.
    pub by_chance: f64,
}

impl Agreement {
    /// Of predictions `a` and `b`, which are classes below `classes`, as `labels` are.
    ///
    /// # Errors
    /// If there is no example that both get wrong.
    pub fn of(a: &[usize], b: &[usize], labels: &[usize], classes: usize) -> Result<Agreement, RunError> {
        let both = a.iter().zip(b).zip(labels).filter(|((a, b), l)| a != l && b != l);
        let mut counts = vec![vec![[0.0; 2]; classes]; classes];
        let (mut wrong, mut same) = (0.0, 0.0);
        for ((&a, &b), &label) in both {
            counts[label][a][0] += 1.0;
            counts[label][b][1] += 1.0;
            wrong += 1.0;
            same += f64::from(u8::from(a == b));
        }
        if wrong == 0.0 {
            return Err(RunError::Measurement("no example is classified wrongly by both networks".into()));
        }
        let expected = |counts: &Vec<[f64; 2]>| {
            let total: f64 = counts.iter().map(|[a, _]| a).sum();
            counts.iter().map(|[a, b]| a * b).sum::<f64>() / total.max(1.0)
        };
        Ok(Agreement { share: same / wrong, by_chance: counts.iter().map(expected).sum::<f64>() / wrong })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Both wrong on five examples of class 0 (a: 1 1 2 2 1, b: 1 2 2 2 1) and on one of class 1.
    #[test]
    fn mistakes_are_compared_within_their_class() {
        let labels = [0, 0, 0, 0, 0, 1, 0, 2];
        let a = [1, 1, 2, 2, 1, 0, 0, 1];
        let b = [1, 2, 2, 2, 1, 2, 1, 2];
        let found = Agreement::of(&a, &b, &labels, 3).unwrap();
        assert!((found.share - 4.0 / 6.0).abs() < 1e-12);
        // Class 0: (3·2 + 2·3)/5; class 1: 0.
        assert!((found.by_chance - 12.0 / 5.0 / 6.0).abs() < 1e-12);
        assert!(Agreement::of(&[0, 1], &[0, 2], &[0, 1], 3).is_err());
    }
}
