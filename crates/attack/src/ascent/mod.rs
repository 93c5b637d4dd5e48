//! The gradient loop: every attack that climbs a loss within a ball is a rule for the next point, run by it.

mod direction;
mod diversity;
mod smoothing;
mod steps;

pub(crate) use direction::direction;
pub use diversity::Diversity;
pub use smoothing::Smoothing;
pub use steps::{Ascent, Keep, Start};

use crate::AttackError;
use crate::loss::Objective;
use crate::problem::Problem;
use perturb_threat::Ball;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

/// Where one example's search takes place.
pub(crate) struct Site<'a> {
    pub center: &'a [f32],
    pub ball: &'a Ball,
}

/// How one example's point moves.
pub(crate) trait Climb: Send {
    /// Whether the rule looks at the loss; if not, it is given 0.
    const USES_LOSS: bool = true;

    /// Begins a search.
    fn start(&mut self, site: &Site, rng: &mut ChaCha8Rng);

    /// Where the loss and its gradient are needed next.
    fn probe(&self) -> &[f32];

    /// Whether the probe is a point of the ball, which counts as a result.
    fn is_candidate(&self) -> bool {
        true
    }

    /// Moves on, with the loss at the probe and its gradient; both are to be raised.
    fn advance(&mut self, site: &Site, loss: f64, gradient: &[f32], rng: &mut ChaCha8Rng);
}

/// The search for one example.
pub(crate) struct Climber<C> {
    pub row: usize,
    rng: ChaCha8Rng,
    weights: Vec<f32>,
    // Smallest margin seen.
    best: f64,
    rule: C,
}

impl<C: Climb> Climber<C> {
    /// A climber for each example that does not meet the criterion as it is.
    pub fn pending(problem: &Problem, rule: impl Fn() -> C) -> Vec<Climber<C>> {
        Climber::of_rows(problem, problem.pending().into_iter().map(|row| (row, rule())))
    }

    /// A climber for each of the rows, by a rule of its own.
    pub fn of_rows(problem: &Problem, rules: impl Iterator<Item = (usize, C)>) -> Vec<Climber<C>> {
        let climber =
            |(row, rule)| Climber { row, rng: problem.stream(row), weights: Vec::new(), best: f64::INFINITY, rule };
        rules.map(climber).collect()
    }

    /// Chooses the class, and the target, that the objective is about.
    pub fn aim(&mut self, objective: Objective, classes: usize, class: usize, target: usize) {
        self.weights = objective.weights(classes, class, target);
    }
}

/// What a search climbs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hill {
    pub objective: Objective,
    /// Points at which the model is run.
    pub evaluations: usize,
    /// Runs of a randomised model at each point, over which gradients and losses are averaged (expectation over
    /// transformation, Athalye et al. 2018).
    pub samples: usize,
}

/// One search of every pending example, of so many evaluations of the model; whoever succeeds leaves `pending`. An
/// objective of a class is lowered if the criterion is targeted.
///
/// The search for an example ends at the first candidate that meets the criterion; where none does, the candidate whose
/// logits came closest is kept.
pub(crate) fn climb<C: Climb>(
    problem: &mut Problem,
    pending: &mut Vec<Climber<C>>,
    hill: Hill,
) -> Result<(), AttackError> {
    let Hill { objective, evaluations, .. } = hill;
    let ball = problem.ball;
    let sign = if objective == Objective::TargetedDlr { 1.0 } else { problem.criterion.sign() };
    let sites = centers(problem, pending);
    pending.par_iter_mut().zip(sites).for_each(|(c, center)| c.rule.start(&Site { center, ball }, &mut c.rng));
    for evaluation in 1..=evaluations {
        if pending.is_empty() {
            break;
        }
        let rows: Vec<usize> = pending.iter().map(|c| c.row).collect();
        let x: Vec<f32> = pending.iter().flat_map(|c| c.rule.probe()).copied().collect();
        if evaluation == evaluations {
            let logits = problem.logits(&rows, &x)?;
            judge(problem, pending, &logits);
            break;
        }
        let weights: Vec<f32> = pending.iter().flat_map(|c| &c.weights).copied().collect();
        let mut slope = slopes::<C>(problem, hill, &rows, &x, &weights)?;
        if sign < 0.0 {
            slope.gradients.iter_mut().for_each(|g| *g = -*g);
        }
        let fooled = judge(problem, pending, &slope.logits);
        let parts = slope.gradients.chunks_exact(problem.model.width()).zip(slope.losses).zip(fooled);
        let parts: Vec<_> = parts.filter(|(_, done)| !done).map(|(part, _)| part).collect();
        let sites = centers(problem, pending);
        pending.par_iter_mut().zip(parts).zip(sites).for_each(|((c, (gradient, loss)), center)| {
            c.rule.advance(&Site { center, ball }, f64::from(sign) * loss, gradient, &mut c.rng);
        });
    }
    Ok(())
}

// Of each example: the logits of one run, and the means of losses and gradients over all runs.
struct Slopes {
    logits: Vec<f32>,
    losses: Vec<f64>,
    gradients: Vec<f32>,
}

fn slopes<C: Climb>(
    problem: &mut Problem,
    hill: Hill,
    rows: &[usize],
    x: &[f32],
    weights: &[f32],
) -> Result<Slopes, AttackError> {
    let classes = problem.model.classes();
    let losses = |logits: &[f32]| -> Vec<f64> {
        let pairs = logits.chunks_exact(classes).zip(weights.chunks_exact(classes));
        pairs.map(|(z, w)| if C::USES_LOSS { hill.objective.value(z, w) } else { 0.0 }).collect()
    };
    let first = problem.gradients(rows, x, hill.objective, weights)?;
    let mut slopes = Slopes { losses: losses(&first.logits), logits: first.logits, gradients: first.gradients };
    // Runs of a model without random numbers are all the same.
    let samples = if problem.model.is_randomized() { hill.samples } else { 1 };
    for done in 1..samples {
        let more = problem.gradients(rows, x, hill.objective, weights)?;
        let share = 1.0 / (done + 1) as f64;
        slopes.losses.iter_mut().zip(losses(&more.logits)).for_each(|(l, m)| *l += share * (m - *l));
        let gradients = slopes.gradients.iter_mut().zip(more.gradients);
        gradients.for_each(|(g, m)| *g += share as f32 * (m - *g));
    }
    Ok(slopes)
}

fn centers<'a, C>(problem: &Problem<'a>, pending: &[Climber<C>]) -> Vec<&'a [f32]> {
    pending.iter().map(|climber| problem.center(climber.row)).collect()
}

// Keeps candidates that are better than all before, and removes examples that meet the criterion; tells which do.
fn judge<C: Climb>(problem: &mut Problem, pending: &mut Vec<Climber<C>>, logits: &[f32]) -> Vec<bool> {
    let mut fooled = Vec::with_capacity(pending.len());
    for (climber, z) in pending.iter_mut().zip(logits.chunks_exact(problem.model.classes())) {
        let candidate = climber.rule.is_candidate();
        let done = candidate && problem.criterion.is_adversarial(climber.row, z);
        let margin = problem.criterion.margin(climber.row, z);
        if done || (candidate && margin < climber.best) {
            climber.best = margin;
            problem.keep(climber.row, climber.rule.probe());
        }
        fooled.push(done);
    }
    let mut done = fooled.iter();
    pending.retain(|_| !done.next().is_some_and(|&d| d));
    fooled
}
