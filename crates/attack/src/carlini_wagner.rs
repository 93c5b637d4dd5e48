//! The attack of Carlini and Wagner in ℓ2.

use crate::adam::Adam;
use crate::problem::{Problem, require};
use crate::tradeoff::Tradeoff;
use crate::{Adversarial, Attack, AttackError, Ball, Classifier, Criterion, Norm, Seed};
use perturb_graph::Tensor;

/// C&W (Carlini and Wagner 2017, §VI.A), ℓ2: with `x = lo + (hi − lo)·(tanh w + 1)/2`, Adam minimises
/// `‖x − x₀‖² + c·max(margin(x), −κ)` over w, for several c found by binary search. The margin is `z_y − max_{i≠y} z_i`, or
/// `max_{i≠t} z_i − z_t` for a target.
///
/// In a ball of infinite radius it returns the nearest adversarial example found; in a finite one, the first within it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CarliniWagner {
    /// Steps of each search, at most.
    pub steps: usize,
    /// Searches, each with another c.
    pub searches: usize,
    /// The first c.
    pub initial_weight: f64,
    /// Learning rate of Adam.
    pub rate: f64,
    /// κ, by how much the margin should be passed.
    pub confidence: f64,
    /// Whether a search ends when the loss has not fallen by 0.01% in a tenth of its steps.
    pub early_abort: bool,
}

impl Default for CarliniWagner {
    /// 10 000 steps with learning rate 0.01, nine searches from c = 1e-3, κ = 0, early abort.
    fn default() -> Self {
        CarliniWagner {
            steps: 10_000,
            searches: 9,
            initial_weight: 1e-3,
            rate: 0.01,
            confidence: 0.0,
            early_abort: true,
        }
    }
}

/// Keeps the inverse of tanh finite at the bounds.
const INSIDE: f64 = 1.0 - 1e-6;
const ENOUGH: f64 = 0.9999;

// The search for one example.
struct Search {
    row: usize,
    tradeoff: Tradeoff,
    best: f64,
    w: Vec<f64>,
    x: Vec<f32>,
    adam: Adam,
    /// Whether this search succeeded, and whether it is over.
    succeeded: bool,
    over: bool,
    last_loss: f64,
}

impl Attack for CarliniWagner {
    fn name(&self) -> &'static str {
        "C&W"
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
        let name = self.name();
        require(self.steps > 0, name, "steps", 0.0, "1 or more")?;
        require(self.searches > 0, name, "searches", 0.0, "1 or more")?;
        let positive = |v: f64| v > 0.0 && v.is_finite();
        require(positive(self.initial_weight), name, "initial_weight", self.initial_weight, "positive")?;
        require(positive(self.rate), name, "rate", self.rate, "positive")?;
        let confidence = self.confidence;
        require(confidence >= 0.0 && confidence.is_finite(), name, "confidence", confidence, "0 or more")?;
        let mut problem = Problem::new(model, inputs, criterion, ball, seed)?;
        problem.supports(name, &[Norm::L2])?;
        problem.needs_bounds(name)?;
        let mut pending: Vec<Search> =
            problem.pending().into_iter().map(|row| Search::new(row, self.initial_weight)).collect();
        for _ in 0..self.searches {
            pending.iter_mut().for_each(|search| search.start(problem.center(search.row), ball));
            for step in 0..=self.steps {
                if pending.iter().all(|search| search.over) {
                    break;
                }
                self.step(&mut problem, &mut pending, step)?;
            }
            pending.iter_mut().for_each(|search| search.tradeoff.update(search.succeeded));
        }
        problem.project();
        problem.finish()
    }
}

impl Search {
    fn new(row: usize, weight: f64) -> Search {
        Search {
            row,
            tradeoff: Tradeoff::new(weight),
            best: f64::INFINITY,
            w: Vec::new(),
            x: Vec::new(),
            adam: Adam::default(),
            succeeded: false,
            over: false,
            last_loss: f64::INFINITY,
        }
    }

    fn start(&mut self, center: &[f32], ball: &Ball) {
        let (lo, hi) = (f64::from(ball.limits().0), f64::from(ball.limits().1));
        self.w = center.iter().map(|&c| (INSIDE * (2.0 * (f64::from(c) - lo) / (hi - lo) - 1.0)).atanh()).collect();
        (self.adam, self.succeeded, self.over, self.last_loss) = (Adam::default(), false, false, f64::INFINITY);
        self.place(ball);
    }

    fn place(&mut self, ball: &Ball) {
        let (lo, hi) = ball.limits();
        let range = f64::from(hi) - f64::from(lo);
        let inside = |w: &f64| ((f64::from(lo) + range * (w.tanh() + 1.0) / 2.0) as f32).clamp(lo, hi);
        self.x = self.w.iter().map(inside).collect();
    }
}

impl CarliniWagner {
    // One step of all searches that go on; whoever is adversarial within the ball leaves.
    fn step(&self, problem: &mut Problem, pending: &mut Vec<Search>, step: usize) -> Result<(), AttackError> {
        let (width, classes) = (problem.model.width(), problem.model.classes());
        let active = || pending.iter().filter(|s| !s.over);
        let rows: Vec<usize> = active().map(|s| s.row).collect();
        let x: Vec<f32> = active().flat_map(|s| &s.x).copied().collect();
        let found = problem.margin_gradients(&rows, &x)?;
        let (mut gradients, mut logits) = (found.gradients.chunks_exact(width), found.logits.chunks_exact(classes));
        pending.retain_mut(|search| {
            if search.over {
                return true;
            }
            let (Some(gradient), Some(z)) = (gradients.next(), logits.next()) else { return true };
            let margin = problem.criterion.margin(search.row, z);
            if problem.criterion.is_adversarial(search.row, z) && margin <= -self.confidence {
                search.succeeded = true;
                if problem.keep_nearer(search.row, &search.x, &mut search.best) {
                    return false;
                }
            }
            self.descend(search, problem.center(search.row), problem.ball, margin, gradient, step);
            true
        });
        Ok(())
    }

    fn descend(&self, search: &mut Search, center: &[f32], ball: &Ball, margin: f64, gradient: &[f32], step: usize) {
        let weight = search.tradeoff.weight;
        let offsets = || search.x.iter().zip(center).map(|(&v, &c)| f64::from(v) - f64::from(c));
        let loss = offsets().map(|d| d * d).sum::<f64>() + weight * margin.max(-self.confidence);
        if self.early_abort && step.is_multiple_of(self.steps.div_ceil(10)) {
            search.over = loss > ENOUGH * search.last_loss;
            search.last_loss = loss;
        }
        search.over |= step == self.steps;
        let half = 0.5 * (f64::from(ball.limits().1) - f64::from(ball.limits().0));
        let pull = if margin > -self.confidence { weight } else { 0.0 };
        let by_w: Vec<f64> = offsets()
            .zip(gradient)
            .zip(&search.w)
            .map(|((d, &g), w)| (2.0 * d + pull * f64::from(g)) * half * (1.0 - w.tanh().powi(2)))
            .collect();
        search.adam.descend(&mut search.w, &by_w, self.rate);
        search.place(ball);
    }
}
