//! From expressions to a list of nodes: dead code is dropped, equal nodes become one, and trivial arithmetic vanishes.

use crate::EngineError;
use crate::disjoint::concatenated;
use crate::key::{Key, key};
use crate::looping::Looping;
use perturb_graph::{Binary, Cast, Concat, DType, Data, Expr, Op, Scan, Shape, Tensor, Unary, topological};
use std::collections::HashMap;
use std::sync::Arc;

/// What a node is.
#[derive(Clone, Debug)]
pub(crate) enum Kind {
    /// The `i`-th input.
    Feed(usize),
    /// The value of the `i`-th variable before the run.
    Variable(usize),
    /// A constant.
    Const(Tensor),
    /// One floating-point value everywhere.
    Uniform(f64),
    /// One integer or truth value (0 or 1) everywhere.
    Integer(i64),
    /// A primitive applied to earlier nodes.
    Op(Op),
    /// A loop over earlier nodes, and what it was compiled from.
    Loop(Arc<Looping>, Scan),
}

/// One value.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub kind: Kind,
    pub inputs: Vec<usize>,
    pub shape: Shape,
    pub dtype: DType,
}

/// Size and type of a value in memory.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Extent {
    pub count: usize,
    pub dtype: DType,
}

impl Extent {
    pub fn of(shape: &Shape, dtype: DType) -> Extent {
        Extent { count: shape.count(), dtype }
    }

    pub fn bytes(self) -> usize {
        self.count * self.dtype.size()
    }
}

/// The lowered graph; nodes in topological order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lowered {
    pub nodes: Vec<Node>,
    /// Results, and after them the next value of every variable.
    pub outputs: Vec<usize>,
    pub feeds: Vec<Extent>,
    pub variables: Vec<Extent>,
}

/// Lowers `outputs` as a function of `inputs` and of `state`, pairs of a variable and its next value.
pub(crate) fn lower(outputs: &[Expr], inputs: &[Expr], state: &[(Expr, Expr)]) -> Result<Lowered, EngineError> {
    let mut lowering = Lowering { graph: Lowered::default(), seen: HashMap::new() };
    let mut place: HashMap<u64, usize> = HashMap::new();
    // Loops that share a body share its plan.
    let mut loops: HashMap<Scan, Arc<Looping>> = HashMap::new();
    for (i, input) in inputs.iter().enumerate() {
        let node = lowering.push(Kind::Feed(i), vec![], input.shape().clone(), input.dtype());
        place.insert(input.id(), node);
        lowering.graph.feeds.push(Extent::of(input.shape(), input.dtype()));
    }
    for (i, (variable, _)) in state.iter().enumerate() {
        let node = lowering.push(Kind::Variable(i), vec![], variable.shape().clone(), variable.dtype());
        place.insert(variable.id(), node);
        lowering.graph.variables.push(Extent::of(variable.shape(), variable.dtype()));
    }
    let results: Vec<Expr> = outputs.iter().chain(state.iter().map(|(_, next)| next)).cloned().collect();
    for expr in topological(&results) {
        if place.contains_key(&expr.id()) {
            continue;
        }
        let node = match expr.op() {
            Op::Input { name, .. } => return Err(EngineError::UndeclaredInput { name: name.to_string() }),
            Op::Constant(v) | Op::Param { value: v, .. } => {
                lowering.push(constant(v), vec![], v.shape().clone(), v.dtype())
            }
            Op::Scan(scan) => {
                let operands = expr.inputs().iter().map(|i| place[&i.id()]).collect();
                let looping = match loops.get(scan) {
                    Some(known) => Arc::clone(known),
                    None => loops.entry(scan.clone()).or_insert(Arc::new(Looping::new(scan)?)).clone(),
                };
                lowering.push(Kind::Loop(looping, scan.clone()), operands, expr.shape().clone(), expr.dtype())
            }
            op => {
                let operands = expr.inputs().iter().map(|i| place[&i.id()]).collect();
                lowering.apply(op, operands, expr.shape().clone(), expr.dtype())
            }
        };
        place.insert(expr.id(), node);
    }
    lowering.graph.outputs = results.iter().map(|o| place[&o.id()]).collect();
    Ok(lowering.graph)
}

/// A tensor as a node: a single element is a uniform value.
pub(crate) fn constant(value: &Tensor) -> Kind {
    if value.count() != 1 {
        return Kind::Const(value.clone());
    }
    match value.data() {
        Data::F32(v) => Kind::Uniform(f64::from(v[0])),
        Data::F64(v) => Kind::Uniform(v[0]),
        Data::I64(v) => Kind::Integer(v[0]),
        Data::Bool(v) => Kind::Integer(i64::from(v[0])),
    }
}

struct Lowering {
    graph: Lowered,
    seen: HashMap<(Key, Vec<usize>, Shape, DType), usize>,
}

impl Lowering {
    fn push(&mut self, kind: Kind, inputs: Vec<usize>, shape: Shape, dtype: DType) -> usize {
        let next = self.graph.nodes.len();
        if let Some(key) = key(&kind) {
            let entry = self.seen.entry((key, inputs.clone(), shape.clone(), dtype)).or_insert(next);
            if *entry != next {
                return *entry;
            }
        }
        self.graph.nodes.push(Node { kind, inputs, shape, dtype });
        next
    }

