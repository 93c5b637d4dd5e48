//! The closed set of primitives, and what each of them owes.

use crate::primitives::*;
use crate::{DType, Expr, GraphError, Interval, Result, Rounding, Shape, Tensor};
use std::sync::Arc;

/// The rules of one primitive. One file of the module `primitives` holds all the rules of one primitive.
pub trait Primitive {
    /// Name in messages and drawings.
    fn name(&self) -> &'static str;

    /// Shape and element type of the result.
    ///
    /// # Errors
    /// If the operands do not fit.
    fn infer(&self, inputs: &[Expr]) -> Result<(Shape, DType)>;

    /// The definition, as plain loops in `f64` rounded to the result's type: slow, and the oracle of the engine.
    fn eval(&self, node: &Expr, inputs: &[&Tensor]) -> Tensor;

    /// The operands (a superset of `varying`) in which the primitive is jointly linear while the others stay
    /// fixed, or `None` if it is nonlinear in `varying`.
    fn linear_in(&self, varying: &[bool]) -> Option<Vec<bool>>;

    /// Tangent of the result for tangents of the operands (`None` is zero). The default serves primitives that
    /// are linear in each operand.
    fn jvp(&self, node: &Expr, tangents: &[Option<Expr>]) -> Option<Expr> {
        linear_jvp(node, tangents)
    }

    /// For operands chosen by `linear` (a group as [`Primitive::linear_in`] gives), the adjoint of the linear map
    /// applied to `cotangent`.
    fn transpose(&self, node: &Expr, cotangent: &Expr, linear: &[bool]) -> Vec<Option<Expr>>;

    /// The primitive on operands of which those in `batched` carry a new leading axis of length `size`; so does
    /// the result.
    fn batch(&self, node: &Expr, inputs: &[Expr], batched: &[bool], size: usize) -> Expr;

    /// An interval that holds the result for every choice of operands in `inputs`.
    fn interval(&self, node: &Expr, inputs: &[Interval], rounding: Rounding) -> Interval;

    /// Lower and upper expressions, *affine in the node's operands*, that enclose the result while the operands
    /// stay in `bounds`; `None` where nothing better than the result's interval is known. Asked only where the
    /// primitive is nonlinear in what varies.
    fn relax(&self, _node: &Expr, _bounds: &[Interval], _rounding: Rounding) -> Option<Relaxation> {
        None
    }

    /// Error-bound data of the arithmetic of a linear primitive and of its `transpose`: an expression of the result's
    /// shape `m` such that rounding, in evaluating the primitive and in its adjoint together, changes `⟨λ, result⟩` by
    /// at most `⟨|λ|, m⟩`; `None` where both are exact.
    fn adjoint_error(&self, _node: &Expr, _inputs: &[Interval], _linear: &[bool]) -> Option<Expr> {
        None
    }
}

/// Affine lower and upper enclosures of a nonlinear primitive, as expressions in its operands.
pub struct Relaxation {
    /// Never above the result.
    pub lower: Expr,
    /// Never below the result.
    pub upper: Expr,
}

/// The primitive of a node.
#[derive(Clone, Debug, PartialEq)]
pub enum Op {
    /// A value fed at run time.
    Input {
        /// Name, unique within a graph.
        name: Arc<str>,
        /// Shape of what is fed.
        shape: Shape,
        /// Element type of what is fed.
        dtype: DType,
    },
    /// A weight.
    Param {
        /// Name, unique within a graph.
        name: Arc<str>,
        /// Value unless it is overridden.
        value: Tensor,
    },
    /// A constant.
    Constant(Tensor),
    /// An elementwise function of one operand.
    Unary(Unary),
    /// An elementwise function of two operands of one shape.
    Binary(Binary),
    /// An elementwise comparison: 1 where it holds, 0 elsewhere.
    Compare(Compare),
    /// Elementwise choice by a mask.
    Select(Select),
    /// The same elements under another shape.
    Reshape(Reshape),
    /// Axes in another order.
    Transpose(Transpose),
    /// New axes along which values repeat.
    Broadcast(Broadcast),
    /// A strided box of the operand.
    Slice(Slice),
    /// Zeros around and between the elements.
    Pad(Pad),
    /// Axes read backwards.
    Reverse(Reverse),
    /// Operands one after another along an axis.
    Concat(Concat),
    /// Sum over axes.
    ReduceSum(ReduceSum),
    /// Maximum over axes.
    ReduceMax(ReduceMax),
    /// Generalised matrix product.
    Dot(DotDims),
    /// Convolution and its two adjoints.
    Conv(Convolution),
    /// Maximum over windows, and the linear maps that its argmax defines.
    MaxPool(MaxPool),
    /// Identity without derivative.
    StopGradient(StopGradient),
    /// Another element type.
    Cast(Cast),
    /// Slices of an axis chosen by indices.
    Gather(Gather),
    /// Slices added up at indices of an axis: the adjoint of `Gather`.
    ScatterAdd(ScatterAdd),
    /// Index of the largest element.
    ArgMax(ArgMax),
    /// The order of elements.
    ArgSort(ArgSort),
    /// Elements in order.
    Sort(Sort),
    /// Running sum.
    CumSum(CumSum),
    /// A loop with carried state.
    Scan(Scan),
    /// Complex Fourier transform.
    Fft(Fft),
    /// Triangular factor of a symmetric positive definite matrix.
    Cholesky(Cholesky),
    /// Solution of a triangular system.
    TriangularSolve(TriangularSolve),
    /// Solution of a linear system.
    Solve(Solve),
    /// Orthogonal and triangular factor.
    Qr(Qr),
    /// Eigenvalues and eigenvectors of a symmetric matrix.
    Eigh(Eigh),
    /// Singular values and vectors.
    Svd(Svd),
    /// Pseudorandom words.
    RandomBits(RandomBits),
}

