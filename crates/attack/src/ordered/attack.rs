//! The search for the nearest example whose top K classes are in a given order.

use super::{OrderedLoss, Ranking};
use crate::adam::Adam;
use crate::measure::harmless::AffineLayer;
use crate::problem::require;
use crate::seed::Key;
use crate::tradeoff::Tradeoff;
use crate::{Adversarial, AttackError, Ball, Classifier, Norm, Seed};
use perturb_graph::{Graph, Tensor};
use rayon::prelude::*;

/// An ordered top-K attack in ℓ2: Adam lowers `‖x − x₀‖² + c·L(x)`, clipped to the bounds after each step, for several c
/// found by binary search. In a ball of infinite radius it returns the nearest example found whose top K classes are the
/// wanted ones in their order; in a finite one, the first within it.
///
/// The losses differ in what they pull logits by; QuadAttack (Paniagua, Grainger and Wu 2023) projects features, for which
/// it needs nothing but the logits and the weights of the last layer: `2·(f − z*)` pulled back to the input is a
/// combination of gradients of logits.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OrderedTopK {
    /// Name in errors.
    pub name: &'static str,
    /// L.
    pub loss: OrderedLoss,
    /// Steps of each search.
    pub steps: usize,
    /// Searches, each with another c.
    pub searches: usize,
    /// The first c.
    pub initial_weight: f64,
    /// Learning rate of Adam.
    pub rate: f64,
    /// Examples in a run of the model.
    pub batch: usize,
}

impl OrderedTopK {
    /// QuadAttack: one search of 60 steps; margin 0.2, c = 10 and learning rate 0.05 are our choice.
    pub fn quad_attack() -> OrderedTopK {
        OrderedTopK {
            name: "QuadAttack",
            loss: OrderedLoss::Projection { margin: 0.2 },
            steps: 60,
            searches: 1,
            initial_weight: 10.0,
            rate: 0.05,
            batch: 50,
        }
    }

    /// The hinge of Carlini and Wagner, extended to K ordered targets, with the same search.
    pub fn carlini_wagner() -> OrderedTopK {
        let loss = OrderedLoss::Hinge { margin: 0.2 };
        OrderedTopK { name: "ordered C&W", loss, ..OrderedTopK::quad_attack() }
    }

    /// Adversarial distillation towards logits 10, 9.7, 9.4 and so on, with the same search but for c = 1000, because its
    /// gradients are bounded.
    pub fn distillation() -> OrderedTopK {
        let loss = OrderedLoss::Distillation { first: 10.0, decay: 0.3 };
        OrderedTopK { name: "adversarial distillation", loss, initial_weight: 1000.0, ..OrderedTopK::quad_attack() }
    }

    /// Searches, for each of `inputs [N, …example]`, a point within bounds and ball at which the `model` (see
    /// [`Classifier::new`]) ranks classes as wanted. Inputs that it ranks so as they are come back unchanged.
    ///
    /// # Errors
    /// If the graph is no classifier, inputs do not fit it or leave the bounds, the ranking is for another number of
    /// examples or classes, the ball is not in ℓ2, a hyperparameter is out of its range, or no features of the last layer
    /// are ranked so ([`AttackError::InfeasibleRanking`]).
    pub fn run(
        &self,
        model: &Graph,
        inputs: &Tensor,
        ranking: &Ranking,
        ball: &Ball,
        seed: &Seed,
    ) -> Result<Adversarial, AttackError> {
        self.check(ball)?;
        let classifier = Classifier::new(model, self.batch)?;
        let products = match self.loss {
            OrderedLoss::Projection { .. } => AffineLayer::last(model)?.products(),
            _ => Vec::new(),
        };
        let mut hunt = Hunt::new(self, &classifier, inputs, ranking, ball, seed, products)?;
        let mut searches: Vec<Search> = (0..hunt.queries.len()).map(|row| Search::new(row, self)).collect();
        for _ in 0..self.searches {
            searches.iter_mut().for_each(|search| search.start(hunt.center(search.row)));
            for step in 0..=self.steps {
                hunt.step(&mut searches, step)?;
            }
            searches.iter_mut().for_each(|search| search.tradeoff.update(search.succeeded));
        }
        hunt.finish()
    }

