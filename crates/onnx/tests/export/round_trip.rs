//! Export, import, same values.

use crate::cases::{self, Case};
use crate::numbers::difference;
use perturb_graph::{DType, Expr, Graph, Tensor, eval};
use perturb_onnx::{ExportError, ExportOptions, ImportOptions, OnnxError, OnnxModel, export, import};

/// The graph after a journey through the format.
pub fn returned(graph: &Graph, dtype: DType) -> Graph {
    let bytes = export(graph, &ExportOptions::default()).unwrap();
    import(&OnnxModel::from_bytes(bytes).unwrap(), &ImportOptions { dtype, ..Default::default() }).unwrap()
}

fn check(case: &Case) -> Result<(), String> {
    let bytes = match export(&case.graph, &ExportOptions::default()) {
        Err(ExportError::Unsupported { op, .. }) if cases::NOT_WRITTEN.contains(&op.as_str()) => return Ok(()),
        other => other.map_err(|e| e.to_string())?,
    };
    let options = ImportOptions { dtype: DType::F64, ..Default::default() };
    let back = match import(&OnnxModel::from_bytes(bytes).unwrap(), &options) {
        // Loops are written, not read.
        Err(OnnxError::Unsupported { needs, .. }) if needs.iter().all(|n| n.op == "Scan") => return Ok(()),
        other => other.map_err(|e| e.to_string())?,
    };
    let names = |g: &Graph| g.outputs.iter().map(|(n, _)| n.clone()).collect::<Vec<_>>();
    assert_eq!(names(&back), names(&case.graph));
    let feeds: Vec<(Expr, Tensor)> = back.inputs.iter().cloned().zip(case.point.iter().cloned()).collect();
    let expected = eval(&case.graph.output_exprs(), &case.feeds()).unwrap();
    let got = eval(&back.output_exprs(), &feeds).map_err(|e| e.to_string())?;
    for (g, e) in got.iter().zip(&expected) {
        if g.shape() != e.shape() || g.dtype() != e.dtype() {
            return Err(format!("{}{} instead of {}{}", g.dtype(), g.shape(), e.dtype(), e.shape()));
        }
        // Some functions are composed differently in the format: a power, a product of scattered elements.
        // What is not a number on both sides is equal.
        let (mut g, mut e) = (g.to_f64_vec(), e.to_f64_vec());
        for (g, e) in g.iter_mut().zip(&mut e).filter(|(g, e)| g.is_nan() && e.is_nan()) {
            (*g, *e) = (0.0, 0.0);
        }
        if let Some(difference) = difference(&g, &e, 1e-12) {
            return Err(difference);
        }
    }
    Ok(())
}

fn check_all(cases: Vec<Case>) {
    let count = cases.len();
    let failed: Vec<String> = cases.iter().filter_map(|c| check(c).err().map(|e| format!("{}: {e}", c.name))).collect();
    assert!(failed.is_empty(), "{} of {count} failed:\n{}", failed.len(), failed.join("\n"));
}

#[test]
fn primitives_and_their_gradients() {
    let mut cases = cases::primitives(DType::F64);
    // The importer takes a declared size of 0 for an unknown one, as exporters write it.
    cases.retain(|c| c.point.iter().all(|t| t.count() > 0));
    check_all(cases);
}

#[test]
fn networks_and_what_transforms_make_of_them() {
    check_all(cases::networks(DType::F64));
}

// 1 + 10⁻⁹ is 1 in `f32`: who asks learns that the file has more digits, and reads them as they are.
#[test]
fn a_file_with_doubles_says_so_and_keeps_them() {
    for (dtype, doubles) in [(DType::F32, false), (DType::F64, true)] {
        let weights = Tensor::from_f64([1, 1], dtype, vec![1.0 + 1e-9]).unwrap();
        let x = Expr::input("x", [1, 1], dtype);
        let graph = Graph::new(vec![x.clone()], vec![("y".into(), x.matmul(&Expr::constant(weights)))]).unwrap();
        let model = OnnxModel::from_bytes(export(&graph, &ExportOptions::default()).unwrap()).unwrap();
        assert_eq!(model.has_doubles(), doubles);
        let back = import(&model, &ImportOptions { dtype, ..ImportOptions::default() }).unwrap();
        let one = Tensor::from_f64([1, 1], dtype, vec![1.0]).unwrap();
        let y = eval(&[back.outputs[0].1.clone()], &[(back.inputs[0].clone(), one)]).unwrap().remove(0);
        assert_eq!(y.to_f64_vec(), [if doubles { 1.0 + 1e-9 } else { 1.0 }]);
    }
}
