//! Factorisations and solutions of linear systems, batched over leading axes.
//!
//! Their derivatives are the standard differentials, built from products and solutions, so that reverse mode and higher
//! orders follow. Nothing is known about their intervals: the ends are infinite.

mod cholesky;
mod eigh;
mod qr;
mod solve;
mod svd;
mod triangular_solve;

pub use cholesky::Cholesky;
pub use eigh::Eigh;
pub use qr::Qr;
pub use solve::Solve;
pub use svd::Svd;
pub use triangular_solve::TriangularSolve;

use crate::interval::unit_roundoff;
use crate::linear_algebra::Real;
use crate::op::{arity, same_float, shape_error};
use crate::{DType, Element, Expr, Interval, Op, Result, Rounding, Shape, Tensor};

// Leading axes, rows and columns.
fn matrix_shape(x: &Shape) -> Option<(Shape, usize, usize)> {
    let (&columns, rest) = x.split_last()?;
    let (&rows, lead) = rest.split_last()?;
    Some((lead.into(), rows, columns))
}

// Checks that the one operand is a stack of matrices, square ones if asked.
fn one_matrix(op: &str, inputs: &[Expr], square: bool) -> Result<(Shape, usize, usize, DType)> {
    arity(op, inputs, 1)?;
    let dtype = same_float(op, inputs)?;
    match matrix_shape(inputs[0].shape()) {
        Some((lead, rows, columns)) if !square || rows == columns => Ok((lead, rows, columns, dtype)),
        Some(_) => shape_error(op, "the matrix must be square", inputs),
        None => shape_error(op, "needs a matrix […, rows, columns]", inputs),
    }
}

// Checks a system: a square matrix, and right-hand sides of as many rows behind the same leading axes.
fn system(op: &str, inputs: &[Expr]) -> Result<(Shape, DType)> {
    arity(op, inputs, 2)?;
    let dtype = same_float(op, inputs)?;
    match (matrix_shape(inputs[0].shape()), matrix_shape(inputs[1].shape())) {
        (Some((lead, n, columns)), Some((other, rows, _))) if lead == other && n == columns && n == rows => {
            Ok((inputs[1].shape().clone(), dtype))
        }
        _ => shape_error(
            op,
            "needs a matrix […, n, n] and right-hand sides […, n, k] with the same leading axes",
            inputs,
        ),
    }
}

fn stacked(lead: &Shape, rows: usize, columns: usize) -> Shape {
    lead.iter().copied().chain([rows, columns]).collect()
}

// Runs a routine on every matrix of a stack, in the operands' own type.
fn each_matrix(
    node: &Expr,
    inputs: &[&Tensor],
    in_f32: impl Fn(&[&[f32]], &mut [f32]),
    in_f64: impl Fn(&[&[f64]], &mut [f64]),
) -> Tensor {
    match node.dtype() {
        DType::F32 => run_each(node, inputs, in_f32),
        _ => run_each(node, inputs, in_f64),
    }
}

fn run_each<T: Element + Real>(node: &Expr, inputs: &[&Tensor], routine: impl Fn(&[&[T]], &mut [T])) -> Tensor {
    let size = |shape: &Shape| shape[shape.len() - 2] * shape[shape.len() - 1];
    let count: usize = node.shape()[..node.rank() - 2].iter().product();
    let width = size(node.shape());
    let mut values = vec![T::narrow(0.0); count * width];
    for i in 0..count {
        let part = |x: &&Tensor| -> std::ops::Range<usize> { i * size(x.shape())..(i + 1) * size(x.shape()) };
        let operands: Vec<&[T]> = inputs.iter().map(|x| &x.as_slice::<T>()[part(x)]).collect();
        routine(&operands, &mut values[i * width..(i + 1) * width]);
    }
    Tensor::new(node.shape().clone(), values).expect("every matrix was computed")
}

// Nothing is known unless nothing varies.
fn unknown(op: impl Into<Op>, node: &Expr, inputs: &[Interval], rounding: Rounding) -> Interval {
    if rounding == Rounding::Nearest && inputs.iter().all(Interval::is_point) {
        let operands: Vec<Expr> = inputs.iter().map(|i| i.lo.clone()).collect();
        return Interval::point(&Expr::build(op, &operands));
    }
    Interval { lo: node.like(f64::NEG_INFINITY), hi: node.like(f64::INFINITY) }
}

// The last two axes exchanged.
fn transposed(x: &Expr) -> Expr {
    x.move_axis(x.rank() - 1, x.rank() - 2)
}

// A stack of matrices times a stack of matrices.
fn product(a: &Expr, b: &Expr) -> Expr {
    a.matmul(b)
}

// Rows `from..to` of a stack of matrices.
fn rows(x: &Expr, from: usize, to: usize) -> Expr {
    x.slice_axis(x.rank() - 2, from, to)
}

// A constant n×n matrix of `value(i, j)`, for every matrix of a stack like `x`.
fn pattern(x: &Expr, n: usize, value: impl Fn(usize, usize) -> f64) -> Expr {
    let values = (0..n * n).map(|at| value(at / n, at % n)).collect();
    let constant = Expr::constant(Tensor::from_f64([n, n], x.dtype(), values).expect("n·n values"));
    let lead = &x.shape()[..x.rank() - 2];
    constant.broadcast_to(lead.iter().copied().chain([n, n]).collect::<Shape>())
}

// 1/x, but 0 where |x| is within the rounding of numbers as large as any of `spectrum [..., 1, n]`: derivatives of
// degenerate spectra leave out what is not determined.
fn determined_reciprocal(x: &Expr, spectrum: &Expr) -> Expr {
    let (rank, n) = (spectrum.rank(), spectrum.shape()[spectrum.rank() - 1]);
    if n == 0 {
        return x.clone();
    }
    let largest = spectrum.abs().reduce_max(&[rank - 1], true).stop_gradient();
    let rounding = largest.scale(2.0 * n as f64 * unit_roundoff(x.dtype())).broadcast_to(x.shape());
    let equal = x.abs().less_equal(&rounding);
    Expr::select(&equal, &x.like(0.0), &Expr::select(&equal, &x.like(1.0), x).reciprocal())
}

// Elements of the diagonal [..., n] as a matrix [..., n, n]; zeros elsewhere.
fn as_diagonal(values: &Expr) -> Expr {
    let n = values.shape()[values.rank() - 1];
    let column = values.reshape(values.shape().iter().copied().chain([1]).collect::<Shape>());
    let square: Shape = values.shape().iter().copied().chain([n]).collect();
    let spread = column.broadcast_to(square);
    spread.mul(&pattern(&spread, n, |i, j| f64::from(u8::from(i == j))))
}
