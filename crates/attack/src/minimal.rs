//! The smallest budget that suffices.

use crate::problem::require;
use crate::{Adversarial, Attack, AttackError, Classifier, Criterion, Seed};
use perturb_graph::Tensor;
use perturb_threat::Ball;

/// The smallest budget, of a list, at which an attack breaks each example.
#[derive(Clone, Debug, PartialEq)]
pub struct MinimalEpsilon {
    /// The budget, 0 for examples that meet the criterion unperturbed; none where the largest did not suffice.
    pub epsilon: Vec<Option<f64>>,
    /// What was found at that budget, or at the largest; queries are summed over the budgets tried.
    pub adversarial: Adversarial,
}

/// Runs `attack` in `ball` with its radius replaced by each of `epsilons`, in increasing order, each time on the examples
/// that resisted the smaller ones: an adversarial example within a small ball is one within a larger ball. Attacks that
/// minimise the distance run once, without a budget; what they find beyond the largest one is a success without epsilon.
///
/// # Errors
/// See [`Attack::run`]; also if there are no budgets, or one is negative or NaN.
pub fn minimal_epsilon(
    attack: &dyn Attack,
    model: &Classifier,
    inputs: &Tensor,
    criterion: &Criterion,
    ball: &Ball,
    epsilons: &[f64],
    seed: &Seed,
) -> Result<MinimalEpsilon, AttackError> {
    require(!epsilons.is_empty(), attack.name(), "number of budgets", 0.0, "1 or more")?;
    let mut balls = epsilons.iter().map(|&e| ball.with_epsilon(e)).collect::<Result<Vec<Ball>, _>>()?;
    balls.sort_by(|a, b| a.epsilon().total_cmp(&b.epsilon()));
    if attack.minimizes_distance() {
        let adversarial = attack.run(model, inputs, criterion, &ball.with_epsilon(f64::INFINITY)?, seed)?;
        let smallest = |(&distance, &success): (&f64, &bool)| match distance {
            _ if !success => None,
            0.0 => Some(0.0),
            _ => balls.iter().map(Ball::epsilon).find(|&e| distance <= e),
        };
        let epsilon = adversarial.distances.iter().zip(&adversarial.success).map(smallest).collect();
        return Ok(MinimalEpsilon { epsilon, adversarial });
    }
    let mut found = Found::new(model, inputs)?;
    for ball in &balls {
        let left: Vec<usize> = (0..found.epsilon.len()).filter(|&row| found.epsilon[row].is_none()).collect();
        let part = found.select(&left)?;
        let result = attack.run(model, &part, &criterion.select(&left), ball, &seed.select(&left))?;
        found.merge(&left, &result, ball.epsilon());
        if found.epsilon.iter().all(Option::is_some) {
            break;
        }
    }
    found.finish()
}

// Results of the budgets so far.
struct Found<'a> {
    inputs: &'a Tensor,
    centers: &'a [f32],
    width: usize,
    epsilon: Vec<Option<f64>>,
    x: Vec<f32>,
    distances: Vec<f64>,
    queries: Vec<u64>,
}

impl<'a> Found<'a> {
    fn new(model: &Classifier, inputs: &'a Tensor) -> Result<Found<'a>, AttackError> {
        let centers = model.rows(inputs)?;
        let (width, n) = (model.width(), centers.len() / model.width());
        let x = centers.to_vec();
        Ok(Found { inputs, centers, width, epsilon: vec![None; n], x, distances: vec![0.0; n], queries: vec![0; n] })
    }

    fn select(&self, rows: &[usize]) -> Result<Tensor, AttackError> {
        let values = rows.iter().flat_map(|&r| &self.centers[r * self.width..(r + 1) * self.width]).copied().collect();
        let shape = std::iter::once(rows.len()).chain(self.inputs.shape()[1..].iter().copied());
        Ok(Tensor::new(shape.collect::<perturb_graph::Shape>(), values)?)
    }

    fn merge(&mut self, rows: &[usize], result: &Adversarial, epsilon: f64) {
        for (i, (&row, x)) in rows.iter().zip(result.inputs.as_slice::<f32>().chunks_exact(self.width)).enumerate() {
            self.x[row * self.width..(row + 1) * self.width].copy_from_slice(x);
            self.distances[row] = result.distances[i];
            self.queries[row] += result.queries[i];
            if result.success[i] {
                self.epsilon[row] = Some(if result.distances[i] == 0.0 { 0.0 } else { epsilon });
            }
        }
    }

    fn finish(self) -> Result<MinimalEpsilon, AttackError> {
        let success = self.epsilon.iter().map(Option::is_some).collect();
        let inputs = Tensor::new(self.inputs.shape(), self.x)?;
        let adversarial = Adversarial { inputs, success, distances: self.distances, queries: self.queries };
        Ok(MinimalEpsilon { epsilon: self.epsilon, adversarial })
    }
}
