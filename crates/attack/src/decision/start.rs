//! Adversarial points to start from.

use super::decisions;
use crate::problem::Problem;
use crate::{AttackError, Criterion};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

/// Random points that are tried for each example.
const TRIALS: usize = 100;

/// The search for one example: its best adversarial point.
pub(super) struct Search {
    pub row: usize,
    pub rng: ChaCha8Rng,
    pub x: Vec<f32>,
    pub best: f64,
}

/// A search for each example that needs one and for which an adversarial point was found: another input of the target
/// class, the nearest, for a targeted attack; a uniformly random point within the bounds otherwise.
pub(super) fn starts(problem: &mut Problem) -> Result<Vec<Search>, AttackError> {
    let mut left = Vec::new();
    let mut found = Vec::new();
    for row in problem.pending() {
        let search = Search { row, rng: problem.stream(row), x: Vec::new(), best: f64::INFINITY };
        match problem.criterion {
            Criterion::Targeted { classes } => {
                let x = nearest_of_class(problem, row, classes[row]);
                found.extend(x.map(|x| Search { x, ..search }));
            }
            Criterion::Misclassify { .. } => left.push(search),
        }
    }
    let (lo, hi) = problem.ball.limits();
    for _ in 0..TRIALS {
        if left.is_empty() {
            break;
        }
        for search in &mut left {
            search.x = (0..problem.model.width()).map(|_| search.rng.random_range(lo..=hi)).collect();
        }
        let rows: Vec<usize> = left.iter().map(|s| s.row).collect();
        let x: Vec<f32> = left.iter().flat_map(|s| &s.x).copied().collect();
        let mut verdicts = decisions(problem, &rows, &x)?.into_iter();
        let (done, rest) = left.into_iter().partition(|_| verdicts.next().unwrap_or(false));
        found.extend::<Vec<Search>>(done);
        left = rest;
    }
    found.sort_by_key(|search| search.row);
    Ok(found)
}

fn nearest_of_class(problem: &Problem, row: usize, class: usize) -> Option<Vec<f32>> {
    let classes = problem.model.classes();
    let of_class = |&other: &usize| {
        crate::criterion::prediction(&problem.clean[other * classes..(other + 1) * classes]) == Some(class)
    };
    let distance = |other: usize| problem.ball.distance(problem.center(row), problem.center(other));
    let others = (0..problem.queries.len()).filter(of_class);
    others.min_by(|&a, &b| distance(a).total_cmp(&distance(b))).map(|other| problem.center(other).to_vec())
}
