//! Descent by variables that are not pixels: flows, colour hints.

use crate::adam::Adam;
use crate::problem::Problem;
use crate::{AttackError, Loss};
use rayon::prelude::*;

/// The search for one example: its variables, the image that they make, and what a method remembers.
pub(crate) struct Search<M> {
    pub row: usize,
    pub variables: Vec<f64>,
    pub x: Vec<f32>,
    pub memory: M,
    adam: Adam,
}

impl<M> Search<M> {
    pub fn new(row: usize, variables: Vec<f64>, x: Vec<f32>, memory: M) -> Search<M> {
        Search { row, variables, x, memory, adam: Adam::default() }
    }
}

/// How variables make an image, and what becomes of it.
pub(crate) trait Parametrization: Sync {
    /// What a method remembers of a search.
    type Memory: Send + Sync;

    /// What is lowered for a target, or raised for a label, beside terms of the method's own.
    const LOSS: Loss;

    /// Keeps the image of a search if it is worth it, and tells whether the search is over.
    fn judge(&self, problem: &mut Problem, search: &mut Search<Self::Memory>, logits: &[f32]) -> bool;

    /// The slopes of what is lowered by the variables of each search, from the logits `[searches, classes]` of the images
    /// and the gradients `[searches, width]` of the loss by them.
    fn slopes(
        &self,
        problem: &Problem,
        searches: &[Search<Self::Memory>],
        logits: &[f32],
        gradients: &[f32],
    ) -> Result<Vec<Vec<f64>>, AttackError>;

    /// Makes the images of the variables, which it may bring back into their range.
    fn place(&self, problem: &Problem, searches: &mut [Search<Self::Memory>]) -> Result<(), AttackError>;
}

/// So many steps of Adam for each search, of a length of `rate` in the variables' unit; a search may end before.
pub(crate) fn descend<P: Parametrization>(
    problem: &mut Problem,
    mut searches: Vec<Search<P::Memory>>,
    by: &P,
    steps: usize,
    rate: f64,
) -> Result<(), AttackError> {
    let (width, classes) = (problem.model.width(), problem.model.classes());
    if searches.is_empty() {
        return Ok(());
    }
    for step in 0..=steps {
        let rows: Vec<usize> = searches.iter().map(|s| s.row).collect();
        let x: Vec<f32> = searches.iter().flat_map(|s| &s.x).copied().collect();
        let found = problem.goal_gradients(&rows, &x, P::LOSS)?;
        let judged = searches.iter_mut().zip(found.logits.chunks_exact(classes));
        let over: Vec<bool> = judged.map(|(search, z)| by.judge(problem, search, z)).collect();
        if step == steps {
            break;
        }
        let logits = going_on(&found.logits, classes, &over);
        let gradients = going_on(&found.gradients, width, &over);
        let mut done = over.iter();
        searches.retain(|_| !done.next().is_some_and(|&d| d));
        if searches.is_empty() {
            break;
        }
        let slopes = by.slopes(problem, &searches, &logits, &gradients)?;
        let moves = searches.par_iter_mut().zip(&slopes);
        moves.for_each(|(search, slope)| search.adam.descend(&mut search.variables, slope, rate));
        by.place(problem, &mut searches)?;
    }
    Ok(())
}

// The rows of searches that are not over.
fn going_on(values: &[f32], width: usize, over: &[bool]) -> Vec<f32> {
    let rows = values.chunks_exact(width).zip(over).filter(|(_, over)| !**over);
    rows.flat_map(|(row, _)| row).copied().collect()
}
