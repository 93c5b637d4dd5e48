//! The file's graph while it is written: nodes, constants, and where each value of our graph stands in it.

use super::encode::{self, int};
use super::error::ExportError;
use crate::proto::{AttributeProto, GraphProto, NodeProto, TensorProto, ValueInfoProto};
use perturb_graph::{DType, Expr, Shape, Tensor};
use std::collections::{HashMap, HashSet};

/// Where a value stands in the file.
///
/// Our elementwise primitives take operands of one shape and the standard's broadcast, so repetition is left to the
/// operators that do it anyway: what is stored may have size 1, or no axis at all at the front, where values repeat.
#[derive(Clone)]
pub(super) struct Stored {
    pub(super) name: String,
    /// Broadcasts, by NumPy's rule, to the value's own shape.
    pub(super) shape: Shape,
}

/// Collects nodes and constants.
#[derive(Default)]
pub(super) struct Writer {
    nodes: Vec<NodeProto>,
    initializers: Vec<TensorProto>,
    values: HashMap<u64, Stored>,
    /// Values of 0 and 1 that also exist as truth values.
    masks: HashMap<u64, Stored>,
    /// Names in use.
    names: HashSet<String>,
    /// What each reshaped value was before.
    reshaped: HashMap<String, Stored>,
    /// Small constants that exist already.
    constants: HashMap<(i32, Vec<i64>, Vec<u8>), String>,
    count: usize,
}

impl Writer {
    /// Reserves a name; false if it is taken.
    pub(super) fn reserve(&mut self, name: &str) -> bool {
        self.names.insert(name.to_string())
    }

    fn fresh(&mut self, stem: &str) -> String {
        loop {
            let name = format!("{stem}_{}", self.count);
            self.count += 1;
            if self.reserve(&name) {
                return name;
            }
        }
    }

    /// Adds a node and returns the names of its results.
    pub(super) fn emit_many(
        &mut self,
        op: &str,
        inputs: &[&str],
        attributes: Vec<AttributeProto>,
        results: usize,
    ) -> Vec<String> {
        let output: Vec<String> = (0..results).map(|_| self.fresh(&op.to_lowercase())).collect();
        self.nodes.push(NodeProto {
            name: output[0].clone(),
            op_type: op.to_string(),
            input: inputs.iter().map(|s| s.to_string()).collect(),
            output: output.clone(),
            attribute: attributes,
            ..Default::default()
        });
        output
    }

    /// Adds a node of one result and returns its name.
    pub(super) fn emit(&mut self, op: &str, inputs: &[&str], attributes: Vec<AttributeProto>) -> String {
        self.emit_many(op, inputs, attributes, 1).remove(0)
    }

    /// Adds a constant, or finds an equal small one.
    pub(super) fn constant(&mut self, value: &Tensor) -> String {
        const SMALL: usize = 64;
        let proto = encode::tensor("", value);
        let key = (proto.data_type, proto.dims.clone(), proto.raw_data.to_vec());
        if value.count() <= SMALL
            && let Some(name) = self.constants.get(&key)
        {
            return name.clone();
        }
        let name = self.fresh("constant");
        self.initializers.push(TensorProto { name: name.clone(), ..proto });
        if value.count() <= SMALL {
            self.constants.insert(key, name.clone());
        }
        name
    }

    /// A constant number.
    pub(super) fn number(&mut self, value: f64, dtype: DType) -> String {
        let tensor = match dtype {
            DType::F32 => Tensor::scalar(value as f32),
            DType::F64 => Tensor::scalar(value),
            DType::I64 => Tensor::scalar(value as i64),
            DType::Bool => Tensor::scalar(value != 0.0),
        };
        self.constant(&tensor)
    }

    /// A constant list of integers: a shape, axes, bounds.
    pub(super) fn ints(&mut self, list: &[i64]) -> String {
        let shape: Shape = [list.len()].into();
        let tensor = Tensor::new(shape, list.to_vec()).unwrap_or_else(|_| Tensor::full([0], 0i64));
        self.constant(&tensor)
    }

