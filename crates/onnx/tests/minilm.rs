//! A sentence encoder: token ids in, embeddings out.

mod model;

use perturb_graph::{Graph, Tensor};
use perturb_onnx::{ImportOptions, OnnxModel, import};
use std::path::{Path, PathBuf};

fn folder() -> Option<PathBuf> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let folder = std::env::var_os("PERTURB_DATA").map_or_else(beside, PathBuf::from).join("minilm");
    if !folder.is_dir() {
        eprintln!("skipped: no test data in {}", folder.display());
        return None;
    }
    Some(folder)
}

/// The rows of a NumPy file of a matrix; `width` is the size of an element in bytes.
fn rows(path: PathBuf, columns: usize, width: usize) -> Vec<Vec<[u8; 8]>> {
    let bytes = std::fs::read(path).unwrap();
    let header = 10 + usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
    let element = |c: &[u8]| std::array::from_fn(|i| c.get(i).copied().unwrap_or(0));
    let row = |r: &[u8]| r.chunks_exact(width).map(element).collect();
    bytes[header..].chunks_exact(width * columns).map(row).collect()
}

/// Ids of the tokens of every reference sentence, without padding.
fn sentences(folder: &Path) -> Vec<Vec<i64>> {
    const LENGTH: usize = 19;
    let ids = rows(folder.join("reference_input_ids.npy"), LENGTH, 8);
    let mask = rows(folder.join("reference_attention_mask.npy"), LENGTH, 8);
    let kept = |(ids, mask): (Vec<[u8; 8]>, Vec<[u8; 8]>)| {
        let pairs = ids.into_iter().zip(mask).filter(|(_, m)| i64::from_le_bytes(*m) == 1);
        pairs.map(|(i, _)| i64::from_le_bytes(i)).collect()
    };
    ids.into_iter().zip(mask).map(kept).collect()
}

/// The published embeddings, of the model before its weights were rounded to half precision.
fn published(folder: &Path) -> Vec<Vec<f64>> {
    let rows = rows(folder.join("reference_embeddings.npy"), 384, 4);
    let number = |b: &[u8; 8]| f64::from(f32::from_le_bytes([b[0], b[1], b[2], b[3]]));
    rows.iter().map(|r| r.iter().map(number).collect()).collect()
}

fn encoder(model: &OnnxModel, length: usize) -> Graph {
    let dims = [("batch".to_string(), 1), ("sequence".to_string(), length)].into();
    let mut graph = import(model, &ImportOptions { dims, ..Default::default() }).unwrap();
    graph.outputs.retain(|(name, _)| name == "sentence_embedding");
    graph
}

fn cosine(a: &[f64], b: &[f64]) -> f64 {
    let inner = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f64>();
    inner(a, b) / (inner(a, a) * inner(b, b)).sqrt()
}

#[test]
fn embeddings_are_those_of_onnx_runtime_and_of_the_published_model() {
    let Some(folder) = folder() else { return };
    let fixture: serde_json::Value = serde_json::from_str(include_str!("fixtures/minilm.json")).unwrap();
    let model = OnnxModel::read(folder.join("all-MiniLM-L6-v2-f16.onnx")).unwrap();
    let published = published(&folder);
    let mut compared = 0;
    for (i, ids) in sentences(&folder).into_iter().enumerate() {
        let graph = encoder(&model, ids.len());
        let shape = [1, ids.len()];
        let inputs = [Tensor::new(shape, ids).unwrap(), Tensor::full(shape, 1i64), Tensor::full(shape, 0i64)];
        let got = model::compute(&graph.output_exprs(), &graph.inputs, &inputs).remove(0).to_f64_vec();
        let expected = fixture["embeddings"][i].as_array().unwrap();
        for (g, e) in got.iter().zip(expected) {
            assert!((g - e.as_f64().unwrap()).abs() < 1e-4, "sentence {i}: {g} instead of {e}");
        }
        let similarity = cosine(&got, &published[i]);
        assert!(similarity >= 0.9999, "sentence {i}: cosine {similarity}");
        compared += 1;
    }
    assert_eq!(compared, 20);
}
