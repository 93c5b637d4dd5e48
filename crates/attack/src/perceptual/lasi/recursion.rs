//! The sums over the past in double precision: by recursions, and by their definition.

use super::{Lasi, SHIFT};
use perturb_graph::{Expr, GraphError, Tensor, linear_algebra};
use rayon::prelude::*;

// For each element the sums over its past of the products of (n_j, x_j) with itself: the upper triangle, row by row.
struct Past {
    width: usize,
    sums: Vec<f64>,
}

impl Lasi {
    /// The embedding `[C·H·W, N]`, in double precision, of an image `[C, H, W]` of values in [0, 1].
    ///
    /// # Errors
    /// If this is no image, or one of not more than N elements.
    pub fn embed(&self, image: &Tensor) -> Result<Tensor, GraphError> {
        self.normalized(&self.past_by_recursion(image)?)
    }

    /// What [`Lasi::embed`] returns, from sums as they are defined: O(elements²·N²), for checks.
    ///
    /// # Errors
    /// As for [`Lasi::embed`].
    pub fn embed_by_definition(&self, image: &Tensor) -> Result<Tensor, GraphError> {
        let (shape, width, products) = self.products(image)?;
        let [_, h, w] = shape;
        let at = |i: usize| [i / (h * w), i / w % h, i % w];
        let sum_before = |i: usize| {
            let mut sums = vec![0.0; triangle(width)];
            for (j, products) in products.chunks_exact(triangle(width)).enumerate().take(i) {
                let distance: usize = at(i).iter().zip(at(j)).map(|(a, b)| a.abs_diff(b)).sum();
                let weight = self.decay.powi(distance as i32);
                sums.iter_mut().zip(products).for_each(|(s, p)| *s += weight * p);
            }
            sums
        };
        let count: usize = shape.iter().product();
        self.normalized(&Past { width, sums: (0..count).into_par_iter().flat_map_iter(sum_before).collect() })
    }

    /// The mean over elements of the weighted squares `Σ_{j<i} γ^d(i,j)·(x_j − w_iᵀ·n_j)²` that the weights leave.
    ///
    /// # Errors
    /// As for [`Lasi::embed`].
    pub fn loss(&self, image: &Tensor) -> Result<f64, GraphError> {
        let past = self.past_by_recursion(image)?;
        let n = self.neighborhood;
        let left = |sums: &[f64]| {
            let w = self.weights(sums);
            let augmented: Vec<f64> = w.iter().copied().chain([-1.0]).collect();
            let value = |i: usize, j: usize| augmented[i] * augmented[j] * sums[upper(n + 1, i.min(j), i.max(j))];
            (0..=n).flat_map(|i| (0..=n).map(move |j| (i, j))).map(|(i, j)| value(i, j)).sum::<f64>()
        };
        let losses: Vec<f64> = past.sums.par_chunks_exact(triangle(past.width)).map(left).collect();
        Ok(losses.iter().sum::<f64>() / losses.len() as f64)
    }

    fn past_by_recursion(&self, image: &Tensor) -> Result<Past, GraphError> {
        let (shape, width, mut around) = self.products(image)?;
        let mut sums = vec![0.0; around.len()];
        let mut inner = triangle(width);
        for axis in (0..3).rev() {
            let length = shape[axis];
            let (blocks, past) = (around.par_chunks_mut(length * inner), sums.par_chunks_mut(length * inner));
            blocks.zip(past).for_each(|(block, past)| self.sweep(block, past, inner));
            inner *= length;
        }
        Ok(Past { width, sums })
    }

    // Along one axis, whose places are `inner` values each: adds to `past` what comes before, and to each place of
    // `around` what is on both sides.
    fn sweep(&self, around: &mut [f64], past: &mut [f64], inner: usize) {
        let length = around.len() / inner;
        let mut before = vec![0.0; around.len()];
        for i in 1..length {
            let (done, rest) = before.split_at_mut(i * inner);
            let previous = &around[(i - 1) * inner..i * inner];
            for ((b, d), v) in rest[..inner].iter_mut().zip(&done[(i - 1) * inner..]).zip(previous) {
                *b = self.decay * (d + v);
            }
        }
        past.iter_mut().zip(&before).for_each(|(p, b)| *p += b);
        let mut after = vec![0.0; inner];
        for i in (0..length).rev() {
            let here = i * inner..(i + 1) * inner;
            for ((v, b), a) in around[here.clone()].iter_mut().zip(&before[here]).zip(&mut after) {
                let own = *v;
                *v += b + *a;
                *a = self.decay * (*a + own);
            }
        }
    }

    // Shape of the image, N + 1, and for each element the upper triangle of the products of (n, x) with itself.
    fn products(&self, image: &Tensor) -> Result<([usize; 3], usize, Vec<f64>), GraphError> {
        let of = Expr::constant(image.clone());
        let shape = super::sizes("LASI", &of, &of)?;
        let (places, width) = (self.places(shape, &[&of])?, self.neighborhood + 1);
        let x: Vec<f64> = image.to_f64_vec().into_iter().map(|v| 2.0 * v - 1.0).collect();
        let products = |(&own, places): (&f64, &[Option<usize>])| {
            let near: Vec<f64> = places.iter().map(|p| p.map_or(0.0, |p| x[p])).chain([own]).collect();
            let mut products = Vec::with_capacity(triangle(width));
            (0..width).for_each(|i| products.extend(near[i..].iter().map(|v| near[i] * v)));
            products
        };
        let each = x.par_iter().zip(places.par_chunks_exact(self.neighborhood));
        Ok((shape, width, each.flat_map_iter(products).collect()))
    }

    // w = A⁻¹·b of one element.
    fn weights(&self, sums: &[f64]) -> Vec<f64> {
        let n = self.neighborhood;
        let at = |i: usize, j: usize| sums[upper(n + 1, i.min(j), i.max(j))];
        let entry = |k: usize| at(k / n, k % n) + if k.is_multiple_of(n + 1) { self.ridge } else { 0.0 };
        let a: Vec<f64> = (0..n * n).map(entry).collect();
        let b: Vec<f64> = (0..n).map(|i| at(i, n)).collect();
        let mut weights = vec![0.0; n];
        linear_algebra::solve(n, 1, &a, &b, &mut weights);
        weights
    }

    fn normalized(&self, past: &Past) -> Result<Tensor, GraphError> {
        let n = self.neighborhood;
        let unit = |sums: &[f64]| {
            let mut weights = self.weights(sums);
            weights.iter_mut().for_each(|w| *w += SHIFT);
            let length = weights.iter().map(|w| w * w).sum::<f64>().sqrt();
            weights.into_iter().map(move |w| w / length)
        };
        let values: Vec<f64> = past.sums.par_chunks_exact(triangle(past.width)).flat_map_iter(unit).collect();
        Tensor::new([values.len() / n, n], values)
    }
}

fn triangle(width: usize) -> usize {
    width * (width + 1) / 2
}

// Place of (i, j), i ≤ j, in an upper triangle.
fn upper(width: usize, i: usize, j: usize) -> usize {
    i * width - i * (i + 1) / 2 + j
}
