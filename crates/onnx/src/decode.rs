//! Stored tensors: every storage form of a `TensorProto` to a concrete tensor.

use crate::error::{OnnxError, Result};
use crate::external;
use crate::proto::TensorProto;
use half::{bf16, f16};
use perturb_graph::{Element, MAX_TENSOR_BYTES, Shape, Tensor};
use std::path::Path;

/// Element types of the standard that can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Code {
    F32,
    F64,
    F16,
    Bf16,
    U8,
    I8,
    U16,
    I16,
    I32,
    I64,
    U32,
    U64,
    Bool,
}

impl Code {
    /// The type with the standard's number, or the name of what it is instead.
    pub(crate) fn from_number(number: i32) -> Result<Code, String> {
        Ok(match number {
            1 => Code::F32,
            2 => Code::U8,
            3 => Code::I8,
            4 => Code::U16,
            5 => Code::I16,
            6 => Code::I32,
            7 => Code::I64,
            9 => Code::Bool,
            10 => Code::F16,
            11 => Code::F64,
            12 => Code::U32,
            13 => Code::U64,
            16 => Code::Bf16,
            0 => return Err("element type is not given".to_string()),
            8 => return Err("element type string is not supported".to_string()),
            14 | 15 => return Err("complex element types are not supported".to_string()),
            17..=20 => return Err("8-bit floating-point element types are not supported".to_string()),
            21 | 22 => return Err("4-bit element types are not supported".to_string()),
            other => return Err(format!("element type number {other} is unknown")),
        })
    }

    /// Whether the type is a floating-point type.
    pub(crate) fn is_float(self) -> bool {
        matches!(self, Code::F32 | Code::F64 | Code::F16 | Code::Bf16)
    }

    fn size(self) -> usize {
        match self {
            Code::U8 | Code::I8 | Code::Bool => 1,
            Code::F16 | Code::Bf16 | Code::U16 | Code::I16 => 2,
            Code::F32 | Code::I32 | Code::U32 => 4,
            Code::F64 | Code::I64 | Code::U64 => 8,
        }
    }
}

/// Decodes a stored tensor. Half-precision floats become `f32`, integers `i64`.
///
/// `folder` is where external data may lie, `None` if the model did not come from a file.
pub(crate) fn tensor(proto: &TensorProto, folder: Option<&Path>) -> Result<Tensor> {
    let fail = |reason: String| OnnxError::Tensor { name: proto.name.clone(), reason };
    let code = Code::from_number(proto.data_type).map_err(fail)?;
    let (shape, count) = checked_shape(&proto.dims, code).map_err(fail)?;
    if proto.data_location == 1 {
        let bytes = external::read(&proto.external_data, folder, count * code.size()).map_err(fail)?;
        return from_bytes(&bytes, code, shape).map_err(fail);
    }
    if !proto.raw_data.is_empty() {
        let (have, need) = (proto.raw_data.len(), count * code.size());
        if have != need {
            return Err(fail(format!("shape {shape} needs {need} bytes of raw data, but {have} are stored")));
        }
        return from_bytes(&proto.raw_data, code, shape).map_err(fail);
    }
    from_fields(proto, code, shape, count).map_err(fail)
}

fn checked_shape(dims: &[i64], code: Code) -> Result<(Shape, usize), String> {
    let shape: Option<Shape> =
        dims.iter().map(|&d| usize::try_from(d).ok()).collect::<Option<Vec<_>>>().map(Shape::from);
    let Some(shape) = shape else { return Err(format!("shape {dims:?} has a negative size")) };
    // Without the axes of size 0, and in the wider of the stored and the decoded element type, so that no later
    // product of sizes can overflow.
    let bytes = shape.iter().try_fold(code.size().max(8) as u128, |n, &d| n.checked_mul(d.max(1) as u128));
    match (bytes, shape.checked_count()) {
        (Some(bytes), Some(count)) if bytes <= MAX_TENSOR_BYTES => Ok((shape, count)),
        _ => Err(format!(
            "declares shape {shape}, {}, more than the limit of {MAX_TENSOR_BYTES} bytes",
            bytes.map_or("an overflowing size".to_string(), |b| format!("{b} bytes")),
        )),
    }
}

