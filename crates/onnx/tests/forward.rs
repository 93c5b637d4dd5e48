//! Imported networks compute what ONNX Runtime computes: `benches/reference/onnx_reference.py` wrote the numbers.

use flate2::read::GzDecoder;
use perturb_engine::{Executable, Options};
use perturb_graph::{Graph, Tensor};
use perturb_onnx::{ImportOptions, OnnxModel, import};
use serde_json::Value;
use std::io::Read;
use std::path::{Path, PathBuf};

fn data_folder() -> PathBuf {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    std::env::var_os("PERTURB_DATA").map_or_else(beside, PathBuf::from)
}

fn bytes_of(path: PathBuf) -> Vec<u8> {
    let mut bytes = Vec::new();
    GzDecoder::new(std::fs::File::open(&path).unwrap()).read_to_end(&mut bytes).unwrap();
    bytes
}

/// The input of one row, by the recipe that the script documents.
fn input(data: &Path, recipe: &Value, row: usize, count: usize) -> Vec<f32> {
    let row = recipe["first"].as_u64().unwrap() as usize + row;
    let pixel = |b: &u8| f32::from(*b) / 255.0;
    match recipe["kind"].as_str().unwrap() {
        "lcg" => perturb_nn::recipe(row as u64, [count], recipe["scale"].as_f64().unwrap()).as_slice::<f32>().to_vec(),
        "mnist" => {
            bytes_of(data.join("mnist/t10k-images-idx3-ubyte.gz"))[16 + 784 * row..][..784].iter().map(pixel).collect()
        }
        "cifar10" => {
            let file = bytes_of(data.join("cifar10/test_2k.bin.gz"));
            let mut image: Vec<f32> = file[3073 * row + 1..][..3072].iter().map(pixel).collect();
            if let (Some(mean), Some(std)) = (recipe["mean"].as_array(), recipe["std"].as_array()) {
                for (i, v) in image.iter_mut().enumerate() {
                    let [mean, std] = [mean, std].map(|a| a[i / 1024].as_f64().unwrap() as f32);
                    *v = (*v - mean) / std;
                }
            }
            match recipe["layout"].as_str().unwrap() {
                "channels-last" => (0..3072).map(|i| image[i % 3 * 1024 + i / 3]).collect(),
                _ => image,
            }
        }
        other => panic!("unknown recipe {other}"),
    }
}

fn run(graph: &Graph, input: Vec<f32>) -> Vec<f64> {
    let x = Tensor::new(graph.inputs[0].shape(), input).unwrap();
    let executable = Executable::of(graph, &Options::default()).unwrap();
    executable.run(&[&x]).unwrap()[0].to_f64_vec()
}

/// Compares the first `rows` inputs of every model whose path contains `part`.
fn check(part: &str, rows: usize) {
    let data = data_folder();
    if !data.join("vnncomp2021").is_dir() {
        eprintln!("skipped: no test data in {}", data.display());
        return;
    }
    let fixture: Value = serde_json::from_str(include_str!("fixtures/forward.json")).unwrap();
    let entries = fixture["models"].as_array().unwrap().iter().filter(|e| e["model"].as_str().unwrap().contains(part));
    let mut compared = 0;
    for entry in entries {
        let name = entry["model"].as_str().unwrap();
        let model = OnnxModel::read(data.join("vnncomp2021").join(name)).unwrap();
        let graph = import(&model, &ImportOptions::default()).unwrap();
        for (row, expected) in entry["outputs"].as_array().unwrap().iter().take(rows).enumerate() {
            let expected: Vec<f64> = expected.as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect();
            let actual = run(&graph, input(&data, &entry["input"], row, graph.inputs[0].shape().count()));
            let scale = expected.iter().fold(0.0f64, |m, v| m.max(v.abs()));
            let error = actual.iter().zip(&expected).fold(0.0f64, |m, (a, b)| m.max((a - b).abs())) / scale;
            assert_eq!(actual.len(), expected.len(), "{name}");
            assert!(error < 1e-5, "{name}, input {row}: {actual:?} differs from {expected:?} by {error:e} relative");
            eprintln!("{name}, input {row}: {error:.1e}");
            compared += 1;
        }
    }
    assert!(compared > 0, "no model matches {part}");
}

#[test]
fn mnistfc() {
    check("mnistfc", 4);
}

#[test]
fn cifar10_resnet() {
    check("cifar10_resnet", 10);
}

#[test]
fn acasxu() {
    check("acasxu", 4);
}

#[test]
fn sigmoid_and_deep_mlps() {
    check("eran", 1);
}

#[test]
fn pooling_convnets() {
    check("verivital", 1);
}

#[test]
fn strided_convnets() {
    check("oval21", 1);
}

#[test]
fn channels_last_convnets() {
    check("marabou-cifar10", 1);
}
