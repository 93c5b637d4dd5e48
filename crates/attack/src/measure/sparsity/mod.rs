//! How hard adversarial perturbations are to meet, not only whether there are any.
//!
//! After Olivier and Raj (2023). A random direction is given, and the attack may leave it only so far: the less it has to,
//! the more perturbations there are. Adversarial accuracy counts the points without any.

mod region;

use crate::ascent::{Climb, Climber, Hill, Site, climb, direction};
use crate::loss::Objective;
use crate::problem::{Problem, require};
use crate::{AttackError, Ball, Classifier, Criterion, Loss, Norm, Seed};
use perturb_graph::Tensor;
use rand_chacha::ChaCha8Rng;
use region::Region;

/// Adversarial sparsity. In ℓ2 directions u are uniform on the sphere, and the sparsity is the mean over them of the
/// smallest angle α, in radians, such that a perturbation of the ball within α of u changes the decision. In ℓ∞
/// directions are vertices of the ball and orders of the coordinates, and it is the mean of the smallest number of leading
/// coordinates that must be freed from the vertex. Where none is found even in the whole ball the angle is π, the number
/// that of all coordinates. Perturbed examples are clipped to the bounds.
///
/// As an attack may fail, this is an upper bound. Sets of a direction contain each other: the smallest is found by
/// bisection, each search starting from what the one in a wider set found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sparsity {
    /// Random directions for each example.
    pub directions: usize,
    /// Steps of steepest ascent of the margin in each set.
    pub steps: usize,
    /// Size of a step divided by ε.
    pub relative_step: f64,
    /// Into how many parts the angle π is divided; numbers of coordinates are exact.
    pub resolution: usize,
}

impl Default for Sparsity {
    /// 20 directions, 20 steps of ε/4, angles to π/256.
    fn default() -> Self {
        Sparsity { directions: 20, steps: 20, relative_step: 0.25, resolution: 256 }
    }
}

/// The sparsity of one example.
#[derive(Clone, Debug, PartialEq)]
pub struct Sparse {
    /// Mean over directions.
    pub mean: f64,
    /// Of each direction: an angle in radians, or a number of coordinates.
    pub per_direction: Vec<f64>,
    /// Whether a perturbation of the ball was found at all.
    pub broken: bool,
}

// One example and direction.
struct Search {
    row: usize,
    region: Region,
    // The largest set in which nothing was found, if any, and the smallest in which something was.
    failed: Option<usize>,
    found: Option<(usize, Vec<f32>)>,
}

impl Sparsity {
    /// Sparsity around each of `inputs [N, …]` of the classes `labels`, in an ℓ2 or ℓ∞ ball; none for inputs that are
    /// misclassified as they are.
    ///
    /// # Errors
    /// If inputs, labels or bounds do not fit, the ball has another norm or no finite radius, or a hyperparameter is 0.
    pub fn run(
        &self,
        model: &Classifier,
        inputs: &Tensor,
        labels: &[usize],
        ball: &Ball,
        seed: &Seed,
    ) -> Result<Vec<Option<Sparse>>, AttackError> {
        const NAME: &str = "sparsity";
        for (name, value) in [("directions", self.directions), ("steps", self.steps), ("resolution", self.resolution)] {
            require(value > 0, NAME, name, 0.0, "1 or more")?;
        }
        require(self.relative_step > 0.0, NAME, "relative_step", self.relative_step, "positive")?;
        let repeated = self.repeated(model, inputs)?;
        let labels: Vec<usize> = labels.iter().flat_map(|&l| std::iter::repeat_n(l, self.directions)).collect();
        let criterion = Criterion::Misclassify { labels };
        let mut problem = Problem::new(model, &repeated, &criterion, ball, seed)?;
        problem.supports(NAME, &[Norm::L2, Norm::Linf])?;
        problem.needs_budget(NAME)?;
        let sizes = if ball.norm() == Norm::L2 { self.resolution } else { model.width() };
        let search = |row: usize| {
            let region = Region::draw(ball, model.width(), self.resolution, &mut problem.stream(row));
            Search { row, region, failed: None, found: None }
        };
        let mut searches: Vec<Search> = problem.pending().into_iter().map(search).collect();
        while self.round(&mut problem, &mut searches, sizes)? {}
        Ok(self.summed(&searches, repeated.shape()[0], sizes))
    }

    // Each example once for each direction.
    fn repeated(&self, model: &Classifier, inputs: &Tensor) -> Result<Tensor, AttackError> {
        let rows = model.rows(inputs)?;
        let copies = rows.chunks_exact(model.width()).flat_map(|row| std::iter::repeat_n(row, self.directions));
        let values: Vec<f32> = copies.flatten().copied().collect();
        let count = values.len() / model.width();
        Ok(Tensor::new([&[count], &model.example_shape()[..]].concat(), values)?)
    }

