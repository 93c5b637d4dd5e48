//! Small models built in memory.

#![allow(dead_code)] // every test file uses its own part

pub mod stored;

use perturb_engine::{Executable, Options};
use perturb_graph::{DType, Expr, Graph, Tensor, eval};
use perturb_onnx::proto::*;
use perturb_onnx::{ImportOptions, OnnxError, OnnxModel, import};

/// A node with attributes.
pub fn node(op: &str, inputs: &[&str], outputs: &[&str], attributes: Vec<AttributeProto>) -> NodeProto {
    let names = |list: &[&str]| list.iter().map(|s| s.to_string()).collect();
    NodeProto {
        op_type: op.into(),
        input: names(inputs),
        output: names(outputs),
        attribute: attributes,
        ..Default::default()
    }
}

/// An attribute that is a list of integers.
pub fn ints(name: &str, ints: &[i64]) -> AttributeProto {
    AttributeProto { name: name.into(), ints: ints.to_vec(), r#type: 7, ..Default::default() }
}

/// An attribute that is an integer.
pub fn int(name: &str, i: i64) -> AttributeProto {
    AttributeProto { name: name.into(), i, r#type: 2, ..Default::default() }
}

/// An attribute that is a number.
pub fn float(name: &str, f: f32) -> AttributeProto {
    AttributeProto { name: name.into(), f, r#type: 1, ..Default::default() }
}

/// An attribute that is a string.
pub fn text(name: &str, s: &str) -> AttributeProto {
    AttributeProto { name: name.into(), s: s.as_bytes().to_vec().into(), r#type: 3, ..Default::default() }
}

/// A stored float32 tensor.
pub fn floats(name: &str, dims: &[i64], data: &[f32]) -> TensorProto {
    TensorProto {
        name: name.into(),
        dims: dims.to_vec(),
        data_type: 1,
        float_data: data.to_vec(),
        ..Default::default()
    }
}

/// A stored int64 vector.
pub fn indices(name: &str, data: &[i64]) -> TensorProto {
    let dims = vec![data.len() as i64];
    TensorProto { name: name.into(), dims, data_type: 7, int64_data: data.to_vec(), ..Default::default() }
}

/// A float32 value; a size of −1 stands for the symbolic dimension "batch".
pub fn info(name: &str, dims: &[i64]) -> ValueInfoProto {
    let dim = |&d: &i64| match d {
        -1 => DimensionProto { dim_param: Some("batch".into()), ..Default::default() },
        d => DimensionProto { dim_value: Some(d), ..Default::default() },
    };
    let shape = TensorShapeProto { dim: dims.iter().map(dim).collect() };
    let tensor_type = Some(TensorTypeProto { elem_type: 1, shape: Some(shape) });
    ValueInfoProto { name: name.into(), r#type: Some(TypeProto { tensor_type }) }
}

/// A model with input `x` of shape `dims` and output `y`.
pub fn model(opset: i64, dims: &[i64], nodes: Vec<NodeProto>, initializers: Vec<TensorProto>) -> ModelProto {
    ModelProto {
        ir_version: 8,
        opset_import: vec![OperatorSetIdProto { domain: String::new(), version: opset }],
        graph: Some(GraphProto {
            node: nodes,
            initializer: initializers,
            input: vec![info("x", dims)],
            output: vec![info("y", &[])],
            ..Default::default()
        }),
        ..Default::default()
    }
}

/// Imports with default options.
pub fn load(model: ModelProto) -> Result<Graph, OnnxError> {
    import(&OnnxModel::from_proto(model)?, &ImportOptions::default())
}

/// Imports in double precision and evaluates at `x`; returns the sizes and elements of the first output.
pub fn run(model: ModelProto, x: &[f64]) -> (Vec<usize>, Vec<f64>) {
    let options = ImportOptions { dtype: DType::F64, ..Default::default() };
    let graph = import(&OnnxModel::from_proto(model).unwrap(), &options).unwrap();
    let input = Tensor::new(graph.inputs[0].shape(), x.to_vec()).unwrap();
    let y = eval(&graph.output_exprs(), &[(graph.inputs[0].clone(), input)]).unwrap().remove(0);
    (y.shape().to_vec(), y.to_f64_vec())
}

/// Values of expressions, by the engine.
pub fn compute(outputs: &[Expr], inputs: &[Expr], values: &[Tensor]) -> Vec<Tensor> {
    let executable = Executable::compile(outputs, inputs, &Options::default()).unwrap();
    executable.run(&values.iter().collect::<Vec<_>>()).unwrap()
}

/// Every integer among a model's attributes and constants.
pub fn integers(model: &mut ModelProto) -> Vec<&mut i64> {
    let graph = model.graph.as_mut().unwrap();
    let attributes = graph.node.iter_mut().flat_map(|n| &mut n.attribute);
    let mut integers: Vec<&mut i64> = attributes.flat_map(|a| a.ints.iter_mut().chain([&mut a.i])).collect();
    integers.extend(graph.initializer.iter_mut().flat_map(|t| t.dims.iter_mut().chain(&mut t.int64_data)));
    integers
}

/// Integers that break careless arithmetic.
pub const EXTREMES: [i64; 13] =
    [i64::MIN, i64::MIN + 1, -(1 << 40), -2, -1, 0, 1, 2, 1 << 20, 1 << 28, 1 << 31, 1 << 40, i64::MAX];
