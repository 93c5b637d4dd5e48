//! Graphs to ONNX models: of a network, of its gradient, of its bounds, of whatever a transform made.

mod contraction;
mod convolution;
mod elementwise;
mod encode;
mod error;
mod external;
mod indexing;
mod layout;
mod pooling;
mod scan;
mod spectral;
mod writer;

pub use error::ExportError;

use crate::proto::{ModelProto, OperatorSetIdProto};
use crate::read::MAX_MODEL_BYTES;
use perturb_graph::{Expr, Graph, Op, topological};
use prost::Message;
use std::path::Path;
use writer::{Stored, Writer};

/// Version of the operator set that exported models are written in, the lowest that has every operator they need.
pub const EXPORT_OPSET: i64 = 18;

/// Version of the file format that came with [`EXPORT_OPSET`].
const IR_VERSION: i64 = 8;

/// What an exported file says about itself.
#[derive(Clone, Debug)]
pub struct ExportOptions {
    /// Name of the graph.
    pub name: String,
    /// What the model is, for people.
    pub description: String,
    /// Largest model in bytes: at most the limit of a protobuf message, which is the default. What is larger
    /// [`export`] refuses and [`save`] splits.
    pub max_bytes: u64,
}

impl Default for ExportOptions {
    fn default() -> Self {
        ExportOptions { name: "graph".into(), description: String::new(), max_bytes: MAX_MODEL_BYTES }
    }
}

/// Writes a graph as an ONNX model that computes the same values in the same element types.
///
/// Inputs, outputs and parameters keep their names (a parameter whose name is taken gets a number after it); shapes
/// are fixed. Values that our graph repeats explicitly are broadcast by the operators that use them, masks are truth
/// values wherever they only select. What nothing but the derivative rule of a node tells, such as where a gradient
/// stops, is lost.
///
/// # Errors
/// If the standard has no operators for a primitive, if two inputs or outputs have one name or none, or if the model
/// exceeds [`ExportOptions::max_bytes`].
pub fn export(graph: &Graph, options: &ExportOptions) -> Result<Vec<u8>, ExportError> {
    let model = model(graph, options)?;
    let (bytes, limit) = (model.encoded_len() as u64, options.limit());
    if bytes > limit {
        return Err(ExportError::TooLarge { bytes, limit });
    }
    Ok(model.encode_to_vec())
}

/// Writes a graph to a file, see [`export`]. The weights of a model that is too large for one go to a second file
/// beside it, whose name ends in `.data`.
///
/// # Errors
/// As [`export`], except for the size, and if a file cannot be written.
pub fn save(graph: &Graph, options: &ExportOptions, path: impl AsRef<Path>) -> Result<(), ExportError> {
    let path = path.as_ref();
    let mut model = model(graph, options)?;
    if model.encoded_len() as u64 > options.limit() {
        external::split(&mut model, path)?;
    }
    std::fs::write(path, model.encode_to_vec()).map_err(|source| ExportError::Io { path: path.to_path_buf(), source })
}

impl ExportOptions {
    fn limit(&self) -> u64 {
        self.max_bytes.min(MAX_MODEL_BYTES)
    }
}

fn model(graph: &Graph, options: &ExportOptions) -> Result<ModelProto, ExportError> {
    let mut w = Writer::default();
    let mut input = Vec::new();
    for (what, name) in interface(graph) {
        if name.is_empty() {
            return Err(ExportError::Name { what, name, reason: "is empty" });
        }
        if !w.reserve(&name) {
            return Err(ExportError::Name { what, name, reason: "is used twice" });
        }
    }
    for expr in &graph.inputs {
        let name = expr.name().unwrap_or_default();
        input.push(encode::info(name, expr.dtype(), expr.shape()));
        w.define(expr, Stored { name: name.to_string(), shape: expr.shape().clone() });
    }
    for node in topological(&graph.output_exprs()) {
        if !matches!(node.op(), Op::Input { .. }) {
            let stored = write(&mut w, &node)?;
            w.define(&node, stored);
        }
    }
    let mut outputs = Vec::new();
    for (name, expr) in &graph.outputs {
        outputs.push((encode::info(name, expr.dtype(), expr.shape()), w.full(expr)?));
    }
    Ok(ModelProto {
        ir_version: IR_VERSION,
        producer_name: "perturb".into(),
        producer_version: env!("CARGO_PKG_VERSION").into(),
        doc_string: options.description.clone(),
        graph: Some(w.finish(&options.name, input, outputs)),
        opset_import: vec![OperatorSetIdProto { domain: String::new(), version: EXPORT_OPSET }],
        functions: vec![],
    })
}

/// The names that the file's users address values by.
fn interface(graph: &Graph) -> impl Iterator<Item = (&'static str, String)> {
    let inputs = graph.inputs.iter().map(|i| ("input", i.name().unwrap_or_default().to_string()));
    inputs.chain(graph.outputs.iter().map(|(name, _)| ("output", name.clone())))
}

/// Writes one node, whose operands are written.
fn write(w: &mut Writer, node: &Expr) -> Result<Stored, ExportError> {
    match node.op() {
        Op::Input { .. } => w.stored(node),
        Op::Param { name, value } => Ok(w.parameter(name, value)),
        Op::Constant(value) => Ok(Stored { name: w.constant(value), shape: value.shape().clone() }),
        Op::Unary(f) => elementwise::unary(w, node, *f),
        Op::Binary(f) => elementwise::binary(w, node, *f),
        Op::Compare(f) => elementwise::compare(w, node, *f),
        Op::Select(_) => elementwise::select(w, node),
        Op::Reshape(_) => layout::reshape(w, node),
        Op::Transpose(op) => layout::transpose(w, node, op),
        Op::Broadcast(op) => layout::broadcast(w, node, op),
        Op::Slice(op) => layout::slice(w, node, op),
        Op::Pad(op) => layout::pad(w, node, op),
        Op::Reverse(op) => layout::reverse(w, node, op),
        Op::Concat(op) => layout::concat(w, node, op),
        Op::ReduceSum(op) => contraction::reduce(w, node, "ReduceSum", &op.axes),
        Op::ReduceMax(op) => contraction::reduce(w, node, "ReduceMax", &op.axes),
        Op::Dot(op) => contraction::dot(w, node, op),
        Op::Conv(op) => convolution::convolution(w, node, op),
        Op::MaxPool(op) => pooling::max_pool(w, node, op),
        Op::Cast(op) => elementwise::cast(w, node, op),
        Op::Gather(op) => indexing::gather(w, node, op),
        Op::ScatterAdd(op) => indexing::scatter_add(w, node, op),
        Op::ArgMax(op) => indexing::arg_max(w, node, op.axis),
        Op::ArgSort(op) => indexing::sorted(w, node, op.axis, op.descending, true),
        Op::Sort(op) => indexing::sorted(w, node, op.axis, op.descending, false),
        Op::CumSum(op) => indexing::cum_sum(w, node, op),
        Op::Fft(op) => spectral::fft(w, node, op),
        Op::Scan(op) => scan::scan(w, node, op),
        Op::Cholesky(_) | Op::TriangularSolve(_) | Op::Solve(_) | Op::Qr(_) | Op::Eigh(_) | Op::Svd(_) => {
            error::unsupported(node.op().name(), "the standard has no matrix decompositions")
        }
        Op::RandomBits(_) => error::unsupported(node.op().name(), "the standard's random numbers are not reproducible"),
        Op::StopGradient(_) => w.stored(&node.inputs()[0]),
    }
}
