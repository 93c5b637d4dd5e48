//! Networks that colour grey images, and what they make of hints.

use super::function::Function;
use super::lab::{lab, srgb};
use crate::AttackError;
use perturb_graph::{DType, Expr, Graph, GraphError, grad, substitute};

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
    /// Pixels of an image.
    area: usize,
    paint: Function,
    pull: Function,
    colors: Function,
    separate: Function,
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
        let function = |inputs: &[&Expr], output: Expr| Function::new(inputs, &[output], batch);
        Ok(Painter {
            area: h * w,
            paint: function(&[&lightness, &variables], image)?,
            pull: function(&[&lightness, &variables, &slope], pulled)?,
            colors: function(&[&lightness, &variables], colors)?,
            separate: function(&[&seen], lab(&seen)?)?,
        })
    }

    /// Pixels of an image.
    pub fn area(&self) -> usize {
        self.area
    }

    /// The images `[n, 3, H, W]` in [0, 1].
    pub fn paint(&self, lightness: &[f32], variables: &[f32]) -> Result<Vec<f32>, AttackError> {
        Ok(self.paint.run(&[lightness, variables])?.remove(0))
    }

    /// Slopes by the variables `[n, 3, H, W]` of what has these `slopes` by the images.
    pub fn pull(&self, lightness: &[f32], variables: &[f32], slopes: &[f32]) -> Result<Vec<f32>, AttackError> {
        Ok(self.pull.run(&[lightness, variables, slopes])?.remove(0))
    }

    /// The colours a and b `[n, 2, H, W]` before they are clipped to what the screen has.
    pub fn colors(&self, lightness: &[f32], variables: &[f32]) -> Result<Vec<f32>, AttackError> {
        Ok(self.colors.run(&[lightness, variables])?.remove(0))
    }

    /// L, a and b `[n, 3, H, W]` of images.
    pub fn separate(&self, images: &[f32]) -> Result<Vec<f32>, AttackError> {
        Ok(self.separate.run(&[images])?.remove(0))
    }
}
