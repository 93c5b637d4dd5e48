//! Functions of sets.

use perturb_graph::Expr;

/// How the elements of a set become one vector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pooling {
    /// Their sum: with networks before and after, any function of sets (Zaheer et al. 2017, theorem 2).
    Sum,
    /// Their mean.
    Mean,
    /// The largest value of each feature.
    Max,
}

/// The elements `x [N, S, d]` of each set as one vector `[N, d]`. Where `mask [N, S]` is 0 there is no element; the
/// pooled vector of a set without any is 0.
///
/// # Panics
/// If the shapes do not fit.
#[track_caller]
pub fn pool(x: &Expr, mask: Option<&Expr>, pooling: Pooling) -> Expr {
    let (n, s) = (x.shape()[0], x.shape()[1]);
    let mask = mask.cloned().unwrap_or_else(|| Expr::full([n, s], 1.0, x.dtype()));
    let (present, count) = (mask.reshape([n, s, 1]), mask.reduce_sum(&[1], true));
    match pooling {
        Pooling::Sum => x.mul(&present).reduce_sum(&[1], false),
        Pooling::Mean => x.mul(&present).reduce_sum(&[1], false).div(&count.maximum(&count.like(1.0))),
        Pooling::Max => {
            let absent = present.equal(&present.like(0.0)).broadcast_to(x.shape());
            // Finite, so that a product with 0 below is 0.
            let largest = x.masked_fill(&absent, -1e30).reduce_max(&[1], false);
            let any = count.greater(&count.like(0.0)).broadcast_to(largest.shape());
            Expr::select(&any, &largest, &largest.like(0.0))
        }
    }
}
