//! Checked views of tensors that hold examples.

use crate::{ExplainError, Result};
use perturb_graph::{Shape, Tensor};

/// The rows of an f32 tensor `[N, …example]`.
#[derive(Clone, Copy)]
pub(crate) struct Examples<'a> {
    values: &'a [f32],
    width: usize,
}

impl<'a> Examples<'a> {
    /// The rows of `tensor` if it is f32 `[N, …shape]` and all its values are finite.
    pub fn new(what: &'static str, tensor: &'a Tensor, shape: &[usize]) -> Result<Examples<'a>> {
        let fits = tensor.shape().split_first().is_some_and(|(_, rest)| rest == shape);
        let (true, Some(values)) = (fits, tensor.try_as_slice::<f32>()) else {
            let expected = format!("f32[N{}]", shape.iter().map(|n| format!(", {n}")).collect::<String>());
            return Err(ExplainError::Shape { what, expected, got: tensor.shape().clone(), got_type: tensor.dtype() });
        };
        let width = shape.iter().product::<usize>().max(1);
        match values.iter().position(|v| !v.is_finite()) {
            Some(at) => Err(ExplainError::NotFinite { what, example: at / width }),
            None => Ok(Examples { values, width }),
        }
    }

    /// The same view of a tensor that must belong to these examples: as many rows of `shape`.
    pub fn partner(&self, what: &'static str, tensor: &'a Tensor, shape: &[usize]) -> Result<Examples<'a>> {
        let partner = Examples::new(what, tensor, shape)?;
        if partner.count() == self.count() {
            return Ok(partner);
        }
        let expected = format!("f32{}, one row for each example", Shape::from(shape).prepend(self.count()));
        Err(ExplainError::Shape { what, expected, got: tensor.shape().clone(), got_type: tensor.dtype() })
    }

    pub fn count(&self) -> usize {
        self.values.len() / self.width
    }

    pub fn row(&self, example: usize) -> &'a [f32] {
        &self.values[example * self.width..(example + 1) * self.width]
    }

    pub fn rows(&self) -> impl Iterator<Item = &'a [f32]> + use<'a> {
        self.values.chunks_exact(self.width)
    }

    pub fn values(&self) -> &'a [f32] {
        self.values
    }
}