fn from_bytes(bytes: &[u8], code: Code, shape: Shape) -> Result<Tensor, String> {
    macro_rules! chunks {
        ($t:ty => $out:ty, $convert:expr) => {{
            let (chunks, _) = bytes.as_chunks::<{ size_of::<$t>() }>();
            finish::<$out>(shape, chunks.iter().map(|c| $convert(<$t>::from_le_bytes(*c))).collect())
        }};
    }
    match code {
        Code::F32 => chunks!(f32 => f32, std::convert::identity),
        Code::F64 => chunks!(f64 => f64, std::convert::identity),
        Code::F16 => chunks!(f16 => f32, f16::to_f32),
        Code::Bf16 => chunks!(bf16 => f32, bf16::to_f32),
        Code::U8 => chunks!(u8 => i64, i64::from),
        Code::I8 => chunks!(i8 => i64, i64::from),
        Code::U16 => chunks!(u16 => i64, i64::from),
        Code::I16 => chunks!(i16 => i64, i64::from),
        Code::I32 => chunks!(i32 => i64, i64::from),
        Code::I64 => chunks!(i64 => i64, std::convert::identity),
        Code::U32 => chunks!(u32 => i64, i64::from),
        Code::U64 => {
            let (chunks, _) = bytes.as_chunks::<8>();
            unsigned(shape, chunks.iter().map(|c| u64::from_le_bytes(*c)))
        }
        Code::Bool => finish(shape, bytes.iter().map(|&b| b != 0).collect()),
    }
}

fn from_fields(proto: &TensorProto, code: Code, shape: Shape, count: usize) -> Result<Tensor, String> {
    let (field, have) = match code {
        Code::F32 => ("float_data", proto.float_data.len()),
        Code::F64 => ("double_data", proto.double_data.len()),
        Code::I64 => ("int64_data", proto.int64_data.len()),
        Code::U32 | Code::U64 => ("uint64_data", proto.uint64_data.len()),
        _ => ("int32_data", proto.int32_data.len()),
    };
    if have != count {
        return Err(format!("shape {shape} needs {count} elements, but {field} holds {have} and there is no raw data"));
    }
    let ints = proto.int32_data.iter();
    match code {
        Code::F32 => finish(shape, proto.float_data.clone()),
        Code::F64 => finish(shape, proto.double_data.clone()),
        // The bit pattern is stored in the low half of the integer.
        Code::F16 => finish(shape, ints.map(|&b| f16::from_bits(b as u16).to_f32()).collect()),
        Code::Bf16 => finish(shape, ints.map(|&b| bf16::from_bits(b as u16).to_f32()).collect()),
        Code::I64 => finish(shape, proto.int64_data.clone()),
        Code::U32 | Code::U64 => unsigned(shape, proto.uint64_data.iter().copied()),
        Code::Bool => finish(shape, ints.map(|&b| b != 0).collect()),
        Code::U8 | Code::I8 | Code::U16 | Code::I16 | Code::I32 => finish(shape, ints.map(|&b| i64::from(b)).collect()),
    }
}

fn unsigned(shape: Shape, values: impl Iterator<Item = u64>) -> Result<Tensor, String> {
    let convert = |v| i64::try_from(v).map_err(|_| format!("holds {v}, which does not fit a signed 64-bit integer"));
    finish(shape, values.map(convert).collect::<Result<Vec<i64>, String>>()?)
}

fn finish<T: Element>(shape: Shape, data: Vec<T>) -> Result<Tensor, String> {
    Tensor::new(shape, data).map_err(|e| e.to_string())
}
