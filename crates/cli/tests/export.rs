//! `perturb export`: what the file computes is what `perturb run` computes.

mod models;

use models::{Folder, classifier, perturb};
use perturb::data::npz;
use perturb::engine::{Executable, Options};
use perturb::graph::Tensor;
use perturb::onnx::{ImportOptions, OnnxModel, import};
use std::path::Path;

#[test]
fn an_exported_model_brings_its_gradient_and_bounds() {
    let folder = Folder::new();
    let model = folder.model("model.onnx", &classifier(4, 3));
    let x: Vec<f32> = perturb::nn::recipe(12, [5, 4], 1.0).as_slice::<f32>().to_vec();
    let (input, out) = (folder.array("x.npz", "x", &x, &[5, 4]), folder.path("y.npz"));
    for method in ["interval", "crown"] {
        let run = ["run", &model, "--input", &input, "--out", &out, "--grad", "logits:2", "--epsilon", "0.05"];
        let output = perturb(&[&run[..], &["--bounds", method, "--round-to-nearest"]].concat());
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let expected = npz::read_all(Path::new(&out)).unwrap();

        let written = folder.path("exported.onnx");
        let output = perturb(&["export", &model, "--out", &written, "--grad", "logits:2", "--bounds", method]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let graph = import(&OnnxModel::read(&written).unwrap(), &ImportOptions::default()).unwrap();
        let exe = Executable::of(&graph, &Options::default()).unwrap();
        for row in 0..5 {
            let at = Tensor::new([1, 4], x[row * 4..row * 4 + 4].to_vec()).unwrap();
            let found = exe.run(&[&at, &Tensor::full([1], 0.05f32)]).unwrap();
            for ((name, _), value) in graph.outputs.iter().zip(found) {
                let (_, wanted) = expected.iter().find(|(n, _)| n == name).unwrap_or_else(|| panic!("no {name}"));
                let width = value.count();
                let wanted = &wanted.as_slice::<f32>()[row * width..(row + 1) * width];
                for (f, w) in value.as_slice::<f32>().iter().zip(wanted) {
                    assert!((f - w).abs() <= 1e-4 * (1.0 + w.abs()), "{method}, {name}: {f} instead of {w}");
                }
            }
        }
    }
}

#[test]
fn what_cannot_be_exported_is_said() {
    let folder = Folder::new();
    let model = folder.model("model.onnx", &classifier(4, 3));
    let cases: [(&[&str], &str); 2] =
        [(&["--grad", "logits:7"], "does not fit"), (&["--grad", "z:0"], "no such output")];
    for (arguments, expected) in cases {
        let output = perturb(&[&["export", &model, "--out", &folder.path("e.onnx")], arguments].concat());
        let message = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(2) && message.contains(expected), "{message}");
    }
    let output = perturb(&["export", &model, "--out", "/nonexistent/e.onnx"]);
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(2) && message.contains("/nonexistent/e.onnx"), "{message}");
}
