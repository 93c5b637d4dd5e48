//! The one-pixel attack.

use crate::geometry::Geometry;
use crate::problem::{Problem, require};
use crate::{Adversarial, Attack, AttackError, Ball, Classifier, Criterion, Norm, Seed};
use perturb_graph::Tensor;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

/// One-pixel attack (Su et al. 2019), ℓ0, from the logits only: differential evolution over the places and colours of a
/// few pixels. A child is `a + F·(b − c)` of three random parents, without crossover, and replaces its own predecessor if
/// its margin is smaller.
///
/// A pixel has one coordinate for each channel, and the radius of an ℓ0 ball counts coordinates. Examples are images as for
/// [`Square`](crate::Square).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OnePixel {
    /// How many pixels may change.
    pub pixels: usize,
    /// Candidates in each generation.
    pub population: usize,
    /// Generations after the first.
    pub generations: usize,
    /// F, weight of the difference of two parents.
    pub weight: f64,
}

impl Default for OnePixel {
    /// One pixel, 400 candidates, 100 generations, F = 0.5.
    fn default() -> Self {
        OnePixel { pixels: 1, population: 400, generations: 100, weight: 0.5 }
    }
}

// The search for one example: candidates of `pixels` genes (row, column, one colour for each channel), and their margins.
struct Search {
    row: usize,
    rng: ChaCha8Rng,
    candidates: Vec<Vec<f64>>,
    margins: Vec<f64>,
}

impl Attack for OnePixel {
    fn name(&self) -> &'static str {
        "one-pixel"
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
        require(self.pixels > 0, name, "pixels", 0.0, "1 or more")?;
        require(self.population > 3, name, "population", self.population as f64, "4 or more")?;
        require(self.weight > 0.0 && self.weight.is_finite(), name, "weight", self.weight, "positive")?;
        let mut problem = Problem::new(model, inputs, criterion, ball, seed)?;
        problem.supports(name, &[Norm::L0])?;
        problem.needs_bounds(name)?;
        let geometry = Geometry::of(model.example_shape());
        let coordinates = (self.pixels * geometry.channels) as f64;
        require(coordinates <= ball.epsilon(), name, "number of coordinates of the pixels", coordinates, "within ε")?;
        for row in problem.pending() {
            let mut search = Search {
                row,
                rng: problem.stream(row),
                candidates: Vec::new(),
                margins: vec![f64::INFINITY; self.population],
            };
            for _ in 0..=self.generations {
                if self.generation(&mut problem, &mut search, geometry)? {
                    break;
                }
            }
        }
        problem.finish()
    }
}

impl OnePixel {
    // Proposes, judges and selects; whether a candidate succeeded.
    fn generation(&self, problem: &mut Problem, search: &mut Search, geometry: Geometry) -> Result<bool, AttackError> {
        let children: Vec<Vec<f64>> = match search.candidates.is_empty() {
            true => (0..self.population).map(|_| self.random(&mut search.rng, geometry)).collect(),
            false => (0..self.population).map(|i| self.child(search, i)).collect(),
        };
        let center = problem.center(search.row);
        let paint = |genes: &Vec<f64>| painted(center, genes, geometry, problem.ball);
        let points: Vec<f32> = children.iter().flat_map(paint).collect();
        let logits = problem.logits(&vec![search.row; children.len()], &points)?;
        let (classes, width) = (problem.model.classes(), problem.model.width());
        let mut best: Option<(f64, usize)> = None;
        for (i, z) in logits.chunks_exact(classes).enumerate() {
            let margin = problem.criterion.margin(search.row, z);
            if problem.criterion.is_adversarial(search.row, z) {
                problem.keep(search.row, &points[i * width..(i + 1) * width]);
                return Ok(true);
            }
            if margin < search.margins.iter().fold(f64::INFINITY, |m, &v| m.min(v))
                && best.is_none_or(|(m, _)| margin < m)
            {
                best = Some((margin, i));
            }
        }
        if let Some((_, i)) = best {
            problem.keep(search.row, &points[i * width..(i + 1) * width]);
        }
        search.candidates.resize(self.population, Vec::new());
        for (i, (child, z)) in children.into_iter().zip(logits.chunks_exact(classes)).enumerate() {
            let margin = problem.criterion.margin(search.row, z);
            if search.candidates[i].is_empty() || margin < search.margins[i] {
                (search.candidates[i], search.margins[i]) = (child, margin);
            }
        }
        Ok(false)
    }

    // Places uniform, colours normal around the middle of the range with half of it as deviation; all in [0, 1].
    fn random(&self, rng: &mut ChaCha8Rng, geometry: Geometry) -> Vec<f64> {
        let mut genes = Vec::with_capacity(self.pixels * (2 + geometry.channels));
        for _ in 0..self.pixels {
            genes.extend([rng.random::<f64>(), rng.random::<f64>()]);
            genes.extend((0..geometry.channels).map(|_| {
                let normal: f64 = StandardNormal.sample(rng);
                (0.5 + 0.5 * normal).clamp(0.0, 1.0)
            }));
        }
        genes
    }

    fn child(&self, search: &mut Search, own: usize) -> Vec<f64> {
        let mut parents = [own; 3];
        for k in 0..3 {
            while parents[k] == own || parents[..k].contains(&parents[k]) {
                parents[k] = search.rng.random_range(0..self.population);
            }
        }
        let [a, b, c] = parents.map(|p| &search.candidates[p]);
        let genes = a.iter().zip(b.iter().zip(c));
        genes.map(|(a, (b, c))| (a + self.weight * (b - c)).clamp(0.0, 1.0)).collect()
    }
}

// The example with the pixels set.
fn painted(center: &[f32], genes: &[f64], geometry: Geometry, ball: &Ball) -> Vec<f32> {
    let Geometry { channels, height, width } = geometry;
    let (lo, hi) = ball.limits();
    let mut x = center.to_vec();
    for gene in genes.chunks_exact(2 + channels) {
        let at = |share: f64, size: usize| ((share * size as f64) as usize).min(size - 1);
        let (row, column) = (at(gene[0], height), at(gene[1], width));
        for (channel, colour) in gene[2..].iter().enumerate() {
            let value = f64::from(lo) + colour * (f64::from(hi) - f64::from(lo));
            x[(channel * height + row) * width + column] = (value as f32).clamp(lo, hi);
        }
    }
    x
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn genes_set_one_pixel_in_all_channels() {
        let geometry = Geometry { channels: 3, height: 4, width: 5 };
        let ball = Ball::unbounded(Norm::L0, (-1.0, 1.0)).unwrap();
        let x = painted(&[0.25; 60], &[0.3, 1.0, 0.0, 0.5, 1.0], geometry, &ball);
        let changed: Vec<(usize, f32)> = x.iter().copied().enumerate().filter(|(_, v)| *v != 0.25).collect();
        // Row 1 of 4, the last column.
        assert_eq!(changed, [(9, -1.0), (29, 0.0), (49, 1.0)]);
    }
}
