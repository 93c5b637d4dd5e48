//! DeepFool.

use crate::problem::{Problem, require};
use crate::{Adversarial, Attack, AttackError, Classifier, Criterion, Seed};
use perturb_graph::Tensor;
use perturb_threat::{Ball, Norm};

/// DeepFool (Moosavi-Dezfooli et al. 2016, algorithm 2): repeated steps to the nearest boundary of the linearised
/// classifier, until the prediction changes. With `f_k = z_k − z_label`, the step goes to the class of least
/// `|f_k|/‖∇f_k‖_q`, by that distance along `∇f_k` (ℓ2, q = 2) or its sign (ℓ∞, q = 1). A targeted attack steps over the
/// boundary between the current prediction and the target.
///
/// The result is not limited to the ball while searching: a ball of infinite radius asks for the nearest adversarial
/// example; with a finite one, what was found farther away is projected, and may fail.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DeepFool {
    /// Most steps.
    pub steps: usize,
    /// Share by which the total perturbation is enlarged, to get across the boundary.
    pub overshoot: f64,
    /// How many of the most likely classes to look at, the predicted one included; `None` for all.
    pub candidates: Option<usize>,
}

impl Default for DeepFool {
    fn default() -> Self {
        DeepFool { steps: 50, overshoot: 0.02, candidates: Some(10) }
    }
}

/// What DeepFool found, and the steps that led there.
#[derive(Clone, Debug, PartialEq)]
pub struct Approach {
    /// The adversarial examples, with the overshoot, within bounds and ball.
    pub found: Adversarial,
    /// Sum of the steps to linearised boundaries, of the inputs' shape: without the overshoot, what else gets a point off
    /// the boundary, and clipping. For an affine classifier it is the shortest perturbation onto the boundary (eq. 6 of
    /// the paper). Zero for inputs that meet the criterion as they are.
    pub steps: Tensor,
}

/// Added to each step's length: a point exactly on a boundary must get off it (as in the authors' code).
const STABILITY: f64 = 1e-4;
/// Keeps vanishing gradients from dividing by zero.
const TINY: f64 = 1e-8;

impl Attack for DeepFool {
    fn name(&self) -> &'static str {
        "DeepFool"
    }

    fn minimizes_distance(&self) -> bool {
        true
    }

    fn run(
        &self,
        model: &Classifier,
        inputs: &Tensor,
        criterion: &Criterion,
        ball: &Ball,
        seed: &Seed,
    ) -> Result<Adversarial, AttackError> {
        Ok(self.approach(model, inputs, criterion, ball, seed)?.found)
    }
}

// The search for one example.
struct Search {
    row: usize,
    /// Classes to go to.
    rivals: Vec<usize>,
    /// Sum of the steps, without overshoot and before clipping.
    total: Vec<f64>,
    /// Logits at the current point.
    logits: Vec<f32>,
}

impl Search {
    fn new(problem: &Problem, row: usize, candidates: usize) -> Search {
        let classes = problem.model.classes();
        let logits = problem.clean[row * classes..(row + 1) * classes].to_vec();
        let class = problem.criterion.classes()[row];
        let rivals = match problem.criterion {
            Criterion::Targeted { .. } => vec![class],
            Criterion::Misclassify { .. } => {
                let mut rivals = problem.rivals(row);
                rivals.truncate(candidates - 1);
                rivals
            }
        };
        Search { row, rivals, total: vec![0.0; problem.model.width()], logits }
    }

    /// The class to get away from.
    fn current(&self, criterion: &Criterion) -> usize {
        match criterion {
            Criterion::Misclassify { labels } => labels[self.row],
            Criterion::Targeted { classes } => crate::criterion::prediction(&self.logits).unwrap_or(classes[self.row]),
        }
    }
}

