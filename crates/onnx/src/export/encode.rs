//! Tensors, types and attributes as messages.

use crate::proto::{
    AttributeProto, DimensionProto, TensorProto, TensorShapeProto, TensorTypeProto, TypeProto, ValueInfoProto,
};
use perturb_graph::{DType, Data, Shape, Tensor};

/// The standard's number of an element type.
pub(super) fn code(dtype: DType) -> i32 {
    match dtype {
        DType::F32 => 1,
        DType::I64 => 7,
        DType::Bool => 9,
        DType::F64 => 11,
    }
}

/// The standard's number of truth values.
pub(super) const BOOL: i32 = 9;

/// A stored tensor, elements as little-endian bytes.
pub(super) fn tensor(name: &str, value: &Tensor) -> TensorProto {
    TensorProto {
        name: name.to_string(),
        dims: signed(value.shape()),
        data_type: code(value.dtype()),
        raw_data: bytes(value).into(),
        ..Default::default()
    }
}

fn bytes(value: &Tensor) -> Vec<u8> {
    match value.data() {
        Data::F32(d) => d.iter().flat_map(|v| v.to_le_bytes()).collect(),
        Data::F64(d) => d.iter().flat_map(|v| v.to_le_bytes()).collect(),
        Data::I64(d) => d.iter().flat_map(|v| v.to_le_bytes()).collect(),
        Data::Bool(d) => d.iter().map(|&v| u8::from(v)).collect(),
    }
}

/// Sizes as the standard writes them.
pub(super) fn signed(sizes: &[usize]) -> Vec<i64> {
    sizes.iter().map(|&s| s as i64).collect()
}

/// A named value with its type and shape.
pub(super) fn info(name: &str, dtype: DType, shape: &Shape) -> ValueInfoProto {
    let dim = shape.iter().map(|&d| DimensionProto { dim_value: Some(d as i64), dim_param: None }).collect();
    let tensor_type = Some(TensorTypeProto { elem_type: code(dtype), shape: Some(TensorShapeProto { dim }) });
    ValueInfoProto { name: name.to_string(), r#type: Some(TypeProto { tensor_type }) }
}

/// An attribute that is an integer.
pub(super) fn int(name: &str, i: i64) -> AttributeProto {
    AttributeProto { name: name.into(), i, r#type: 2, ..Default::default() }
}

/// An attribute that is a list of integers.
pub(super) fn ints(name: &str, list: &[usize]) -> AttributeProto {
    AttributeProto { name: name.into(), ints: signed(list), r#type: 7, ..Default::default() }
}

/// An attribute that is a string.
pub(super) fn text(name: &str, value: &str) -> AttributeProto {
    AttributeProto { name: name.into(), s: value.as_bytes().to_vec().into(), r#type: 3, ..Default::default() }
}