macro_rules! each {
    ($op:expr, $leaf:expr, $p:ident => $body:expr) => {
        match $op {
            Op::Input { .. } | Op::Param { .. } | Op::Constant(_) => $leaf,
            Op::Unary($p) => $body,
            Op::Binary($p) => $body,
            Op::Compare($p) => $body,
            Op::Select($p) => $body,
            Op::Reshape($p) => $body,
            Op::Transpose($p) => $body,
            Op::Broadcast($p) => $body,
            Op::Slice($p) => $body,
            Op::Pad($p) => $body,
            Op::Reverse($p) => $body,
            Op::Concat($p) => $body,
            Op::ReduceSum($p) => $body,
            Op::ReduceMax($p) => $body,
            Op::Dot($p) => $body,
            Op::Conv($p) => $body,
            Op::MaxPool($p) => $body,
            Op::StopGradient($p) => $body,
            Op::Cast($p) => $body,
            Op::Gather($p) => $body,
            Op::ScatterAdd($p) => $body,
            Op::ArgMax($p) => $body,
            Op::ArgSort($p) => $body,
            Op::Sort($p) => $body,
            Op::CumSum($p) => $body,
            Op::Scan($p) => $body,
            Op::Fft($p) => $body,
            Op::Cholesky($p) => $body,
            Op::TriangularSolve($p) => $body,
            Op::Solve($p) => $body,
            Op::Qr($p) => $body,
            Op::Eigh($p) => $body,
            Op::Svd($p) => $body,
            Op::RandomBits($p) => $body,
        }
    };
}

macro_rules! into_op {
    ($($t:ident => $v:ident),*) => {$(
        impl From<$t> for Op { fn from(p: $t) -> Op { Op::$v(p) } }
    )*};
}
into_op!(Unary => Unary, Binary => Binary, Compare => Compare, Select => Select, Reshape => Reshape,
    Transpose => Transpose, Broadcast => Broadcast, Slice => Slice, Pad => Pad, Reverse => Reverse,
    Concat => Concat, ReduceSum => ReduceSum, ReduceMax => ReduceMax, DotDims => Dot, Convolution => Conv,
    MaxPool => MaxPool, StopGradient => StopGradient);
into_op!(Cast => Cast, Gather => Gather, ScatterAdd => ScatterAdd, ArgMax => ArgMax, ArgSort => ArgSort, Sort => Sort,
    CumSum => CumSum);
into_op!(Scan => Scan, Fft => Fft, Cholesky => Cholesky, TriangularSolve => TriangularSolve, Solve => Solve, Qr => Qr,
    Eigh => Eigh, Svd => Svd, RandomBits => RandomBits);

impl Op {
    /// The rules, or `None` for a leaf.
    pub fn primitive(&self) -> Option<&dyn Primitive> {
        each!(self, None, p => Some(p))
    }

    /// Name in messages and drawings.
    pub fn name(&self) -> &'static str {
        match self {
            Op::Input { .. } => "input",
            Op::Param { .. } => "param",
            Op::Constant(_) => "constant",
            _ => each!(self, "leaf", p => p.name()),
        }
    }

    /// Which slopes of the operation's linear enclosure are free; `None` if none are.
    pub fn free_slopes(&self) -> Option<FreeSlopes> {
        match self {
            Op::Unary(unary) => unary.free_slopes(),
            _ => None,
        }
    }

    /// Whether the node has no operands: an input, a parameter or a constant.
    pub fn is_leaf(&self) -> bool {
        matches!(self, Op::Input { .. } | Op::Param { .. } | Op::Constant(_))
    }

    pub(crate) fn infer(&self, inputs: &[Expr]) -> Result<(Shape, DType)> {
        match self {
            Op::Input { shape, dtype, .. } => Ok((shape.clone(), *dtype)),
            Op::Param { value, .. } | Op::Constant(value) => Ok((value.shape().clone(), value.dtype())),
            _ => each!(self, unreachable!("leaves are handled above"), p => p.infer(inputs)),
        }
    }

    // Structural primitives that change nothing return their operand, so that sugar need not check.
    pub(crate) fn is_identity(&self, inputs: &[Expr], shape: &Shape) -> bool {
        match self {
            Op::Reshape(_) | Op::Slice(_) | Op::Pad(_) => inputs[0].shape() == shape,
            Op::Transpose(t) => t.perm.iter().enumerate().all(|(i, &p)| i == p),
            Op::Broadcast(_) => inputs[0].shape() == shape,
            Op::Reverse(r) => r.axes.iter().all(|&a| shape[a] <= 1),
            Op::Concat(_) => inputs.len() == 1,
            Op::ReduceSum(r) => r.axes.is_empty(),
            Op::ReduceMax(r) => r.axes.is_empty(),
            Op::Cast(c) => inputs[0].dtype() == c.to,
            _ => false,
        }
    }
}

