//! `perturb audit --encoder`: what perturbations do to embeddings.

mod models;

use models::{Folder, classifier, image_classifier, perturb};
use perturb::nn::recipe;
use serde_json::Value;

fn run(arguments: &[&str]) -> (Option<i32>, String) {
    let output = perturb(arguments);
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

fn images(folder: &Folder, name: &str, count: usize) -> String {
    let values: Vec<f32> = recipe(9, [count * 64], 0.5).as_slice::<f32>().iter().map(|v| v + 0.5).collect();
    folder.npz(name, &values, &[count, 1, 8, 8], &vec![0; count])
}

fn report(folder: &Folder) -> Value {
    let text = std::fs::read_to_string(folder.path("out/report.json")).unwrap();
    let mut report: Value = serde_json::from_str(&text).unwrap();
    report.as_object_mut().unwrap().remove("seconds");
    report
}

// More than a batch of images: the last one has another size.
#[test]
fn attacks_carry_embeddings_further_than_noise() {
    let folder = Folder::new();
    let (model, data, out) =
        (folder.model("e.onnx", &image_classifier(8, 5)), images(&folder, "d.npz", 70), folder.path("out"));
    let arguments = ["audit", "--encoder", &model, "--data", &data, "--epsilon", "0.01,0.1", "--out", &out];
    let (code, err) = run(&arguments);
    assert_eq!(code, Some(0), "{err}");
    let found = report(&folder);
    let at = |curve: usize, what: &str| found["curves"][curve]["points"][1][what].clone();
    let mean = |curve: usize, what: &str| at(curve, what)["mean"].as_f64().unwrap();
    assert!(mean(1, "own") < mean(0, "own") - 0.1, "{found}");
    assert!(mean(2, "target") > mean(0, "target") + 0.1, "{found}");
    let share = |curve: usize, what: &str| at(curve, what)["value"].as_f64().unwrap();
    assert!(share(1, "found_again") < share(0, "found_again"));
    assert!(share(2, "taken_over") > share(0, "taken_over"));
    assert_eq!((&found["images"], &found["doubles"]), (&70.into(), &0.into()));
    assert_eq!(found["gallery"].as_array().unwrap().len(), 6);
    let page = std::fs::read_to_string(folder.path("out/report.html")).unwrap();
    assert!(page.contains("towards another image") && page.contains("data:image/png"));
    let (code, err) = run(&[&arguments[..], &["--resume"]].concat());
    assert_eq!(code, Some(0), "{err}");
    assert_eq!(report(&folder), found);
}

#[test]
fn what_cannot_be_audited_is_told() {
    let folder = Folder::new();
    let (model, data) = (folder.model("e.onnx", &image_classifier(8, 5)), images(&folder, "d.npz", 4));
    let refused = |arguments: &[&str], words: &[&str]| {
        let (code, err) = run(&[&["audit", "--encoder"], arguments].concat());
        assert_eq!(code, Some(2), "{err}");
        assert!(!err.contains("panicked") && words.iter().all(|word| err.contains(word)), "{words:?} in {err}");
    };
    refused(&[&model], &["--data"]);
    refused(&["/nowhere/e.onnx", "--data", &data], &["/nowhere/e.onnx"]);
    refused(&[&model, "--data", &images(&folder, "one.npz", 1)], &["one.npz", "one image"]);
    let flat = folder.model("flat.onnx", &classifier(64, 5));
    refused(&[&flat, "--data", &data], &["[1, channels, height, width]"]);
    let number = folder.model("number.onnx", &image_classifier(8, 1));
    refused(&[&number, "--data", &data], &["embedding", "'logits'"]);
    refused(&[&model, "--data", &data, "--labels", &data], &["--labels"]);
}
