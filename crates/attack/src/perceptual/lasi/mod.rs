//! LASI: how each pixel is predicted from those before it.

mod neighbors;
mod recursion;

use super::{Metric, shape_error, sizes};
use neighbors::neighbors;
use perturb_graph::{Expr, GraphError, Tensor};

/// The linear autoregressive similarity index (Severo, Theis and Ballé 2024). Element i of an image, in the order of its
/// layout `[C, H, W]`, is predicted from the vector `n_i` of its N nearest earlier elements, by weights
/// `w_i = A_i⁻¹·b_i` that solve the least squares problem of all earlier elements:
///
/// `A_i = Σ_{j<i} γ^d(i,j)·n_j·n_jᵀ + λI`, `b_i = Σ_{j<i} γ^d(i,j)·x_j·n_j`
///
/// with d the ℓ1 distance of coordinates, the channel's included. Missing neighbours count as 0, those at one distance are
/// taken in the order of the layout. The embedding of an image are all `w_i + 10⁻⁶`, scaled to length 1; the distance of
/// two images is the mean over i of the distances of their vectors.
///
/// Values in [0, 1] are first mapped to [−1, 1]. Nothing is trained. In graphs the sums over the past are products with a
/// matrix for each axis; [`Lasi::embed`] uses recursions, in O(elements·N²).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Lasi {
    /// N, the number of neighbours and the length of an embedding's vectors.
    pub neighborhood: usize,
    /// γ, by which the weight of an element falls with each unit of distance.
    pub decay: f64,
    /// λ, which keeps the problem well posed.
    pub ridge: f64,
}

impl Default for Lasi {
    /// N = 16, γ = 0.8, λ = 80/127.5, as in the authors' program.
    fn default() -> Self {
        Lasi { neighborhood: 16, decay: 0.8, ridge: 80.0 / 127.5 }
    }
}

/// Added to weights before they are scaled to length 1.
const SHIFT: f64 = 1e-6;
/// Under the root of squared distances, which has no gradient at 0.
const TINY: f64 = 1e-12;

impl Lasi {
    /// The embedding `[C·H·W, N]` of an image `[C, H, W]`, differentiable.
    ///
    /// # Errors
    /// If the image does not hold more than N elements.
    pub fn embedding(&self, x: &Expr) -> Result<Expr, GraphError> {
        let [c, h, w] = sizes(self.name(), x, x)?;
        let (n, count) = (self.neighborhood, c * h * w);
        let places = self.places([c, h, w], &[x])?;
        let x = x.scale(2.0).offset(-1.0).reshape([count]);
        let padded = Expr::try_concat(&[x.clone(), Expr::full([1], 0.0, x.dtype())], 0)?;
        let indices = places.iter().map(|p| p.unwrap_or(count) as i64).collect();
        let near = padded.try_gather(0, &Expr::constant(Tensor::new([count, n], indices)?))?;
        let all = Expr::try_concat(&[near.clone(), x.reshape([count, 1])], 1)?;
        let products = near.reshape([count, n, 1]).mul(&all.reshape([count, 1, n + 1]));
        let sums = self.past(&products.reshape([c, h, w, n * (n + 1)]))?.reshape([count, n, n + 1]);
        let identity = (0..n * n).map(|i| if i.is_multiple_of(n + 1) { self.ridge } else { 0.0 }).collect();
        let ridge = Expr::constant(Tensor::from_f64([n, n], x.dtype(), identity)?);
        let weights = sums.slice_axis(2, 0, n).add(&ridge).try_solve(&sums.slice_axis(2, n, n + 1))?;
        let weights = weights.reshape([count, n]).offset(SHIFT);
        Ok(weights.div(&weights.square().reduce_sum(&[1], true).sqrt()))
    }

    /// At each place of `values [C, H, W, K]` the sum of all earlier ones, weighted by γ^distance. What is earlier splits
    /// into, for each axis, the places that agree in the axes before it and come earlier along it.
    fn past(&self, values: &Expr) -> Result<Expr, GraphError> {
        let mut around = values.clone();
        let mut past: Option<Expr> = None;
        for axis in (0..3).rev() {
            let length = values.shape()[axis];
            if length == 1 {
                continue;
            }
            let earlier = self.along(&around, axis, |i, j| j < i)?;
            past = Some(past.map_or_else(|| Ok(earlier.clone()), |p| p.try_add(&earlier))?);
            around = self.along(&around, axis, |_, _| true)?;
        }
        Ok(past.unwrap_or_else(|| values.like(0.0)))
    }

