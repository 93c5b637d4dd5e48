//! Networks that colour grey images, and what they make of hints.

use super::lab::{lab, srgb};
use crate::AttackError;
use perturb_engine::{Executable, Options};
use perturb_graph::{DType, Expr, Graph, GraphError, Tensor, grad, substitute};

/// Predicts the colours of an image from its lightness and from hints.
pub trait Colorizer: Sync {
    /// The channels a and b of CIE Lab `[1, 2, H, W]` for the lightness L `[1, 1, H, W]` from 0 to 100, `hints [1, 2, H, W]`
    /// of a and b, and a `mask [1, 1, H, W]` from 0 to 1 that tells how much a pixel's hint counts.
    ///
    /// # Errors
    /// If it does not take images of this size.
    fn colors(&self, lightness: &Expr, hints: &Expr, mask: &Expr) -> Result<Expr, GraphError>;
}

/// A graph with the three inputs in this order, and the colours as its one output: a file from elsewhere.
impl Colorizer for Graph {
    fn colors(&self, lightness: &Expr, hints: &Expr, mask: &Expr) -> Result<Expr, GraphError> {
        let given = [lightness, hints, mask];
        let ([_, _, _], [(_, output)]) = (&self.inputs[..], &self.outputs[..]) else {
            let (i, o) = (self.inputs.len(), self.outputs.len());
            let reason =
                format!("needs a graph from lightness, hints and mask to colours, not {i} inputs and {o} outputs");
            return Err(GraphError::Shape { op: "colorizer".into(), reason, shapes: vec![] });
        };
        let pairs = self.inputs.iter().zip(given);
        let replaced = pairs.map(|(input, given)| Ok((input.clone(), given.try_reshape(input.shape())?)));
        let colors = substitute(std::slice::from_ref(output), &replaced.collect::<Result<Vec<_>, GraphError>>()?)?;
        colors[0].try_reshape(hints.shape())
    }
}

/// Largest absolute value of a and b in hints; variables count in this unit.
pub(super) const RANGE: f64 = 110.0;

/// A colouriser, compiled for batches of images of one size. A pixel has three variables: a and b of its hint, in units of
/// [`RANGE`], and its mask.
pub(super) struct Painter {
    image: [usize; 3],
    batch: usize,
    paint: Executable,
    pull: Executable,
    colors: Executable,
    separate: Executable,
}

impl Painter {
    pub fn new(colorizer: &dyn Colorizer, [h, w]: [usize; 2], batch: usize) -> Result<Painter, AttackError> {
        let lightness = Expr::input("lightness", [1, 1, h, w], DType::F32);
        let variables = Expr::input("variables", [1, 3, h, w], DType::F32);
        let (hints, mask) = (variables.slice_axis(1, 0, 2).scale(RANGE), variables.slice_axis(1, 2, 3));
        let colors = colorizer.colors(&lightness, &hints, &mask)?;
        let image = srgb(&Expr::try_concat(&[lightness.clone(), colors.clone()], 1)?)?;
        let slope = Expr::input("slope", [1, 3, h, w], DType::F32);
        let seen = Expr::input("image", [1, 3, h, w], DType::F32);
        let pulled = grad(&image.mul(&slope).sum(), std::slice::from_ref(&variables))?.remove(0);
        let compile = |inputs: &[&Expr], output: Expr| -> Result<Executable, AttackError> {
            let graph = Graph::new(inputs.iter().map(|&x| x.clone()).collect(), vec![("output".into(), output)])?;
            Ok(Executable::of(&graph.vmap(batch)?, &Options::default())?)
        };
        Ok(Painter {
            image: [3, h, w],
            batch,
            paint: compile(&[&lightness, &variables], image)?,
            pull: compile(&[&lightness, &variables, &slope], pulled)?,
            colors: compile(&[&lightness, &variables], colors)?,
            separate: compile(&[&seen], lab(&seen)?)?,
        })
    }

    /// Pixels of an image.
    pub fn area(&self) -> usize {
        self.image[1] * self.image[2]
    }

    /// The images `[n, 3, H, W]` in [0, 1].
    pub fn paint(&self, lightness: &[f32], variables: &[f32]) -> Result<Vec<f32>, AttackError> {
        self.run(&self.paint, &[(lightness, 1), (variables, 3)])
    }

    /// Slopes by the variables `[n, 3, H, W]` of what has these `slopes` by the images.
    pub fn pull(&self, lightness: &[f32], variables: &[f32], slopes: &[f32]) -> Result<Vec<f32>, AttackError> {
        self.run(&self.pull, &[(lightness, 1), (variables, 3), (slopes, 3)])
    }

    /// The colours a and b `[n, 2, H, W]` before they are clipped to what the screen has.
    pub fn colors(&self, lightness: &[f32], variables: &[f32]) -> Result<Vec<f32>, AttackError> {
        self.run(&self.colors, &[(lightness, 1), (variables, 3)])
    }

    /// L, a and b `[n, 3, H, W]` of images.
    pub fn separate(&self, images: &[f32]) -> Result<Vec<f32>, AttackError> {
        self.run(&self.separate, &[(images, 3)])
    }

    // Batches are of one size, the last one filled up with its own images, so that sums are rounded alike.
    fn run(&self, exe: &Executable, feeds: &[(&[f32], usize)]) -> Result<Vec<f32>, AttackError> {
        let [_, h, w] = self.image;
        let n = feeds.first().map_or(0, |(values, channels)| values.len() / (channels * self.area()));
        let mut results = Vec::new();
        for start in (0..n).step_by(self.batch) {
            let count = self.batch.min(n - start);
            let part = |&(values, channels): &(&[f32], usize)| {
                let width = channels * self.area();
                let rows = &values[start * width..(start + count) * width];
                let full = rows.iter().cycle().take(self.batch * width).copied().collect();
                Tensor::new([self.batch, 1, channels, h, w], full)
            };
            let parts = feeds.iter().map(part).collect::<Result<Vec<_>, _>>()?;
            let output = exe.run(&parts.iter().collect::<Vec<_>>())?.remove(0);
            results.extend_from_slice(&output.as_slice::<f32>()[..output.count() / self.batch * count]);
        }
        Ok(results)
    }
}
