//! What all attacks do before and after their search.

use crate::classifier::Derivatives;
use crate::loss::Objective;
use crate::seed::Key;
use crate::{Adversarial, AttackError, Classifier, Criterion, Loss, Norm, Seed};
use perturb_graph::Tensor;
use perturb_threat::Ball;
use rand_chacha::ChaCha8Rng;

/// Checked inputs of an attack, and the clean predictions.
pub(crate) struct Problem<'a> {
    pub model: &'a Classifier,
    pub criterion: &'a Criterion,
    pub ball: &'a Ball,
    inputs: &'a Tensor,
    centers: &'a [f32],
    seed: &'a Seed,
    /// Logits of the unperturbed inputs.
    pub clean: Vec<f32>,
    /// The current point of each example.
    pub x: Vec<f32>,
    /// Runs of the model on each example.
    pub queries: Vec<u64>,
}

impl<'a> Problem<'a> {
    pub fn new(
        model: &'a Classifier,
        inputs: &'a Tensor,
        criterion: &'a Criterion,
        ball: &'a Ball,
        seed: &'a Seed,
    ) -> Result<Problem<'a>, AttackError> {
        let centers = model.rows(inputs)?;
        let examples = centers.len() / model.width();
        criterion.check(examples, model.classes())?;
        let (lo, hi) = ball.limits();
        if let Some(at) = centers.iter().position(|v| !v.is_finite() || !(lo..=hi).contains(v)) {
            let (row, position) = (at / model.width(), at % model.width());
            return Err(AttackError::OutOfBounds { row, position, value: centers[at], lo, hi });
        }
        let keys: Vec<Key> = (0..examples).map(|row| seed.key(row, 0)).collect();
        let clean = model.logits_of(centers, &keys)?;
        if let Some(at) = clean.iter().position(|z| !z.is_finite()) {
            return Err(AttackError::NotFinite { row: at / model.classes() });
        }
        let (x, queries) = (centers.to_vec(), vec![0; examples]);
        Ok(Problem { model, criterion, ball, inputs, centers, seed, clean, x, queries })
    }

    /// Refuses norms other than those given.
    pub fn supports(&self, attack: &'static str, norms: &[Norm]) -> Result<(), AttackError> {
        let norm = self.ball.norm();
        if norms.contains(&norm) { Ok(()) } else { Err(AttackError::Norm { attack, norm }) }
    }

    /// Refuses a ball without radius.
    pub fn needs_budget(&self, attack: &'static str) -> Result<(), AttackError> {
        if self.ball.epsilon().is_finite() { Ok(()) } else { Err(AttackError::NoBudget { attack }) }
    }

    /// Rows that do not meet the criterion as they are.
    pub fn pending(&self) -> Vec<usize> {
        let logits = |row: usize| &self.clean[row * self.model.classes()..(row + 1) * self.model.classes()];
        (0..self.queries.len()).filter(|&row| !self.criterion.is_adversarial(row, logits(row))).collect()
    }

    /// Classes other than the label or target, by decreasing logit of the unperturbed example.
    pub fn rivals(&self, row: usize) -> Vec<usize> {
        let logits = &self.clean[row * self.model.classes()..(row + 1) * self.model.classes()];
        let class = self.criterion.classes()[row];
        let mut order: Vec<usize> = (0..logits.len()).filter(|&k| k != class).collect();
        order.sort_by(|&a, &b| logits[b].total_cmp(&logits[a]));
        order
    }

    /// The unperturbed example.
    pub fn center(&self, row: usize) -> &'a [f32] {
        &self.centers[row * self.model.width()..(row + 1) * self.model.width()]
    }

    /// The random numbers of an example.
    pub fn stream(&self, row: usize) -> ChaCha8Rng {
        self.seed.stream(row)
    }

    /// The current points of some rows, one after another.
    pub fn gather(&self, rows: &[usize]) -> Vec<f32> {
        let width = self.model.width();
        rows.iter().flat_map(|&row| &self.x[row * width..(row + 1) * width]).copied().collect()
    }

    /// Makes `point` the current point of `row`.
    pub fn keep(&mut self, row: usize, point: &[f32]) {
        let width = self.model.width();
        self.x[row * width..(row + 1) * width].copy_from_slice(point);
    }

    /// Logits of one point `x` for each of `rows`, counted.
    pub fn logits(&mut self, rows: &[usize], x: &[f32]) -> Result<Vec<f32>, AttackError> {
        let keys = self.count(rows);
        self.model.logits_of(x, &keys)
    }

    /// Logits and gradients of an objective at one point `x` for each of `rows`, counted.
    pub fn gradients(
        &mut self,
        rows: &[usize],
        x: &[f32],
        objective: Objective,
        weights: &[f32],
    ) -> Result<Derivatives, AttackError> {
        let keys = self.count(rows);
        self.model.gradient_of(objective, x, weights, &keys)
    }

    /// Logits and gradients of `count` linear functions of the logits, at one point `x` for each of `rows`, counted; see
    /// [`Classifier::logit_gradients_of`].
    pub fn logit_gradients(
        &mut self,
        rows: &[usize],
        x: &[f32],
        weights: &[f32],
        count: usize,
    ) -> Result<Derivatives, AttackError> {
        let keys = self.count(rows);
        self.model.logit_gradients_of(x, weights, count, &keys)
    }

    /// Logits and gradients, at one point `x` for each of `rows`, of what an attack lowers to meet the criterion: the loss
    /// of the target, or minus that of the label.
    pub fn goal_gradients(&mut self, rows: &[usize], x: &[f32], loss: Loss) -> Result<Derivatives, AttackError> {
        let objective = Objective::Class(loss);
        let class = |&row: &usize| (self.model.classes(), self.criterion.classes()[row]);
        let weights: Vec<f32> = rows.iter().map(class).flat_map(|(n, y)| objective.weights(n, y, y)).collect();
        let mut found = self.gradients(rows, x, objective, &weights)?;
        if self.criterion.sign() > 0.0 {
            found.gradients.iter_mut().for_each(|g| *g = -*g);
        }
        Ok(found)
    }

    /// Logits and gradients of the criterion's margin at one point `x` for each of `rows`: what an attack that minimises a
    /// distance lowers.
    pub fn margin_gradients(&mut self, rows: &[usize], x: &[f32]) -> Result<Derivatives, AttackError> {
        self.goal_gradients(rows, x, Loss::Margin)
    }

    /// Refuses a ball without bounds.
    pub fn needs_bounds(&self, attack: &'static str) -> Result<(), AttackError> {
        let (lo, hi) = self.ball.limits();
        if lo.is_finite() && hi.is_finite() { Ok(()) } else { Err(AttackError::NoBounds { attack }) }
    }

    /// Keeps an adversarial point that is nearer than `best`, which becomes its distance. Tells whether the search is
    /// over: where the ball is finite, any point within it will do.
    pub fn keep_nearer(&mut self, row: usize, x: &[f32], best: &mut f64) -> bool {
        let distance = self.ball.distance(self.center(row), x);
        if distance < *best {
            *best = distance;
            self.keep(row, x);
        }
        self.ball.epsilon().is_finite() && *best <= self.ball.epsilon()
    }

    /// Counts one run of the model on each of `rows`, and gives its keys.
    pub fn count(&mut self, rows: &[usize]) -> Vec<Key> {
        let run = |&row: &usize| {
            self.queries[row] += 1;
            self.seed.key(row, self.queries[row])
        };
        rows.iter().map(run).collect()
    }

    /// Projects the current points into the ball, for what was found beyond it.
    pub fn project(&mut self) {
        let width = self.model.width();
        for (row, x) in self.x.chunks_exact_mut(width).enumerate() {
            self.ball.project(&self.centers[row * width..(row + 1) * width], x);
        }
    }

    /// Returns the current points, each verified by a fresh forward pass and to be in the ball.
    pub fn finish(self) -> Result<Adversarial, AttackError> {
        let (width, classes) = (self.model.width(), self.model.classes());
        let keys: Vec<Key> = (0..self.queries.len()).map(|row| self.seed.key(row, u64::MAX)).collect();
        let logits = self.model.logits_of(&self.x, &keys)?;
        let pairs = || self.x.chunks_exact(width).enumerate().map(|(row, x)| (row, self.center(row), x));
        let verified = |row: usize| self.criterion.is_adversarial(row, &logits[row * classes..(row + 1) * classes]);
        let success = pairs().map(|(row, c, x)| self.ball.contains(c, x) && verified(row)).collect();
        let distances = pairs().map(|(_, c, x)| self.ball.distance(c, x)).collect();
        let inputs = Tensor::new(self.inputs.shape(), self.x)?;
        Ok(Adversarial { inputs, success, distances, queries: self.queries })
    }
}

/// Refuses a hyperparameter outside its range.
pub(crate) fn require(
    holds: bool,
    attack: &'static str,
    name: &'static str,
    value: f64,
    range: &'static str,
) -> Result<(), AttackError> {
    if holds { Ok(()) } else { Err(AttackError::Hyperparameter { attack, name, value, range }) }
}
