//! Sampling images at places that are themselves values (Jaderberg et al. 2015).

use crate::op::{same_float, shape_error};
use crate::{DType, Expr, Gather, Result};

/// What lies outside of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Outside {
    /// Zeros.
    #[default]
    Zeros,
    /// The nearest element of the image.
    Border,
}

/// How [`Expr::try_grid_sample`] works; the default is PyTorch's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct GridSample {
    /// The element nearest to a place (halves to even), not a bilinear mean of four.
    pub nearest: bool,
    /// What lies outside.
    pub outside: Outside,
    /// Whether −1 and 1 are the centres of the first and the last element, not their outer edges.
    pub align_corners: bool,
}

panicking! {
    grid_sample, try_grid_sample(grid: &Expr, sampling: GridSample) -> Expr;
}

// Elements of the image along one axis of a place, with their weights, which are 0 outside where zeros are.
fn neighbours(place: &Expr, size: usize, sampling: GridSample) -> Vec<(Expr, Expr)> {
    let last = (size - 1) as f64;
    let scaled = if sampling.align_corners {
        place.offset(1.0).scale(0.5 * last)
    } else {
        place.offset(1.0).scale(0.5 * size as f64).offset(-0.5)
    };
    let scaled = if sampling.outside == Outside::Border { scaled.clip(0.0, last) } else { scaled };
    let elements = if sampling.nearest {
        let nearest = scaled.round();
        vec![(nearest.clone(), nearest.like(1.0))]
    } else {
        let below = scaled.floor();
        let t = scaled.sub(&below);
        vec![(below.clone(), t.neg().offset(1.0)), (below.offset(1.0), t)]
    };
    let inside = |at: &Expr| at.greater_equal(&at.like(0.0)).mul(&at.less_equal(&at.like(last)));
    let weigh = |(at, weight): (Expr, Expr)| {
        let weight = if sampling.outside == Outside::Border { weight } else { weight.mul(&inside(&at)) };
        (at.clip(0.0, last).cast(DType::I64), weight)
    };
    elements.into_iter().map(weigh).collect()
}

impl Expr {
    /// Images `[N, C, H, W]` at the places `grid [N, h, w, 2]`, each `(x, y)` with −1 left and top, 1 right and bottom:
    /// `[N, C, h, w]`. Differentiable in the images and, if bilinear, in the places.
    ///
    /// # Errors
    /// If the shapes or types do not fit.
    pub fn try_grid_sample(&self, grid: &Expr, sampling: GridSample) -> Result<Expr> {
        let operands = [self.clone(), grid.clone()];
        same_float("grid_sample", &operands)?;
        let (x, g) = (self.shape(), grid.shape());
        if x.len() != 4 || g.len() != 4 || x[0] != g[0] || g[3] != 2 || x[2] * x[3] == 0 {
            return shape_error("grid_sample", "needs images [N, C, H, W] and places [N, h, w, 2]", &operands);
        }
        let (n, places) = (x[0], g[1] * g[2]);
        let coordinate = |k: usize| grid.slice_axis(3, k, k + 1).reshape([n, places]);
        let columns = neighbours(&coordinate(0), x[3], sampling);
        let rows = neighbours(&coordinate(1), x[2], sampling);
        let flat = self.try_reshape([n, x[1], x[2] * x[3]])?;
        let mut sum: Option<Expr> = None;
        for (row, row_weight) in &rows {
            for (column, column_weight) in &columns {
                let index = row.scale(x[3] as f64).add(column);
                let chosen = Expr::apply(Gather { axis: 2, batch: 1 }, &[flat.clone(), index])?;
                let term = chosen.mul(&row_weight.mul(column_weight).reshape([n, 1, places]));
                sum = Some(sum.map_or(term.clone(), |s| s.add(&term)));
            }
        }
        sum.unwrap_or_else(|| flat.clone()).try_reshape([n, x[1], g[1], g[2]])
    }
}
