//! Turns a model's messages into a [`Graph`].

use crate::declared::{count_operators, element_types, label};
use crate::decode::{self, Code};
use crate::error::{NodeError, OnnxError, Result, Unsupported};
use crate::node::Node;
use crate::ops;
use crate::order::Wiring;
use crate::proto::{GraphProto, NodeProto, ValueInfoProto};
use crate::read::{OnnxModel, is_standard};
use crate::value::Value;
use perturb_graph::{DType, Expr, Graph, Shape};
use std::collections::{BTreeMap, HashMap, HashSet};

/// How a model becomes a graph.
#[derive(Clone, Debug)]
pub struct ImportOptions {
    /// Type of all floating-point arithmetic, whatever the file's own: [`DType::F32`] or [`DType::F64`].
    pub dtype: DType,
    /// Sizes of symbolic dimensions by name; every other symbolic or unknown dimension is 1.
    pub dims: HashMap<String, usize>,
}

impl Default for ImportOptions {
    fn default() -> Self {
        ImportOptions { dtype: DType::F32, dims: HashMap::new() }
    }
}

/// Imports a model as a graph for one example: symbolic dimensions, such as a batch, are 1 unless
/// [`ImportOptions::dims`] says otherwise.
///
/// Floating-point initializers become parameters under their own names, inputs and outputs keep theirs, and whatever
/// depends on constants alone, like the shapes that exporters compute node by node, is computed now.
///
/// # Errors
/// [`OnnxError::Unsupported`] names everything in the file that is not supported, not only the first; other errors
/// say what is malformed and where.
pub fn import(model: &OnnxModel, options: &ImportOptions) -> Result<Graph> {
    let Some(graph) = &model.proto.graph else { return Err(OnnxError::Graph("there is no graph".to_string())) };
    if !options.dtype.is_float() {
        return Err(OnnxError::Graph(format!("arithmetic in {} is not possible; choose f32 or f64", options.dtype)));
    }
    let types = element_types(graph);
    let mut importer = Importer { model, graph, options, types, values: HashMap::new(), needs: Vec::new() };
    importer.read_initializers()?;
    let inputs = importer.read_inputs()?;
    let available = importer.values.keys().copied().collect();
    let wiring = Wiring::new(graph, available)?;
    for index in wiring.order()? {
        importer.run(index)?;
    }
    importer.finish(inputs)
}

/// What a value's name stands for; `None` once something that it needs turned out to be unsupported.
type Slot = Option<Value>;

struct Importer<'a> {
    model: &'a OnnxModel,
    graph: &'a GraphProto,
    options: &'a ImportOptions,
    types: HashMap<&'a str, Code>,
    values: HashMap<&'a str, Slot>,
    needs: Vec<Unsupported>,
}

impl<'a> Importer<'a> {
    fn read_initializers(&mut self) -> Result<()> {
        if !self.graph.sparse_initializer.is_empty() {
            return Err(OnnxError::Graph(
                "sparse initializers are not supported; store them as dense tensors".to_string(),
            ));
        }
        for proto in &self.graph.initializer {
            let tensor = decode::tensor(proto, self.model.folder.as_deref())?;
            let value = if tensor.dtype().is_float() {
                Value::Param(Expr::param(proto.name.as_str(), tensor.to_dtype(self.options.dtype)))
            } else {
                Value::Host(tensor)
            };
            if proto.name.is_empty() || self.values.insert(&proto.name, Some(value)).is_some() {
                return Err(OnnxError::Graph(format!(
                    "two initializers are named {:?}, or it has no name",
                    proto.name
                )));
            }
        }
        Ok(())
    }

    /// The inputs that are not initializers: old files list those, too.
    fn read_inputs(&mut self) -> Result<Vec<Expr>> {
        let initializers: HashSet<&str> = self.values.keys().copied().collect();
        let declared: Vec<&ValueInfoProto> =
            self.graph.input.iter().filter(|i| !initializers.contains(i.name.as_str())).collect();
        self.check_dimension_names(&declared)?;
        let mut inputs = Vec::new();
        for proto in declared {
            let expr = self.read_input(proto)?;
            if proto.name.is_empty() || self.values.insert(&proto.name, Some(Value::Expr(expr.clone()))).is_some() {
                return Err(OnnxError::Graph(format!("two inputs are named {:?}, or it has no name", proto.name)));
            }
            inputs.push(expr);
        }
        Ok(inputs)
    }