    /// Sums along an axis over the pairs `(i, j)` of places that count, weighted by γ^|i − j|.
    fn along(&self, values: &Expr, axis: usize, counts: impl Fn(usize, usize) -> bool) -> Result<Expr, GraphError> {
        let shape = values.shape();
        let length = shape[axis];
        let weight = |k: usize| {
            let (i, j) = (k / length, k % length);
            if counts(i, j) { self.decay.powi(i.abs_diff(j) as i32) } else { 0.0 }
        };
        let weights = Tensor::from_f64([length, length], values.dtype(), (0..length * length).map(weight).collect())?;
        let (outer, inner) = (shape[..axis].iter().product::<usize>(), shape[axis + 1..].iter().product::<usize>());
        Expr::constant(weights).try_matmul(&values.try_reshape([outer, length, inner])?)?.try_reshape(shape)
    }

    fn places(&self, image: [usize; 3], of: &[&Expr]) -> Result<Vec<Option<usize>>, GraphError> {
        if self.neighborhood == 0 || self.neighborhood >= image.iter().product() {
            let reason =
                format!("needs an image of more elements than the {} neighbours, 1 or more", self.neighborhood);
            return shape_error(self.name(), reason, of);
        }
        Ok(neighbors(image, self.neighborhood))
    }
}

impl Metric for Lasi {
    fn name(&self) -> &'static str {
        "LASI"
    }

    fn distance(&self, x: &Expr, y: &Expr) -> Result<Expr, GraphError> {
        sizes(self.name(), x, y)?;
        let difference = self.embedding(x)?.try_sub(&self.embedding(y)?)?;
        Ok(difference.square().reduce_sum(&[1], false).offset(TINY).sqrt().reduce_mean(&[0], false))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use perturb_engine::{Executable, Options};
    use perturb_graph::{DType, grad};
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    fn image(shape: [usize; 3], seed: u64) -> Tensor {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        Tensor::new(shape, (0..shape.iter().product()).map(|_| rng.random_range(0.0..1.0)).collect::<Vec<f64>>())
            .unwrap()
    }

    #[test]
    fn graph_recursion_and_definition_agree() {
        for (shape, neighborhood) in [([1, 5, 6], 4), ([3, 4, 5], 7), ([2, 1, 9], 3), ([1, 1, 8], 1)] {
            let lasi = Lasi { neighborhood, ..Lasi::default() };
            let image = image(shape, 5);
            let x = Expr::input("x", shape, DType::F64);
            let graph = lasi.embedding(&x).unwrap();
            let graph = Executable::compile(&[graph], &[x], &Options::default()).unwrap().run(&[&image]).unwrap();
            let (fast, slow) = (lasi.embed(&image).unwrap(), lasi.embed_by_definition(&image).unwrap());
            for other in [&graph[0], &fast] {
                let pairs = other.as_slice::<f64>().iter().zip(slow.as_slice::<f64>());
                let largest = pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
                assert!(largest < 1e-9, "{shape:?}: {largest}");
            }
        }
    }

    #[test]
    fn gradient_is_a_finite_difference() {
        let shape = [2, 4, 4];
        let lasi = Lasi { neighborhood: 5, ..Lasi::default() };
        let [a, b, direction] = [1, 2, 3].map(|seed| image(shape, seed));
        let [x, y] = ["x", "y"].map(|name| Expr::input(name, shape, DType::F64));
        let distance = lasi.distance(&x, &y).unwrap();
        let gradient = grad(&distance, std::slice::from_ref(&x)).unwrap().remove(0);
        let exe = Executable::compile(&[distance, gradient], &[x, y], &Options::default()).unwrap();
        let at = |step: f64| {
            let pairs = a.as_slice::<f64>().iter().zip(direction.as_slice::<f64>());
            let moved = Tensor::new(shape, pairs.map(|(a, d)| a + step * d).collect()).unwrap();
            exe.run(&[&moved, &b]).unwrap()
        };
        let step = 1e-5;
        let numeric = (at(step)[0].as_slice::<f64>()[0] - at(-step)[0].as_slice::<f64>()[0]) / (2.0 * step);
        let found = at(0.0);
        let pairs = found[1].as_slice::<f64>().iter().zip(direction.as_slice::<f64>());
        let analytic: f64 = pairs.map(|(g, d)| g * d).sum();
        assert!((numeric - analytic).abs() < 1e-6 * numeric.abs().max(1.0), "{numeric} {analytic}");
    }

    #[test]
    fn more_neighbors_predict_better_and_too_many_are_refused() {
        let image = image([1, 8, 8], 9);
        let loss = |neighborhood| Lasi { neighborhood, ..Lasi::default() }.loss(&image).unwrap();
        assert!(loss(2) > loss(4) && loss(4) > loss(8), "{} {} {}", loss(2), loss(4), loss(8));
        for neighborhood in [0, 64] {
            assert!(Lasi { neighborhood, ..Lasi::default() }.embed(&image).is_err());
        }
    }
}
