//! `perturb attack`: the list, one image, a data set, and what a user can get wrong.

mod models;

use models::{Folder, classifier, image_classifier, perturb};
use perturb::attack::registry::attacks;
use perturb::data::npz;
use serde_json::Value;

fn run(arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = perturb(arguments);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

fn json(path: &str) -> Value {
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

#[test]
fn the_list_has_a_line_for_each_attack() {
    let (code, out, _) = run(&["attack", "--list"]);
    assert_eq!(code, Some(0));
    assert_eq!(out.lines().count(), attacks().len() + 1);
    for entry in attacks() {
        let line = out.lines().find(|line| line.split_whitespace().next() == Some(entry.name)).unwrap();
        assert!(line.contains(entry.title) && line.contains(entry.norms[0].name()), "{line}");
    }
}

#[test]
fn unknown_names_bring_the_nearest() {
    let folder = Folder::new();
    let (model, image) = (folder.model("m.onnx", &image_classifier(8, 3)), folder.png("i.png", 8));
    for (wrong, right) in [("pdg", "pgd"), ("AutoAtack", "autoattack"), ("deep-fool", "deepfool")] {
        let (code, _, err) = run(&["attack", &model, &image, "--attack", wrong]);
        assert_eq!(code, Some(2));
        assert!(err.contains(wrong) && err.contains(right) && err.contains("--list"), "{err}");
    }
}

#[test]
fn every_attack_runs_on_a_data_set() {
    let folder = Folder::new();
    let model = folder.model("m.onnx", &classifier(6, 3));
    let data = folder.images(4, 6);
    for entry in attacks() {
        let out = folder.path("out.npz");
        // One of six features is more than a tenth of them.
        let (code, text, err) = run(&["attack", &model, &data, "--attack", entry.name, "--out", &out]);
        assert_eq!(code, Some(0), "{}: {err}", entry.name);
        assert!(text.contains("4 examples"), "{text}");
        let found = json(&folder.path("out.json"));
        assert_eq!(found["norm"], entry.norms[0].name());
        let fallen = found["success"].as_array().unwrap().iter().filter(|s| s.as_bool() == Some(true)).count();
        assert_eq!(found["robust_accuracy"].as_f64(), Some(1.0 - fallen as f64 / 4.0));
        let arrays = npz::read_all(std::path::Path::new(&out)).unwrap();
        assert!(arrays[0].1.as_slice::<f32>().iter().all(|v| (0.0..=1.0).contains(v)));
    }
    let (code, text, err) = run(&["attack", &model, &data, "--attack", "uap", "--epsilon", "0.3"]);
    assert_eq!(code, Some(0), "{err}");
    assert!(text.contains("UAP"), "{text}");
}

#[test]
fn an_image_becomes_an_adversarial_image() {
    let folder = Folder::new();
    let (model, image) = (folder.model("m.onnx", &image_classifier(8, 3)), folder.png("i.png", 8));
    let out = folder.path("a.png");
    let (code, text, err) =
        run(&["attack", &model, &image, "--attack", "apgd-ce", "--epsilon", "0.3", "--norm", "linf", "--out", &out]);
    assert_eq!(code, Some(0), "{err}");
    let found = json(&folder.path("a.json"));
    assert!(text.starts_with("success") && found["success"] == true && found["linf"].as_f64().unwrap() <= 0.3);
    let (code, _, err) = run(&["attack", &model, &image, "--attack", "uap"]);
    assert_eq!(code, Some(2));
    assert!(err.contains("data set"), "{err}");
}

#[test]
fn mistakes_are_told() {
    let folder = Folder::new();
    let model = folder.model("m.onnx", &classifier(4, 3));
    let data = folder.images(3, 4);
    let refused = |arguments: &[&str], words: &[&str]| {
        let (code, _, err) = run(&[&["attack"], arguments].concat());
        assert_eq!(code, Some(2), "{err}");
        assert!(!err.contains("panicked") && words.iter().all(|word| err.contains(word)), "{words:?} in {err}");
    };
    refused(&[&model, &data, "--target", "3"], &["--target 3", "3 classes, 0 to 2"]);
    refused(&[&model, &data, "--label", "7"], &["--label 7"]);
    refused(&[&model, &data, "--attack", "cw", "--norm", "linf"], &["cw works in l2", "pgd"]);
    let one = folder.model("one.onnx", &classifier(4, 1));
    refused(&[&one, &data], &["one score for each class"]);
    let bytes = folder.npz("bytes.npz", &[0.0, 128.0, 255.0, 3.0], &[1, 4], &[0]);
    refused(&[&model, &bytes], &["bytes.npz", "255", "0:1", "--pixel-range"]);
    refused(&[], &["MODEL"]);
    refused(&[&model, "/nowhere/data.npz"], &["/nowhere/data.npz"]);
    refused(&[&model, &data, "--attack", "one-pixel", "--epsilon", "0.5"], &["one-pixel", "within ε"]);
}

#[test]
fn budgets_that_limit_nothing_are_warned_of() {
    let folder = Folder::new();
    let model = folder.model("m.onnx", &classifier(4, 3));
    let data = folder.images(3, 4);
    let (code, _, err) = run(&["attack", &model, &data, "--epsilon", "8"]);
    assert_eq!(code, Some(0));
    assert!(err.contains("warning") && err.contains("--epsilon 8/255"), "{err}");
    let (_, _, err) = run(&["attack", &model, &data, "--epsilon", "8/255"]);
    assert!(!err.contains("warning"), "{err}");
    let (_, _, err) = run(&["attack", &model, &data, "--epsilon", "2", "--norm", "l2"]);
    assert!(err.contains("limits nothing") && !err.contains("/255"), "{err}");
}
