//! What a user can get wrong: every mistake ends with exit code 2, one clear line, and no panic.

mod models;

use models::{Folder, classifier, perturb};

/// Runs and returns standard error; the exit code must be 2 and nothing may have panicked.
fn refused(arguments: &[&str]) -> String {
    let output = perturb(arguments);
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{arguments:?}: {text}");
    assert!(!text.contains("panicked"), "{arguments:?}: {text}");
    text
}

fn assert_says(text: &str, words: &[&str]) {
    for word in words {
        assert!(text.contains(word), "'{word}' is missing in: {text}");
    }
}

#[test]
fn damaged_and_foreign_models() {
    let folder = Folder::new();
    let data = folder.images(3, 4);
    let whole = std::fs::read(folder.model("whole.onnx", &classifier(4, 3))).unwrap();
    let truncated = folder.file("truncated.onnx", &whole[..whole.len() / 2]);
    let text = folder.file("text.onnx", b"this is not a model, it is a note about one\n");
    let empty = folder.file("empty.onnx", b"");
    for model in [&truncated, &text, &empty] {
        let message = refused(&["audit", model, "--data", &data]);
        assert_says(&message, &["error:", model]);
    }
    let missing = refused(&["audit", "/nowhere/model.onnx", "--data", &data]);
    assert_says(&missing, &["/nowhere/model.onnx"]);
}

#[test]
fn unsupported_operators_are_all_named() {
    let folder = Folder::new();
    let model = folder.model("odd.onnx", &models::with_operator("Det"));
    let message = refused(&["audit", &model, "--data", &folder.images(3, 4)]);
    assert_says(&message, &["Det", "odd.onnx"]);
}

#[test]
fn a_model_that_declares_a_terabyte() {
    let folder = Folder::new();
    let model = folder.model("huge.onnx", &models::declaring(1 << 19, 1 << 19));
    let message = refused(&["audit", &model, "--data", &folder.images(3, 4)]);
    assert!(message.len() < 2000, "{message}");
}

#[test]
fn data_that_do_not_fit() {
    let folder = Folder::new();
    let model = folder.model("model.onnx", &classifier(4, 3));
    let audit = |data: &str| refused(&["audit", &model, "--data", data]);
    assert_says(&audit(&folder.npz("shape.npz", &[0.5; 10], &[2, 5], &[0, 1])), &["shape.npz", "5"]);
    assert_says(&audit(&folder.npz("labels.npz", &[0.5; 8], &[2, 4], &[0, 7])), &["7", "3"]);
    assert_says(&audit(&folder.npz("nan.npz", &[0.5, f32::NAN, 0.0, 0.0], &[1, 4], &[0])), &["nan.npz", "NaN"]);
    std::fs::create_dir(folder.path("nothing")).unwrap();
    assert_says(&audit(&folder.path("nothing")), &["nothing", "no examples"]);
    assert_says(&audit("/nowhere/data.npz"), &["/nowhere/data.npz"]);
    assert_says(&refused(&["audit", &model]), &["--data"]);
}

#[test]
fn options_that_make_no_sense() {
    let folder = Folder::new();
    let model = folder.model("model.onnx", &classifier(4, 3));
    let data = folder.images(3, 4);
    let audit = |more: &[&str]| refused(&[&["audit", &model, "--data", &data], more].concat());
    assert_says(&audit(&["--epsilon=-0.1"]), &["at least 0", "-0.1"]);
    assert_says(&audit(&["--epsilon", "nan"]), &["nan"]);
    assert_says(&audit(&["--norm", "l7"]), &["l7", "linf"]);
    assert_says(&audit(&["--limit", "0"]), &["at least 1"]);
    assert_says(&audit(&["--std", "0"]), &["--std"]);
    assert_says(&audit(&["--resume", "--out", &folder.path("fresh")]), &["no run to resume"]);
    // A file stands where the folder should be: holds for root too, whom permissions do not stop.
    let file = folder.file("occupied", b"");
    assert_says(&audit(&["--out", &file]), &["occupied"]);
}

#[test]
fn single_image_commands() {
    let folder = Folder::new();
    let model = folder.model("image.onnx", &models::image_classifier(8, 3));
    let image = folder.png("image.png", 8);
    let large = folder.png("large.png", 9);
    assert_says(&refused(&["explain", &model, &large]), &["9", "8", "resize"]);
    assert_says(&refused(&["explain", &model, &image, "--target", "3"]), &["--target 3", "3 classes"]);
    assert_says(&refused(&["attack", &model, &image, "--label", "9"]), &["--label 9"]);
    assert_says(&refused(&["attack", &model, &image, "--attack", "pdg"]), &["pdg", "pgd"]);
    let text = folder.file("text.png", b"no image");
    assert_says(&refused(&["explain", &model, &text]), &["text.png"]);
}

#[test]
fn running_with_wrong_arrays() {
    let folder = Folder::new();
    let model = folder.model("model.onnx", &classifier(4, 3));
    let out = folder.path("y.npz");
    let run = |x: &str, more: &[&str]| refused(&[&["run", &model, "--input", x, "--out", &out], more].concat());
    let good = folder.npz("good.npz", &[0.5; 8], &[2, 4], &[0, 1]);
    assert_says(&run(&folder.npz("bad.npz", &[0.5; 10], &[2, 5], &[0, 0]), &[]), &["[examples, 4]", "[2, 5]"]);
    let alone = folder.array("x.npz", "x", &[0.5; 8], &[2, 4]);
    assert_says(&run(&alone, &["--grad", "logits:3"]), &["logits:3", "does not fit"]);
    assert_says(&run(&alone, &["--grad", "nothing:0"]), &["no such output"]);
    assert_says(&run(&alone, &["--bounds", "crown"]), &["--epsilon"]);
    assert_says(&run(&good, &["--dim", "n"]), &["NAME=SIZE"]);
}