    // Tries one more set for each search that is not done; whether there was any.
    fn round(&self, problem: &mut Problem, searches: &mut [Search], sizes: usize) -> Result<bool, AttackError> {
        let next: Vec<Option<usize>> = searches.iter().map(|s| s.next(sizes)).collect();
        let objective = Objective::Class(Loss::Margin);
        let rules = searches.iter().zip(&next).filter_map(|(search, size)| {
            let start = search.found.as_ref().map(|(_, x)| &x[..]);
            let rule = Confined { plan: self, region: &search.region, size: (*size)?, start, delta: vec![], x: vec![] };
            Some((search.row, rule))
        });
        let mut pending = Climber::of_rows(problem, rules);
        if pending.is_empty() {
            return Ok(false);
        }
        for climber in &mut pending {
            let class = problem.criterion.classes()[climber.row];
            climber.aim(objective, problem.model.classes(), class, class);
        }
        climb(problem, &mut pending, Hill { objective, evaluations: self.steps + 1, samples: 1 })?;
        let left: Vec<usize> = pending.iter().map(|c| c.row).collect();
        drop(pending);
        for (search, size) in searches.iter_mut().zip(next) {
            match size {
                Some(size) if left.binary_search(&search.row).is_ok() => search.failed = Some(size),
                Some(size) => search.found = Some((size, problem.gather(&[search.row]))),
                None => {}
            }
        }
        Ok(true)
    }

    fn summed(&self, searches: &[Search], rows: usize, sizes: usize) -> Vec<Option<Sparse>> {
        let mut by_example: Vec<Vec<&Search>> = vec![Vec::new(); rows / self.directions];
        searches.iter().for_each(|s| by_example[s.row / self.directions].push(s));
        let sparse = |searches: Vec<&Search>| {
            let size = |s: &Search| s.region.measure(s.found.as_ref().map_or(sizes, |(size, _)| *size));
            let per_direction: Vec<f64> = searches.iter().map(|s| size(s)).collect();
            let mean = per_direction.iter().sum::<f64>() / per_direction.len() as f64;
            let broken = searches.iter().any(|s| s.found.is_some());
            (!per_direction.is_empty()).then_some(Sparse { mean, per_direction, broken })
        };
        by_example.into_iter().map(sparse).collect()
    }
}

impl Search {
    // The whole ball first; then half way between what failed and what did not.
    fn next(&self, sizes: usize) -> Option<usize> {
        match (self.failed, &self.found) {
            (None, None) => Some(sizes),
            (Some(_), None) | (None, Some((0, _))) => None,
            (None, Some((found, _))) => Some(found / 2),
            (Some(failed), Some((found, _))) => (failed + 1 < *found).then_some(failed.midpoint(*found)),
        }
    }
}

// Steepest ascent of a perturbation within a region.
struct Confined<'a> {
    plan: &'a Sparsity,
    region: &'a Region,
    size: usize,
    start: Option<&'a [f32]>,
    delta: Vec<f64>,
    x: Vec<f32>,
}

impl Confined<'_> {
    fn settle(&mut self, site: &Site) {
        self.region.project(self.size, &mut self.delta);
        let (lo, hi) = site.ball.limits();
        let moved = site.center.iter().zip(&self.delta).map(|(&c, d)| ((f64::from(c) + d) as f32).clamp(lo, hi));
        self.x = moved.collect();
    }
}

