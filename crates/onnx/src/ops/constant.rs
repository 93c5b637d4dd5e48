//! Constants, ranges and conversions between element types.

use super::Group;
use crate::decode::Code;
use crate::error::{NodeError, invalid, unsupported};
use crate::host;
use crate::node::{Node, Outputs, shape};
use crate::value::{self, Value};
use perturb_graph::{DType, Expr, Shape, Tensor};

pub(super) const OPS: Group = &[
    ("Cast", cast),
    ("CastLike", cast_like),
    ("Constant", constant),
    ("ConstantOfShape", constant_of_shape),
    ("Range", range),
];

fn constant(node: &Node) -> Outputs {
    let value = if let Some(tensor) = node.tensor("value")? {
        tensor
    } else if node.has("value_float") {
        Tensor::scalar(node.float("value_float", 0.0) as f32)
    } else if let Some(list) = node.floats("value_floats").filter(|_| node.has("value_floats")) {
        Tensor::new([list.len()], list.to_vec())?
    } else if node.has("value_int") {
        Tensor::scalar(node.int("value_int", 0))
    } else if let Some(list) = node.ints("value_ints") {
        Tensor::new([list.len()], list.to_vec())?
    } else {
        return unsupported("a constant that is neither a dense tensor nor numbers");
    };
    // Some exporters store weights here.
    const MAX_INLINE: usize = 16;
    if value.dtype().is_float() && value.count() > MAX_INLINE {
        let name = node.proto.output.first().map_or("", String::as_str);
        return Ok(vec![Value::Param(Expr::param(name, value.to_dtype(node.dtype)))]);
    }
    Ok(vec![value.into()])
}

fn constant_of_shape(node: &Node) -> Outputs {
    let Some(sizes) = node.known_ints(0, "shapes")? else { return invalid("the shape is missing") };
    let shape = shape(&sizes, "shape")?;
    let value = node.tensor("value")?.unwrap_or(Tensor::scalar(0.0f32));
    if value.count() != 1 {
        return invalid(format!("the value must be one number, not of shape {}", value.shape()));
    }
    Ok(vec![Value::Host(value.reshape(Shape::default())?).broadcast_to(&shape)?])
}

fn range(node: &Node) -> Outputs {
    let [start, limit, step] = [0, 1, 2].map(|i| node.known(i, "the bounds of a range"));
    let (Some(start), Some(limit), Some(step)) = (start?, limit?, step?) else { return invalid("a bound is missing") };
    if [&start, &limit, &step].iter().any(|t| t.count() != 1) {
        return invalid("the bounds must be single numbers");
    }
    let values = [&start, &limit, &step].map(|t| t.to_f64_vec()[0]);
    let [from, to, by] = values;
    if by == 0.0 || values.iter().any(|v| !v.is_finite()) {
        return invalid(format!("a range from {from} to {to} by {by}"));
    }
    let count = ((to - from) / by).ceil().max(0.0);
    let count =
        host::check_count(&[if count < host::MAX_FOLDED as f64 + 1.0 { count as usize } else { usize::MAX }].into())?;
    let items = (0..count).map(|i| from + i as f64 * by).collect();
    Ok(vec![Tensor::from_f64([count], start.dtype(), items)?.into()])
}

fn cast(node: &Node) -> Outputs {
    let code = match i32::try_from(node.int("to", 0)).map_err(|e| e.to_string()).and_then(Code::from_number) {
        Ok(code) => code,
        Err(reason) => return unsupported(format!("conversion: {reason}")),
    };
    Ok(vec![convert(node.value(0)?, code, node.dtype)?])
}

fn cast_like(node: &Node) -> Outputs {
    let code = match node.value(1)?.dtype() {
        DType::I64 => Code::I64,
        DType::Bool => Code::Bool,
        DType::F64 => Code::F64,
        DType::F32 => Code::F32,
    };
    Ok(vec![convert(node.value(0)?, code, node.dtype)?])
}

/// All floating-point types are one during import, and all integer types are 64 bits wide.
fn convert(value: &Value, code: Code, dtype: DType) -> Result<Value, NodeError> {
    Ok(match value {
        Value::Host(t) if code.is_float() => t.to_dtype(if code == Code::F64 { DType::F64 } else { DType::F32 }).into(),
        Value::Host(t) if code == Code::Bool => t.to_dtype(DType::Bool).into(),
        Value::Host(t) => narrowed(t, code)?.into(),
        run_time if code.is_float() && run_time.dtype().is_float() => run_time.clone(),
        run_time if code.is_float() => run_time.to_mask(dtype)?.into(),
        run_time if code == Code::Bool => {
            let x = run_time.to_number(dtype)?;
            Expr::try_select(&x, &x.like(1.0), &x.like(0.0))?.into()
        }
        run_time => value::cast(&run_time.to_number(dtype)?, DType::I64)?.into(),
    })
}

/// Integers of fewer bits wrap around.
fn narrowed(t: &Tensor, code: Code) -> Result<Tensor, NodeError> {
    let wide = t.to_dtype(DType::I64);
    let wrap = |v: i64| match code {
        Code::U8 => i64::from(v as u8),
        Code::I8 => i64::from(v as i8),
        Code::U16 => i64::from(v as u16),
        Code::I16 => i64::from(v as i16),
        Code::U32 => i64::from(v as u32),
        Code::I32 => i64::from(v as i32),
        _ => v,
    };
    let values = wide.try_as_slice::<i64>().unwrap_or_default().iter().map(|&v| wrap(v)).collect();
    Ok(Tensor::new(t.shape(), values)?)
}
