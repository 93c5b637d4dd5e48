//! Tensors in files, as the reference scripts write them.

use perturb_graph::{DType, Tensor, eval};
use perturb_onnx::proto::*;
use perturb_onnx::{ImportOptions, OnnxError, OnnxModel, import};
use prost::Message;
use std::path::Path;

/// The tensors `kind_0.pb`, `kind_1.pb`, … of a folder.
pub fn tensors(folder: &Path, kind: &str) -> Vec<TensorProto> {
    let files = (0..).map(|i| folder.join(format!("{kind}_{i}.pb"))).take_while(|f| f.exists());
    files.map(|f| TensorProto::decode(std::fs::read(f).unwrap().as_slice()).unwrap()).collect()
}

/// A stored tensor's value, by way of a model that returns its only initializer.
pub fn value(proto: &TensorProto) -> Result<Tensor, OnnxError> {
    let mut wrapper = super::model(13, &[1], vec![], vec![TensorProto { name: "y".into(), ..proto.clone() }]);
    wrapper.graph.as_mut().unwrap().input.clear();
    let options =
        ImportOptions { dtype: if proto.data_type == 11 { DType::F64 } else { DType::F32 }, ..Default::default() };
    let graph = import(&OnnxModel::from_proto(wrapper)?, &options)?;
    Ok(eval(&graph.output_exprs(), &[]).unwrap().remove(0))
}
