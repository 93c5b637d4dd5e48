//! Steps and their sizes of APGD in ℓ1.

use crate::Ball;
use crate::ascent::{Climb, Site, direction};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

// Radii of the phases, times ε.
const RADII: [f64; 3] = [3.0, 2.0, 1.0];
// A point this much sparser than before is progress.
const SPARSER: f64 = 0.95;
const SHRINK: f64 = 1.5;
const SMALLEST: f64 = 0.1;

/// The iterate of one example: three searches, in balls of radius 3ε, 2ε and ε, each from the best point of the one
/// before. A step moves the coordinates with the largest gradients, as many as the best point has changed, over 1.5.
pub(crate) struct Sparse {
    phases: [usize; 3],
    phase: usize,
    evaluated: usize,
    x: Vec<f32>,
    best: Option<(Vec<f32>, f64, Vec<f32>)>,
    since: usize,
    step: f64,
    // Share of coordinates that move, and number that had been changed at the last checkpoint.
    share: f64,
    changed: f64,
}

impl Sparse {
    /// Steps of each phase: 30%, 30%, and the rest.
    pub fn phases(steps: usize) -> [usize; 3] {
        let part = (3 * steps).div_ceil(10).min(steps / 2);
        [part, part, steps - 2 * part]
    }

    pub fn new(phases: [usize; 3]) -> Sparse {
        let (x, best) = (Vec::new(), None);
        Sparse { phases, phase: 0, evaluated: 0, x, best, since: 0, step: 0.0, share: 0.0, changed: 0.0 }
    }

    fn ball(&self, site: &Site) -> Ball {
        let radius = RADII[self.phase] * site.ball.epsilon();
        site.ball.with_epsilon(radius).unwrap_or(*site.ball)
    }

    fn enter(&mut self, site: &Site) {
        let ball = self.ball(site);
        ball.project(site.center, &mut self.x);
        (self.evaluated, self.since, self.best) = (0, 0, None);
        self.step = ball.epsilon();
        self.changed = changed(site.center, &self.x);
        self.share = self.changed / self.x.len() as f64 / SHRINK;
    }

    // At every checkpoint: start anew from the best point if it is sparser, else shorten the step.
    fn review(&mut self, site: &Site, gradient: &mut [f32]) {
        let Some((best, _, best_gradient)) = &self.best else { return };
        let count = changed(site.center, best);
        let radius = RADII[self.phase] * site.ball.epsilon();
        if count < SPARSER * self.changed {
            self.step = radius;
            self.x.copy_from_slice(best);
            gradient.copy_from_slice(best_gradient);
        } else {
            self.step = (self.step / SHRINK).max(SMALLEST * radius);
        }
        (self.changed, self.share) = (count, count / self.x.len() as f64 / SHRINK);
    }
}

impl Climb for Sparse {
    fn start(&mut self, site: &Site, rng: &mut ChaCha8Rng) {
        self.phase = 0;
        let noise =
            site.center.iter().map(|&c| (f64::from(c) + Distribution::<f64>::sample(&StandardNormal, rng)) as f32);
        self.x = noise.collect();
        self.enter(site);
    }

    fn probe(&self) -> &[f32] {
        &self.x
    }

    fn is_candidate(&self) -> bool {
        self.phase + 1 == RADII.len()
    }

    fn advance(&mut self, site: &Site, loss: f64, gradient: &[f32], _rng: &mut ChaCha8Rng) {
        let mut gradient = gradient.to_vec();
        if self.best.as_ref().is_none_or(|(_, best, _)| loss > *best) {
            self.best = Some((self.x.clone(), loss, gradient.clone()));
        }
        if self.evaluated > 0 {
            self.since += 1;
            if self.since >= (4 * self.phases[self.phase] / 100).max(1) {
                self.since = 0;
                self.review(site, &mut gradient);
            }
        }
        if self.evaluated == self.phases[self.phase] {
            if let Some((best, ..)) = self.best.take() {
                self.x = best;
            }
            self.phase += 1;
            return self.enter(site);
        }
        self.evaluated += 1;
        let (ball, step) = (self.ball(site), self.step);
        direction(&mut self.x, &gradient, &ball, self.share, |v, d| *v = (f64::from(*v) + step * d) as f32);
        ball.project(site.center, &mut self.x);
    }
}

fn changed(center: &[f32], x: &[f32]) -> f64 {
    center.iter().zip(x).filter(|(c, v)| c != v).count() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phases_use_all_steps() {
        assert_eq!(Sparse::phases(100), [30, 30, 40]);
        for steps in 1..50 {
            assert_eq!(Sparse::phases(steps).iter().sum::<usize>(), steps);
        }
    }
}
