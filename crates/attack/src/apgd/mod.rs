//! Auto-PGD: gradient ascent whose step size follows its progress.

mod adaptive;
mod sparse;

use crate::ascent::{Climb, Climber, Hill, climb};
use crate::loss::Objective;
use crate::problem::{Problem, require};
use crate::{Adversarial, Attack, AttackError, Ball, Classifier, Criterion, Loss, Norm, Seed};
use adaptive::Adaptive;
use perturb_graph::Tensor;
use sparse::Sparse;

/// APGD (Croce and Hein 2020, algorithm 1) in ℓ∞ and ℓ2: steps with momentum, whose size starts at 2ε and is halved, the
/// search going back to its best point, at checkpoints that show too little progress. In ℓ1 it is the variant for
/// sparse steps (Croce and Hein 2021, algorithm 1) with radii 3ε, 2ε and ε one after another.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Apgd {
    /// What the steps raise, or lower for a target.
    pub loss: Loss,
    /// Steps of each restart.
    pub steps: usize,
    /// How many searches, each from a new random start, to make at most.
    pub restarts: usize,
    /// Share ρ of steps between checkpoints that must raise the loss.
    pub progress: f64,
    /// Runs of a randomised model over which each gradient is averaged; a deterministic one is run once.
    pub samples: usize,
}

impl Apgd {
    /// APGD-CE: 100 steps on the cross-entropy, ρ = 0.75.
    pub fn ce() -> Apgd {
        Apgd { loss: Loss::CrossEntropy, steps: 100, restarts: 1, progress: 0.75, samples: 1 }
    }

    /// APGD-DLR: on the difference of logits ratio.
    pub fn dlr() -> Apgd {
        Apgd { loss: Loss::Dlr, ..Apgd::ce() }
    }
}

impl Attack for Apgd {
    fn name(&self) -> &'static str {
        match self.loss {
            Loss::CrossEntropy => "APGD-CE",
            Loss::Margin => "APGD-margin",
            Loss::Dlr => "APGD-DLR",
        }
    }

    fn run(
        &self,
        model: &Classifier,
        inputs: &Tensor,
        criterion: &Criterion,
        ball: &Ball,
        seed: &Seed,
    ) -> Result<Adversarial, AttackError> {
        require(self.samples > 0, self.name(), "samples", 0.0, "1 or more")?;
        let Apgd { steps, restarts, progress, samples, .. } = *self;
        let search = Search { name: self.name(), steps, restarts, progress, samples };
        let class = |_: &Problem, row: usize, round: usize| {
            let class = criterion.classes()[row];
            (round == 0).then_some((class, class))
        };
        let problem = Problem::new(model, inputs, criterion, ball, seed)?;
        search.run(problem, Objective::Class(self.loss), class)
    }
}

/// APGD-T: APGD on the targeted difference of logits ratio, `(z_t − z_y)/(z_π1 − (z_π3 + z_π4)/2)`, for one target t after
/// another, the likeliest first. A targeted attack has one target only, and y is the prediction for the input.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ApgdT {
    /// Steps of each restart.
    pub steps: usize,
    /// How many searches for each target, each from a new random start, to make at most.
    pub restarts: usize,
    /// Most targets.
    pub targets: usize,
    /// See [`Apgd::progress`].
    pub progress: f64,
}

impl Default for ApgdT {
    /// 100 steps, 9 targets, ρ = 0.75.
    fn default() -> Self {
        ApgdT { steps: 100, restarts: 1, targets: 9, progress: 0.75 }
    }
}

impl Attack for ApgdT {
    fn name(&self) -> &'static str {
        "APGD-T"
    }

    fn run(
        &self,
        model: &Classifier,
        inputs: &Tensor,
        criterion: &Criterion,
        ball: &Ball,
        seed: &Seed,
    ) -> Result<Adversarial, AttackError> {
        require(self.targets > 0, self.name(), "targets", 0.0, "1 or more")?;
        let ApgdT { steps, restarts, progress, .. } = *self;
        let search = Search { name: self.name(), steps, restarts, progress, samples: 1 };
        let pair = |problem: &Problem, row: usize, round: usize| match criterion {
            Criterion::Misclassify { labels } if round < self.targets => {
                problem.rivals(row).get(round).map(|&target| (labels[row], target))
            }
            Criterion::Targeted { classes } if round == 0 => {
                problem.rivals(row).first().map(|&likeliest| (likeliest, classes[row]))
            }
            _ => None,
        };
        let problem = Problem::new(model, inputs, criterion, ball, seed)?;
        search.run(problem, Objective::TargetedDlr, pair)
    }
}

// What both variants share.
struct Search {
    name: &'static str,
    steps: usize,
    restarts: usize,
    progress: f64,
    samples: usize,
}

impl Search {
    // `aim` gives the class and target of a row in each round, until none is left.
    fn run(
        &self,
        mut problem: Problem,
        objective: Objective,
        aim: impl Fn(&Problem, usize, usize) -> Option<(usize, usize)>,
    ) -> Result<Adversarial, AttackError> {
        require(self.steps > 0, self.name, "steps", 0.0, "1 or more")?;
        require(self.restarts > 0, self.name, "restarts", 0.0, "1 or more")?;
        require((0.0..=1.0).contains(&self.progress), self.name, "progress", self.progress, "in [0, 1]")?;
        problem.supports(self.name, &[Norm::L1, Norm::L2, Norm::Linf])?;
        problem.needs_budget(self.name)?;
        if problem.ball.norm() == Norm::L1 {
            let phases = Sparse::phases(self.steps);
            let evaluations = phases.iter().map(|steps| steps + 1).sum();
            let hill = Hill { objective, evaluations, samples: self.samples };
            self.rounds(&mut problem, hill, || Sparse::new(phases), aim)?;
        } else {
            let rule = || Adaptive::new(self.steps, self.progress);
            let hill = Hill { objective, evaluations: self.steps + 1, samples: self.samples };
            self.rounds(&mut problem, hill, rule, aim)?;
        }
        problem.finish()
    }

    fn rounds<C: Climb>(
        &self,
        problem: &mut Problem,
        hill: Hill,
        rule: impl Fn() -> C,
        aim: impl Fn(&Problem, usize, usize) -> Option<(usize, usize)>,
    ) -> Result<(), AttackError> {
        let classes = problem.model.classes();
        let mut pending = Climber::pending(problem, rule);
        for round in 0.. {
            pending.retain_mut(|climber| match aim(problem, climber.row, round) {
                Some((class, target)) => {
                    climber.aim(hill.objective, classes, class, target);
                    true
                }
                None => false,
            });
            if pending.is_empty() {
                break;
            }
            for _ in 0..self.restarts {
                climb(problem, &mut pending, hill)?;
            }
        }
        Ok(())
    }
}
