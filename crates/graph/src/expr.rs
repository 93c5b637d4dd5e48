//! Expressions: cheap handles to the nodes of an immutable, shared graph.

use crate::{DType, GraphError, Op, Result, Shape, Tensor};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Largest number of bytes that one tensor of a graph may need (32 GiB): larger ones are mistakes or attacks.
pub const MAX_TENSOR_BYTES: u128 = 1 << 35;

/// A value of a computation graph. Cloning copies a pointer.
///
/// Nodes are immutable and point at their operands, so a graph is whatever can be reached from a set of
/// expressions, a transform returns new expressions, and nothing has to be kept alive beside them.
#[derive(Clone)]
pub struct Expr(Arc<Node>);

#[derive(Debug)]
struct Node {
    id: u64,
    op: Op,
    inputs: Vec<Expr>,
    shape: Shape,
    dtype: DType,
}

// Ids grow with construction, and operands exist before their users: ascending id is a topological order.
static NEXT_ID: AtomicU64 = AtomicU64::new(1);

impl Expr {
    /// Applies a primitive.
    ///
    /// # Errors
    /// If the operands do not fit the primitive's shape or element-type rule, or the result is too large.
    pub fn apply(op: impl Into<Op>, inputs: &[Expr]) -> Result<Expr> {
        let op = op.into();
        let (shape, dtype) = op.infer(inputs)?;
        check_size(op.name(), &shape, dtype)?;
        if op.is_identity(inputs, &shape) {
            return Ok(inputs[0].clone());
        }
        let id = NEXT_ID.fetch_add(1, Ordering::Relaxed);
        Ok(Expr(Arc::new(Node { id, op, inputs: inputs.to_vec(), shape, dtype })))
    }

    /// [`Expr::apply`] for operands that the caller knows to fit.
    ///
    /// # Panics
    /// With the rule's message if they do not.
    #[track_caller]
    pub(crate) fn build(op: impl Into<Op>, inputs: &[Expr]) -> Expr {
        Expr::apply(op, inputs).unwrap_or_else(|e| panic!("{e}"))
    }

    /// A placeholder that is fed when the graph runs.
    ///
    /// # Panics
    /// If a tensor of this shape would exceed [`MAX_TENSOR_BYTES`].
    #[track_caller]
    pub fn input(name: impl Into<Arc<str>>, shape: impl Into<Shape>, dtype: DType) -> Expr {
        Expr::build(Op::Input { name: name.into(), shape: shape.into(), dtype }, &[])
    }

    /// [`Expr::input`] for a shape that comes from outside.
    ///
    /// # Errors
    /// If a tensor of this shape would exceed [`MAX_TENSOR_BYTES`].
    pub fn try_input(name: impl Into<Arc<str>>, shape: impl Into<Shape>, dtype: DType) -> Result<Expr> {
        Expr::apply(Op::Input { name: name.into(), shape: shape.into(), dtype }, &[])
    }

    /// A constant.
    pub fn constant(value: Tensor) -> Expr {
        Expr::build(Op::Constant(value), &[])
    }

    /// A named leaf with a value: a weight. It can be differentiated with respect to, perturbed and overridden.
    pub fn param(name: impl Into<Arc<str>>, value: Tensor) -> Expr {
        Expr::build(Op::Param { name: name.into(), value }, &[])
    }

    /// A scalar constant.
    ///
    /// # Panics
    /// If the type is i64 and the value has a fraction, which would be lost.
    #[track_caller]
    pub fn scalar(value: f64, dtype: DType) -> Expr {
        let lossy = dtype == DType::I64 && value.fract().abs() > 0.0;
        assert!(!lossy, "{value} is not an integer: cast the i64 expression that it meets to a floating-point type");
        Expr::constant(Tensor::from_f64([], dtype, vec![value]).expect("a scalar holds one value"))
    }

    /// A lazily broadcast constant of this expression's shape and type, see [`Expr::scalar`].
    #[track_caller]
    pub fn like(&self, value: f64) -> Expr {
        Expr::full(self.shape(), value, self.dtype())
    }

    /// A lazily broadcast constant.
    #[track_caller]
    pub fn full(shape: impl Into<Shape>, value: f64, dtype: DType) -> Expr {
        Expr::scalar(value, dtype).broadcast_to(shape)
    }

    /// Identity of the node; grows with construction.
    pub fn id(&self) -> u64 {
        self.0.id
    }

    /// The primitive that makes this value.
    pub fn op(&self) -> &Op {
        &self.0.op
    }

