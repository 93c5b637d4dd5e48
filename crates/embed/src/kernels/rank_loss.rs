//! The softmax over energies of one related and many unrelated items.

use super::{Energy, RowStore};

/// The loss `−ln(exp(−E(u, v₀)) / Σⱼ exp(−E(u, vⱼ)))` of an item u, the item v₀ that it is related to and the negatives
/// v₁, v₂ … (Nickel & Kiela 2017, eq. 6), with the memory of one step, so that steps allocate nothing.
///
/// Candidates are kept coordinate by coordinate, `[dim, candidates]`.
#[derive(Clone, Debug)]
pub struct RankLoss<E> {
    space: E,
    count: usize,
    u: Vec<f64>,
    gradient_u: Vec<f64>,
    v: Vec<f64>,
    gradient_v: Vec<f64>,
    /// Squared distances to u, then scratch.
    squared: Vec<f64>,
    /// Squared norms of the candidates.
    norms: Vec<f64>,
    weights: Vec<f64>,
    slopes: Vec<f64>,
}

impl<E: Energy> RankLoss<E> {
    /// For up to `candidates` candidates, v₀ included.
    pub fn new(space: E, candidates: usize) -> RankLoss<E> {
        let (coordinates, lanes, all) =
            (|| vec![0.0; space.dim()], || vec![0.0; candidates], || vec![0.0; candidates * space.dim()]);
        let (u, gradient_u, v, gradient_v) = (coordinates(), coordinates(), all(), all());
        let (squared, norms, weights, slopes) = (lanes(), lanes(), lanes(), lanes());
        RankLoss { space, count: 0, u, gradient_u, v, gradient_v, squared, norms, weights, slopes }
    }

    /// One step of Riemannian stochastic gradient descent on the rows of u and of the candidates, v₀ first. Returns the
    /// loss before the step.
    pub fn step(&mut self, u: u32, candidates: &[u32], rows: &RowStore, learning_rate: f64) -> f64 {
        self.gather(u, candidates, rows);
        let loss = self.differentiate();
        self.descend(learning_rate);
        rows.set_row(u, self.u.iter().copied());
        for (j, &candidate) in candidates.iter().enumerate() {
            rows.set_row(candidate, self.v.chunks_exact(self.count).map(|coordinate| coordinate[j]));
        }
        loss
    }

    fn gather(&mut self, u: u32, candidates: &[u32], rows: &RowStore) {
        self.count = candidates.len();
        let all = self.count * self.u.len();
        self.v.resize(all, 0.0);
        self.gradient_v.resize(all, 0.0);
        for lanes in [&mut self.squared, &mut self.norms, &mut self.weights, &mut self.slopes] {
            lanes.resize(self.count, 0.0);
        }
        self.u.iter_mut().zip(rows.row(u)).for_each(|(u, x)| *u = x);
        for (j, &candidate) in candidates.iter().enumerate() {
            self.v.chunks_exact_mut(self.count).zip(rows.row(candidate)).for_each(|(v, x)| v[j] = x);
        }
    }

    /// The loss; fills the Euclidean gradients.
    fn differentiate(&mut self) -> f64 {
        self.squared.fill(0.0);
        self.norms.fill(0.0);
        let mut norm = 0.0;
        let coordinates = self.v.chunks_exact(self.count).zip(self.gradient_v.chunks_exact_mut(self.count));
        for (u, (v, difference)) in self.u.iter().zip(coordinates) {
            norm += u * u;
            for (j, v) in v.iter().enumerate() {
                difference[j] = u - v;
                self.squared[j] += difference[j] * difference[j];
                self.norms[j] += v * v;
            }
        }
        self.space.energies(norm, &self.squared, &self.norms, &mut self.weights, &mut self.slopes);
        let total: f64 = self.weights.iter().sum();
        let loss = (total / self.weights[0].max(f64::MIN_POSITIVE)).ln();
        // The derivative of the loss by the energy of a candidate: 1 for v₀, less its share of the softmax.
        self.weights.iter_mut().for_each(|w| *w /= -total);
        self.weights[0] += 1.0;
        let mut pull = 0.0;
        for (j, slope) in self.slopes.iter_mut().enumerate() {
            *slope *= self.weights[j];
            self.squared[j] *= *slope;
            pull += self.squared[j];
            self.squared[j] *= self.space.pull(self.norms[j]);
        }
        pull *= self.space.pull(norm);
        let coordinates = self.v.chunks_exact(self.count).zip(self.gradient_v.chunks_exact_mut(self.count));
        for ((u, gradient), (v, difference)) in self.u.iter().zip(&mut self.gradient_u).zip(coordinates) {
            let mut sum = 0.0;
            for (j, v) in v.iter().enumerate() {
                let along = self.slopes[j] * difference[j];
                sum += along;
                difference[j] = self.squared[j] * v - along;
            }
            *gradient = sum + pull * u;
        }
        loss
    }

