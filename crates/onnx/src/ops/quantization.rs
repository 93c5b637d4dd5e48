//! Quantized numbers, computed with floating-point numbers that hold the same integers.

use super::Group;
use crate::decode::Code;
use crate::error::{NodeError, invalid, unsupported};
use crate::node::{Node, Outputs};
use crate::value::cast;
use perturb_graph::{DType, Expr, Shape};

pub(super) const OPS: Group = &[
    ("DequantizeLinear", dequantize),
    ("DynamicQuantizeLinear", dynamic),
    ("MatMulInteger", matmul_integer),
    ("QuantizeLinear", quantize),
];

/// Smallest and largest number of an integer type of at most 16 bits.
fn range(code: Option<Code>) -> Result<(f64, f64), NodeError> {
    match code {
        Some(Code::U8) => Ok((0.0, 255.0)),
        Some(Code::I8) => Ok((-128.0, 127.0)),
        Some(Code::U16) => Ok((0.0, 65535.0)),
        Some(Code::I16) => Ok((-32768.0, 32767.0)),
        _ => unsupported("quantization to another type than integers of 8 and 16 bits"),
    }
}

/// Operand `i` as floating-point numbers.
fn float(node: &Node, i: usize) -> Result<Expr, NodeError> {
    node.value(i)?.to_mask(node.dtype)
}

/// Operand `i`, a scale or a zero point, repeated over `x`: one for all, one for each place along `axis`, or one for
/// every block of places.
fn spread(node: &Node, i: usize, x: &Expr) -> Result<Expr, NodeError> {
    let value = float(node, i)?;
    if value.shape().count() == 1 {
        return Ok(value.try_reshape([])?.try_broadcast_to(x.shape())?);
    }
    let axis = node.axis("axis", 1, x.rank())?;
    if value.rank() == 1 {
        let mut shape = vec![1; x.rank()];
        shape[axis] = value.shape()[0];
        return Ok(value.try_reshape(shape)?.try_broadcast_to(x.shape())?);
    }
    let block = usize::try_from(node.int("block_size", 0)).unwrap_or(0);
    if value.rank() != x.rank() || block == 0 || value.shape()[axis] != x.shape()[axis].div_ceil(block) {
        return invalid(format!("scales of shape {} for data of shape {}", value.shape(), x.shape()));
    }
    let (before, after) = (&value.shape()[..axis], &value.shape()[axis + 1..]);
    let with = |middle: &[usize]| -> Shape { [before, middle, after].concat().into() };
    let blocks = value.shape()[axis];
    let repeated = value.try_reshape(with(&[blocks, 1]))?.try_broadcast_to(with(&[blocks, block]))?;
    Ok(repeated
        .try_reshape(with(&[blocks * block]))?
        .slice_axis(axis, 0, x.shape()[axis])
        .try_broadcast_to(x.shape())?)
}

/// `(x − zero)·scale`.
fn dequantize(node: &Node) -> Outputs {
    let x = float(node, 0)?;
    let centred = if node.optional(2).is_some() { x.try_sub(&spread(node, 2, &x)?)? } else { x.clone() };
    Ok(vec![centred.try_mul(&spread(node, 1, &x)?)?.into()])
}

/// `round(x/scale) + zero`, as near as the result's type comes.
fn quantize(node: &Node) -> Outputs {
    let x = float(node, 0)?;
    let declared = match i32::try_from(node.int("output_dtype", 0)) {
        Ok(number) if number != 0 => Code::from_number(number).ok(),
        _ if node.optional(2).is_none() => Some(Code::U8),
        _ => node.declared(2),
    };
    let (low, high) = range(declared)?;
    let mut y = x.try_div(&spread(node, 1, &x)?)?.round();
    if node.optional(2).is_some() {
        y = y.try_add(&spread(node, 2, &x)?)?;
    }
    Ok(vec![cast(&y.clip(low, high), DType::I64)?.into()])
}

/// To unsigned 8 bits, with scale and zero point from the range of the data, which is made to hold 0.
fn dynamic(node: &Node) -> Outputs {
    let x = node.expr(0)?;
    let axes: Vec<usize> = (0..x.rank()).collect();
    let high = x.try_reduce_max(&axes, false)?.relu();
    let low = x.neg().try_reduce_max(&axes, false)?.relu().neg();
    let scale = high.sub(&low).scale(1.0 / 255.0);
    let zero = low.neg().div(&scale).clip(0.0, 255.0).round();
    let y = x.try_div(&scale)?.round().try_add(&zero)?.clip(0.0, 255.0);
    Ok(vec![cast(&y, DType::I64)?.into(), scale.into(), cast(&zero, DType::I64)?.into()])
}

/// A product of integers, exact because doubles hold sums of 2³⁷ products of 8-bit integers.
fn matmul_integer(node: &Node) -> Outputs {
    let operand = |i: usize, zero: usize, row: bool| -> Result<Expr, NodeError> {
        let x = cast(&node.number(i)?, DType::F64)?;
        if node.optional(zero).is_none() {
            return Ok(x);
        }
        let zero = cast(&node.number(zero)?, DType::F64)?;
        let zero = match zero.rank() {
            1 if zero.shape()[0] > 1 && row => zero.try_reshape([zero.shape()[0], 1])?,
            _ => zero,
        };
        Ok(x.try_sub(&zero)?)
    };
    let product = operand(0, 2, true)?.try_matmul(&operand(1, 3, false)?)?;
    Ok(vec![cast(&product, DType::I64)?.into()])
}
