//! Perceptual distances of images as graphs, so that gradients, attacks and bounds come for free, and attacks on them.
//!
//! ```
//! use perturb_attack::perceptual::{Distances, Lasi};
//! use perturb_graph::Tensor;
//!
//! let image = |phase: usize| -> Vec<f32> { (0..64).map(|i| ((i * 7 + phase) % 11) as f32 / 10.0).collect() };
//! let x = Tensor::new([1, 1, 8, 8], image(0))?;
//! let y = Tensor::new([1, 1, 8, 8], image(5))?;
//! let lasi = Distances::new(&Lasi { neighborhood: 4, ..Lasi::default() }, [1, 8, 8], 1)?;
//! assert!(lasi.of(&x, &x)?[0] < 1e-5 && lasi.of(&x, &y)?[0] > 0.1);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod features;
mod lasi;
mod mad;
pub mod rank_flip;
mod structural;

pub use features::Lpips;
pub use lasi::Lasi;
pub use mad::{Extreme, MaximumDifferentiation};
pub use structural::{MeanSquaredError, MsSsim, Ssim};

use crate::AttackError;
use perturb_engine::{Executable, Options};
use perturb_graph::{DType, Expr, Graph, GraphError, Tensor};

/// A distance of images: 0 for equal ones, larger the less alike they look.
pub trait Metric: Sync {
    /// Name in tables.
    fn name(&self) -> &'static str;

    /// The distance of two images `[C, H, W]` of values in [0, 1] and of one floating-point type, a scalar of that type.
    ///
    /// # Errors
    /// If the images are unlike in shape, or too small for the metric.
    fn distance(&self, x: &Expr, y: &Expr) -> Result<Expr, GraphError>;
}

/// A metric, compiled for batches of pairs of images.
pub struct Distances {
    image: [usize; 3],
    batch: usize,
    compiled: Executable,
}

impl Distances {
    /// Compiles a metric of images `[C, H, W]`, to be run on `batch` pairs at a time.
    ///
    /// # Errors
    /// If the batch is empty, the metric does not take images of this shape, or the engine fails.
    pub fn new(metric: &dyn Metric, image: [usize; 3], batch: usize) -> Result<Distances, AttackError> {
        if batch == 0 {
            return Err(AttackError::EmptyBatch);
        }
        let [x, y] = ["x", "y"].map(|name| Expr::input(name, image, DType::F32));
        let distance = metric.distance(&x, &y)?;
        let graph = Graph::new(vec![x, y], vec![("distance".into(), distance)])?.vmap(batch)?;
        let compiled = Executable::compile(&graph.output_exprs(), &graph.inputs, &Options::default())?;
        Ok(Distances { image, batch, compiled })
    }

    /// The distance of each of `x [N, C, H, W]` to the image of `y` in the same place.
    ///
    /// # Errors
    /// If the images are not in single precision and of the compiled shape, or not as many.
    pub fn of(&self, x: &Tensor, y: &Tensor) -> Result<Vec<f64>, AttackError> {
        let width: usize = self.image.iter().product();
        let images = |t: &Tensor| t.shape().split_first().is_some_and(|(_, image)| *image == self.image);
        let values = [x, y].map(|t| t.try_as_slice::<f32>().filter(|_| images(t)));
        let [Some(a), Some(b)] = values else { return Err(self.misfit(x)) };
        if a.len() != b.len() {
            return Err(self.misfit(y));
        }
        let mut distances = Vec::with_capacity(a.len() / width);
        for (a, b) in a.chunks(self.batch * width).zip(b.chunks(self.batch * width)) {
            // The last batch is filled up with its own first images.
            let padded = |part: &[f32]| {
                let values = part.iter().cycle().take(self.batch * width).copied().collect();
                Tensor::new([&[self.batch], &self.image[..]].concat(), values)
            };
            let found = self.compiled.run(&[&padded(a)?, &padded(b)?])?;
            distances.extend(found[0].as_slice::<f32>()[..a.len() / width].iter().map(|&d| f64::from(d)));
        }
        Ok(distances)
    }

    fn misfit(&self, images: &Tensor) -> AttackError {
        AttackError::Inputs { dtype: images.dtype(), shape: images.shape().clone(), expected: self.image.into() }
    }
}

/// The sizes of two images `[C, H, W]` of one shape.
fn sizes(op: &str, x: &Expr, y: &Expr) -> Result<[usize; 3], GraphError> {
    match (&x.shape()[..], x.shape() == y.shape()) {
        (&[c, h, w], true) if c * h * w > 0 => Ok([c, h, w]),
        _ => shape_error(op, "needs two images [C, H, W] of one shape", &[x, y]),
    }
}

fn shape_error<T>(op: &str, reason: impl Into<String>, of: &[&Expr]) -> Result<T, GraphError> {
    let shapes = of.iter().map(|x| x.shape().clone()).collect();
    Err(GraphError::Shape { op: op.into(), reason: reason.into(), shapes })
}
