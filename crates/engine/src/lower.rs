//! From expressions to a list of nodes: dead code is dropped, equal nodes become one, and trivial arithmetic vanishes.

use crate::EngineError;
use perturb_graph::{
    Binary, Broadcast, Compare, Concat, Convolution, DType, DotDims, Expr, MaxPool, Op, Pad, ReduceMax, ReduceSum,
    Reshape, Reverse, Select, Shape, Slice, Tensor, Transpose, Unary, topological,
};
use std::collections::HashMap;

/// What a node is.
#[derive(Clone, Debug)]
pub(crate) enum Kind {
    /// The `i`-th input.
    Feed(usize),
    /// A constant.
    Const(Tensor),
    /// One value everywhere.
    Uniform(f64),
    /// A primitive applied to earlier nodes.
    Op(Op),
}

/// One value.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub kind: Kind,
    pub inputs: Vec<usize>,
    pub shape: Shape,
}

/// The lowered graph; nodes in topological order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lowered {
    pub nodes: Vec<Node>,
    pub outputs: Vec<usize>,
}

// What makes two nodes equal, beside their operands and shape.
#[derive(PartialEq, Eq, Hash)]
enum Key {
    Uniform(u64),
    Unary(Unary),
    Binary(Binary),
    Compare(Compare),
    Select(Select),
    Reshape(Reshape),
    Transpose(Transpose),
    Broadcast(Broadcast),
    Slice(Slice),
    Pad(Pad),
    Reverse(Reverse),
    Concat(Concat),
    ReduceSum(ReduceSum),
    ReduceMax(ReduceMax),
    Dot(DotDims),
    Conv(Convolution),
    MaxPool(MaxPool),
}

fn key(kind: &Kind) -> Option<Key> {
    Some(match kind {
        Kind::Uniform(v) => Key::Uniform(v.to_bits()),
        Kind::Feed(_) | Kind::Const(_) => return None,
        Kind::Op(op) => match op.clone() {
            Op::Unary(p) => Key::Unary(p),
            Op::Binary(p) => Key::Binary(p),
            Op::Compare(p) => Key::Compare(p),
            Op::Select(p) => Key::Select(p),
            Op::Reshape(p) => Key::Reshape(p),
            Op::Transpose(p) => Key::Transpose(p),
            Op::Broadcast(p) => Key::Broadcast(p),
            Op::Slice(p) => Key::Slice(p),
            Op::Pad(p) => Key::Pad(p),
            Op::Reverse(p) => Key::Reverse(p),
            Op::Concat(p) => Key::Concat(p),
            Op::ReduceSum(p) => Key::ReduceSum(p),
            Op::ReduceMax(p) => Key::ReduceMax(p),
            Op::Dot(p) => Key::Dot(p),
            Op::Conv(p) => Key::Conv(p),
            Op::MaxPool(p) => Key::MaxPool(p),
            Op::StopGradient(_) | Op::Input { .. } | Op::Param { .. } | Op::Constant(_) => return None,
            Op::Scan(_)
            | Op::Fft(_)
            | Op::Cholesky(_)
            | Op::TriangularSolve(_)
            | Op::Solve(_)
            | Op::Qr(_)
            | Op::Eigh(_)
            | Op::Svd(_)
            | Op::RandomBits(_) => return None,
        },
    })
}

