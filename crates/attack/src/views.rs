//! Random views of images, as functions in a graph through which gradients flow: local crops, and mixtures of them.
//!
//! What is random comes from a key (see [`Expr::try_random_bits`]), so that a view is the same wherever its key is.

use crate::AttackError;
use crate::problem::require;
use perturb_graph::{DType, Expr, GraphError, Tensor};

/// A random part of an image, resized bilinearly to the image's size: `RandomResizedCrop` without antialiasing.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LocalCrop {
    /// Smallest and largest share of the image's area.
    pub scale: [f64; 2],
    /// Smallest and largest ratio of width to height; its logarithm is uniform.
    pub ratio: [f64; 2],
}

impl LocalCrop {
    /// Parts of these shares of the area, ratios between 3/4 and 4/3.
    pub const fn new(scale: [f64; 2]) -> LocalCrop {
        LocalCrop { scale, ratio: [0.75, 4.0 / 3.0] }
    }

    pub(crate) fn check(&self, attack: &'static str) -> Result<(), AttackError> {
        let ([low, high], [narrow, wide]) = (self.scale, self.ratio);
        require(
            low > 0.0 && low <= high && high <= 1.0,
            attack,
            "crop scale",
            low,
            "in (0, 1], the smaller end first",
        )?;
        let ordered = narrow > 0.0 && narrow <= wide && wide.is_finite();
        require(ordered, attack, "crop ratio", narrow, "positive and finite, the smaller end first")
    }

    /// A crop of each of `images [N, C, H, W]`, each another one.
    ///
    /// # Errors
    /// If these are no images, or `key` is none.
    pub fn apply(&self, images: &Expr, key: &Expr) -> Result<Expr, GraphError> {
        let [n, _, h, w] = images.shape()[..] else { return Err(not_images("crop", images)) };
        let dtype = images.dtype();
        let draws = key.try_random_uniform([4, n], dtype)?;
        let draw =
            |i: usize, low: f64, high: f64| draws.slice_axis(0, i, i + 1).reshape([n]).scale(high - low).offset(low);
        let area = draw(0, self.scale[0], self.scale[1]);
        let ratio = draw(1, self.ratio[0].ln(), self.ratio[1].ln()).exp();
        let sides = [area.div(&ratio), area.mul(&ratio)].map(|square| square.sqrt().clip(0.0, 1.0));
        let [rows, columns] = [(h, 2), (w, 3)].map(|(size, i)| {
            let side = &sides[i - 2];
            let start = draw(i, 0.0, 1.0).mul(&side.neg().offset(1.0));
            resampling(&start, side, size, dtype)
        });
        let [rows, columns] = [rows?, columns?];
        let rows = rows.reshape([n, 1, h, h]);
        rows.try_matmul(images)?.try_matmul(&columns.transpose(&[0, 2, 1]).reshape([n, 1, w, w]))
    }
}

/// Matrices `[N, size, size]` that resample an axis: place i of the result lies at `start + (i + ½)/size·side` of the
/// axis, starts and sides `[N]` as shares of it, and takes from the two elements around that. Beyond the edge, the edge's
/// element repeats.
fn resampling(start: &Expr, side: &Expr, size: usize, dtype: DType) -> Result<Expr, GraphError> {
    let n = start.shape()[0];
    let constant = |values: Vec<f64>, shape: [usize; 3]| Ok(Expr::constant(Tensor::from_f64(shape, dtype, values)?));
    let centers: Result<Expr, GraphError> =
        constant((0..size).map(|i| (i as f64 + 0.5) / size as f64).collect(), [1, size, 1]);
    let elements: Result<Expr, GraphError> = constant((0..size).map(|j| j as f64).collect(), [1, 1, size]);
    let column = |x: &Expr| x.reshape([n, 1, 1]);
    let places = column(start).add(&column(side).mul(&centers?)).scale(size as f64).offset(-0.5);
    let places = places.clip(0.0, (size - 1) as f64);
    // A hat of height 1 around each element.
    Ok(places.sub(&elements?).abs().neg().offset(1.0).relu())
}

/// ScMix (Zhang, Huang and Bai 2024): two crops of an image mixed with each other and with another image,
/// `own·(l·c₁ + (1 − l)·c₂) + (1 − own)·x′`, l from a Beta(β, β) distribution folded to at least ½.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ScMix {
    /// The crops.
    pub crop: LocalCrop,
    /// β, a whole number: l is the middle one of 2β − 1 uniform numbers.
    pub beta: usize,
    /// Weight of the image's own crops.
    pub own: f64,
}

impl Default for ScMix {
    /// Crops of 0.5 to 0.8 of the area, β = 4, weight 0.8.
    fn default() -> Self {
        ScMix { crop: LocalCrop::new([0.5, 0.8]), beta: 4, own: 0.8 }
    }
}

/// Mixed images, and what they were mixed from.
pub(crate) struct Mixed {
    pub images: Expr,
    pub crops: [Expr; 2],
    /// l `[N, 1]`.
    pub share: Expr,
}

impl ScMix {
    pub(crate) fn check(&self, attack: &'static str) -> Result<(), AttackError> {
        self.crop.check(attack)?;
        require(self.beta > 0, attack, "beta", self.beta as f64, "1 or more")?;
        require((0.0..=1.0).contains(&self.own), attack, "own", self.own, "in [0, 1]")
    }