    /// The primitive's operands.
    pub fn inputs(&self) -> &[Expr] {
        &self.0.inputs
    }

    /// Sizes of the axes.
    pub fn shape(&self) -> &Shape {
        &self.0.shape
    }

    /// Element type.
    pub fn dtype(&self) -> DType {
        self.0.dtype
    }

    /// Number of axes.
    pub fn rank(&self) -> usize {
        self.0.shape.len()
    }

    /// Name of an input or a parameter.
    pub fn name(&self) -> Option<&str> {
        match self.op() {
            Op::Input { name, .. } | Op::Param { name, .. } => Some(name),
            _ => None,
        }
    }

    /// The value of a constant or, by default, of a parameter.
    pub fn value(&self) -> Option<&Tensor> {
        match self.op() {
            Op::Constant(value) | Op::Param { value, .. } => Some(value),
            _ => None,
        }
    }

    /// The value if this is the same scalar everywhere and known now.
    pub fn uniform_value(&self) -> Option<f64> {
        match self.op() {
            Op::Constant(value) if value.count() == 1 => Some(value.to_f64_vec()[0]),
            Op::Broadcast(_) | Op::Reshape(_) => self.inputs()[0].uniform_value(),
            _ => None,
        }
    }
}

impl Drop for Expr {
    // A chain of a million nodes must not be dropped by recursion: unlink the last owner's operands in a loop.
    fn drop(&mut self) {
        let Some(node) = Arc::get_mut(&mut self.0) else { return };
        let mut pending = std::mem::take(&mut node.inputs);
        while let Some(mut expr) = pending.pop() {
            if let Some(node) = Arc::get_mut(&mut expr.0) {
                pending.append(&mut node.inputs);
            }
        }
    }
}

impl std::fmt::Debug for Expr {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "%{} = {} {}{}", self.id(), self.op().name(), self.dtype(), self.shape())
    }
}

/// Refuses tensors of more than [`MAX_TENSOR_BYTES`]. Axes of size 0 do not excuse the others, so that strides and
/// products of some of the sizes never overflow.
pub(crate) fn check_size(op: &str, shape: &Shape, dtype: DType) -> Result<()> {
    let times = |n: u128, &d: &usize| n.checked_mul(d.max(1) as u128);
    let bytes = shape.iter().try_fold(dtype.size() as u128, times).unwrap_or(u128::MAX);
    if bytes > MAX_TENSOR_BYTES {
        return Err(GraphError::TooLarge { op: op.to_string(), shape: shape.clone(), bytes, limit: MAX_TENSOR_BYTES });
    }
    Ok(())
}

/// All nodes that `outputs` need, in topological order (operands first).
pub fn topological(outputs: &[Expr]) -> Vec<Expr> {
    let mut seen = HashSet::new();
    let mut pending: Vec<Expr> = outputs.to_vec();
    let mut nodes = Vec::new();
    while let Some(expr) = pending.pop() {
        if seen.insert(expr.id()) {
            pending.extend(expr.inputs().iter().cloned());
            nodes.push(expr);
        }
    }
    nodes.sort_unstable_by_key(Expr::id);
    nodes
}

/// Ids of the nodes that depend on any of `sources` (these included), among those that `outputs` need.
pub fn dependents(outputs: &[Expr], sources: &[Expr]) -> HashSet<u64> {
    let mut found: HashSet<u64> = sources.iter().map(Expr::id).collect();
    for node in topological(outputs) {
        if node.inputs().iter().any(|i| found.contains(&i.id())) {
            found.insert(node.id());
        }
    }
    found
}

/// Rebuilds `outputs` with some nodes replaced.
///
/// # Errors
/// If a replacement's shape or type does not fit where the original stood.
pub fn substitute(outputs: &[Expr], replacements: &[(Expr, Expr)]) -> Result<Vec<Expr>> {
    let sources: Vec<Expr> = replacements.iter().map(|(from, _)| from.clone()).collect();
    let changed = dependents(outputs, &sources);
    let mut map: HashMap<u64, Expr> = replacements.iter().map(|(from, to)| (from.id(), to.clone())).collect();
    for node in topological(outputs) {
        if !changed.contains(&node.id()) || map.contains_key(&node.id()) {
            continue;
        }
        let inputs: Vec<Expr> = node.inputs().iter().map(|i| map.get(&i.id()).unwrap_or(i).clone()).collect();
        map.insert(node.id(), Expr::apply(node.op().clone(), &inputs)?);
    }
    Ok(outputs.iter().map(|o| map.get(&o.id()).unwrap_or(o).clone()).collect())
}