/// Sum over the operands that have a tangent of the primitive with that operand replaced by its tangent.
pub(crate) fn linear_jvp(node: &Expr, tangents: &[Option<Expr>]) -> Option<Expr> {
    let varying: Vec<bool> = tangents.iter().map(Option::is_some).collect();
    let primitive = node.op().primitive()?;
    let joint = primitive.linear_in(&varying).is_some_and(|group| group.iter().all(|&g| g));
    if joint {
        let operands: Vec<Expr> =
            node.inputs().iter().zip(tangents).map(|(x, t)| t.clone().unwrap_or_else(|| x.like(0.0))).collect();
        return varying.contains(&true).then(|| Expr::build(node.op().clone(), &operands));
    }
    let mut sum: Option<Expr> = None;
    for (position, tangent) in tangents.iter().enumerate() {
        let Some(tangent) = tangent else { continue };
        let mut operands = node.inputs().to_vec();
        operands[position] = tangent.clone();
        let term = Expr::build(node.op().clone(), &operands);
        sum = Some(match sum {
            Some(s) => s.add(&term),
            None => term,
        });
    }
    sum
}

/// The group rule of primitives that are linear in all operands together.
pub(crate) fn jointly_linear(varying: &[bool]) -> Option<Vec<bool>> {
    Some(vec![true; varying.len()])
}

/// The group rule of primitives that are linear in each of their operands separately.
pub(crate) fn separately_linear(varying: &[bool]) -> Option<Vec<bool>> {
    (varying.iter().filter(|&&v| v).count() <= 1).then(|| varying.to_vec())
}

/// A shape error of `op`.
pub(crate) fn shape_error<T>(op: &str, reason: impl Into<String>, inputs: &[Expr]) -> Result<T> {
    let shapes = inputs.iter().map(|i| i.shape().clone()).collect();
    Err(GraphError::Shape { op: op.to_string(), reason: reason.into(), shapes })
}

/// Checks that operands are floating-point and of one type, which is returned.
pub(crate) fn same_float(op: &str, inputs: &[Expr]) -> Result<DType> {
    let dtype = inputs[0].dtype();
    if !dtype.is_float() || inputs.iter().any(|i| i.dtype() != dtype) {
        return type_error(op, "operands must be of one floating-point type", inputs);
    }
    Ok(dtype)
}

/// A type error of `op`.
pub(crate) fn type_error<T>(op: &str, reason: impl Into<String>, inputs: &[Expr]) -> Result<T> {
    let dtypes = inputs.iter().map(Expr::dtype).collect();
    Err(GraphError::DType { op: op.to_string(), reason: reason.into(), dtypes })
}

/// Checks that operands are numbers of one type, which is returned.
pub(crate) fn same_number(op: &str, inputs: &[Expr]) -> Result<DType> {
    let dtype = inputs[0].dtype();
    if dtype == DType::Bool || inputs.iter().any(|i| i.dtype() != dtype) {
        return type_error(op, "operands must be numbers of one type (cast truth values first)", inputs);
    }
    Ok(dtype)
}

/// Checks that an axis exists, and returns its size.
pub(crate) fn axis_size(op: &str, axis: usize, inputs: &[Expr]) -> Result<usize> {
    match inputs[0].shape().get(axis) {
        Some(&size) => Ok(size),
        None => shape_error(op, format!("there is no axis {axis}"), inputs),
    }
}

/// The group of operands in which a node is linear while those in `varying` vary, see [`Primitive::linear_in`]. Nothing
/// is linear in integers and truth values: they have neither tangents nor covectors.
pub(crate) fn linear_group(node: &Expr, varying: &[bool]) -> Option<Vec<bool>> {
    let floats = node.inputs().iter().zip(varying).all(|(i, &v)| !v || i.dtype().is_float());
    if floats && node.dtype().is_float() { node.op().primitive()?.linear_in(varying) } else { None }
}

/// Checks the number of operands.
pub(crate) fn arity(op: &str, inputs: &[Expr], n: usize) -> Result<()> {
    if inputs.len() == n { Ok(()) } else { shape_error(op, format!("takes {n} operand(s)"), inputs) }
}

/// Gives every operand the leading batch axis, repeating those that lack it.
pub(crate) fn batch_all(inputs: &[Expr], batched: &[bool], size: usize) -> Vec<Expr> {
    inputs.iter().zip(batched).map(|(x, &b)| if b { x.clone() } else { x.repeat(size) }).collect()
}