    fn check(&self, ball: &Ball) -> Result<(), AttackError> {
        let (name, positive) = (self.name, |v: f64| v > 0.0 && v.is_finite());
        require(self.searches > 0, name, "searches", 0.0, "1 or more")?;
        require(positive(self.initial_weight), name, "initial_weight", self.initial_weight, "positive")?;
        require(positive(self.rate), name, "rate", self.rate, "positive")?;
        let (parameter, value) = match self.loss {
            OrderedLoss::Projection { margin } | OrderedLoss::Hinge { margin } => ("margin", margin),
            OrderedLoss::Distillation { decay, .. } => ("decay", decay),
        };
        require(value >= 0.0 && value.is_finite(), name, parameter, value, "0 or more")?;
        if ball.norm() == Norm::L2 { Ok(()) } else { Err(AttackError::Norm { attack: name, norm: ball.norm() }) }
    }
}

/// The search for one example.
struct Search {
    row: usize,
    tradeoff: Tradeoff,
    x: Vec<f64>,
    adam: Adam,
    succeeded: bool,
    /// Whether a point within a finite ball was found.
    over: bool,
}

impl Search {
    fn new(row: usize, plan: &OrderedTopK) -> Search {
        let tradeoff = Tradeoff::new(plan.initial_weight);
        Search { row, tradeoff, x: Vec::new(), adam: Adam::default(), succeeded: false, over: false }
    }

    fn start(&mut self, center: &[f32]) {
        self.x = center.iter().map(|&v| f64::from(v)).collect();
        (self.adam, self.succeeded) = (Adam::default(), false);
    }

    fn descend(&mut self, center: &[f32], gradient: &[f32], rate: f64, (lo, hi): (f64, f64)) {
        let weight = self.tradeoff.weight;
        let pairs = self.x.iter().zip(center).zip(gradient);
        let slope: Vec<f64> = pairs.map(|((x, &c), &g)| 2.0 * (x - f64::from(c)) + weight * f64::from(g)).collect();
        self.adam.descend(&mut self.x, &slope, rate);
        self.x.iter_mut().for_each(|x| *x = x.clamp(lo, hi));
    }
}

/// Where examples stand: the nearest point that was ranked as wanted, or else that of the smallest loss.
struct Hunt<'a> {
    plan: &'a OrderedTopK,
    model: &'a Classifier,
    inputs: &'a Tensor,
    ranking: &'a Ranking,
    ball: &'a Ball,
    seed: &'a Seed,
    products: Vec<f64>,
    x: Vec<f32>,
    nearest: Vec<f64>,
    smallest: Vec<f64>,
    queries: Vec<u64>,
}

