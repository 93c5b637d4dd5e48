//! Small models and data, written into a temporary folder, and the binary to run on them.

#![allow(dead_code)] // each test file uses its part

use perturb::data::{npz, save_png};
use perturb::graph::Tensor;
use perturb::nn::recipe;
use perturb::onnx::proto::{
    AttributeProto, DimensionProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, TensorProto,
    TensorShapeProto, TensorTypeProto, TypeProto, ValueInfoProto,
};
use prost::Message;
use std::path::PathBuf;
use std::process::{Command, Output};

/// Runs the binary with these arguments.
pub fn perturb(arguments: &[&str]) -> Output {
    // A folder of its own, so that default outputs of tests that run beside each other do not meet.
    let folder = Folder::new();
    command(arguments).current_dir(folder.0.path()).output().expect("the binary starts")
}

/// The binary with these arguments.
pub fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_perturb"));
    command.args(arguments);
    command
}

/// The shared test data, if they are there.
pub fn shared_data() -> Option<PathBuf> {
    let folder = std::env::var_os("PERTURB_DATA").map(PathBuf::from);
    let folder = folder.unwrap_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data"));
    if folder.is_dir() {
        return Some(folder);
    }
    eprintln!("skipped: no test data in {}", folder.display());
    None
}

/// A temporary folder that vanishes with the test.
pub struct Folder(tempfile::TempDir);

impl Folder {
    pub fn new() -> Folder {
        Folder(tempfile::tempdir().expect("a temporary folder"))
    }

    pub fn path(&self, name: &str) -> String {
        self.0.path().join(name).display().to_string()
    }

    pub fn file(&self, name: &str, bytes: &[u8]) -> String {
        std::fs::write(self.path(name), bytes).unwrap();
        self.path(name)
    }

    pub fn model(&self, name: &str, model: &ModelProto) -> String {
        self.file(name, &model.encode_to_vec())
    }

    /// An .npz with `x` and `labels`.
    pub fn npz(&self, name: &str, values: &[f32], shape: &[usize], labels: &[i64]) -> String {
        let x = Tensor::new(shape, values.to_vec()).unwrap();
        let y = Tensor::new([labels.len()], labels.to_vec()).unwrap();
        npz::write_all(self.0.path().join(name).as_path(), &[("x".into(), x), ("labels".into(), y)]).unwrap();
        self.path(name)
    }

    /// An .npz with one array.
    pub fn array(&self, file: &str, array: &str, values: &[f32], shape: &[usize]) -> String {
        let path = self.0.path().join(file);
        npz::write_all(&path, &[(array.into(), Tensor::new(shape, values.to_vec()).unwrap())]).unwrap();
        path.display().to_string()
    }

    /// `n` examples of `width` features with labels 0, 1, 2, 0, …
    pub fn images(&self, n: usize, width: usize) -> String {
        let values: Vec<f32> = recipe(3, [n, width], 0.5).as_slice::<f32>().iter().map(|v| v + 0.5).collect();
        let labels: Vec<i64> = (0..n as i64).map(|i| i % 3).collect();
        self.npz("data.npz", &values, &[n, width], &labels)
    }

    /// A grey square image.
    pub fn png(&self, name: &str, size: usize) -> String {
        let values = recipe(5, [1, size, size], 0.5).as_slice::<f32>().iter().map(|v| v + 0.5).collect();
        save_png(self.0.path().join(name).as_path(), &Tensor::new::<f32>([1, size, size], values).unwrap()).unwrap();
        self.path(name)
    }
}

fn tensor(name: &str, dims: &[usize], values: &[f32]) -> TensorProto {
    TensorProto {
        name: name.into(),
        dims: dims.iter().map(|&d| d as i64).collect(),
        data_type: 1,
        float_data: values.to_vec(),
        ..Default::default()
    }
}

fn random(name: &str, seed: u64, dims: &[usize]) -> TensorProto {
    tensor(name, dims, recipe(seed, dims, 1.0).as_slice::<f32>())
}

fn node(op: &str, inputs: &[&str], output: &str) -> NodeProto {
    NodeProto {
        op_type: op.into(),
        input: inputs.iter().map(|s| s.to_string()).collect(),
        output: vec![output.into()],
        ..Default::default()
    }
}

