//! The primitives: one file holds all rules of one primitive.

mod binary;
mod compare;
mod concat;
mod conv;
mod dot;
mod layout;
mod max_pool;
mod reduce_max;
mod reduce_sum;
mod select;
mod stop_gradient;
mod unary;

mod fft;
mod linear_algebra;
mod random;
mod scan;

pub use binary::Binary;
pub use compare::Compare;
pub use concat::Concat;
pub use conv::{ConvShapes, Convolution, Slot};
pub use dot::DotDims;
pub use layout::{Broadcast, Pad, Reshape, Reverse, Slice, Transpose};
pub use max_pool::{MaxPool, PoolRole};
pub use reduce_max::ReduceMax;
pub use reduce_sum::ReduceSum;
pub use select::Select;
pub use stop_gradient::StopGradient;
pub use unary::Unary;

pub use fft::Fft;
pub use linear_algebra::{Cholesky, Eigh, Qr, Solve, Svd, TriangularSolve};
pub use random::{RandomBits, philox, random_words};
pub use scan::{Body, Scan};
pub(crate) use unary::relu_with_slope;

use crate::{Expr, Tensor};

/// Wraps values computed in `f64` as the node's result.
pub(crate) fn finish(node: &Expr, values: Vec<f64>) -> Tensor {
    Tensor::from_f64(node.shape().clone(), node.dtype(), values).expect("the rule computes every element")
}
