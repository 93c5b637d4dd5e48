//! From a graph to layers over one numbering of scalars.
//!
//! Operations that move elements become no layer: the value of a node is a list of the scalars that stand in it. Values
//! that do not depend on the input are constants, whatever their node's arithmetic makes of them.

mod elementwise;
mod index;
mod linear;
mod movement;
mod pooling;

use super::network::{Affine, Kind, Layer, Network, ZERO};
use perturb_graph::{Expr, Graph, Op, Tensor, Unary, dependents, eval, topological};
use std::collections::{HashMap, HashSet};

/// Why a graph cannot be checked.
pub(crate) type Reason = String;

/// Which scalar stands where in a node's value, row-major; [`ZERO`] where the constant 0 does.
#[derive(Clone)]
struct Value {
    elements: Vec<u32>,
    /// The affine layer whose results these are, each of them once, while no other node uses them.
    owned: Option<usize>,
}

/// What an operation is applied to.
enum Operand<'a> {
    Varying(&'a Value),
    Known(&'a Tensor),
}

struct Lowering {
    network: Network,
    values: HashMap<u64, Value>,
    constants: HashMap<u64, Tensor>,
    uses: HashMap<u64, usize>,
}

/// The layers of a graph with one input and one output.
pub(crate) fn lower(graph: &Graph) -> Result<Network, Reason> {
    let ([input], [(_, output)]) = (graph.inputs.as_slice(), graph.outputs.as_slice()) else {
        let (inputs, outputs) = (graph.inputs.len(), graph.outputs.len());
        return Err(format!("it has {inputs} inputs and {outputs} outputs, but one of each is needed"));
    };
    if !input.dtype().is_float() || !output.dtype().is_float() {
        let (input, output) = (input.dtype(), output.dtype());
        return Err(format!("it maps {input} to {output}, but floating-point inputs and outputs are needed"));
    }
    if input.shape().count() >= ZERO as usize {
        return Err(format!("it has {ZERO} inputs or more"));
    }
    let varying = dependents(std::slice::from_ref(output), std::slice::from_ref(input));
    let nodes: Vec<Expr> = topological(std::slice::from_ref(output))
        .into_iter()
        .filter(|n| varying.contains(&n.id()) && n.id() != input.id())
        .collect();
    let mut lowering = Lowering::new(input);
    lowering.evaluate_constants(&nodes, output)?;
    for node in &nodes {
        for operand in node.inputs() {
            *lowering.uses.entry(operand.id()).or_insert(0) += 1;
        }
    }
    for node in &nodes {
        let value = lowering.node(node).map_err(|reason| format!("{node:?}: {reason}"))?;
        if lowering.network.scalars() >= ZERO as usize {
            return Err(format!("it computes {ZERO} numbers or more"));
        }
        lowering.values.insert(node.id(), value);
    }
    lowering.network.outputs = lowering.scalars(output)?;
    Ok(lowering.network)
}

impl Lowering {
    fn new(input: &Expr) -> Lowering {
        let inputs = input.shape().count();
        let network = Network { inputs, layers: Vec::new(), outputs: Vec::new(), activations: Vec::new() };
        let value = Value { elements: (0..inputs as u32).collect(), owned: None };
        let values = HashMap::from([(input.id(), value)]);
        Lowering { network, values, constants: HashMap::new(), uses: HashMap::new() }
    }

    // The values of everything that does not depend on the input but is used by what does.
    fn evaluate_constants(&mut self, nodes: &[Expr], output: &Expr) -> Result<(), Reason> {
        let varying: HashSet<u64> = nodes.iter().map(Expr::id).chain(self.values.keys().copied()).collect();
        let operands = nodes.iter().flat_map(|n| n.inputs()).chain([output]);
        let known: HashMap<u64, Expr> =
            operands.filter(|o| !varying.contains(&o.id())).map(|o| (o.id(), o.clone())).collect();
        let known: Vec<Expr> = known.into_values().collect();
        let tensors = eval(&known, &[]).map_err(|e| e.to_string())?;
        self.constants = known.iter().map(Expr::id).zip(tensors).collect();
        Ok(())
    }

    fn node(&mut self, node: &Expr) -> Result<Value, Reason> {
        match node.op() {
            Op::Reshape(_) | Op::StopGradient(_) => Ok(self.kept(node)),
            Op::Cast(_) if node.dtype().is_float() && node.inputs()[0].dtype().is_float() => Ok(self.kept(node)),
            Op::Transpose(_) | Op::Reverse(_) => Ok(Value { owned: self.owned(node), ..self.moved(node)? }),
            Op::Broadcast(_) | Op::Slice(_) | Op::Pad(_) | Op::Concat(_) | Op::Gather(_) => self.moved(node),
            Op::Dot(dims) => self.dot(node, dims),
            Op::Conv(conv) => self.conv(node, conv),
            Op::ReduceSum(reduce) => self.reduce_sum(node, &reduce.axes),
            Op::Binary(binary) => self.binary(node, *binary),
            Op::Unary(Unary::Neg) => self.negated(node),
            Op::Unary(unary) => self.unary(node, *unary),
            Op::ReduceMax(reduce) => self.reduce_max(node, &reduce.axes),
            Op::MaxPool(pool) => self.max_pool(node, pool),
            _ => Err("this operation cannot be checked".into()),
        }
    }

    fn operand(&self, node: &Expr, position: usize) -> Operand<'_> {
        let id = node.inputs()[position].id();
        match self.values.get(&id) {
            Some(value) => Operand::Varying(value),
            None => Operand::Known(&self.constants[&id]),
        }
    }

    // The layer that the first operand's elements are the results of, if nothing but this node uses it.
    fn owned(&self, node: &Expr) -> Option<usize> {
        let operand = node.inputs()[0].id();
        self.values.get(&operand).filter(|_| self.uses[&operand] == 1)?.owned
    }

    fn kept(&self, node: &Expr) -> Value {
        Value { elements: self.values[&node.inputs()[0].id()].elements.clone(), owned: self.owned(node) }
    }

    // Appends a layer; its results are the value.
    fn push(&mut self, kind: Kind) -> Value {
        let affine = matches!(kind, Kind::Affine(_));
        let layer = Layer { first: self.network.scalars(), kind };
        let elements = layer.results().map(|i| i as u32).collect();
        self.network.layers.push(layer);
        Value { elements, owned: affine.then(|| self.network.layers.len() - 1) }
    }

    // The scalars of an expression: constants get scalars of their own.
    fn scalars(&mut self, expr: &Expr) -> Result<Vec<u32>, Reason> {
        if let Some(tensor) = self.constants.get(&expr.id()) {
            let bias = finite(tensor)?;
            return Ok(self.push(Kind::Affine(Affine { bias, ..Affine::default() })).elements);
        }
        let mut elements = self.values[&expr.id()].elements.clone();
        if elements.contains(&ZERO) {
            let zero = self.push(Kind::Affine(Affine::new(1))).elements[0];
            elements.iter_mut().filter(|e| **e == ZERO).for_each(|e| *e = zero);
        }
        Ok(elements)
    }
}

fn finite(tensor: &Tensor) -> Result<Vec<f64>, Reason> {
    let values = tensor.to_f64_vec();
    match values.iter().find(|v| !v.is_finite()) {
        Some(v) => Err(format!("a constant is {v}")),
        None => Ok(values),
    }
}
