//! Writes every case with its inputs and outputs for `benches/reference/export_check.py`.

use crate::cases;
use perturb_graph::{DType, Data, Tensor, eval};
use perturb_onnx::proto::TensorProto;
use perturb_onnx::{ExportError, ExportOptions, export};
use prost::Message;
use std::path::Path;

fn stored(value: &Tensor) -> TensorProto {
    let (data_type, raw): (i32, Vec<u8>) = match value.data() {
        Data::F32(d) => (1, d.iter().flat_map(|v| v.to_le_bytes()).collect()),
        Data::F64(d) => (11, d.iter().flat_map(|v| v.to_le_bytes()).collect()),
        Data::I64(d) => (7, d.iter().flat_map(|v| v.to_le_bytes()).collect()),
        Data::Bool(d) => (9, d.iter().map(|&v| u8::from(v)).collect()),
    };
    let dims = value.shape().iter().map(|&d| d as i64).collect();
    TensorProto { dims, data_type, raw_data: raw.into(), ..Default::default() }
}

fn write(folder: &Path, case: &cases::Case) {
    let options = ExportOptions { description: case.name.clone(), ..Default::default() };
    let bytes = match export(&case.graph, &options) {
        Err(ExportError::Unsupported { op, .. }) if cases::NOT_WRITTEN.contains(&op.as_str()) => return,
        other => other.unwrap(),
    };
    std::fs::create_dir_all(folder).unwrap();
    std::fs::write(folder.join("model.onnx"), bytes).unwrap();
    let outputs = eval(&case.graph.output_exprs(), &case.feeds()).unwrap();
    for (kind, values) in [("input", &case.point), ("output", &outputs)] {
        for (i, value) in values.iter().enumerate() {
            std::fs::write(folder.join(format!("{kind}_{i}.pb")), stored(value).encode_to_vec()).unwrap();
        }
    }
}

#[test]
fn cases_for_onnx_runtime() {
    let Some(root) = std::env::var_os("PERTURB_EXPORTS") else {
        eprintln!("skipped: PERTURB_EXPORTS is not set");
        return;
    };
    for dtype in [DType::F32, DType::F64] {
        for (i, case) in cases::primitives(dtype).iter().chain(&cases::networks(dtype)).enumerate() {
            write(&Path::new(&root).join(format!("{dtype}-{i:04}")), case);
        }
    }
}
