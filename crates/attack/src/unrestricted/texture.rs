//! Textures: how features of consecutive layers occur together.

use super::function::Function;
use crate::AttackError;
use perturb_graph::{DType, Expr, Graph, GraphError, Resize, grad};

/// The cross-layer Gram matrix `[n, m]` of feature maps `[1, n, h, w]` and `[1, m, …]` of the next layer, brought to the same
/// size: means over positions of products of channels.
pub(super) fn cross_gram(first: &Expr, second: &Expr) -> Result<Expr, GraphError> {
    let ([1, n, h, w], [1, m, _, _]) = (&first.shape()[..], &second.shape()[..]) else {
        let reason = "needs feature maps [1, channels, h, w] of consecutive layers".to_string();
        let shapes = vec![first.shape().clone(), second.shape().clone()];
        return Err(GraphError::Shape { op: "cross-layer Gram matrix".into(), reason, shapes });
    };
    let positions = h * w;
    let rows = first.try_reshape([*n, positions])?;
    let columns = second.try_resize(&[*h, *w], &Resize::linear())?.try_reshape([*m, positions])?;
    Ok(rows.try_matmul(&columns.transpose(&[1, 0]))?.scale(1.0 / positions as f64))
}

/// Cross-layer Gram matrices of consecutive `layers`, one after another in one row, each scaled such that the square of a
/// difference sums to `Σ_l mean (ΔG_l)²/n_l²`, n the channels of the first layer of a pair.
pub(super) fn texture(layers: &[Expr]) -> Result<Expr, GraphError> {
    let scaled = |pair: &[Expr]| {
        let gram = cross_gram(&pair[0], &pair[1])?;
        let channels = gram.shape()[0] as f64;
        let scale = 1.0 / (channels * (gram.shape().count() as f64).sqrt());
        gram.scale(scale).try_reshape([1, gram.shape().count()])
    };
    let parts = layers.windows(2).map(scaled).collect::<Result<Vec<Expr>, GraphError>>()?;
    Expr::try_concat(&parts, 1)
}

/// Textures of images, compiled for batches.
pub(super) struct Weaver {
    // To the texture and the last layer's features.
    describe: Function,
    // From an image and a texture to the slope of the squared distance of textures.
    slope: Function,
    /// Numbers of an image, a texture and the last features.
    widths: [usize; 3],
}

/// Textures and last features of images, each in one row for each image.
pub(super) struct Described {
    pub textures: Vec<Vec<f32>>,
    pub features: Vec<Vec<f32>>,
}

impl Weaver {
    /// From a graph of one image to its layers.
    pub fn new(layers: &Graph, batch: usize) -> Result<Weaver, AttackError> {
        let model = |reason: &str| AttackError::Model { reason: reason.into() };
        let ([input], maps) = (&layers.inputs[..], layers.output_exprs()) else {
            return Err(model("textures need a graph of one image"));
        };
        if maps.len() < 2 || input.dtype() != DType::F32 {
            return Err(model("textures need a graph of an image in f32 with two or more layers as outputs"));
        }
        let found = texture(&maps)?;
        let last = &maps[maps.len() - 1];
        let last = last.try_reshape([1, last.shape().count()])?;
        let wanted = Expr::input("texture", found.shape(), DType::F32);
        let apart = found.sub(&wanted).square().sum();
        let slope = grad(&apart, std::slice::from_ref(input))?.remove(0);
        Ok(Weaver {
            widths: [input, &found, &last].map(|e| e.shape().count()),
            slope: Function::new(&[input, &wanted], &[slope], batch)?,
            describe: Function::new(&[input], &[found, last], batch)?,
        })
    }

    /// Of images one after another.
    pub fn describe(&self, images: &[f32]) -> Result<Described, AttackError> {
        let found = self.describe.run(&[images])?;
        let [_, texture, features] = self.widths;
        Ok(Described { textures: rows(&found[0], texture), features: rows(&found[1], features) })
    }

    /// Slopes by each image of the squared distance of its texture to another.
    pub fn slopes(&self, images: &[f32], textures: &[&[f32]]) -> Result<Vec<Vec<f32>>, AttackError> {
        Ok(rows(&self.slope.run(&[images, &textures.concat()])?[0], self.widths[0]))
    }
}

fn rows(values: &[f32], width: usize) -> Vec<Vec<f32>> {
    values.chunks_exact(width).map(<[f32]>::to_vec).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use perturb_graph::{Tensor, eval};

    fn map(channels: usize, side: usize, values: Vec<f64>) -> Expr {
        Expr::constant(Tensor::new([1, channels, side, side], values).unwrap())
    }

    // Two channels of 2×2 and one of 1×1, which is 3 everywhere at 2×2: G = 3·(mean of each channel).
    #[test]
    fn gram_matrix_and_loss_by_hand() {
        let first = map(2, 2, vec![1.0, 2.0, 3.0, 4.0, 0.0, 0.0, 2.0, 2.0]);
        let second = map(1, 1, vec![3.0]);
        let gram = eval(&[cross_gram(&first, &second).unwrap()], &[]).unwrap().remove(0);
        assert_eq!((&gram.shape()[..], gram.as_slice::<f64>()), (&[2, 1][..], &[7.5, 3.0][..]));
        // Against zero: mean G² / n² = (56.25 + 9)/2/4.
        let rows = texture(&[first, second]).unwrap();
        let squared = eval(&[rows.square().sum()], &[]).unwrap()[0].as_slice::<f64>()[0];
        assert!((squared - 65.25 / 8.0).abs() < 1e-12, "{squared}");
    }

    // Of 1×1 and the same size: the outer product of the channels.
    #[test]
    fn of_single_positions_it_is_an_outer_product() {
        let gram = cross_gram(&map(2, 1, vec![2.0, -1.0]), &map(3, 1, vec![1.0, 0.5, 4.0])).unwrap();
        let found = eval(&[gram], &[]).unwrap().remove(0);
        assert_eq!(found.as_slice::<f64>(), [2.0, 1.0, 8.0, -1.0, -0.5, -4.0]);
    }
}
