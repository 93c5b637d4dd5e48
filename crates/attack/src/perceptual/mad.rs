//! Maximum differentiation: images that one metric finds equally far and another does not.

use super::Metric;
use crate::AttackError;
use crate::problem::require;
use perturb_engine::{Executable, Options};
use perturb_graph::{DType, Expr, Graph, Tensor, grad};

/// The competition of Wang and Simoncelli (2008): from a distorted image, ascent or descent of one metric's distance to
/// the reference along the level set of another's. If the two images found look unlike each other, the metric that is
/// held has failed; if they look alike, the one that is varied has.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MaximumDifferentiation {
    /// Number of steps.
    pub steps: usize,
    /// Root mean square of a step, in the images' units.
    pub rate: f64,
}

impl Default for MaximumDifferentiation {
    /// 100 steps of 0.002.
    fn default() -> Self {
        MaximumDifferentiation { steps: 100, rate: 0.002 }
    }
}

/// Which way the varied distance goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extreme {
    /// As near to the reference as can be.
    Nearest,
    /// As far.
    Farthest,
}

/// How often the held distance is corrected after each step, and after the last.
const CORRECTIONS: [usize; 2] = [1, 10];

impl MaximumDifferentiation {
    /// Images `[N, C, H, W]` of values in [0, 1], each as far from its `reference` as its `start` is by the metric `hold`,
    /// and at an extreme of the metric `vary`.
    ///
    /// # Errors
    /// If the images do not fit each other or the metrics, or the rate is not positive.
    pub fn run(
        &self,
        [hold, vary]: [&dyn Metric; 2],
        reference: &Tensor,
        start: &Tensor,
        extreme: Extreme,
    ) -> Result<Tensor, AttackError> {
        require(self.rate > 0.0 && self.rate.is_finite(), "MAD", "rate", self.rate, "positive")?;
        let fit = start.shape().len() == 4 && start.shape() == reference.shape() && start.count() > 0;
        if !fit || [start.dtype(), reference.dtype()] != [DType::F32; 2] {
            let (dtype, shape, expected) = (start.dtype(), start.shape().clone(), reference.shape().clone());
            return Err(AttackError::Inputs { dtype, shape, expected });
        }
        let [hold, vary] = [slopes(hold, reference)?, slopes(vary, reference)?];
        let width = start.count() / start.shape()[0];
        let sign = if extreme == Extreme::Farthest { 1.0 } else { -1.0 };
        let step = sign * self.rate * (width as f64).sqrt();
        let (levels, _) = at(&hold, start, reference)?;
        let mut x = start.clone();
        for done in 1..=self.steps {
            let ((_, held), (_, varied)) = (at(&hold, &x, reference)?, at(&vary, &x, reference)?);
            let parts = held.as_slice::<f32>().chunks(width).zip(varied.as_slice::<f32>().chunks(width));
            for (x, (h, v)) in x.as_mut_slice::<f32>().chunks_mut(width).zip(parts) {
                let along = dot(v, h) / dot(h, h).max(f64::MIN_POSITIVE);
                let direction: Vec<f64> = v.iter().zip(h).map(|(&v, &h)| f64::from(v) - along * f64::from(h)).collect();
                let length = direction.iter().map(|d| d * d).sum::<f64>().sqrt().max(f64::MIN_POSITIVE);
                shift(x, direction.into_iter().map(|d| step * d / length));
            }
            for _ in 0..CORRECTIONS[usize::from(done == self.steps)] {
                let (values, slopes) = at(&hold, &x, reference)?;
                let parts = slopes.as_slice::<f32>().chunks(width).zip(values.iter().zip(&levels));
                for (x, (h, (value, level))) in x.as_mut_slice::<f32>().chunks_mut(width).zip(parts) {
                    let factor = (level - value) / dot(h, h).max(f64::MIN_POSITIVE);
                    shift(x, h.iter().map(|&h| factor * f64::from(h)));
                }
            }
        }
        Ok(x)
    }
}

// A metric's distances of a batch, and their gradients by the first images.
fn slopes(metric: &dyn Metric, like: &Tensor) -> Result<Executable, AttackError> {
    let [x, y] = ["x", "y"].map(|name| Expr::input(name, &like.shape()[1..], DType::F32));
    let distance = metric.distance(&x, &y)?;
    let gradient = grad(&distance, std::slice::from_ref(&x))?.remove(0);
    let outputs = vec![("distance".into(), distance), ("gradient".into(), gradient)];
    let graph = Graph::new(vec![x, y], outputs)?.vmap(like.shape()[0])?;
    Ok(Executable::compile(&graph.output_exprs(), &graph.inputs, &Options::default())?)
}

fn at(slopes: &Executable, x: &Tensor, reference: &Tensor) -> Result<(Vec<f64>, Tensor), AttackError> {
    let mut found = slopes.run(&[x, reference])?;
    let gradient = found.remove(1);
    Ok((found[0].to_f64_vec(), gradient))
}

fn dot(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum()
}

fn shift(x: &mut [f32], by: impl Iterator<Item = f64>) {
    x.iter_mut().zip(by).for_each(|(x, d)| *x = (f64::from(*x) + d).clamp(0.0, 1.0) as f32);
}

#[cfg(test)]
mod tests {
    use super::*;
    use perturb_graph::GraphError;

    // Squared differences, weighted by the place.
    struct Weighted([f32; 2]);

    impl Metric for Weighted {
        fn name(&self) -> &'static str {
            "weighted"
        }

        fn distance(&self, x: &Expr, y: &Expr) -> Result<Expr, GraphError> {
            let weights = Expr::constant(Tensor::new([1, 1, 2], self.0.to_vec())?);
            Ok(x.sub(y).square().mul(&weights).sum())
        }
    }

    // On the circle u² + v² = r² the form u² + 4v² is largest at (0, ±r) and smallest at (±r, 0).
    #[test]
    fn extremes_of_an_ellipse_on_a_circle() {
        let reference = Tensor::full([2, 1, 1, 2], 0.5f32);
        let start = Tensor::new([2, 1, 1, 2], vec![0.6f32, 0.6, 0.4, 0.58]).unwrap();
        let game = MaximumDifferentiation { steps: 400, rate: 5e-4 };
        let metrics: [&dyn Metric; 2] = [&Weighted([1.0, 1.0]), &Weighted([1.0, 4.0])];
        for (extreme, axis) in [(Extreme::Farthest, 1), (Extreme::Nearest, 0)] {
            let found = game.run(metrics, &reference, &start, extreme).unwrap();
            for (found, start) in found.as_slice::<f32>().chunks(2).zip(start.as_slice::<f32>().chunks(2)) {
                let [d, s] = [found, start].map(|p| [p[0] - 0.5, p[1] - 0.5]);
                let radius = (s[0] * s[0] + s[1] * s[1]).sqrt();
                assert!(
                    (d[axis].abs() - radius).abs() < 1e-3 && d[1 - axis].abs() < 2e-3,
                    "{extreme:?} {d:?} {radius}"
                );
            }
        }
    }
}