impl<'a> Hunt<'a> {
    fn new(
        plan: &'a OrderedTopK,
        model: &'a Classifier,
        inputs: &'a Tensor,
        ranking: &'a Ranking,
        ball: &'a Ball,
        seed: &'a Seed,
        products: Vec<f64>,
    ) -> Result<Hunt<'a>, AttackError> {
        let x = model.rows(inputs)?.to_vec();
        let examples = x.len() / model.width();
        if ranking.targets().len() != examples {
            return Err(AttackError::ClassCount { classes: ranking.targets().len(), examples });
        }
        // The ranking may have been made for a model with more classes.
        Ranking::new(ranking.targets().to_vec(), model.classes())?;
        let (lo, hi) = ball.limits();
        if let Some(at) = x.iter().position(|v| !v.is_finite() || !(lo..=hi).contains(v)) {
            let (row, position) = (at / model.width(), at % model.width());
            return Err(AttackError::OutOfBounds { row, position, value: x[at], lo, hi });
        }
        let none = vec![f64::INFINITY; examples];
        let (nearest, smallest, queries) = (none.clone(), none, vec![0; examples]);
        Ok(Hunt { plan, model, inputs, ranking, ball, seed, products, x, nearest, smallest, queries })
    }

    fn center(&self, row: usize) -> &'a [f32] {
        &self.inputs.as_slice::<f32>()[row * self.model.width()..(row + 1) * self.model.width()]
    }

    /// One look at all points that go on, and one step of each.
    fn step(&mut self, searches: &mut [Search], step: usize) -> Result<(), AttackError> {
        let mut active: Vec<&mut Search> = searches.iter_mut().filter(|s| !s.over).collect();
        if active.is_empty() {
            return Ok(());
        }
        let rows: Vec<usize> = active.iter().map(|s| s.row).collect();
        let points: Vec<f32> = active.iter().flat_map(|s| &s.x).map(|&v| v as f32).collect();
        let logits = self.model.logits_of(&points, &self.count(&rows))?;
        let each = || logits.par_chunks_exact(self.model.classes()).zip(&rows);
        let pull = |(z, &row): (&[f32], &usize)| self.plan.loss.pull(self.ranking, row, z, &self.products);
        let pulls = each().map(pull).collect::<Result<Vec<_>, _>>()?;
        let reached: Vec<bool> = each().map(|(z, &row)| self.ranking.is_reached(row, z)).collect();
        for (i, x) in points.chunks_exact(self.model.width()).enumerate() {
            let search = &mut active[i];
            search.succeeded |= reached[i];
            search.over = self.keep(search.row, x, reached[i], pulls[i].loss);
        }
        if step == self.plan.steps {
            return Ok(());
        }
        let weights: Vec<f32> = pulls.into_iter().flat_map(|p| p.weights).collect();
        let keys = self.count(&rows);
        let slopes = self.model.logit_gradients_of(&points, &weights, 1, &keys)?.gradients;
        let moves = active.par_iter_mut().zip(slopes.par_chunks_exact(self.model.width()));
        moves.for_each(|(s, g)| s.descend(self.center(s.row), g, self.plan.rate, self.ball.bounds()));
        Ok(())
    }

    /// Keeps a point that is better than those before; tells whether the search is over.
    fn keep(&mut self, row: usize, x: &[f32], reached: bool, loss: f64) -> bool {
        let width = self.model.width();
        let distance = self.ball.distance(self.center(row), x);
        let better = if reached {
            distance < self.nearest[row]
        } else {
            self.nearest[row].is_infinite() && loss < self.smallest[row]
        };
        if better {
            self.x[row * width..(row + 1) * width].copy_from_slice(x);
            if reached { self.nearest[row] = distance } else { self.smallest[row] = loss }
        }
        // What is ranked so as it is needs no search.
        let enough = if self.ball.epsilon().is_finite() { self.ball.epsilon() } else { 0.0 };
        self.nearest[row] <= enough
    }

    fn count(&mut self, rows: &[usize]) -> Vec<Key> {
        let run = |&row: &usize| {
            self.queries[row] += 1;
            self.seed.key(row, self.queries[row])
        };
        rows.iter().map(run).collect()
    }

    /// Every point in the ball, verified by a fresh run.
    fn finish(mut self) -> Result<Adversarial, AttackError> {
        let (width, classes) = (self.model.width(), self.model.classes());
        let all = self.inputs.as_slice::<f32>();
        self.x.chunks_exact_mut(width).zip(all.chunks_exact(width)).for_each(|(x, c)| self.ball.project(c, x));
        let keys: Vec<Key> = (0..self.queries.len()).map(|row| self.seed.key(row, u64::MAX)).collect();
        let logits = self.model.logits_of(&self.x, &keys)?;
        let pairs = || self.x.chunks_exact(width).zip(all.chunks_exact(width));
        let verified = pairs().zip(logits.chunks_exact(classes)).enumerate();
        let success = verified.map(|(row, ((x, c), z))| self.ball.contains(c, x) && self.ranking.is_reached(row, z));
        let (success, distances) = (success.collect(), pairs().map(|(x, c)| self.ball.distance(c, x)).collect());
        Ok(Adversarial { inputs: Tensor::new(self.inputs.shape(), self.x)?, success, distances, queries: self.queries })
    }
}
