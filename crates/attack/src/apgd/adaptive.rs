//! The step size of APGD in ℓ∞ and ℓ2.

use crate::ascent::{Climb, Site, direction};
use crate::{Ball, Norm};
use rand::{Rng, RngExt};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

// Weight of the new step against the last one.
const INERTIA: f64 = 0.75;

/// The checkpoints of the paper, p₀ = 0, p₁ = 0.22, p_{j+1} = p_j + max(p_j − p_{j−1} − 0.03, 0.06) of all steps, in whole
/// steps as in the authors' code.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Schedule {
    period: usize,
    least: usize,
    shrink: usize,
}

impl Schedule {
    fn new(steps: usize) -> Schedule {
        let share = |hundredths: usize| (hundredths * steps / 100).max(1);
        Schedule { period: share(22), least: share(6), shrink: share(3) }
    }

    fn advance(&mut self) {
        self.period = self.period.saturating_sub(self.shrink).max(self.least);
    }
}

// A point, its loss and its gradient.
struct Point {
    x: Vec<f32>,
    loss: f64,
    gradient: Vec<f32>,
}

/// The iterate of one example.
pub(crate) struct Adaptive {
    steps: usize,
    progress: f64,
    x: Vec<f32>,
    previous: Vec<f32>,
    best: Option<Point>,
    step: f64,
    schedule: Schedule,
    // Since the last checkpoint.
    taken: usize,
    rises: usize,
    last_loss: f64,
    // At the last checkpoint.
    best_then: f64,
    halved_then: bool,
}

impl Adaptive {
    pub fn new(steps: usize, progress: f64) -> Adaptive {
        Adaptive {
            steps,
            progress,
            x: Vec::new(),
            previous: Vec::new(),
            best: None,
            step: 0.0,
            schedule: Schedule::new(steps),
            taken: 0,
            rises: 0,
            last_loss: 0.0,
            best_then: 0.0,
            halved_then: true,
        }
    }

    // Takes in the outcome of a step; at a checkpoint without progress, whether to go back.
    fn review(&mut self, loss: f64, best: f64) -> bool {
        self.rises += usize::from(loss > self.last_loss);
        self.last_loss = loss;
        self.taken += 1;
        if self.taken < self.schedule.period {
            return false;
        }
        let oscillates = self.rises as f64 <= self.progress * self.taken as f64;
        let stands = !self.halved_then && self.best_then >= best;
        (self.halved_then, self.best_then) = (oscillates || stands, best);
        (self.taken, self.rises) = (0, 0);
        self.schedule.advance();
        self.halved_then
    }

    fn step(&mut self, site: &Site, gradient: &[f32], first: bool) {
        let mut stepped = self.x.clone();
        let step = self.step;
        direction(&mut stepped, gradient, site.ball, 1.0, |v, d| *v = (f64::from(*v) + step * d) as f32);
        site.ball.project(site.center, &mut stepped);
        let previous = std::mem::replace(&mut self.previous, self.x.clone());
        let inertia = if first { 1.0 } else { INERTIA };
        for ((v, &z), &old) in self.x.iter_mut().zip(&stepped).zip(&previous) {
            let (here, z, old) = (f64::from(*v), f64::from(z), f64::from(old));
            *v = (here + inertia * (z - here) + (1.0 - inertia) * (here - old)) as f32;
        }
        site.ball.project(site.center, &mut self.x);
    }
}

impl Climb for Adaptive {
    fn start(&mut self, site: &Site, rng: &mut ChaCha8Rng) {
        *self = Adaptive::new(self.steps, self.progress);
        self.x = surface_point(site.center, site.ball, rng);
        self.previous = self.x.clone();
        self.step = 2.0 * site.ball.epsilon();
    }

    fn probe(&self) -> &[f32] {
        &self.x
    }

    fn advance(&mut self, site: &Site, loss: f64, gradient: &[f32], _rng: &mut ChaCha8Rng) {
        let Some(best) = &mut self.best else {
            self.best = Some(Point { x: self.x.clone(), loss, gradient: gradient.to_vec() });
            (self.last_loss, self.best_then) = (loss, loss);
            return self.step(site, gradient, true);
        };
        if loss > best.loss {
            best.x.copy_from_slice(&self.x);
            best.gradient.copy_from_slice(gradient);
            best.loss = loss;
        }
        let highest = best.loss;
        if !self.review(loss, highest) {
            return self.step(site, gradient, false);
        }
        if let Some(best) = self.best.take() {
            self.step /= 2.0;
            self.x.copy_from_slice(&best.x);
            self.step(site, &best.gradient, false);
            self.best = Some(best);
        }
    }
}

// A random point at distance ε: uniform or normal coordinates, scaled.
fn surface_point(center: &[f32], ball: &Ball, rng: &mut impl Rng) -> Vec<f32> {
    let draw = |rng: &mut _| match ball.norm() {
        Norm::L2 => StandardNormal.sample(rng),
        _ => RngExt::random_range(rng, -1.0..=1.0),
    };
    let offsets: Vec<f64> = center.iter().map(|_| draw(rng)).collect();
    let length = match ball.norm() {
        Norm::L2 => offsets.iter().map(|o| o * o).sum::<f64>().sqrt(),
        _ => offsets.iter().fold(0.0, |m, o| f64::max(m, o.abs())),
    };
    let scale = ball.epsilon() / length.max(f64::MIN_POSITIVE);
    let mut x: Vec<f32> = center.iter().zip(&offsets).map(|(&c, o)| (f64::from(c) + scale * o) as f32).collect();
    ball.project(center, &mut x);
    x
}

#[cfg(test)]
mod tests {
    use super::*;

    // The checkpoints for 100 steps, from the recursion of the paper.
    #[test]
    fn checkpoints_are_those_of_the_paper() {
        let (mut schedule, mut at, mut found) = (Schedule::new(100), 0, vec![]);
        while at + schedule.period <= 100 {
            at += schedule.period;
            found.push(at);
            schedule.advance();
        }
        let mut expected = vec![0.0, 0.22];
        loop {
            let [.., before, last] = expected[..] else { unreachable!() };
            let next: f64 = last + f64::max(last - before - 0.03, 0.06);
            if next > 1.0 + 1e-9 {
                break;
            }
            expected.push(next);
        }
        let expected: Vec<usize> = expected[1..].iter().map(|p: &f64| (p * 100.0).round() as usize).collect();
        assert_eq!(found, expected);
        assert_eq!(found[..4], [22, 41, 57, 70]);
    }

    // With 100 steps the first checkpoint comes after 22: 16 rises are too few (0.75·22 = 16.5), 17 are enough. After a
    // checkpoint without halving, a best value that stands still is too little.
    #[test]
    fn step_is_halved_without_progress() {
        let run = |rises: usize, best: f64| {
            let mut rule = Adaptive::new(100, 0.75);
            let verdicts: Vec<bool> = (0..22)
                .map(|i| {
                    let loss = if i < rises { rule.last_loss + 1.0 } else { rule.last_loss - 1.0 };
                    rule.review(loss, best)
                })
                .collect();
            assert!(!verdicts[..21].contains(&true));
            (verdicts[21], rule)
        };
        assert!(run(16, 5.0).0 && !run(17, 5.0).0);
        let again = |best: f64| {
            let (_, mut rule) = run(22, 5.0);
            (0..19).map(|_| rule.review(rule.last_loss + 1.0, best)).last()
        };
        assert_eq!((again(5.0), again(6.0)), (Some(true), Some(false)));
    }
}
