//! What a file says, and what cannot become one.

use crate::round_trip::returned;
use perturb_graph::{DType, Expr, Graph, Tensor, eval};
use perturb_onnx::proto::ModelProto;
use perturb_onnx::{EXPORT_OPSET, ExportError, ExportOptions, ImportOptions, OnnxModel, export, import, save};
use prost::Message;

fn layer() -> Graph {
    let x = Expr::input("pixels", [1, 300], DType::F32);
    let weights = (0..600).map(|i| i as f32 / 600.0).collect();
    let w = Expr::param("w", Tensor::new([300, 2], weights).unwrap());
    let b = Expr::param("b", Tensor::new([2], vec![0.5f32, -0.5]).unwrap());
    Graph::new(vec![x.clone()], vec![("logits".into(), x.matmul(&w).add(&b).relu())]).unwrap()
}

fn decoded(graph: &Graph, options: &ExportOptions) -> ModelProto {
    ModelProto::decode(export(graph, options).unwrap().as_slice()).unwrap()
}

#[test]
fn names_and_versions() {
    let options = ExportOptions { name: "classifier".into(), description: "two classes".into(), ..Default::default() };
    let model = decoded(&layer(), &options);
    assert_eq!((model.producer_name.as_str(), model.producer_version.as_str()), ("perturb", env!("CARGO_PKG_VERSION")));
    assert_eq!((model.doc_string.as_str(), model.opset_import[0].version), ("two classes", EXPORT_OPSET));
    let graph = model.graph.unwrap();
    let ops: Vec<_> = graph.node.iter().map(|n| n.op_type.as_str()).collect();
    // The bias is broadcast by the addition itself.
    assert_eq!(ops, ["MatMul", "Add", "Relu"]);
    assert_eq!(graph.initializer.iter().map(|t| t.name.as_str()).collect::<Vec<_>>(), ["w", "b"]);
    assert_eq!((graph.name.as_str(), graph.input[0].name.as_str()), ("classifier", "pixels"));
    assert_eq!((graph.output[0].name.as_str(), graph.node[2].output[0].as_str()), ("logits", "logits"));
}

#[test]
fn masks_stay_truth_values_where_they_only_select() {
    let x = Expr::input("x", [3], DType::F32);
    let y = Expr::select(&x.greater(&x.like(1.0)), &x, &x.square());
    let model = decoded(&Graph::new(vec![x], vec![("y".into(), y)]).unwrap(), &ExportOptions::default());
    let ops: Vec<_> = model.graph.unwrap().node.into_iter().map(|n| n.op_type).collect();
    assert_eq!(ops, ["Greater", "Mul", "Where"]);
}

#[test]
fn outputs_that_are_inputs_weights_and_each_other() {
    let x = Expr::input("x", [2], DType::F64);
    let w = Expr::param("w", Tensor::new([2], vec![3.0, 4.0]).unwrap());
    let sum = x.add(&w);
    let outputs = [("same", &x), ("weight", &w), ("sum", &sum), ("again", &sum), ("one", &x.like(1.0))];
    let graph = Graph::new(vec![x.clone()], outputs.map(|(n, e)| (n.to_string(), e.clone())).to_vec()).unwrap();
    let back = returned(&graph, DType::F64);
    let values = eval(&back.output_exprs(), &[(back.inputs[0].clone(), Tensor::new([2], vec![1.0, 2.0]).unwrap())]);
    let values: Vec<_> = values.unwrap().iter().map(Tensor::to_f64_vec).collect();
    assert_eq!(values, [[1.0, 2.0], [3.0, 4.0], [4.0, 6.0], [4.0, 6.0], [1.0, 1.0]]);
}

#[test]
fn weights_in_a_file_of_their_own() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("net.onnx");
    let options = ExportOptions { max_bytes: 1000, ..Default::default() };
    let refused = export(&layer(), &options).unwrap_err();
    assert!(matches!(refused, ExportError::TooLarge { limit: 1000, .. }), "{refused}");
    save(&layer(), &options, &path).unwrap();
    assert!(std::fs::metadata(&path).unwrap().len() < 1000);
    assert_eq!(std::fs::metadata(folder.path().join("net.onnx.data")).unwrap().len(), 2400);
    let back = import(&OnnxModel::read(&path).unwrap(), &ImportOptions::default()).unwrap();
    let weights = |g: &Graph| g.params().iter().map(|p| p.value().unwrap().clone()).collect::<Vec<_>>();
    assert_eq!(weights(&back), weights(&layer()));
}

#[test]
fn names_that_cannot_be_kept() {
    let (x, y) = (Expr::input("x", [2], DType::F32), Expr::input("x", [2], DType::F32));
    let outputs = |name: &str| vec![(name.to_string(), x.add(&y))];
    let message = |g: Graph| export(&g, &ExportOptions::default()).unwrap_err().to_string();
    assert!(
        message(Graph::new(vec![x.clone(), y.clone()], outputs("z")).unwrap()).contains("input \"x\" is used twice")
    );
    let one = |name: &str| Graph::new(vec![x.clone()], vec![(name.to_string(), x.relu())]).unwrap();
    assert!(message(one("x")).contains("output \"x\" is used twice"));
    assert!(message(one("")).contains("output \"\" is empty"));
    // Names of weights are not addressed from outside, so they give way.
    let (u, v) = (Tensor::scalar(1.0f32), Tensor::scalar(2.0f32));
    let sum = x.add(&Expr::param("x", u)).add(&Expr::param("w", v.clone())).add(&Expr::param("w", v));
    let graph = Graph::new(vec![x.clone()], vec![("sum".into(), sum)]).unwrap();
    let names: Vec<String> = returned(&graph, DType::F32).params().iter().map(|p| p.name().unwrap().into()).collect();
    assert_eq!(names.len(), 3);
    assert!(names[0].starts_with("x_") && names[1] == "w" && names[2].starts_with("w_"), "{names:?}");
}