    fn check_dimension_names(&self, inputs: &[&ValueInfoProto]) -> Result<()> {
        let mut available: Vec<String> = inputs
            .iter()
            .filter_map(|i| i.r#type.as_ref()?.tensor_type.as_ref()?.shape.as_ref())
            .flat_map(|s| s.dim.iter().filter_map(|d| d.dim_param.clone()))
            .filter(|name| !name.is_empty())
            .collect();
        available.sort();
        available.dedup();
        match self.options.dims.keys().find(|name| !available.contains(name)) {
            Some(name) => Err(OnnxError::Dimension { name: name.clone(), available }),
            None => Ok(()),
        }
    }

    fn read_input(&self, proto: &ValueInfoProto) -> Result<Expr> {
        let fail = |reason: String| OnnxError::Input { name: proto.name.clone(), reason };
        let Some(tensor) = proto.r#type.as_ref().and_then(|t| t.tensor_type.as_ref()) else {
            return Err(fail(
                "it is not a dense tensor; sequences, maps and optional values are not supported".to_string(),
            ));
        };
        let code = Code::from_number(tensor.elem_type).map_err(fail)?;
        let dtype = match code {
            _ if code.is_float() => self.options.dtype,
            Code::Bool => DType::Bool,
            _ => DType::I64,
        };
        let Some(shape) = &tensor.shape else {
            return Err(fail(
                "its number of axes is not declared; run onnx.shape_inference or export with fixed axes".to_string(),
            ));
        };
        let mut sizes = Vec::new();
        for (axis, dim) in shape.dim.iter().enumerate() {
            let chosen = dim.dim_param.as_ref().and_then(|name| self.options.dims.get(name));
            // Some exporters write −1 or 0 for a size that is not fixed.
            let size = match (dim.dim_value, chosen) {
                (_, Some(&size)) => size as i64,
                (Some(size), None) if size > 0 => size,
                (Some(size), None) if size < -1 => return Err(fail(format!("axis {axis} has size {size}"))),
                _ => 1,
            };
            if size <= 0 {
                return Err(fail(format!("axis {axis} would have size {size}")));
            }
            sizes.push(size as usize);
        }
        Expr::try_input(proto.name.as_str(), Shape::from(sizes), dtype).map_err(|e| fail(e.to_string()))
    }

    fn run(&mut self, index: usize) -> Result<()> {
        let proto = &self.graph.node[index];
        let slots: Vec<Option<&Slot>> = proto
            .input
            .iter()
            .map(|name| if name.is_empty() { None } else { self.values.get(name.as_str()) })
            .collect();
        let poisoned = slots.iter().any(|s| matches!(s, Some(None)));
        let inputs = slots.into_iter().map(|s| s.and_then(Clone::clone)).collect();
        let folder = self.model.folder.as_deref();
        let node =
            Node { proto, inputs, opset: self.model.opset, dtype: self.options.dtype, types: &self.types, folder };
        let outcome = match self.importer(proto) {
            Err(reason) => Err(NodeError::Unsupported(reason)),
            // Its operands are unknown: only its operator could be judged.
            Ok(_) if poisoned => Ok(Vec::new()),
            Ok(importer) => importer(&node).and_then(|values| complete(&node, values)).map(|v| folded(&node, v)),
        };
        match outcome {
            Ok(values) => {
                let mut values = values.into_iter();
                for name in proto.output.iter() {
                    let value = values.next();
                    if !name.is_empty() {
                        self.values.insert(name, value);
                    }
                }
                Ok(())
            }
            Err(NodeError::Unsupported(reason)) => {
                self.note(index, reason);
                proto.output.iter().filter(|n| !n.is_empty()).for_each(|n| drop(self.values.insert(n, None)));
                Ok(())
            }
            Err(NodeError::Invalid(reason)) => {
                let shape = |v: &Option<Value>| v.as_ref().map_or("omitted".to_string(), |v| v.shape().to_string());
                let shapes = node.inputs.iter().map(shape).collect();
                Err(OnnxError::Node { node: label(index, proto), op: proto.op_type.clone(), shapes, reason })
            }
        }
    }