    /// Each of `images [N, C, H, W]` with the image before it.
    pub(crate) fn apply(&self, images: &Expr, key: &Expr) -> Result<Mixed, GraphError> {
        let n = images.shape()[0];
        let keys = key.try_random_split(3)?;
        let key = |i: usize| keys.slice_axis(0, i, i + 1).reshape([2]);
        let crops = [self.crop.apply(images, &key(0))?, self.crop.apply(images, &key(1))?];
        let draws = key(2).try_random_uniform([n, 2 * self.beta - 1], images.dtype())?.try_sort(1, false)?;
        let middle = draws.slice_axis(1, self.beta - 1, self.beta);
        let share = middle.offset(-0.5).abs().offset(0.5);
        let l = share.reshape([n, 1, 1, 1]);
        let own = l.mul(&crops[0]).add(&l.neg().offset(1.0).mul(&crops[1]));
        let images = own.scale(self.own).add(&images.try_roll(0, 1)?.scale(1.0 - self.own));
        Ok(Mixed { images, crops, share })
    }
}

fn not_images(op: &'static str, x: &Expr) -> GraphError {
    GraphError::Shape { op: op.into(), reason: "needs images [N, C, H, W]".into(), shapes: vec![x.shape().clone()] }
}

#[cfg(test)]
mod tests {
    use super::*;
    use perturb_graph::{eval, grad};

    fn key(seed: i64) -> Expr {
        Expr::constant(Tensor::new([2], vec![seed, 0]).unwrap())
    }

    // The image `a + b·row + c·column`: where it is linear, bilinear sampling is exact, so each crop is linear too, its
    // slopes tell its sides and its corner where it began.
    #[test]
    fn crops_are_windows_of_the_right_size() {
        let (n, h, w) = (200, 12, 16);
        let plane = |b: f64, c: f64| (0..h * w).map(move |i| b * (i / w) as f64 + c * (i % w) as f64);
        let images: Vec<f64> = (0..n).flat_map(|_| plane(1.0, 0.0).chain(plane(0.0, 1.0))).collect();
        let x = Expr::constant(Tensor::from_f64([n, 2, h, w], DType::F64, images).unwrap());
        let crop = LocalCrop::new([0.2, 0.6]);
        let found = eval(&[crop.apply(&x, &key(3)).unwrap()], &[]).unwrap().remove(0);
        let (mut areas, mut starts) = (Vec::new(), Vec::new());
        for image in found.as_slice::<f64>().chunks_exact(2 * h * w) {
            let (rows, columns) = image.split_at(h * w);
            // Between inner places, away from the edges that repeat.
            let side = [(rows[6 * w] - rows[5 * w]), columns[8] - columns[7]];
            let [down, across] = side;
            let ratio = (across * w as f64) / (down * h as f64);
            areas.push(down * across);
            assert!((0.75 - 1e-9..4.0 / 3.0 + 1e-9).contains(&(ratio * h as f64 / w as f64)), "{ratio}");
            let start = (rows[5 * w] + 0.5) / h as f64 - 5.5 / h as f64 * down;
            assert!(start >= -1e-9 && start + down <= 1.0 + 1e-9);
            starts.push(start / (1.0 - down));
        }
        let range = |v: &[f64]| v.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), x| (l.min(*x), h.max(*x)));
        let (low, high) = range(&areas);
        assert!((0.2 - 1e-9..0.22).contains(&low) && (0.58..=0.6 + 1e-9).contains(&high), "{low} {high}");
        let (first, last) = range(&starts);
        assert!(first < 0.03 && last > 0.97, "{first} {last}");
    }

    // A crop is linear, so the gradient of ⟨g, crop(x)⟩ is the transpose applied to g: the same inner product.
    #[test]
    fn gradients_flow_through_crops() {
        let values = |seed: u64, n: usize| (0..n).map(|i| ((i as u64 * 37 + seed * 11) % 23) as f64 - 11.0).collect();
        let x = Expr::input("x", [2, 1, 6, 5], DType::F64);
        let g = Expr::constant(Tensor::from_f64([2, 1, 6, 5], DType::F64, values(2, 60)).unwrap());
        let inner = LocalCrop::new([0.1, 0.5]).apply(&x, &key(1)).unwrap().mul(&g).sum();
        let gradient = grad(&inner, &[x.clone()]).unwrap().remove(0);
        let feed = Tensor::from_f64([2, 1, 6, 5], DType::F64, values(1, 60)).unwrap();
        let found = eval(&[inner, gradient.mul(&x).sum(), gradient.square().sum()], &[(x, feed)]).unwrap();
        let found: Vec<f64> = found.iter().map(|t| t.as_slice::<f64>()[0]).collect();
        assert!((found[0] - found[1]).abs() < 1e-9 && found[2] > 1.0, "{found:?}");
    }

    // Beta(4, 4) has mean ½ and variance 1/36; folded at ½, E|l − ½| = 35/256.
    #[test]
    fn mixtures_are_of_the_image_and_its_neighbour() {
        let n = 4000;
        let values: Vec<f64> = (0..n).map(|i| (i % 2) as f64).collect();
        let x = Expr::constant(Tensor::from_f64([n, 1, 1, 1], DType::F64, values).unwrap());
        let mixed = ScMix::default().apply(&x, &key(9)).unwrap();
        let found = eval(&[mixed.images, mixed.share], &[]).unwrap();
        for (i, v) in found[0].as_slice::<f64>().iter().enumerate() {
            // A crop of one pixel is that pixel.
            let expected = if i % 2 == 1 { 0.8 } else { 0.2 };
            assert!((v - expected).abs() < 1e-12);
        }
        let shares = found[1].as_slice::<f64>();
        let mean = shares.iter().sum::<f64>() / n as f64;
        assert!((mean - 0.5 - 35.0 / 256.0).abs() < 0.006, "{mean}");
        assert!(shares.iter().all(|l| (0.5..=1.0).contains(l)));
    }
}
