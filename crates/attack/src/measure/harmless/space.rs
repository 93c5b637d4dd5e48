//! Null spaces.

use super::AffineLayer;
use crate::AttackError;
use faer::{Mat, MatRef};

/// The perturbations that an affine layer maps to zero, and the others.
#[derive(Clone, Debug)]
pub struct NullSpace {
    // Columns are right singular vectors, by descending singular value: those from `rank` on span the space.
    vectors: Mat<f64>,
    rank: usize,
    singular_values: Vec<f64>,
}

impl NullSpace {
    /// The null space of a layer. A singular value counts as zero up to `max(outputs, inputs)·u·σ₁` with u the unit roundoff
    /// of `f64`.
    ///
    /// # Errors
    /// If a weight is not finite.
    pub fn of(layer: &AffineLayer) -> Result<NullSpace, AttackError> {
        let failed = || AttackError::NoAffineLayer { reason: "its weights are not all finite".into() };
        let (rows, columns) = (layer.outputs(), layer.inputs);
        if rows == 0 {
            return Ok(NullSpace { vectors: Mat::identity(columns, columns), rank: 0, singular_values: Vec::new() });
        }
        if !layer.matrix.iter().all(|v| v.is_finite()) {
            return Err(failed());
        }
        let svd = MatRef::from_row_major_slice(&layer.matrix, rows, columns).svd().map_err(|_| failed())?;
        let singular_values: Vec<f64> = svd.S().column_vector().iter().copied().collect();
        let largest = singular_values.first().copied().unwrap_or(0.0);
        let tolerance = rows.max(columns) as f64 * 0.5 * f64::EPSILON * largest;
        let rank = singular_values.iter().filter(|s| **s > tolerance).count();
        Ok(NullSpace { vectors: svd.V().to_owned(), rank, singular_values })
    }

    /// Number of dimensions in which nothing is seen.
    pub fn dimension(&self) -> usize {
        self.vectors.nrows() - self.rank
    }

    /// Rank of the layer.
    pub fn rank(&self) -> usize {
        self.rank
    }

    /// An orthonormal basis, row-major `[dimension, inputs]`.
    pub fn basis(&self) -> Vec<f64> {
        (self.rank..self.vectors.ncols()).flat_map(|j| self.vectors.col(j).iter().copied()).collect()
    }

    /// The direction that changes the layer's output least, and by how much for a perturbation of length 1: what is left
    /// where the space has no dimension. The amount is 0 where it has.
    pub fn least_harmful(&self) -> (Vec<f64>, f64) {
        let last = self.vectors.ncols() - 1;
        let amount = if self.dimension() > 0 { 0.0 } else { self.singular_values[last] };
        (self.vectors.col(last).iter().copied().collect(), amount)
    }

    /// The part of `v` in the space.
    ///
    /// # Panics
    /// If `v` does not have one value for each input.
    #[track_caller]
    pub fn project(&self, v: &[f64]) -> Vec<f64> {
        assert_eq!(v.len(), self.vectors.nrows(), "one value for each input");
        let mut part = vec![0.0; v.len()];
        for j in self.rank..self.vectors.ncols() {
            let column = self.vectors.col(j);
            let weight: f64 = column.iter().zip(v).map(|(c, v)| c * v).sum();
            part.iter_mut().zip(column.iter()).for_each(|(p, c)| *p += weight * c);
        }
        part
    }

    /// An input that the model takes for `x`, and that looks like `cover` as far as possible: `P_row·x + P_null·cover`.
    ///
    /// # Panics
    /// See [`NullSpace::project`].
    #[track_caller]
    pub fn hide(&self, x: &[f64], cover: &[f64]) -> Vec<f64> {
        let difference: Vec<f64> = cover.iter().zip(x).map(|(c, v)| c - v).collect();
        x.iter().zip(self.project(&difference)).map(|(v, d)| v + d).collect()
    }
}

/// Which of several models a perturbation is harmless to: the one whose first layer it changes least, in proportion to
/// the layer's size. None if there are no models.
pub fn identify(layers: &[AffineLayer], delta: &[f64]) -> Option<usize> {
    let length = |v: &[f64]| v.iter().map(|v| v * v).sum::<f64>().sqrt();
    let change = |layer: &AffineLayer| length(&layer.apply(delta)) / length(&layer.matrix);
    let changes: Vec<f64> = layers.iter().map(change).collect();
    (0..changes.len()).min_by(|&i, &j| changes[i].total_cmp(&changes[j]))
}
