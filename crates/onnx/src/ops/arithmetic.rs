//! Elementwise arithmetic, with NumPy broadcasting, on floating-point numbers and integers.

use super::Group;
use crate::error::unsupported;
use crate::host;
use crate::node::{Node, Outputs};
use crate::value::{Value, cast};
use perturb_graph::{DType, Expr, Unary};

pub(super) const OPS: Group = &[
    ("Abs", |n| number(n, Unary::Abs)),
    ("Acos", |n| unary(n, Expr::acos)),
    ("Acosh", |n| unary(n, Expr::acosh)),
    ("Add", |n| binary(n, Expr::try_add)),
    ("Asin", |n| unary(n, Expr::asin)),
    ("Asinh", |n| unary(n, Expr::asinh)),
    ("Atan", |n| unary(n, Expr::atan)),
    ("Atanh", |n| unary(n, Expr::atanh)),
    ("Ceil", |n| unary(n, Expr::ceil)),
    ("Cos", |n| unary(n, Expr::cos)),
    ("Cosh", |n| unary(n, Expr::cosh)),
    ("Div", |n| binary(n, Expr::try_div)),
    ("Erf", |n| unary(n, Expr::erf)),
    ("Exp", |n| unary(n, Expr::exp)),
    ("Floor", |n| unary(n, Expr::floor)),
    ("Log", |n| unary(n, Expr::log)),
    ("Max", |n| variadic(n, Expr::try_maximum)),
    ("Mean", mean),
    ("Min", |n| variadic(n, Expr::try_minimum)),
    ("Mod", modulo),
    ("Mul", |n| binary(n, Expr::try_mul)),
    ("Neg", |n| number(n, Unary::Neg)),
    ("Pow", pow),
    ("Reciprocal", |n| unary(n, Expr::reciprocal)),
    ("Round", |n| unary(n, Expr::round)),
    ("Sign", |n| number(n, Unary::Sign)),
    ("Sin", |n| unary(n, Expr::sin)),
    ("Sinh", |n| unary(n, Expr::sinh)),
    ("Sqrt", |n| unary(n, Expr::sqrt)),
    ("Sub", |n| binary(n, Expr::try_sub)),
    ("Sum", |n| variadic(n, Expr::try_add)),
    ("Tan", |n| unary(n, Expr::tan)),
];

/// A function of two expressions that broadcast together.
pub(super) type Builder = fn(&Expr, &Expr) -> perturb_graph::Result<Expr>;

/// A function of one floating-point operand.
pub(super) fn unary(node: &Node, f: fn(&Expr) -> Expr) -> Outputs {
    Ok(vec![f(&node.expr(0)?).into()])
}

/// A function of one operand that is also one of integers.
fn number(node: &Node, f: Unary) -> Outputs {
    Ok(vec![node.number(0)?.try_unary(f)?.into()])
}

fn binary(node: &Node, f: Builder) -> Outputs {
    Ok(vec![f(&node.number(0)?, &node.number(1)?)?.into()])
}

fn variadic(node: &Node, f: Builder) -> Outputs {
    let values = node.values()?;
    let mut result = values[0].to_number(node.dtype)?;
    for value in &values[1..] {
        result = f(&result, &value.to_number(node.dtype)?)?;
    }
    Ok(vec![result.into()])
}

fn mean(node: &Node) -> Outputs {
    let sum = variadic(node, Expr::try_add)?.remove(0).to_expr(node.dtype)?;
    let count = Expr::scalar(node.inputs.len() as f64, node.dtype);
    Ok(vec![sum.try_div(&count)?.into()])
}

/// With `fmod` the sign is the dividend's, without it the divisor's.
fn modulo(node: &Node) -> Outputs {
    let (a, b) = (node.number(0)?, node.number(1)?);
    let remainder = a.try_rem(&b)?;
    if node.int("fmod", 0) != 0 {
        return Ok(vec![remainder.into()]);
    }
    if a.dtype() != DType::I64 {
        return unsupported("floating-point operands without fmod");
    }
    let zero = remainder.like(0.0);
    let shifted = remainder.try_add(&b)?;
    let differ = remainder.mul(&b.try_broadcast_to(remainder.shape())?).less(&zero);
    Ok(vec![Expr::try_select(&differ, &shifted, &remainder)?.into()])
}

/// A uniform exponent that import knows is given to the builder as a number, which then multiplies or takes roots
/// where it can.
fn pow(node: &Node) -> Outputs {
    let x = node.number(0)?;
    let exponent = node.number(1)?;
    // The result has the base's type.
    let exponent = match (x.dtype(), exponent.dtype()) {
        (DType::I64, to) if to.is_float() => {
            return Ok(vec![cast(&cast(&x, node.dtype)?.try_pow(&exponent)?, DType::I64)?.into()]);
        }
        (own, _) => cast(&exponent, own)?,
    };
    let Some(known) = Value::Expr(exponent.clone()).known() else { return Ok(vec![x.try_pow(&exponent)?.into()]) };
    let x = x.try_broadcast_to(host::broadcast_shapes(x.shape(), known.shape())?)?;
    let values = known.to_f64_vec();
    let uniform = values.first().copied().filter(|&p| values.iter().all(|&v| v == p));
    Ok(vec![
        match uniform {
            Some(p) if p == -0.5 && x.dtype().is_float() => x.sqrt().reciprocal(),
            Some(p) => x.try_pow(&Expr::scalar(p, x.dtype()))?,
            None => x.try_pow(&Expr::constant(known))?,
        }
        .into(),
    ])
}
