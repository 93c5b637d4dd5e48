//! Spaces in which points are embedded, in double precision.

mod euclidean;
mod poincare;

pub use euclidean::Euclidean;
pub use poincare::PoincareBall;

/// A Riemannian manifold whose points are vectors of [`dim`](Self::dim) coordinates. Names follow geoopt.
///
/// Slices must have `dim` elements; points must lie on the manifold, as [`proj`](Self::proj) leaves them.
pub trait Manifold: Send + Sync {
    /// Number of coordinates.
    fn dim(&self) -> usize;

    /// Whether `x` is a point, which no NaN is.
    fn contains(&self, x: &[f64]) -> bool;

    /// Geodesic distance.
    fn dist(&self, x: &[f64], y: &[f64]) -> f64;

    /// The end of the geodesic of time 1 that leaves `x` with velocity `v`.
    fn expmap(&self, x: &[f64], v: &[f64], out: &mut [f64]);

    /// The velocity at `x` whose geodesic reaches `y` at time 1.
    fn logmap(&self, x: &[f64], y: &[f64], out: &mut [f64]);

    /// Turns Euclidean partial derivatives at `x` into the Riemannian gradient.
    fn egrad2rgrad(&self, x: &[f64], gradient: &mut [f64]);

    /// Moves `x` along the tangent vector `v`, to first order as [`expmap`](Self::expmap) does, and back onto the manifold.
    fn retr(&self, x: &mut [f64], v: &[f64]);

    /// Brings `x` onto the manifold.
    fn proj(&self, x: &mut [f64]);
}

/// `Σ xᵢ·yᵢ`.
pub(crate) fn dot(x: &[f64], y: &[f64]) -> f64 {
    x.iter().zip(y).map(|(x, y)| x * y).sum()
}

/// `Σ (xᵢ − yᵢ)²`.
pub(crate) fn squared_distance(x: &[f64], y: &[f64]) -> f64 {
    x.iter().zip(y).map(|(x, y)| (x - y) * (x - y)).sum()
}