/// Lowers `outputs` as a function of `inputs`, all in element type `dtype`.
pub(crate) fn lower(outputs: &[Expr], inputs: &[Expr], dtype: DType) -> Result<Lowered, EngineError> {
    let mut lowering = Lowering { graph: Lowered::default(), seen: HashMap::new() };
    let mut place: HashMap<u64, usize> = HashMap::new();
    for (i, input) in inputs.iter().enumerate() {
        let node = lowering.push(Kind::Feed(i), vec![], input.shape().clone());
        place.insert(input.id(), node);
    }
    for expr in topological(outputs) {
        if place.contains_key(&expr.id()) {
            continue;
        }
        if expr.dtype() != dtype {
            let op = expr.op().name().to_string();
            return Err(EngineError::MixedTypes { op, expected: dtype, found: expr.dtype() });
        }
        let node = match expr.op() {
            Op::Input { name, .. } => return Err(EngineError::UndeclaredInput { name: name.to_string() }),
            Op::Constant(v) | Op::Param { value: v, .. } if v.count() == 1 => {
                lowering.push(Kind::Uniform(v.to_f64_vec()[0]), vec![], v.shape().clone())
            }
            Op::Constant(v) | Op::Param { value: v, .. } => {
                lowering.push(Kind::Const(v.clone()), vec![], v.shape().clone())
            }
            op => {
                let operands = expr.inputs().iter().map(|i| place[&i.id()]).collect();
                lowering.apply(op, operands, expr.shape().clone())
            }
        };
        place.insert(expr.id(), node);
    }
    lowering.graph.outputs = outputs.iter().map(|o| place[&o.id()]).collect();
    Ok(lowering.graph)
}

struct Lowering {
    graph: Lowered,
    seen: HashMap<(Key, Vec<usize>, Shape), usize>,
}

impl Lowering {
    fn push(&mut self, kind: Kind, inputs: Vec<usize>, shape: Shape) -> usize {
        let next = self.graph.nodes.len();
        if let Some(key) = key(&kind) {
            let entry = self.seen.entry((key, inputs.clone(), shape.clone())).or_insert(next);
            if *entry != next {
                return *entry;
            }
        }
        self.graph.nodes.push(Node { kind, inputs, shape });
        next
    }

    fn uniform(&self, node: usize) -> Option<f64> {
        match self.graph.nodes[node].kind {
            Kind::Uniform(v) => Some(v),
            _ => None,
        }
    }

    fn op_of(&self, node: usize) -> Option<&Op> {
        match &self.graph.nodes[node].kind {
            Kind::Op(op) => Some(op),
            _ => None,
        }
    }

    fn apply(&mut self, op: &Op, inputs: Vec<usize>, shape: Shape) -> usize {
        let values: Vec<Option<f64>> = inputs.iter().map(|&i| self.uniform(i)).collect();
        if let Some(value) = folded_uniform(op, &values, &self.graph, &inputs) {
            return self.push(Kind::Uniform(value), vec![], shape);
        }
        match op {
            Op::StopGradient(_) => return inputs[0],
            Op::Select(_) if values[0].is_some() => return inputs[if values[0] != Some(0.0) { 1 } else { 2 }],
            Op::Binary(Binary::Add) if values[1] == Some(0.0) => return inputs[0],
            Op::Binary(Binary::Add) if values[0] == Some(0.0) => return inputs[1],
            Op::Binary(Binary::Sub) if values[1] == Some(0.0) => return inputs[0],
            Op::Binary(Binary::Sub) if values[0] == Some(0.0) => {
                return self.apply(&Op::Unary(Unary::Neg), vec![inputs[1]], shape);
            }
            Op::Binary(Binary::Mul | Binary::Div) if values[1] == Some(1.0) => return inputs[0],
            Op::Binary(Binary::Mul) if values[0] == Some(1.0) => return inputs[1],
            Op::Binary(Binary::Mul) if values[1] == Some(-1.0) => {
                return self.apply(&Op::Unary(Unary::Neg), vec![inputs[0]], shape);
            }
            Op::Unary(Unary::Neg) if matches!(self.op_of(inputs[0]), Some(Op::Unary(Unary::Neg))) => {
                return self.graph.nodes[inputs[0]].inputs[0];
            }
            Op::Reshape(_) if self.graph.nodes[inputs[0]].shape == shape => return inputs[0],
            Op::Reshape(_) if matches!(self.op_of(inputs[0]), Some(Op::Reshape(_))) => {
                let source = self.graph.nodes[inputs[0]].inputs[0];
                return self.apply(op, vec![source], shape);
            }
            _ => {}
        }
        self.push(Kind::Op(op.clone()), inputs, shape)
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