impl Climb for Confined<'_> {
    const USES_LOSS: bool = false;

    fn start(&mut self, site: &Site, _: &mut ChaCha8Rng) {
        self.delta = match self.start {
            Some(x) => x.iter().zip(site.center).map(|(&x, &c)| f64::from(x) - f64::from(c)).collect(),
            None => self.region.direction().to_vec(),
        };
        self.settle(site);
    }

    fn probe(&self) -> &[f32] {
        &self.x
    }

    fn advance(&mut self, site: &Site, _: f64, gradient: &[f32], _: &mut ChaCha8Rng) {
        let step = self.plan.relative_step * site.ball.epsilon();
        let mut deltas = self.delta.iter_mut();
        direction(&mut self.x, gradient, site.ball, 1.0, |_, d| {
            if let Some(delta) = deltas.next() {
                *delta += step * d;
            }
        });
        self.settle(site);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use perturb_graph::{DType, Expr, Graph};
    use std::f64::consts::PI;

    // Logits (b + w·x, 0): class 0 at 0, whose distance to the boundary is b/‖w‖.
    fn linear(w: &[f32], b: f64) -> Classifier {
        let x = Expr::input("x", [1, w.len()], DType::F32);
        let weights = Expr::constant(Tensor::new([w.len(), 1], w.to_vec()).unwrap());
        let score = x.matmul(&weights).offset(b);
        let logits = Expr::concat(&[score.clone(), score.like(0.0)], 1);
        Classifier::new(&Graph::new(vec![x], vec![("logits".into(), logits)]).unwrap(), 8).unwrap()
    }

    fn weights() -> Vec<f32> {
        (0..12).map(|i| ((i * 5 + 3) % 7) as f32 - 2.6).collect()
    }

    // α(u) = max(0, ∠(u, −w) − arccos(g/ε)).
    #[test]
    fn angles_to_a_plane_are_those_of_the_formula() {
        let w = weights();
        let length = w.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>().sqrt();
        let (epsilon, distance) = (1.0, 0.6);
        let model = linear(&w, distance * length);
        let ball = Ball::new(Norm::L2, epsilon, (-9.0, 9.0)).unwrap();
        let sparsity = Sparsity { directions: 30, ..Sparsity::default() };
        let seed = Seed::new(7, 0);
        let inputs = Tensor::full([2, 12], 0.0f32);
        let found = sparsity.run(&model, &inputs, &[0, 1], &ball, &seed).unwrap();
        assert!(found[1].is_none());
        let found = found[0].as_ref().unwrap();
        assert!(found.broken && found.per_direction.len() == 30);
        let criterion = Criterion::Misclassify { labels: vec![0; 60] };
        let repeated = Tensor::full([60, 12], 0.0f32);
        let problem = Problem::new(&model, &repeated, &criterion, &ball, &seed).unwrap();
        for (row, &alpha) in found.per_direction.iter().enumerate() {
            let region = Region::draw(&ball, 12, 256, &mut problem.stream(row));
            let dot: f64 = region.direction().iter().zip(&w).map(|(u, w)| u * f64::from(*w)).sum();
            let expected = ((-dot / length).acos() - (distance / epsilon).acos()).max(0.0);
            assert!(alpha >= expected - 1e-3 && alpha < expected + 2.0 * PI / 256.0, "{alpha} {expected}");
        }
    }

    // The smallest number of leading coordinates is found by adding up.
    #[test]
    fn freed_coordinates_are_counted_exactly() {
        let (w, b) = (weights(), 4.0);
        let model = linear(&w, b);
        let ball = Ball::new(Norm::Linf, 0.5, (-9.0, 9.0)).unwrap();
        let sparsity = Sparsity { directions: 25, steps: 8, ..Sparsity::default() };
        let (seed, inputs) = (Seed::new(3, 0), Tensor::full([1, 12], 0.0f32));
        let found = sparsity.run(&model, &inputs, &[0], &ball, &seed).unwrap().remove(0).unwrap();
        let criterion = Criterion::Misclassify { labels: vec![0; 25] };
        let repeated = Tensor::full([25, 12], 0.0f32);
        let problem = Problem::new(&model, &repeated, &criterion, &ball, &seed).unwrap();
        for (row, &count) in found.per_direction.iter().enumerate() {
            let region = Region::draw(&ball, 12, 1, &mut problem.stream(row));
            let mut score = b + region.direction().iter().zip(&w).map(|(u, w)| u * f64::from(*w)).sum::<f64>();
            let mut expected = 0;
            while score >= 0.0 && expected < 12 {
                let i = region.order()[expected];
                score -= region.direction()[i] * f64::from(w[i]) + 0.5 * f64::from(w[i]).abs();
                expected += 1;
            }
            assert_eq!(count, expected as f64, "{row}");
        }
    }

    #[test]
    fn what_cannot_be_broken_counts_as_the_whole_ball() {
        let model = linear(&weights(), 100.0);
        let inputs = Tensor::full([1, 12], 0.0f32);
        let sparsity = Sparsity { directions: 3, ..Sparsity::default() };
        for (norm, all) in [(Norm::L2, PI), (Norm::Linf, 12.0)] {
            let ball = Ball::new(norm, 0.5, (-1.0, 1.0)).unwrap();
            let found = sparsity.run(&model, &inputs, &[0], &ball, &Seed::new(1, 0)).unwrap().remove(0).unwrap();
            assert_eq!(found, Sparse { mean: all, per_direction: vec![all; 3], broken: false });
        }
        let ball = Ball::new(Norm::L1, 0.5, (-1.0, 1.0)).unwrap();
        assert!(matches!(sparsity.run(&model, &inputs, &[0], &ball, &Seed::new(1, 0)), Err(AttackError::Norm { .. })));
    }
}