    /// Adds a weight under its own name, or one like it if that is taken.
    pub(super) fn parameter(&mut self, name: &str, value: &Tensor) -> Stored {
        let name = if !name.is_empty() && self.reserve(name) { name.to_string() } else { self.fresh(name) };
        self.initializers.push(encode::tensor(&name, value));
        Stored { name, shape: value.shape().clone() }
    }

    /// Records where a node's value stands.
    pub(super) fn define(&mut self, node: &Expr, stored: Stored) {
        self.values.insert(node.id(), stored);
    }

    /// Records where a mask stands as truth values.
    pub(super) fn define_mask(&mut self, node: &Expr, stored: Stored) {
        self.masks.insert(node.id(), stored);
    }

    /// Where the value of a node that was written before stands.
    ///
    /// # Errors
    /// If it was not, which would be a mistake in the order of writing.
    pub(super) fn stored(&self, node: &Expr) -> Result<Stored, ExportError> {
        let missing = || ExportError::Unsupported {
            op: node.op().name().to_string(),
            reason: "it was not written before its use".to_string(),
        };
        self.values.get(&node.id()).cloned().ok_or_else(missing)
    }

    /// Name of the value in its own shape.
    pub(super) fn full(&mut self, node: &Expr) -> Result<String, ExportError> {
        let stored = self.stored(node)?;
        if stored.shape == *node.shape() {
            return Ok(stored.name);
        }
        let shape = self.ints(&encode::signed(node.shape()));
        let name = self.emit("Expand", &[&stored.name, &shape], vec![]);
        self.define(node, Stored { name: name.clone(), shape: node.shape().clone() });
        Ok(name)
    }

    /// The value with as many axes as its node, those that repeat having size 1.
    pub(super) fn ranked(&mut self, node: &Expr) -> Result<Stored, ExportError> {
        let stored = self.stored(node)?;
        let missing = node.rank() - stored.shape.len();
        let shape: Shape = vec![1; missing].into_iter().chain(stored.shape.iter().copied()).collect();
        Ok(self.reshape(&stored, shape))
    }

    /// Truth values of a mask: where it is not 0.
    pub(super) fn mask(&mut self, node: &Expr) -> Result<Stored, ExportError> {
        if let Some(mask) = self.masks.get(&node.id()) {
            return Ok(mask.clone());
        }
        let stored = self.stored(node)?;
        let mask = Stored { name: self.cast(&stored.name, encode::BOOL), ..stored };
        self.define_mask(node, mask.clone());
        Ok(mask)
    }

    /// Adds a conversion to the element type with the standard's number `code`.
    pub(super) fn cast(&mut self, name: &str, code: i32) -> String {
        self.emit("Cast", &[name], vec![int("to", i64::from(code))])
    }

    /// The same elements under another shape; several reshapes in a row become one.
    pub(super) fn reshape(&mut self, value: &Stored, shape: impl Into<Shape>) -> Stored {
        let shape = shape.into();
        let source = self.reshaped.get(&value.name).cloned().unwrap_or_else(|| value.clone());
        if source.shape == shape {
            return source;
        }
        let target = self.ints(&encode::signed(&shape));
        // Without the attribute, a size of 0 would mean "as before".
        let attributes = if shape.contains(&0) { vec![int("allowzero", 1)] } else { vec![] };
        let name = self.emit("Reshape", &[&source.name, &target], attributes);
        self.reshaped.insert(name.clone(), source);
        Stored { name, shape }
    }

    /// The axes in another order.
    pub(super) fn transpose(&mut self, value: &Stored, perm: &[usize]) -> Stored {
        if perm.iter().enumerate().all(|(i, &p)| i == p) {
            return value.clone();
        }
        let name = self.emit("Transpose", &[&value.name], vec![encode::ints("perm", perm)]);
        Stored { name, shape: perm.iter().map(|&p| value.shape[p]).collect() }
    }

    /// Elements `from, from + step, …` before `to` along each of `axes`; `to` may be beyond every end.
    pub(super) fn slice(&mut self, name: &str, axes: &[usize], from: &[i64], to: &[i64], step: &[i64]) -> String {
        let [from, to, axes, step] = [from, to, &encode::signed(axes), step].map(|list| self.ints(list));
        self.emit("Slice", &[name, &from, &to, &axes, &step], vec![])
    }

