//! A graph from images to embeddings, and the angles between these.

use crate::CliError;
use perturb::graph::{Graph, Tensor};
use perturb::nn::{Evaluator, Examples, Parameters};

/// Images that are encoded at once.
const BATCH: usize = 16;

/// An encoder of single images, ready to run on many.
pub struct Encoder {
    /// `[1, C, H, W]` to one embedding.
    pub graph: Graph,
    evaluator: Evaluator,
    name: String,
}

/// Embeddings of length 1, row by row.
#[derive(Clone, Debug, PartialEq)]
pub struct Embeddings {
    width: usize,
    values: Vec<f64>,
}

/// The shape `[1, C, H, W]` of the images that a graph encodes.
///
/// # Errors
/// If the graph does not take one image, or gives a single number.
pub fn image_shape(graph: &Graph) -> Result<[usize; 4], CliError> {
    let wrong =
        |what: String| Err(CliError::Usage(format!("--encoder needs a model from one image to an embedding; {what}")));
    let ([input], [(name, output), ..]) = (&graph.inputs[..], &graph.outputs[..]) else {
        return wrong(format!("this one has {} inputs", graph.inputs.len()));
    };
    if output.shape().count() < 2 {
        return wrong(format!("the output '{name}' of this one is {}", output.shape()));
    }
    match input.shape()[..] {
        [1, c, h, w] => Ok([1, c, h, w]),
        _ => wrong(format!("the input of this one is {}, not [1, channels, height, width]", input.shape())),
    }
}

impl Encoder {
    /// Compiles the graph.
    ///
    /// # Errors
    /// If it cannot be.
    pub fn new(graph: Graph) -> Result<Encoder, CliError> {
        let batched = graph.vmap(BATCH)?;
        let input = batched.inputs[0].clone();
        let name = input.name().unwrap_or("input").to_string();
        let evaluator = Evaluator::new(&[input], &[batched.outputs[0].1.clone()])?;
        Ok(Encoder { graph, evaluator, name })
    }

    /// Embeddings of `images [N, C, H, W]`; `first` is the number of the first one, for errors.
    ///
    /// # Errors
    /// If an embedding is not finite, or zero, so that it has no direction.
    pub fn embed(&self, images: &Tensor, first: usize) -> Result<Embeddings, CliError> {
        let shape = self.graph.inputs[0].shape().prepend(images.shape()[0]);
        let examples = Examples::new(&self.name, images.reshape(shape)?)?;
        let found = self.evaluator.outputs(&Parameters::of(&self.graph), &examples)?.remove(0);
        let width = found.count() / images.shape()[0];
        let mut values = found.to_f64_vec();
        for (row, embedding) in values.chunks_exact_mut(width).enumerate() {
            let length = embedding.iter().map(|v| v * v).sum::<f64>().sqrt();
            if !(length > 0.0 && length.is_finite()) {
                let what = if length == 0.0 { "zero" } else { "not finite" };
                let message =
                    format!("the embedding of image {} is {what}: it has no direction to be compared", first + row);
                return Err(CliError::Usage(message));
            }
            embedding.iter_mut().for_each(|v| *v /= length);
        }
        Ok(Embeddings { width, values })
    }
}

impl Embeddings {
    /// One embedding.
    pub fn row(&self, index: usize) -> &[f64] {
        &self.values[index * self.width..(index + 1) * self.width]
    }

    /// The number of the row that is nearest in angle; of equals the first.
    pub fn nearest(&self, embedding: &[f64]) -> usize {
        let cosines = self.values.chunks_exact(self.width).map(|row| cosine(row, embedding));
        let best = cosines.enumerate().fold((0, f64::NEG_INFINITY), |best, at| if at.1 > best.1 { at } else { best });
        best.0
    }
}

/// The cosine of the angle between two embeddings of length 1.
pub fn cosine(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use perturb::graph::{DType, Expr};

    fn sums() -> Graph {
        let x = Expr::input("x", [1, 1, 2, 2], DType::F32);
        let rows = x.reduce_sum(&[1, 3], false);
        Graph::new(vec![x], vec![("embedding".into(), rows)]).unwrap()
    }

    #[test]
    fn embeddings_have_length_one_and_find_themselves() {
        assert_eq!(image_shape(&sums()).unwrap(), [1, 1, 2, 2]);
        let encoder = Encoder::new(sums()).unwrap();
        let images =
            Tensor::new([3, 1, 2, 2], vec![1.0f32, 2.0, 3.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.5, 0.5]).unwrap();
        let found = encoder.embed(&images, 0).unwrap();
        assert!((found.row(0)[0] - 0.6).abs() < 1e-7 && (found.row(0)[1] - 0.8).abs() < 1e-7);
        assert_eq!((found.row(1), found.row(2)), (&[1.0, 0.0][..], &[0.0, 1.0][..]));
        assert_eq!([0, 1, 2].map(|i| found.nearest(found.row(i))), [0, 1, 2]);
        let message = encoder.embed(&Tensor::full([1, 1, 2, 2], 0.0f32), 7).unwrap_err().to_string();
        assert!(message.contains("image 7") && message.contains("zero"), "{message}");
    }

    #[test]
    fn what_encodes_no_image_is_refused() {
        let x = Expr::input("x", [1, 4], DType::F32);
        let flat = Graph::new(vec![x.clone()], vec![("y".into(), x)]).unwrap();
        assert!(image_shape(&flat).unwrap_err().to_string().contains("[1, channels, height, width]"));
        let graph = sums();
        let sum = graph.outputs[0].1.sum();
        let number = Graph::new(graph.inputs.clone(), vec![("y".into(), sum)]).unwrap();
        assert!(image_shape(&number).unwrap_err().to_string().contains("'y'"));
    }
}
