//! The sets around centres.

use crate::{CertifyError, Result};
use perturb_graph::{Norm, Rounding, Shape, Tensor};
use perturb_threat::Ball;

/// The balls around a batch of centres: a radius, or one for each row, and limits of every element such as the pixel
/// range. The norm is that of the [`Certifier`](crate::Certifier).
///
/// ```
/// use perturb_certify::Region;
/// let same_for_all = Region::from(0.03).within(0.0, 1.0);
/// let one_for_each = Region::from(vec![0.01, 0.03]);
/// # assert_ne!(same_for_all, one_for_each);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Region {
    epsilon: Vec<f64>,
    limits: Option<(f32, f32)>,
    norm: Option<perturb_threat::Norm>,
}

impl From<f64> for Region {
    fn from(epsilon: f64) -> Region {
        Region::from(vec![epsilon])
    }
}

impl From<Vec<f64>> for Region {
    fn from(epsilon: Vec<f64>) -> Region {
        Region { epsilon, limits: None, norm: None }
    }
}

impl From<&Ball> for Region {
    fn from(ball: &Ball) -> Region {
        Region { epsilon: vec![ball.epsilon()], limits: Some(ball.limits()), norm: Some(ball.norm()) }
    }
}

impl Region {
    /// Only points all of whose elements are in `lower..=upper`, in the units of the model's input.
    pub fn within(self, lower: f32, upper: f32) -> Region {
        Region { limits: Some((lower, upper)), ..self }
    }
}

/// Concrete sets, checked: what the executables are fed with.
pub(crate) struct Balls<'a> {
    pub rows: usize,
    /// Elements of one centre.
    pub width: usize,
    /// Centres of balls, or lower corners of boxes.
    pub first: &'a [f32],
    /// One radius for each row, rounded up if asked, or upper corners of boxes.
    pub second: Vec<f32>,
    pub lower: Tensor,
    pub upper: Tensor,
}

impl<'a> Balls<'a> {
    pub fn new(
        centers: &'a Tensor,
        example: &Shape,
        region: &Region,
        norm: Norm,
        rounding: Rounding,
    ) -> Result<Balls<'a>> {
        let (rows, values) = rows_of(centers, example)?;
        let width = example.count();
        if let Some(asked) = region.norm.filter(|&n| n != norm.into()) {
            return Err(CertifyError::Norm { compiled: norm, asked });
        }
        if ![1, rows].contains(&region.epsilon.len()) {
            return Err(CertifyError::Count { what: "radii", expected: rows, got: region.epsilon.len() });
        }
        if let Some((row, &epsilon)) = region.epsilon.iter().enumerate().find(|(_, e)| !(e.is_finite() && **e >= 0.0)) {
            return Err(CertifyError::Epsilon { row, epsilon });
        }
        let radius: Vec<f32> =
            (0..rows).map(|r| single(region.epsilon[r.min(region.epsilon.len() - 1)], rounding)).collect();
        // Without limits, the comparison with the largest numbers changes nothing.
        let (lower, upper) = region.limits.unwrap_or((f32::MIN, f32::MAX));
        if lower.is_nan() || upper.is_nan() || lower > upper {
            return Err(CertifyError::Limits { lower, upper });
        }
        for (i, &value) in values.iter().enumerate() {
            let (row, element) = (i / width, i % width);
            if !value.is_finite() {
                return Err(CertifyError::NotFinite { row, element });
            }
            if value - radius[row] > upper || value + radius[row] < lower {
                return Err(CertifyError::EmptySet { row, element, value });
            }
        }
        let (lower, upper) = (Tensor::scalar(lower), Tensor::scalar(upper));
        Ok(Balls { rows, width, first: values, second: radius, lower, upper })
    }

    /// One box, which must not be empty.
    pub fn of_box(lower: &'a [f32], upper: &[f32]) -> Balls<'a> {
        let anything = |limit: f32| Tensor::scalar(limit);
        let (first, second) = (lower, upper.to_vec());
        Balls { rows: 1, width: lower.len(), first, second, lower: anything(f32::MIN), upper: anything(f32::MAX) }
    }
}

/// Number of examples in `inputs` and their elements: `[N, …example]`, where the example's own leading 1 may be missing.
pub(crate) fn rows_of<'a>(inputs: &'a Tensor, example: &Shape) -> Result<(usize, &'a [f32])> {
    let (shape, rows) = (inputs.shape(), inputs.shape().first().copied().unwrap_or(0));
    let bare = example.first() == Some(&1) && shape.len() == example.len() && shape[1..] == example[1..];
    let fits = bare || *shape == example.prepend(rows);
    match inputs.try_as_slice::<f32>() {
        Some(values) if fits => Ok((rows, values)),
        _ => CertifyError::input(example, inputs),
    }
}

// As f32, not smaller if bounds must hold.
fn single(epsilon: f64, rounding: Rounding) -> f32 {
    let near = epsilon as f32;
    if rounding == Rounding::Outward && f64::from(near) < epsilon { near.next_up() } else { near }
}