    /// Writes a graph within the graph: what `write` adds goes there, and the names that it returns are its results.
    /// Values of the surroundings are used by their names; nothing of the inside is left for them.
    pub(super) fn nested(
        &mut self,
        name: &str,
        input: Vec<ValueInfoProto>,
        write: impl FnOnce(&mut Writer) -> Result<Vec<(ValueInfoProto, String)>, ExportError>,
    ) -> Result<GraphProto, ExportError> {
        let outside = std::mem::take(&mut self.nodes);
        let (values, masks) = (self.values.clone(), self.masks.clone());
        let outputs = write(self);
        (self.values, self.masks) = (values, masks);
        let nodes = std::mem::replace(&mut self.nodes, outside);
        Ok(complete(name, nodes, input, outputs?))
    }

    /// The graph that computes `outputs`, given by name, without what they do not need.
    pub(super) fn finish(
        self,
        name: &str,
        input: Vec<ValueInfoProto>,
        outputs: Vec<(ValueInfoProto, String)>,
    ) -> GraphProto {
        let mut graph = complete(name, self.nodes, input, outputs);
        let needed = references(&graph);
        graph.initializer = self.initializers.into_iter().filter(|t| needed.contains(&t.name)).collect();
        graph
    }

    /// A name for something of the kind `stem`.
    pub(super) fn fresh_name(&mut self, stem: &str) -> String {
        self.fresh(stem)
    }
}

/// A graph of the nodes that its outputs need, which get the names that they are declared with.
fn complete(
    name: &str,
    mut nodes: Vec<NodeProto>,
    input: Vec<ValueInfoProto>,
    outputs: Vec<(ValueInfoProto, String)>,
) -> GraphProto {
    let mut renamed: HashMap<String, String> = HashMap::new();
    let computed: HashSet<String> = nodes.iter().flat_map(|n| n.output.iter().cloned()).collect();
    for (info, value) in &outputs {
        if computed.contains(value) && !renamed.contains_key(value) {
            renamed.insert(value.clone(), info.name.clone());
        } else {
            // An input, a constant, or what another output is already.
            let op_type = "Identity".to_string();
            let (input, output) = (vec![value.clone()], vec![info.name.clone()]);
            nodes.push(NodeProto { op_type, input, output, ..Default::default() });
        }
    }
    rename(&mut nodes, &renamed);
    let output: Vec<ValueInfoProto> = outputs.into_iter().map(|(info, _)| info).collect();
    let mut needed: HashSet<String> = output.iter().map(|o| o.name.clone()).collect();
    let mut node: Vec<NodeProto> = Vec::new();
    for candidate in nodes.into_iter().rev() {
        if candidate.output.iter().any(|o| needed.contains(o)) {
            needed.extend(candidate.input.iter().cloned());
            needed.extend(candidate.attribute.iter().filter_map(|a| a.g.as_ref()).flat_map(references));
            node.push(candidate);
        }
    }
    node.reverse();
    GraphProto { node, name: name.to_string(), input, output, ..Default::default() }
}

/// Renames values wherever nodes compute or use them, also in the graphs that nodes carry.
fn rename(nodes: &mut [NodeProto], renamed: &HashMap<String, String>) {
    for node in nodes {
        for name in node.input.iter_mut().chain(&mut node.output) {
            if let Some(new) = renamed.get(name) {
                *name = new.clone();
            }
        }
        node.attribute.iter_mut().filter_map(|a| a.g.as_mut()).for_each(|g| rename(&mut g.node, renamed));
    }
}

/// Every name that a graph's nodes use, also in the graphs that they carry.
fn references(graph: &GraphProto) -> HashSet<String> {
    let nested = graph.node.iter().flat_map(|n| &n.attribute).filter_map(|a| a.g.as_ref()).flat_map(references);
    graph.node.iter().flat_map(|n| n.input.iter().cloned()).chain(nested).collect()
}
