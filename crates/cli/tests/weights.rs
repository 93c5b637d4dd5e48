//! `perturb audit --against`: two sets of weights of one network.

mod models;

use models::{Folder, classifier, linear, perturb};
use perturb::graph::Tensor;
use perturb::nn::Parameters;
use serde_json::Value;

fn run(arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = perturb(arguments);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

// Logits (x₀, x₁), and points at ±0.4 from the boundary x₀ = x₁: a change of 0.2 in ℓ∞ reaches it, 0.2·√2 in ℓ2.
struct Plane {
    folder: Folder,
    model: String,
    data: String,
}

impl Plane {
    fn new() -> Plane {
        let folder = Folder::new();
        let points: Vec<f32> = (0..20).flat_map(|i| if i % 2 == 0 { [0.7, 0.3] } else { [0.3, 0.7] }).collect();
        let labels: Vec<i64> = (0..20).map(|i| i % 2).collect();
        let (model, data) =
            (folder.model("m.onnx", &linear([1.0, 0.0, 0.0, 1.0])), folder.npz("d.npz", &points, &[20, 2], &labels));
        Plane { folder, model, data }
    }

    fn weights(&self, name: &str, values: [f32; 4]) -> String {
        let tensor = Tensor::new([2, 2], values.to_vec()).unwrap();
        let path = self.folder.path(name);
        [("w".to_string(), tensor)].into_iter().collect::<Parameters>().save(&path).unwrap();
        path
    }

    fn run(&self, more: &[&str]) -> (Option<i32>, String, String) {
        let out = self.folder.path("out");
        run(&[&["audit", &self.model, "--data", &self.data, "--epsilon", "0.05,0.15", "--out", &out], more].concat())
    }

    fn report(&self) -> Value {
        serde_json::from_str(&std::fs::read_to_string(self.folder.path("out/report.json")).unwrap()).unwrap()
    }
}

// With the second logit raised by half the boundary is x₀ = 1.5·x₁, which a change of (0.7 − 0.45)/2.5 = 0.1 reaches.
#[test]
fn differences_are_those_of_the_closed_form() {
    let plane = Plane::new();
    let other = plane.weights("other.safetensors", [1.0, 0.0, 0.0, 1.5]);
    let (code, text, err) = plane.run(&["--against", &other]);
    assert_eq!(code, Some(0), "{err}");
    let report = plane.report();
    let change = &report["changes"][1];
    assert_eq!((&change["name"], &change["changed"], &change["from_zero"]), (&"all".into(), &1.into(), &0.into()));
    assert_eq!(change["largest"], 0.5);
    assert!((change["relative"].as_f64().unwrap() - (0.25f64 / 2.0).sqrt()).abs() < 1e-12);
    let share = |variant: usize, at: usize| report["variants"][variant]["worst_case"][at]["accuracy"]["value"].as_f64();
    assert_eq!([share(0, 0), share(0, 1), share(1, 0), share(1, 1)], [Some(1.0), Some(1.0), Some(1.0), Some(0.5)]);
    assert_eq!(report["agreement"], 1.0);
    let distance = report["variants"][0]["mean_distance"].as_f64().unwrap();
    assert!((distance - 0.2 * 2f64.sqrt()).abs() < 0.01, "{distance}");
    assert_eq!(report["effects"][0]["robust"][1][1]["mean"], -0.5);
    // A change of the same size in the other direction does as much to the other class.
    assert_eq!(report["effects"][1]["robust"][1][1]["mean"], -0.5);
    assert!(text.contains("as random changes of the same size are"), "{text}");
    let page = std::fs::read_to_string(plane.folder.path("out/report.html")).unwrap();
    assert!(page.contains("other.safetensors") && page.contains("−50.0"));
    // A run that was interrupted goes on; one with other weights does not.
    assert_eq!(plane.run(&["--against", &other, "--resume"]).0, Some(0));
    assert_eq!(plane.report()["variants"], report["variants"]);
    let third = plane.weights("third.safetensors", [1.0, 0.0, 0.0, 1.4]);
    let (code, _, err) = plane.run(&["--against", &third, "--resume"]);
    assert!(code == Some(2) && err.contains("other settings"), "{err}");
}

#[test]
fn weights_are_taken_from_files_in_place_of_the_models() {
    let plane = Plane::new();
    let other = plane.weights("other.safetensors", [1.0, 0.0, 0.0, 1.5]);
    let (code, text, err) = plane.run(&["--weights", &other, "--against", &other]);
    assert!(code == Some(0) && text.starts_with("The weights are the same"), "{text}{err}");
    assert_eq!(plane.report()["variants"][0]["worst_case"][1]["accuracy"]["value"], 0.5);
    // The network's own file has the weights too.
    let (code, _, err) = plane.run(&["--weights", &other, "--against", &plane.model]);
    assert_eq!(code, Some(0), "{err}");
    assert_eq!(plane.report()["variants"][1]["worst_case"][1]["accuracy"]["value"], 1.0);
    // Without a comparison it is the audit of those weights.
    let (code, _, err) = plane.run(&["--weights", &other, "--attacks", "pgd"]);
    assert_eq!(code, Some(0), "{err}");
    assert_eq!(plane.report()["worst_case"][1]["accuracy"]["value"], 0.5);
}

#[test]
fn weights_of_another_network_are_refused() {
    let plane = Plane::new();
    let refused = |more: &[&str], words: &[&str]| {
        let (code, _, err) = plane.run(more);
        assert_eq!(code, Some(2), "{err}");
        assert!(!err.contains("panicked") && words.iter().all(|word| err.contains(word)), "{words:?} in {err}");
    };
    let wide = plane.folder.model("wide.onnx", &classifier(4, 3));
    refused(&["--against", &wide], &["wide.onnx", "another architecture", "missing: w"]);
    let broken = plane.folder.file("broken.safetensors", b"no tensors");
    refused(&["--against", &broken], &["broken.safetensors"]);
    refused(&["--against", "/nowhere/w.safetensors"], &["/nowhere/w.safetensors"]);
    let bare = plane.folder.array("bare.npz", "x", &[0.7, 0.3, 0.3, 0.7], &[2, 2]);
    let (code, _, err) = run(&["audit", &plane.model, "--data", &bare, "--against", &plane.model]);
    assert!(code == Some(2) && err.contains("--labels"), "{err}");
}