fn info(name: &str, dims: &[usize]) -> ValueInfoProto {
    let dim = dims.iter().map(|&d| DimensionProto { dim_value: Some(d as i64), ..Default::default() }).collect();
    let tensor_type = TensorTypeProto { elem_type: 1, shape: Some(TensorShapeProto { dim }) };
    ValueInfoProto { name: name.into(), r#type: Some(TypeProto { tensor_type: Some(tensor_type) }) }
}

fn model(input: &[usize], nodes: Vec<NodeProto>, initializer: Vec<TensorProto>) -> ModelProto {
    ModelProto {
        ir_version: 8,
        opset_import: vec![OperatorSetIdProto { domain: String::new(), version: 17 }],
        graph: Some(GraphProto {
            node: nodes,
            initializer,
            input: vec![info("x", input)],
            output: vec![info("logits", &[])],
            ..Default::default()
        }),
        ..Default::default()
    }
}

/// `[1, features] → relu → [1, classes]`.
pub fn classifier(features: usize, classes: usize) -> ModelProto {
    let nodes =
        vec![node("MatMul", &["x", "w1"], "h"), node("Relu", &["h"], "r"), node("MatMul", &["r", "w2"], "logits")];
    model(&[1, features], nodes, vec![random("w1", 1, &[features, 16]), random("w2", 2, &[16, classes])])
}

/// `[1, 2] → [1, 2]` with these weights, the first row those of the first input.
pub fn linear(weights: [f32; 4]) -> ModelProto {
    model(&[1, 2], vec![node("MatMul", &["x", "w"], "logits")], vec![tensor("w", &[2, 2], &weights)])
}

/// The same with other weights.
pub fn other_classifier(features: usize, classes: usize) -> ModelProto {
    let mut model = classifier(features, classes);
    model.graph.as_mut().unwrap().initializer = vec![random("w1", 3, &[features, 16]), random("w2", 4, &[16, classes])];
    model
}

/// A classifier that also gives its hidden units, after the scores.
pub fn with_second_output(features: usize, classes: usize) -> ModelProto {
    let mut model = classifier(features, classes);
    model.graph.as_mut().unwrap().output.push(info("r", &[]));
    model
}

/// The same on a square image `[1, 1, size, size]`.
pub fn image_classifier(size: usize, classes: usize) -> ModelProto {
    let mut flat = node("Flatten", &["x"], "f");
    flat.attribute = vec![AttributeProto { name: "axis".into(), i: 1, r#type: 2, ..Default::default() }];
    let nodes = vec![
        flat,
        node("MatMul", &["f", "w1"], "h"),
        node("Relu", &["h"], "r"),
        node("MatMul", &["r", "w2"], "logits"),
    ];
    model(&[1, 1, size, size], nodes, vec![random("w1", 1, &[size * size, 16]), random("w2", 2, &[16, classes])])
}

/// From an image `[1, 3, size, size]` and `length` tokens to scores of no and yes: yes wins where the tokens, weighted, exceed
/// the threshold. The image does not matter.
pub fn questioner(size: usize, length: usize, weights: &[f32], threshold: f32) -> ModelProto {
    let attribute = |name: &str, i: i64| AttributeProto { name: name.into(), i, r#type: 2, ..Default::default() };
    let (mut flat, mut cast) = (node("Flatten", &["image"], "f"), node("Cast", &["question"], "q"));
    flat.attribute = vec![attribute("axis", 1)];
    cast.attribute = vec![attribute("to", 1)];
    let columns: Vec<f32> = (0..length).flat_map(|i| [0.0, weights.get(i).copied().unwrap_or(0.0)]).collect();
    let nodes = vec![
        flat,
        cast,
        node("MatMul", &["f", "none"], "seen"),
        node("MatMul", &["q", "w"], "read"),
        node("Add", &["seen", "read"], "both"),
        node("Add", &["both", "b"], "logits"),
    ];
    let width = 3 * size * size;
    let initializer = vec![
        tensor("none", &[width, 2], &vec![0.0; 2 * width]),
        tensor("w", &[length, 2], &columns),
        tensor("b", &[2], &[0.0, -threshold]),
    ];
    let mut model = model(&[1, 3, size, size], nodes, initializer);
    let graph = model.graph.as_mut().unwrap();
    graph.input[0].name = "image".into();
    let mut question = info("question", &[1, length]);
    if let Some(TypeProto { tensor_type: Some(tensor) }) = &mut question.r#type {
        tensor.elem_type = 7;
    }
    graph.input.push(question);
    model
}

/// A model whose last node is `op`.
pub fn with_operator(op: &str) -> ModelProto {
    let nodes = vec![node("MatMul", &["x", "w"], "h"), node(op, &["h"], "logits")];
    model(&[1, 4], nodes, vec![random("w", 1, &[4, 3])])
}

/// A model that declares a weight of this size and holds four numbers.
pub fn declaring(rows: usize, columns: usize) -> ModelProto {
    let mut weight = tensor("w", &[2, 2], &[0.0; 4]);
    weight.dims = vec![rows as i64, columns as i64];
    model(&[1, rows], vec![node("MatMul", &["x", "w"], "logits")], vec![weight])
}
