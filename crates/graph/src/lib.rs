//! Tensors, primitives, and the transforms of perturb's graph.
//!
//! A model is a graph of [`Expr`]s; an analysis is a transform of that graph; transforms compose.
//!
//! ```
//! use perturb_graph::{DType, Expr, Tensor, eval, grad};
//!
//! let x = Expr::input("x", [3], DType::F64);
//! let y = (&x * &x).sum();
//! let gradient = grad(&y, &[x.clone()])?.remove(0);
//! let at = Tensor::new([3], vec![1.0, 2.0, 3.0])?;
//! assert_eq!(eval(&[gradient], &[(x, at)])?[0].as_slice::<f64>(), [2.0, 4.0, 6.0]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! - [`Expr`]: an immutable node; build formulas with its methods and operators.
//! - [`Op`]: the primitives. Each owes the rules of the trait [`Primitive`].
//! - [`jvp`], [`vjp`], [`vmap`], [`interval`](interval()), [`linear_bounds`]: the transforms.
//! - [`Graph::localize`]: what a change of a small window of an image changes.
//! - [`eval`](eval()): the definition of every primitive, slow and exact enough to be an oracle.

mod builder;
mod dtype;
mod error;
mod eval;
mod expr;
mod graph;
pub(crate) mod interval;
pub mod linear_algebra;
mod op;
mod primitives;
mod shape;
mod tensor;
mod transforms;

pub use builder::{Conv, Coordinates, GridSample, Interpolation, NearestRounding, Outside, Padding, Pool, Resize};
pub use dtype::DType;
pub use error::{GraphError, Result};
pub use eval::{EvalError, eval};
pub use expr::{Expr, MAX_TENSOR_BYTES, dependents, substitute, topological};
pub use graph::Graph;
pub use interval::{Interval, Rounding, gamma, unit_roundoff};
pub use op::{Op, Primitive, Relaxation};
pub use primitives::{
    ArgMax, ArgSort, Binary, Broadcast, Cast, Compare, Concat, ConvShapes, Convolution, CumSum, DotDims, FreeSlopes,
    Gather, GatherSizes, MaxPool, Pad, PoolRole, ReduceMax, ReduceSum, Reshape, Reverse, ScatterAdd, Select, Slice,
    Slot, Sort, StopGradient, Transpose, Unary,
};
pub use primitives::{
    Body, Cholesky, Eigh, Fft, Qr, RandomBits, Scan, Solve, Svd, TriangularSolve, philox, random_words,
};
pub use shape::Shape;
pub use tensor::{Data, Element, Tensor};
pub use transforms::{
    Bounder, Domain, Intermediate, LinearBoundsOptions, Localized, Norm, Place, Read, Slopes, Step, grad, interval,
    intervals, jvp, linear_bounds, try_interval, try_jvp, unroll, vjp, vmap,
};
