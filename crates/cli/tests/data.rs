//! `perturb data`: what it shows, and what it says of what is not there.

mod models;

use models::{Folder, command, shared_data};
use serde_json::Value;
use std::path::Path;

/// Standard output, standard error and the exit code, with the data below `root`.
fn data(root: &Path, arguments: &[&str]) -> (String, String, Option<i32>) {
    let output = command(&["data"]).args(arguments).env("PERTURB_DATA", root).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&output.stdout), text(&output.stderr), output.status.code())
}

#[test]
fn nothing_is_there() {
    let folder = Folder::new();
    let root = folder.path("data");
    let root = Path::new(&root);
    let (listed, _, code) = data(root, &["list"]);
    assert_eq!(code, Some(0));
    let line = |name: &str| listed.lines().find(|l| l.starts_with(&format!("{name} "))).unwrap().to_string();
    assert!(line("mnist").contains("missing") && line("sudoku").contains("to copy") && line("cora").contains("2,708"));
    let (json, _, _) = data(root, &["list", "--json"]);
    let json: Value = serde_json::from_str(&json).unwrap();
    let sets = json["sets"].as_array().unwrap();
    let lake = sets.iter().find(|s| s["name"] == "tinyshakespeare").unwrap();
    assert_eq!((lake["status"].as_str(), lake["bytes"].as_u64()), (Some("missing"), Some(1_115_394)));
    assert!(lake["addresses"][0].as_str().unwrap().ends_with("/data/tinyshakespeare/input.txt"));

    let (out, error, code) = data(root, &["path", "mnist"]);
    assert_eq!((out.as_str(), code), ("", Some(2)));
    for word in ["train-images-idx3-ubyte (and 3 more)", "perturb data get mnist", "https://", "PERTURB_DATA"] {
        assert!(error.contains(word), "no {word} in: {error}");
    }
    let (_, error, code) = data(root, &["get", "sudoku"]);
    assert!(code == Some(2) && error.contains("cannot be fetched") && error.contains("ppvan"), "{error}");
    let (_, error, code) = data(root, &["get", "mnist", "shakespeare"]);
    assert!(code == Some(2) && error.contains("but tinyshakespeare") && error.lines().count() == 1, "{error}");
}

#[test]
fn what_is_there_is_checked() {
    let Some(root) = shared_data() else { return };
    let (out, error, code) = data(&root, &["get", "iris", "mr", "minilm", "cora"]);
    assert_eq!(code, Some(0), "{error}");
    assert!(out.contains("iris: present and intact") && out.contains("mr: present") && out.contains("Windows-1252"));
    let (out, _, _) = data(&root, &["path", "etth1"]);
    assert!(out.trim_end().ends_with("timeseries/ett/ETTh1.csv.gz"), "{out}");

    let folder = Folder::new();
    std::fs::create_dir_all(folder.path("tabular/sklearn")).unwrap();
    std::fs::write(folder.path("tabular/sklearn/iris.csv"), "something else").unwrap();
    let (_, error, code) = data(Path::new(&folder.path("")), &["get", "iris"]);
    assert!(code == Some(2) && error.contains("iris.csv") && error.contains("f13ffa8f"), "{error}");
}