    // The value of a node that has one everywhere; integers may be rounded, which 0 and ±1 never are.
    fn uniform(&self, node: usize) -> Option<f64> {
        match self.graph.nodes[node].kind {
            Kind::Uniform(v) => Some(v),
            Kind::Integer(v) => Some(v as f64),
            _ => None,
        }
    }

    fn op_of(&self, node: usize) -> Option<&Op> {
        match &self.graph.nodes[node].kind {
            Kind::Op(op) => Some(op),
            _ => None,
        }
    }

    fn apply(&mut self, op: &Op, inputs: Vec<usize>, shape: Shape, dtype: DType) -> usize {
        let values: Vec<Option<f64>> = inputs.iter().map(|&i| self.uniform(i)).collect();
        let folded = if let Op::Cast(cast) = op {
            return self.cast(cast, inputs[0], shape);
        } else if dtype.is_float() {
            folded_uniform(op, &values, &self.graph, &inputs).map(Kind::Uniform)
        } else {
            folded_integer(op, &self.graph, &inputs).map(Kind::Integer)
        };
        if let Some(kind) = folded {
            return self.push(kind, vec![], shape, dtype);
        }
        match op {
            Op::StopGradient(_) => return inputs[0],
            Op::Select(_) if values[0].is_some() => return inputs[if values[0] != Some(0.0) { 1 } else { 2 }],
            Op::Binary(Binary::Add) if values[1] == Some(0.0) => return inputs[0],
            Op::Binary(Binary::Add) if values[0] == Some(0.0) => return inputs[1],
            Op::Binary(Binary::Add) => {
                if let Some((axis, parts)) = concatenated(&self.graph, inputs[0], inputs[1]) {
                    return self.push(Kind::Op(Op::Concat(Concat { axis })), parts, shape, dtype);
                }
            }
            Op::Binary(Binary::Sub) if values[1] == Some(0.0) => return inputs[0],
            Op::Binary(Binary::Sub) if values[0] == Some(0.0) => {
                return self.apply(&Op::Unary(Unary::Neg), vec![inputs[1]], shape, dtype);
            }
            Op::Binary(Binary::Mul | Binary::Div) if values[1] == Some(1.0) => return inputs[0],
            Op::Binary(Binary::Mul) if values[0] == Some(1.0) => return inputs[1],
            Op::Binary(Binary::Mul) if values[1] == Some(-1.0) => {
                return self.apply(&Op::Unary(Unary::Neg), vec![inputs[0]], shape, dtype);
            }
            Op::Unary(Unary::Neg) if matches!(self.op_of(inputs[0]), Some(Op::Unary(Unary::Neg))) => {
                return self.graph.nodes[inputs[0]].inputs[0];
            }
            Op::Reshape(_) if self.graph.nodes[inputs[0]].shape == shape => return inputs[0],
            Op::Reshape(_) if matches!(self.op_of(inputs[0]), Some(Op::Reshape(_))) => {
                let source = self.graph.nodes[inputs[0]].inputs[0];
                return self.apply(op, vec![source], shape, dtype);
            }
            _ => {}
        }
        self.push(Kind::Op(op.clone()), inputs, shape, dtype)
    }
}

impl Lowering {
    fn cast(&mut self, cast: &Cast, x: usize, shape: Shape) -> usize {
        let node = &self.graph.nodes[x];
        if node.dtype == cast.to {
            return x;
        }
        let scalar = match node.kind {
            Kind::Uniform(v) => Tensor::from_f64([], node.dtype, vec![v]).ok(),
            Kind::Integer(v) if node.dtype == DType::I64 => Some(Tensor::scalar(v)),
            Kind::Integer(v) => Some(Tensor::scalar(v != 0)),
            _ => None,
        };
        match scalar {
            Some(value) => self.push(constant(&value.to_dtype(cast.to)), vec![], shape, cast.to),
            None => self.push(Kind::Op(Op::Cast(*cast)), vec![x], shape, cast.to),
        }
    }
}

// The value of a primitive whose operands have one known value everywhere, where the result has too.
fn folded_uniform(op: &Op, values: &[Option<f64>], graph: &Lowered, inputs: &[usize]) -> Option<f64> {
    match op {
        Op::Unary(f) => Some(f.value(values[0]?)),
        Op::Binary(f) => Some(f.value(values[0]?, values[1]?)),
        Op::Compare(f) => Some(f64::from(u8::from(f.holds(values[0]?, values[1]?)))),
        Op::Reshape(_) | Op::Transpose(_) | Op::Broadcast(_) | Op::Slice(_) | Op::Reverse(_) | Op::ReduceMax(_) => {
            values[0]
        }
        Op::ReduceSum(r) => {
            let n: usize = r.axes.iter().map(|&a| graph.nodes[inputs[0]].shape[a]).product();
            Some(values[0]? * n as f64)
        }
        Op::Pad(_) if values[0] == Some(0.0) => Some(0.0),
        Op::Concat(_) => {
            let first = values.first().copied().flatten()?;
            values.iter().all(|&v| v == Some(first)).then_some(first)
        }
        _ => None,
    }
}

// The same for integers and truth values, where only the primitives that move a value are worth it.
fn folded_integer(op: &Op, graph: &Lowered, inputs: &[usize]) -> Option<i64> {
    match (op, &graph.nodes[*inputs.first()?].kind) {
        (
            Op::Reshape(_) | Op::Transpose(_) | Op::Broadcast(_) | Op::Slice(_) | Op::Reverse(_),
            Kind::Integer(value),
        ) => Some(*value),
        _ => None,
    }
}
