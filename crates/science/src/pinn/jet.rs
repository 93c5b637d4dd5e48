//! Derivatives of a function of points.

use perturb_graph::{Expr, Tensor, jvp};

/// A function of points `x [n, d]` with its derivatives along each axis, `[n, 1]` each.
#[derive(Clone, Debug)]
pub struct Jet {
    /// u.
    pub value: Expr,
    /// ∂u/∂x_k.
    pub first: Vec<Expr>,
    /// ∂²u/∂x_k².
    pub second: Vec<Expr>,
}

/// The jet of `u [n, 1]` at `x [n, d]`, where row i of u depends on row i of x only: forward mode along each axis, twice.
///
/// # Panics
/// If `x` is no matrix.
#[track_caller]
pub fn jet(u: &Expr, x: &Expr) -> Jet {
    let (n, d) = (x.shape()[0], x.shape()[1]);
    let along = |axis: usize, f: &Expr| {
        let unit = (0..d).map(|k| if k == axis { 1.0 } else { 0.0 }).collect();
        let unit = Tensor::from_f64([1, d], x.dtype(), unit).expect("one value for each axis");
        let tangent = Expr::constant(unit).broadcast_to([n, d]);
        let moved = jvp(std::slice::from_ref(f), std::slice::from_ref(x), &[Some(tangent)]).remove(0);
        moved.unwrap_or_else(|| f.like(0.0))
    };
    let first: Vec<Expr> = (0..d).map(|axis| along(axis, u)).collect();
    let second = first.iter().enumerate().map(|(axis, f)| along(axis, f)).collect();
    Jet { value: u.clone(), first, second }
}
