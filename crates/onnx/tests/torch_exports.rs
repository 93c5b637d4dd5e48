//! Models that PyTorch exported, as `benches/reference/torch_exports.py` writes them into the folder that
//! `PERTURB_TORCH_EXPORTS` names: values and gradients are PyTorch's. Without the folder the test is skipped.

mod model;

use model::stored;
use perturb_graph::{Expr, Tensor, vjp};
use perturb_onnx::{ImportOptions, OnnxModel, import};
use std::path::Path;

/// Relative to the largest magnitude.
fn distance(got: &Tensor, want: &Tensor) -> f64 {
    if got.shape() != want.shape() {
        return f64::INFINITY;
    }
    let (got, want) = (got.to_f64_vec(), want.to_f64_vec());
    let scale = want.iter().fold(1e-6f64, |m, v| m.max(v.abs()));
    // What is not a number is far from everything.
    let far = |(g, w): (&f64, &f64)| if (g - w).is_nan() { f64::INFINITY } else { (g - w).abs() };
    got.iter().zip(&want).map(far).fold(0.0, f64::max) / scale
}

/// Largest distances of the values and of the gradients.
fn check(folder: &Path) -> Result<(f64, f64), String> {
    let read = |kind: &str| stored::tensors(folder, kind).iter().map(|t| stored::value(t).unwrap()).collect::<Vec<_>>();
    let file = OnnxModel::read(folder.join("model.onnx")).map_err(|e| e.to_string())?;
    let graph = import(&file, &ImportOptions::default()).map_err(|e| e.to_string())?;
    let wanted = std::fs::read_to_string(folder.join("gradients.txt")).unwrap();
    let leaves: Vec<Expr> = graph.inputs.iter().cloned().chain(graph.params()).collect();
    let find = |name: &str| leaves.iter().find(|l| l.name() == Some(name)).cloned().ok_or(format!("no {name:?}"));
    let sources = wanted.lines().map(find).collect::<Result<Vec<_>, _>>()?;
    let mut outputs = graph.output_exprs();
    let values = outputs.len();
    let cotangent = Expr::constant(read("cotangent").remove(0));
    outputs.extend(vjp(&outputs[..1], &sources, &[cotangent]).map_err(|e| e.to_string())?);
    let got = model::compute(&outputs, &graph.inputs, &read("input"));
    let worst = |got: &[Tensor], want: Vec<Tensor>| {
        assert_eq!(got.len(), want.len());
        got.iter().zip(&want).fold(0.0f64, |m, (g, w)| m.max(distance(g, w)))
    };
    Ok((worst(&got[..values], read("output")), worst(&got[values..], read("gradient"))))
}

#[test]
fn torch_exports_compute_what_pytorch_computes() {
    let Some(root) = std::env::var_os("PERTURB_TORCH_EXPORTS") else {
        eprintln!("skipped: PERTURB_TORCH_EXPORTS is not set");
        return;
    };
    let mut folders: Vec<_> = std::fs::read_dir(root).unwrap().map(|e| e.unwrap().path()).collect();
    folders.sort();
    let mut failed = Vec::new();
    for folder in &folders {
        let name = folder.file_name().unwrap().to_string_lossy();
        match check(folder) {
            Ok((values, gradients)) => {
                eprintln!("{name}: values {values:.1e}, gradients {gradients:.1e}");
                if values > 1e-4 || gradients > 1e-4 {
                    failed.push(format!("{name}: values {values:.1e}, gradients {gradients:.1e}"));
                }
            }
            Err(reason) => failed.push(format!("{name}: {reason}")),
        }
    }
    assert!(failed.is_empty(), "{} of {} failed:\n{}", failed.len(), folders.len(), failed.join("\n"));
    assert!(!folders.is_empty());
}