    fn importer(&self, proto: &NodeProto) -> Result<ops::Importer, String> {
        let defines = |f: &crate::proto::FunctionProto| f.name == proto.op_type && f.domain == proto.domain;
        if self.model.proto.functions.iter().any(defines) {
            return Err(
                "operators that the model defines itself; inline them with onnx.inliner.inline_local_functions".into(),
            );
        }
        if !is_standard(&proto.domain) {
            return Err(format!("the importer knows no operators of domain {:?}", proto.domain));
        }
        ops::importer(&proto.op_type).ok_or_else(|| ops::refusal(&proto.op_type).to_string())
    }

    fn note(&mut self, index: usize, reason: String) {
        let proto = &self.graph.node[index];
        let same = |n: &&mut Unsupported| n.op == proto.op_type && n.domain == proto.domain && n.reason == reason;
        match self.needs.iter_mut().find(same) {
            Some(known) => known.count += 1,
            None => self.needs.push(Unsupported {
                op: proto.op_type.clone(),
                domain: proto.domain.clone(),
                count: 1,
                first_node: label(index, proto),
                reason,
            }),
        }
    }

    fn finish(self, inputs: Vec<Expr>) -> Result<Graph> {
        if !self.needs.is_empty() {
            let mut counts = BTreeMap::new();
            count_operators(self.graph, &mut counts);
            let required = counts.into_iter().map(|(op, n)| format!("{op} ×{n}")).collect();
            return Err(OnnxError::Unsupported { needs: self.needs, required, supported: ops::supported() });
        }
        if self.graph.output.is_empty() {
            return Err(OnnxError::Graph("there are no outputs".to_string()));
        }
        let mut outputs: Vec<(String, Expr)> = Vec::new();
        for proto in &self.graph.output {
            let expr = match self.values.get(proto.name.as_str()) {
                Some(Some(Value::Host(t))) if t.dtype().is_float() => Expr::constant(t.to_dtype(self.options.dtype)),
                Some(Some(Value::Host(t))) => Expr::constant(t.clone()),
                Some(Some(Value::Param(e) | Value::Expr(e))) => e.clone(),
                _ => return Err(OnnxError::Graph(format!("nothing computes output {:?}", proto.name))),
            };
            // Inside, truth values are numbers; whoever reads the output wants what the file promises.
            let declared = proto.r#type.as_ref().and_then(|t| t.tensor_type.as_ref()).map(|t| t.elem_type);
            let truth = declared.is_some_and(|code| Code::from_number(code) == Ok(Code::Bool));
            let expr = if truth { crate::value::cast(&expr, DType::Bool).unwrap_or(expr) } else { expr };
            if outputs.iter().any(|(name, _)| *name == proto.name) {
                return Err(OnnxError::Graph(format!("two outputs are named {:?}", proto.name)));
            }
            outputs.push((proto.name.clone(), expr));
        }
        Graph::new(inputs, outputs).map_err(|e| OnnxError::Graph(e.to_string()))
    }
}

/// Checks that an importer made every output that is used, and that products of their sizes cannot overflow.
fn complete(node: &Node, values: Vec<Value>) -> Result<Vec<Value>, NodeError> {
    for value in &values {
        let sizes: Vec<i64> = value.shape().iter().map(|&d| d as i64).collect();
        crate::node::shape(&sizes, "result")?;
    }
    match (values.len()..node.proto.output.len()).find(|&i| node.wants(i)) {
        Some(i) => Err(NodeError::Unsupported(format!("output {i}"))),
        None => Ok(values),
    }
}

/// Results of constants alone become constants.
fn folded(node: &Node, values: Vec<Value>) -> Vec<Value> {
    if !node.inputs.iter().flatten().all(|v| matches!(v, Value::Host(_))) {
        return values;
    }
    let fold = |value: Value| match value.known() {
        Some(tensor) if matches!(value, Value::Expr(_)) => Value::Host(tensor),
        _ => value,
    };
    values.into_iter().map(fold).collect()
}
