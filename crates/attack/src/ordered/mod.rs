//! Ordered top-K attacks: the K most likely classes are to be K given ones, in a given order.

mod attack;
mod projection;
mod pull;

pub use attack::OrderedTopK;
pub use projection::{Polytope, Projection};
pub use pull::OrderedLoss;

use crate::AttackError;
use crate::criterion::prediction;

/// The classes that are to be at the top, from the first place down: for each example the same number K of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ranking {
    targets: Vec<Vec<usize>>,
    places: usize,
}

impl Ranking {
    /// Targets, one list for each example, of a model with so many `classes`.
    ///
    /// # Errors
    /// If there is no example, lists differ in length, name no class or all of them, or name one twice or one that does not
    /// exist.
    pub fn new(targets: Vec<Vec<usize>>, classes: usize) -> Result<Ranking, AttackError> {
        let wrong = |row: usize, reason: &str| Err(AttackError::Ranking { row, reason: reason.into() });
        let Some(places) = targets.first().map(Vec::len) else { return wrong(0, "there are no examples") };
        for (row, list) in targets.iter().enumerate() {
            if list.len() != places {
                return wrong(row, "another number of classes than the first example has");
            }
            if list.is_empty() || list.len() >= classes {
                return wrong(row, "at least one class must be at the top, and at least one must not");
            }
            if let Some(&class) = list.iter().find(|&&c| c >= classes) {
                return Err(AttackError::ClassRange { row, class, classes });
            }
            if (0..places).any(|i| list[..i].contains(&list[i])) {
                return wrong(row, "a class has two places");
            }
        }
        Ok(Ranking { targets, places })
    }

    /// K.
    pub fn places(&self) -> usize {
        self.places
    }

    /// The targets of each example.
    pub fn targets(&self) -> &[Vec<usize>] {
        &self.targets
    }

    /// Whether the K largest of the logits are those of the targets of example `row`, in their order. Of equal logits the
    /// first counts as the larger; where one is NaN, nothing is reached.
    ///
    /// # Panics
    /// If there is no such example, or fewer logits than classes.
    pub fn is_reached(&self, row: usize, logits: &[f32]) -> bool {
        if prediction(logits).is_none() {
            return false;
        }
        let targets = &self.targets[row];
        // Before: larger, or equal and first.
        let before = |a: usize, b: usize| logits[a] > logits[b] || (logits[a] == logits[b] && a < b);
        let last = targets[self.places - 1];
        targets.windows(2).all(|pair| before(pair[0], pair[1]))
            && (0..logits.len()).all(|class| targets.contains(&class) || before(last, class))
    }

    /// The classes that must be apart in a row, as pairs (above, below): each target and the next, and the last target and
    /// each other class. C − 1 pairs for C classes.
    fn pairs(&self, row: usize, classes: usize) -> Vec<(usize, usize)> {
        let targets = &self.targets[row];
        let within = targets.windows(2).map(|pair| (pair[0], pair[1]));
        let last = targets[self.places - 1];
        within.chain((0..classes).filter(|class| !targets.contains(class)).map(|class| (last, class))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ranking_is_reached_in_its_order_only() {
        let ranking = Ranking::new(vec![vec![2, 0], vec![0, 2]], 4).unwrap();
        let logits = [1.0, -1.0, 3.0, 0.5];
        assert_eq!((ranking.is_reached(0, &logits), ranking.is_reached(1, &logits)), (true, false));
        assert!(!ranking.is_reached(0, &[1.0, 1.5, 3.0, 0.5]), "another class comes between");
        assert!(!ranking.is_reached(0, &[1.0, f32::NAN, 3.0, 0.5]));
        // As predictions are: of equals the first.
        assert!(!ranking.is_reached(0, &[3.0, -1.0, 3.0, 0.5]) && ranking.is_reached(1, &[3.0, -1.0, 3.0, 0.5]));
        assert_eq!(ranking.pairs(0, 4), [(2, 0), (0, 1), (0, 3)]);
    }

    #[test]
    fn rankings_that_cannot_be_are_refused() {
        let refused = |targets: Vec<Vec<usize>>| Ranking::new(targets, 3).is_err();
        assert!(refused(vec![]) && refused(vec![vec![]]) && refused(vec![vec![0, 1, 2]]));
        assert!(refused(vec![vec![0, 0]]) && refused(vec![vec![3]]) && refused(vec![vec![0], vec![0, 1]]));
        assert!(Ranking::new(vec![vec![2, 0]], 3).is_ok());
    }
}
