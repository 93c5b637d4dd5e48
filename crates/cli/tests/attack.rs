//! `perturb attack`: the list, one image, a data set, and what a user can get wrong.

mod models;

use models::{Folder, classifier, image_classifier, linear, perturb};
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
    // UAP, three for orders of classes, and a paragraph about perturbations for all inputs.
    assert_eq!(out.lines().count(), attacks().len() + 6);
    assert!(out.contains("gd-uap") && out.contains("singular"), "{out}");
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
fn classes_come_first_in_the_order_asked_for() {
    let folder = Folder::new();
    let model = folder.model("m.onnx", &classifier(6, 5));
    let (data, out) = (folder.images(4, 6), folder.path("out.npz"));
    for attack in ["quadattack", "ordered-cw", "ordered-distillation"] {
        let (code, text, err) = run(&["attack", &model, &data, "--attack", attack, "--order", "3,1", "--out", &out]);
        assert_eq!(code, Some(0), "{err}");
        assert!(text.contains("3, 1 first at"), "{text}");
        let found = json(&folder.path("out.json"));
        for (success, order) in
            found["success"].as_array().unwrap().iter().zip(found["orders_found"].as_array().unwrap())
        {
            assert_eq!(order.as_array().unwrap().len(), 5);
            assert_eq!(*success == true, order[0] == 3 && order[1] == 1, "{attack}: {found}");
        }
        let arrays = npz::read_all(std::path::Path::new(&out)).unwrap();
        assert!(arrays[0].1.as_slice::<f32>().iter().all(|v| (0.0..=1.0).contains(v)));
    }
    let (model, image) = (folder.model("i.onnx", &image_classifier(8, 4)), folder.png("i.png", 8));
    let (out, order) = (folder.path("a.png"), ["--order", "2,0"]);
    let (code, text, err) = run(&[&["attack", &model, &image, "--out", &out], &order[..]].concat());
    assert!(code == Some(0) && text.starts_with("QuadAttack: 2, 0 first at 1 of 1"), "{text}{err}");
    assert_eq!(json(&folder.path("a.json"))["order_of_png"].as_array().unwrap().len(), 4);
    let refused = |arguments: &[&str], words: &[&str]| {
        let (code, _, err) = run(&[&["attack", &model, &image], arguments].concat());
        assert_eq!(code, Some(2), "{err}");
        assert!(!err.contains("panicked") && words.iter().all(|word| err.contains(word)), "{words:?} in {err}");
    };
    refused(&["--order", "2,4"], &["--order 4", "4 classes, 0 to 3"]);
    refused(&["--order", "2,2"], &["two places"]);
    refused(&["--order", "0,1,2,3"], &["at least one must not"]);
    refused(&["--order", "2,0", "--attack", "pgd"], &["quadattack, ordered-cw, ordered-distillation"]);
    refused(&["--attack", "quadattack"], &["--order 3,1,4"]);
    refused(&["--order", "2,0", "--norm", "linf"], &["QuadAttack"]);
    refused(&["--order", "2,0", "--target", "1"], &["--target"]);
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

#[test]
fn a_universal_perturbation_is_judged_on_inputs_it_has_not_seen() {
    let folder = Folder::new();
    let model = folder.model("m.onnx", &image_classifier(8, 3));
    let values: Vec<f32> = perturb::nn::recipe(4, [60 * 64], 0.5).as_slice::<f32>().iter().map(|v| v + 0.5).collect();
    let data = folder.npz("data.npz", &values, &[60, 1, 8, 8], &[0; 60]);
    for (norm, epsilon) in [("linf", 0.2), ("l2", 1.5), ("l1", 8.0), ("l0", 6.0)] {
        let (out, size) = (folder.path("u.npz"), epsilon.to_string());
        let arguments = ["attack", &model, "--universal", &data, "--norm", norm, "--epsilon", &size, "--out", &out];
        let (code, text, err) = run(&arguments);
        assert_eq!(code, Some(0), "{err}");
        assert!(text.contains("of the 30 inputs") && text.contains("of 30 others") && text.contains("u.png"), "{text}");
        let found = json(&folder.path("u.json"));
        let rate = |name: &str| found[name].as_f64().unwrap();
        assert!((0.0..=1.0).contains(&rate("fooling_rate_held_out")));
        assert!(rate("fooling_rate_noise") <= rate("fooling_rate_noise_most"));
        if norm == "linf" {
            assert!(rate("fooling_rate_held_out") > rate("fooling_rate_noise"), "{found}");
        }
        let delta = npz::read_all(std::path::Path::new(&out)).unwrap().remove(0).1;
        let length = perturb::threat::distance(norm_of(norm), &[0.0; 64], delta.as_slice::<f32>());
        assert!(length <= epsilon && delta.count() == 64, "{norm}: {length}");
        assert!(std::fs::read(folder.path("u.png")).unwrap().starts_with(b"\x89PNG"));
    }
    for (fit, name) in [("gd-uap", "GD-UAP"), ("singular", "sparse singular vector")] {
        let out = folder.path("u.npz");
        let arguments = ["attack", &model, "--universal", &data, "--fit", fit, "--epsilon", "0.2", "--out", &out];
        let (code, text, err) = run(&arguments);
        assert!(code == Some(0) && text.starts_with(name), "{text}{err}");
        let delta = npz::read_all(std::path::Path::new(&out)).unwrap().remove(0).1;
        let moved = delta.as_slice::<f32>().iter().filter(|d| **d != 0.0);
        assert!(moved.clone().all(|d| d.abs() <= 0.2), "{fit}");
        assert!(fit != "singular" || moved.count() == 3, "5 % of 64 pixels are three");
    }
    let (code, _, err) = run(&["attack", &model, "--universal", &data, "--fit", "gd-uap", "--norm", "l2"]);
    assert!(code == Some(2) && err.contains("GD-UAP"), "{err}");
    let linear = folder.model("linear.onnx", &linear([1.0, -1.0, -1.0, 1.0]));
    let flat = folder.npz("flat.npz", &values[..20], &[10, 2], &[0; 10]);
    let (code, _, err) = run(&["attack", &linear, "--universal", &flat, "--fit", "singular"]);
    assert!(code == Some(2) && err.contains("--fit uap"), "{err}");
    let one = folder.npz("one.npz", &values[..64], &[1, 1, 8, 8], &[0]);
    let (code, _, err) = run(&["attack", &model, "--universal", &one]);
    assert!(code == Some(2) && err.contains("one example"), "{err}");
    let (code, _, err) = run(&["attack", &model, "--universal", &data, "--attack", "pgd"]);
    assert!(code == Some(2) && err.contains("--attack"), "{err}");
}

fn norm_of(name: &str) -> perturb::threat::Norm {
    use perturb::threat::Norm;
    [Norm::Linf, Norm::L2, Norm::L1, Norm::L0].into_iter().find(|n| n.name() == name).unwrap()
}

#[test]
fn a_transfer_table_has_a_row_for_each_model_and_one_for_noise() {
    let folder = Folder::new();
    let models = [folder.model("a.onnx", &classifier(6, 3)), folder.model("b.onnx", &models::other_classifier(6, 3))];
    let data = folder.images(30, 6);
    let out = folder.path("t.html");
    let arguments =
        ["attack", &models[0], &data, "--epsilon", "0.2", "--attack", "fgsm", "--out", &out, "--transfer", &models[1]];
    let (code, text, err) = run(&arguments);
    assert_eq!(code, Some(0), "{err}");
    assert_eq!(text.lines().count(), 4, "{text}");
    let found = json(&folder.path("t.json"));
    assert_eq!(found["models"], serde_json::json!(["a", "b"]));
    // The diagonal is what attacking the model alone reports.
    for (i, model) in models.iter().enumerate() {
        let alone = folder.path("alone.npz");
        let (code, _, err) = run(&["attack", model, &data, "--epsilon", "0.2", "--attack", "fgsm", "--out", &alone]);
        assert_eq!(code, Some(0), "{err}");
        let alone = json(&folder.path("alone.json"));
        let rate = &found["sources"][i]["rates"][i];
        let (fooled, total) = (rate["fooled"].as_f64().unwrap(), rate["total"].as_f64().unwrap());
        assert_eq!(alone["clean_accuracy"].as_f64().unwrap(), total / 30.0);
        assert!((alone["robust_accuracy"].as_f64().unwrap() - (total - fooled) / 30.0).abs() < 1e-12);
    }
    assert_eq!(found["sources"][2]["rates"].as_array().unwrap().len(), 2);
    let page = std::fs::read_to_string(&out).unwrap();
    assert!(page.contains("<h1>Transfer of FGSM</h1>") && page.contains("noise of the same size"));
    let wide = folder.model("wide.onnx", &classifier(7, 3));
    let (code, _, err) = run(&["attack", &models[0], &data, "--transfer", &wide]);
    assert!(code == Some(2) && err.contains("7") && !err.contains("panicked"), "{err}");
    let (code, _, err) = run(&["attack", &models[0], &data, "--attack", "uap", "--transfer", &models[1]]);
    assert!(code == Some(2) && err.contains("uap"), "{err}");
}