impl DeepFool {
    /// [`Attack::run`], with the sum of the steps to linearised boundaries.
    ///
    /// # Errors
    /// See [`Attack::run`].
    pub fn approach(
        &self,
        model: &Classifier,
        inputs: &Tensor,
        criterion: &Criterion,
        ball: &Ball,
        seed: &Seed,
    ) -> Result<Approach, AttackError> {
        require(self.steps > 0, self.name(), "steps", 0.0, "1 or more")?;
        let candidates = self.candidates.unwrap_or(model.classes());
        require(candidates >= 2, self.name(), "candidates", candidates as f64, "2 or more")?;
        let overshoot = self.overshoot;
        require(overshoot >= 0.0 && overshoot.is_finite(), self.name(), "overshoot", overshoot, "0 or more")?;
        let mut problem = Problem::new(model, inputs, criterion, ball, seed)?;
        problem.supports(self.name(), &[Norm::L2, Norm::Linf])?;
        let mut pending: Vec<Search> =
            problem.pending().into_iter().map(|row| Search::new(&problem, row, candidates)).collect();
        let mut steps = vec![0.0; inputs.count()];
        for _ in 0..self.steps {
            if pending.is_empty() {
                break;
            }
            self.step(&mut problem, &mut pending, &mut steps)?;
        }
        problem.project();
        let steps = Tensor::from_f64(inputs.shape(), inputs.dtype(), steps)?;
        Ok(Approach { found: problem.finish()?, steps })
    }

    // One step of all pending examples; whoever succeeds leaves.
    fn step(&self, problem: &mut Problem, pending: &mut Vec<Search>, steps: &mut [f64]) -> Result<(), AttackError> {
        let (model, criterion) = (problem.model, problem.criterion);
        let (width, classes, count) = (model.width(), model.classes(), pending[0].rivals.len());
        let rows: Vec<usize> = pending.iter().map(|s| s.row).collect();
        let mut weights = vec![0.0f32; pending.len() * count * classes];
        for (search, weights) in pending.iter().zip(weights.chunks_exact_mut(count * classes)) {
            for (&rival, weights) in search.rivals.iter().zip(weights.chunks_exact_mut(classes)) {
                weights[rival] += 1.0;
                weights[search.current(criterion)] -= 1.0;
            }
        }
        let found = problem.logit_gradients(&rows, &problem.gather(&rows), &weights, count)?;
        let per_example = found.gradients.chunks_exact(count * width);
        for ((search, z), gradients) in pending.iter_mut().zip(found.logits.chunks_exact(classes)).zip(per_example) {
            let from = search.current(criterion);
            search.logits.copy_from_slice(z);
            if !criterion.is_adversarial(search.row, z) {
                let steps = &mut steps[search.row * width..(search.row + 1) * width];
                self.cross(problem, search, from, gradients, steps);
            }
        }
        pending.retain(|s| !criterion.is_adversarial(s.row, &s.logits));
        Ok(())
    }

    // Adds the step over the nearest linearised boundary.
    fn cross(&self, problem: &mut Problem, search: &mut Search, from: usize, gradients: &[f32], steps: &mut [f64]) {
        let norm = problem.ball.norm();
        let dual = |g: &[f32]| match norm {
            Norm::L2 => g.iter().map(|&v| f64::from(v).powi(2)).sum::<f64>().sqrt(),
            _ => g.iter().map(|&v| f64::from(v).abs()).sum(),
        };
        let nearest = search
            .rivals
            .iter()
            .zip(gradients.chunks_exact(search.total.len()))
            .map(|(&rival, g)| {
                let gap = f64::from(search.logits[rival]) - f64::from(search.logits[from]);
                (gap.abs() / (dual(g) + TINY), g)
            })
            .min_by(|(a, _), (b, _)| a.total_cmp(b));
        let Some((distance, gradient)) = nearest else { return };
        let length = dual(gradient) + TINY;
        let (lo, hi) = problem.ball.limits();
        let center = problem.center(search.row);
        let mut point = center.to_vec();
        for (i, &g) in gradient.iter().enumerate() {
            let direction = match norm {
                Norm::L2 => f64::from(g) / length,
                _ if g == 0.0 => 0.0,
                _ => f64::from(g.signum()),
            };
            search.total[i] += (distance + STABILITY) * direction;
            steps[i] += distance * direction;
            let moved = (f64::from(center[i]) + (1.0 + self.overshoot) * search.total[i]) as f32;
            point[i] = if moved.is_nan() { center[i] } else { moved.clamp(lo, hi) };
        }
        problem.keep(search.row, &point);
    }
}
