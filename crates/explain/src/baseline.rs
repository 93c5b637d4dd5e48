//! What "absent" means.

use crate::error::require;
use crate::examples::Examples;
use crate::{ExplainError, Geometry, Model, Result};
use perturb_graph::Tensor;

/// What takes the place of an element that is absent.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Baseline {
    /// Zero.
    #[default]
    Zero,
    /// One value everywhere.
    Value(f32),
    /// One f32 example, of the example's shape with or without a leading axis of length 1.
    Tensor(Tensor),
    /// The example itself, blurred along its spatial axes: each pixel is the mean of those at most `radius` away along
    /// every axis, with Gaussian weights of standard deviation `sigma` (pixels). At the border the weights of the pixels
    /// inside the image are scaled to sum 1.
    Blurred {
        /// Standard deviation in pixels.
        sigma: f64,
        /// Reach in pixels.
        radius: usize,
    },
}

impl Baseline {
    /// The blur of Petsiuk et al. 2018 for insertion: a window of 11×11 pixels, standard deviation 5.
    pub const PETSIUK: Baseline = Baseline::Blurred { sigma: 5.0, radius: 5 };

    /// The baseline of every example, row-major like them.
    pub(crate) fn of(&self, model: &Model, examples: Examples) -> Result<Vec<f32>> {
        match self {
            Baseline::Zero => Ok(vec![0.0; examples.values().len()]),
            Baseline::Value(value) => {
                require(value.is_finite(), "baseline", || format!("must be finite, but was {value}"))?;
                Ok(vec![*value; examples.values().len()])
            }
            Baseline::Tensor(tensor) => {
                let row = Baseline::row(model, tensor)?;
                Ok(row.repeat(examples.count()))
            }
            Baseline::Blurred { sigma, radius } => {
                let reason = || format!("the blur's sigma must be finite and above 0, but was {sigma}");
                require(sigma.is_finite() && *sigma > 0.0, "baseline", reason)?;
                Ok(examples.rows().flat_map(|row| blur(model.geometry(), row, *sigma, *radius)).collect())
            }
        }
    }

    fn row<'a>(model: &Model, tensor: &'a Tensor) -> Result<&'a [f32]> {
        let (shape, wanted) = (tensor.shape(), model.example_shape());
        let fits = shape == wanted || *shape == wanted.prepend(1);
        let (true, Some(row)) = (fits, tensor.try_as_slice::<f32>()) else {
            let expected = format!("f32{wanted}");
            return Err(ExplainError::Shape {
                what: "baseline",
                expected,
                got: shape.clone(),
                got_type: tensor.dtype(),
            });
        };
        let reason = || "holds a NaN or infinite value; give finite ones".to_string();
        require(row.iter().all(|v| v.is_finite()), "baseline", reason)?;
        Ok(row)
    }
}

// A Gaussian is a product: one pass along each spatial axis.
fn blur(geometry: &Geometry, example: &[f32], sigma: f64, radius: usize) -> Vec<f32> {
    let mut values: Vec<f64> = example.iter().map(|&v| f64::from(v)).collect();
    let mut stride = 1;
    for &size in geometry.spatial().iter().rev() {
        let weight = |distance: usize| (-0.5 * (distance as f64 / sigma).powi(2)).exp();
        let weights: Vec<f64> = (0..=radius.min(size - 1)).map(weight).collect();
        let reach = weights.len() - 1;
        let blurred = (0..values.len()).map(|i| {
            let at = i / stride % size;
            let near = at.saturating_sub(reach)..(at + reach + 1).min(size);
            let terms = near.map(|j| (weights[j.abs_diff(at)], values[i + j * stride - at * stride]));
            let (total, sum) = terms.fold((0.0, 0.0), |(total, sum), (w, v)| (total + w, sum + w * v));
            sum / total
        });
        values = blurred.collect();
        stride *= size;
    }
    values.into_iter().map(|v| v as f32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Against the definition: a double sum over the window, weights scaled to sum 1.
    #[test]
    fn blur_by_its_definition() {
        let geometry = Geometry::new(2, [6, 7]).unwrap();
        let example: Vec<f32> = (0..84).map(|i| ((i * i) % 23) as f32).collect();
        let (sigma, radius) = (1.5, 2);
        let got = blur(&geometry, &example, sigma, radius);
        for (i, got) in got.iter().enumerate() {
            let (c, y, x) = (i / 42, i / 7 % 6, i % 7);
            let (mut total, mut sum) = (0.0, 0.0);
            for (v, u) in (0..6).flat_map(|v| (0..7).map(move |u| (v, u))) {
                let (dy, dx) = (y.abs_diff(v), x.abs_diff(u));
                if dy <= radius && dx <= radius {
                    let w = (-((dy * dy + dx * dx) as f64) / (2.0 * sigma * sigma)).exp();
                    total += w;
                    sum += w * f64::from(example[c * 42 + v * 7 + u]);
                }
            }
            assert!((f64::from(*got) - sum / total).abs() < 1e-5, "element {i}");
        }
    }

    #[test]
    fn a_huge_blur_is_the_mean() {
        let geometry = Geometry::new(1, [5]).unwrap();
        let got = blur(&geometry, &[1.0, 2.0, 3.0, 4.0, 10.0], 1e9, usize::MAX / 4);
        assert!(got.iter().all(|v| (v - 4.0).abs() < 1e-6));
    }
}
