//! The primitives: one file holds all rules of one primitive.

mod arg_max;
mod arg_sort;
mod binary;
mod cast;
mod compare;
mod concat;
mod conv;
mod cum_sum;
mod dot;
mod gather;
mod integer;
mod layout;
mod max_pool;
mod reduce_max;
mod reduce_sum;
mod scatter_add;
mod select;
mod sort;
mod stop_gradient;
mod unary;

pub use arg_max::ArgMax;
pub use arg_sort::ArgSort;
mod fft;
mod linear_algebra;
mod random;
mod scan;

pub use binary::Binary;
pub use cast::Cast;
pub use compare::Compare;
pub use concat::Concat;
pub use conv::{ConvShapes, Convolution, Slot};
pub use cum_sum::CumSum;
pub use dot::DotDims;
pub use gather::{Gather, GatherSizes};
pub use layout::{Broadcast, Pad, Reshape, Reverse, Slice, Transpose};
pub use max_pool::{MaxPool, PoolRole};
pub use reduce_max::ReduceMax;
pub use reduce_sum::ReduceSum;
pub use scatter_add::ScatterAdd;
pub use select::Select;
pub use sort::Sort;
pub use stop_gradient::StopGradient;
pub use unary::{FreeSlopes, Unary};

pub use fft::Fft;
pub use linear_algebra::{Cholesky, Eigh, Qr, Solve, Svd, TriangularSolve};
pub use random::{RandomBits, philox, random_words};
pub use scan::{Body, Scan};

use crate::tensor::Element;
use crate::{Expr, Tensor};

/// Wraps values computed in `f64` as the node's result.
pub(crate) fn finish(node: &Expr, values: Vec<f64>) -> Tensor {
    Tensor::from_f64(node.shape().clone(), node.dtype(), values).expect("the rule computes every element")
}

/// Wraps values computed in the element type itself as the node's result.
pub(crate) fn finish_as<T: Element>(node: &Expr, values: Vec<T>) -> Tensor {
    Tensor::new(node.shape(), values).expect("the rule computes every element")
}