    /// Scales the gradients by the inverse metric, steps and projects.
    fn descend(&mut self, learning_rate: f64) {
        let norm: f64 = self.u.iter().map(|u| u * u).sum();
        let rate = learning_rate * self.space.inverse_metric(norm);
        self.u.iter_mut().zip(&self.gradient_u).for_each(|(u, g)| *u -= rate * g);
        let shrink = self.space.shrink(self.u.iter().map(|u| u * u).sum());
        self.u.iter_mut().for_each(|u| *u *= shrink);

        let rates = &mut self.slopes;
        rates.iter_mut().zip(&self.norms).for_each(|(r, n)| *r = learning_rate * self.space.inverse_metric(*n));
        self.norms.fill(0.0);
        for (v, gradient) in self.v.chunks_exact_mut(self.count).zip(self.gradient_v.chunks_exact(self.count)) {
            for (j, v) in v.iter_mut().enumerate() {
                *v -= rates[j] * gradient[j];
                self.norms[j] += *v * *v;
            }
        }
        self.norms.iter_mut().for_each(|n| *n = self.space.shrink(*n));
        for v in self.v.chunks_exact_mut(self.count) {
            v.iter_mut().zip(&self.norms).for_each(|(v, shrink)| *v *= shrink);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::{Euclidean, Manifold, PoincareBall};
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    const DIM: usize = 3;
    const ITEMS: u32 = 5;

    fn points(seed: u64, spread: f64) -> Vec<f64> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        (0..DIM * ITEMS as usize).map(|_| rng.random_range(-spread..spread)).collect()
    }

    /// The loss from distances, by its formula.
    fn loss(points: &[f64], energy: impl Fn(&[f64], &[f64]) -> f64) -> f64 {
        let (u, candidates) = points.split_at(DIM);
        let energies: Vec<f64> = candidates.chunks_exact(DIM).map(|v| energy(u, v)).collect();
        energies[0] + energies.iter().map(|e| (-e).exp()).sum::<f64>().ln()
    }

    /// The new rows must be `proj(x − lr·egrad2rgrad(∇))` with the gradient by central differences.
    fn check<E: Energy + Copy>(
        space: E,
        energy: impl Fn(&[f64], &[f64]) -> f64 + Copy,
        spread: f64,
        learning_rate: f64,
    ) {
        for seed in 0..20 {
            let start = points(seed, spread);
            let rows = RowStore::new(DIM, start.iter().copied());
            let found = RankLoss::new(space, 9).step(0, &[1, 2, 3, 4], &rows, learning_rate);
            assert!((found - loss(&start, energy)).abs() < 1e-12);
            let step = 1e-6;
            let moved = |i: usize, by: f64| {
                let mut points = start.clone();
                points[i] += by;
                loss(&points, energy)
            };
            let gradient: Vec<f64> =
                (0..start.len()).map(|i| (moved(i, step) - moved(i, -step)) / (2.0 * step)).collect();
            for item in 0..ITEMS {
                let range = item as usize * DIM..(item as usize + 1) * DIM;
                let (mut x, mut g) = (start[range.clone()].to_vec(), gradient[range].to_vec());
                space.egrad2rgrad(&x, &mut g);
                g.iter_mut().for_each(|g| *g *= -learning_rate);
                space.retr(&mut x, &g);
                let error = x.iter().zip(rows.row(item)).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
                assert!(error < 1e-8 * learning_rate.max(1.0), "seed {seed}, item {item}: {error:e}");
            }
        }
    }

    #[test]
    fn a_step_follows_the_gradient_in_the_ball() {
        let ball = PoincareBall { dim: DIM };
        check(ball, |u, v| ball.dist(u, v), 0.55, 0.3);
        // So far that rows leave the ball and are brought back.
        check(ball, |u, v| ball.dist(u, v), 0.3, 30.0);
    }

    #[test]
    fn a_step_follows_the_gradient_in_flat_space() {
        let flat = Euclidean { dim: DIM };
        check(flat, |u, v| flat.dist(u, v).powi(2), 1.5, 0.3);
    }

    #[test]
    fn coinciding_and_distant_points_stay_finite() {
        for start in [vec![0.1; 6], vec![0.0; 6], vec![0.9, 0.43588, -0.9, -0.43588, 0.9, -0.43588]] {
            let rows = RowStore::new(2, start);
            let mut step = RankLoss::new(PoincareBall { dim: 2 }, 2);
            for _ in 0..10 {
                assert!(step.step(0, &[1, 2], &rows, 1.0).is_finite());
            }
            for item in 0..3 {
                let row: Vec<f64> = rows.row(item).collect();
                assert!(PoincareBall { dim: 2 }.contains(&row), "{row:?}");
            }
        }
        let rows = RowStore::new(2, [0.0, 0.0, 1e3, 0.0, 0.0, 2e3]);
        assert!(RankLoss::new(Euclidean { dim: 2 }, 2).step(0, &[1, 2], &rows, 0.1).is_finite());
    }
}
