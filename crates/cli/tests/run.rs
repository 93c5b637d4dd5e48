//! `perturb run`: values, gradients and bounds on arrays.

mod models;

use models::{Folder, classifier, perturb, shared_data};
use perturb::data::npz;
use perturb::graph::Tensor;
use std::path::Path;

fn results(arguments: &[&str], out: &str) -> Vec<(String, Tensor)> {
    let output = perturb(arguments);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    npz::read_all(Path::new(out)).unwrap()
}

fn array<'a>(results: &'a [(String, Tensor)], name: &str) -> &'a Tensor {
    let names: Vec<&str> = results.iter().map(|(n, _)| n.as_str()).collect();
    &results.iter().find(|(n, _)| n == name).unwrap_or_else(|| panic!("no {name} among {names:?}")).1
}

fn forward(folder: &Folder, model: &str, x: &[f32], shape: &[usize]) -> Vec<f64> {
    let (input, out) = (folder.array("moved.npz", "x", x, shape), folder.path("forward.npz"));
    array(&results(&["run", model, "--input", &input, "--out", &out], &out), "logits").to_f64_vec()
}

#[test]
fn values_gradients_and_bounds_agree_with_each_other() {
    let folder = Folder::new();
    let model = folder.model("model.onnx", &classifier(4, 3));
    // 70 rows are three batches, the last one not full.
    let x: Vec<f32> = perturb::nn::recipe(11, [70, 4], 1.0).as_slice::<f32>().to_vec();
    let (input, out) = (folder.array("x.npz", "x", &x, &[70, 4]), folder.path("y.npz"));
    let arguments = ["run", &model, "--input", &input, "--out", &out, "--grad", "logits:2"];
    for (method, norm) in
        [("interval", "linf"), ("crown", "linf"), ("crown", "l2"), ("crown", "l1"), ("interval", "l1")]
    {
        let bounds = ["--bounds", method, "--epsilon", "0.05", "--norm", norm];
        let y = results(&[&arguments[..], &bounds].concat(), &out);
        let (value, lower, upper) = (array(&y, "logits"), array(&y, "lower/logits"), array(&y, "upper/logits"));
        assert_eq!(
            (&value.shape()[..], &lower.shape()[..], &upper.shape()[..]),
            (&[70, 3][..], &[70, 3][..], &[70, 3][..])
        );
        let gradient = array(&y, "grad/x");
        assert_eq!(gradient.shape()[..], [70, 4]);
        // One coordinate moved within the ball: the value must follow the gradient and stay within the bounds.
        for coordinate in 0..4 {
            let moved: Vec<f32> =
                x.iter().enumerate().map(|(i, v)| if i % 4 == coordinate { v + 0.05 } else { *v }).collect();
            let there = forward(&folder, &model, &moved, &[70, 4]);
            let inside = there
                .iter()
                .zip(lower.to_f64_vec().iter().zip(upper.to_f64_vec()))
                .all(|(v, (l, u))| l <= v && *v <= u);
            assert!(inside, "{method} {norm}");
        }
        let tiny: Vec<f32> = x.iter().enumerate().map(|(i, v)| if i % 4 == 1 { v + 1e-3 } else { *v }).collect();
        let there = forward(&folder, &model, &tiny, &[70, 4]);
        // f32 values of about 10 leave 1e-3 of a quotient with a step of 1e-3 uncertain; where a unit switches between
        // the two points, the slope lies in between.
        let (value, gradient) = (value.to_f64_vec(), gradient.to_f64_vec());
        let errors: Vec<f64> =
            (0..70).map(|r| ((there[r * 3 + 2] - value[r * 3 + 2]) / 1e-3 - gradient[r * 4 + 1]).abs()).collect();
        let follows = errors.iter().filter(|e| **e < 2e-2).count();
        assert!(follows >= 65, "{errors:?}");
    }
}

#[test]
fn acas_xu_networks_run_on_rows() {
    let Some(data) = shared_data() else { return };
    let folder = Folder::new();
    let model = data.join("vnncomp2021/acasxu/ACASXU_run2a_1_1_batch_2000.onnx").display().to_string();
    let (input, out) = (folder.array("a.npz", "anything", &[0.1; 15], &[3, 1, 1, 5]), folder.path("y.npz"));
    let arguments = ["run", &model, "--input", &input, "--out", &out, "--bounds", "crown", "--epsilon", "0.01"];
    let y = results(&arguments, &out);
    assert!(y.iter().any(|(name, t)| name.starts_with("lower/") && t.shape()[..] == [3, 5]));
}
