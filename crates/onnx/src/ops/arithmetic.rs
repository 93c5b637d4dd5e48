//! Elementwise arithmetic, with NumPy broadcasting.

use super::Group;
use crate::error::{NodeError, invalid};
use crate::host;
use crate::node::{Node, Outputs};
use crate::value::Value;
use perturb_graph::{Expr, Tensor};

pub(super) const OPS: Group = &[
    ("Abs", |n| unary(n, Expr::abs)),
    ("Add", |n| binary(n, &ADD)),
    ("Ceil", |n| unary(n, Expr::ceil)),
    ("Cos", |n| unary(n, Expr::cos)),
    ("Div", |n| binary(n, &DIV)),
    ("Erf", |n| unary(n, Expr::erf)),
    ("Exp", |n| unary(n, Expr::exp)),
    ("Floor", |n| unary(n, Expr::floor)),
    ("Log", |n| unary(n, Expr::log)),
    ("Max", |n| variadic(n, &MAX)),
    ("Mean", mean),
    ("Min", |n| variadic(n, &MIN)),
    ("Mul", |n| binary(n, &MUL)),
    ("Neg", neg),
    ("Pow", pow),
    ("Reciprocal", |n| unary(n, Expr::reciprocal)),
    ("Round", |n| unary(n, Expr::round)),
    ("Sign", |n| unary(n, Expr::sign)),
    ("Sin", |n| unary(n, Expr::sin)),
    ("Sqrt", |n| unary(n, Expr::sqrt)),
    ("Sub", |n| binary(n, &SUB)),
    ("Sum", |n| variadic(n, &ADD)),
];

/// A function of two operands: on integer constants, on other constants, and on expressions.
struct Function {
    int: fn(i64, i64) -> Option<i64>,
    float: fn(f64, f64) -> f64,
    expr: fn(&Expr, &Expr) -> perturb_graph::Result<Expr>,
}

const ADD: Function = Function { int: i64::checked_add, float: |a, b| a + b, expr: Expr::try_add };
const SUB: Function = Function { int: i64::checked_sub, float: |a, b| a - b, expr: Expr::try_sub };
const MUL: Function = Function { int: i64::checked_mul, float: |a, b| a * b, expr: Expr::try_mul };
const DIV: Function = Function { int: i64::checked_div, float: |a, b| a / b, expr: Expr::try_div };
const MAX: Function = Function {
    int: |a, b| Some(a.max(b)),
    float: |a, b| if a.is_nan() || a > b { a } else { b },
    expr: Expr::try_maximum,
};
const MIN: Function = Function {
    int: |a, b| Some(a.min(b)),
    float: |a, b| if a.is_nan() || a < b { a } else { b },
    expr: Expr::try_minimum,
};

fn apply(node: &Node, f: &Function, a: &Value, b: &Value) -> Result<Value, NodeError> {
    if let (Value::Host(a), Value::Host(b)) = (a, b) {
        if a.dtype() != b.dtype() {
            return invalid(format!("operands of types {} and {}", a.dtype(), b.dtype()));
        }
        return Ok(host::zip(a, b, f.int, f.float)?.into());
    }
    Ok((f.expr)(&a.to_expr(node.dtype)?, &b.to_expr(node.dtype)?)?.into())
}

fn binary(node: &Node, f: &Function) -> Outputs {
    Ok(vec![apply(node, f, node.value(0)?, node.value(1)?)?])
}

fn variadic(node: &Node, f: &Function) -> Outputs {
    let values = node.values()?;
    let mut result = values[0].clone();
    for value in &values[1..] {
        result = apply(node, f, &result, value)?;
    }
    Ok(vec![result])
}

fn mean(node: &Node) -> Outputs {
    let sum = variadic(node, &ADD)?.remove(0).to_expr(node.dtype)?;
    let count = Expr::scalar(node.inputs.len() as f64, node.dtype);
    Ok(vec![sum.try_div(&count)?.into()])
}

/// A function of one floating-point operand.
pub(super) fn unary(node: &Node, f: fn(&Expr) -> Expr) -> Outputs {
    Ok(vec![f(&node.expr(0)?).into()])
}

fn neg(node: &Node) -> Outputs {
    match node.value(0)? {
        Value::Host(t) => {
            let zero = Tensor::from_f64([], t.dtype(), vec![-0.0])?;
            Ok(vec![host::zip(&zero, t, i64::checked_sub, |a, b| a - b)?.into()])
        }
        _ => unary(node, Expr::neg),
    }
}

/// A uniform exponent that import knows is given to the builder as a number, which then multiplies or takes roots
/// where it can; that is defined for negative bases, unlike the general form.
fn pow(node: &Node) -> Outputs {
    let (base, exponent) = (node.value(0)?, node.value(1)?);
    if let (Value::Host(a), Value::Host(b)) = (base, exponent) {
        let power = |a: i64, b: i64| u32::try_from(b).ok().and_then(|b| a.checked_pow(b));
        return Ok(vec![host::zip(a, &b.to_dtype(a.dtype()), power, f64::powf)?.into()]);
    }
    let x = base.to_expr(node.dtype)?;
    let Some(known) = exponent.known() else { return Ok(vec![x.try_pow(&exponent.to_expr(node.dtype)?)?.into()]) };
    let x = x.try_broadcast_to(host::broadcast_shapes(x.shape(), known.shape())?)?;
    let values = known.to_f64_vec();
    let uniform = values.first().copied().filter(|&p| values.iter().all(|&v| v == p));
    Ok(vec![
        match uniform {
            Some(-0.5) => x.sqrt().reciprocal(),
            Some(p) => x.try_pow(&Expr::scalar(p, node.dtype))?,
            None => x.try_pow(&Expr::constant(known.to_dtype(node.dtype)))?,
        }
        .into(),
    ])
}
