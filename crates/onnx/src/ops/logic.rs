//! Comparisons, truth values and selection. A truth value that depends on the input is 0 or 1.

use super::Group;
use crate::error::invalid;
use crate::host;
use crate::node::{Node, Outputs};
use crate::value::Value;
use perturb_graph::{DType, Expr};
use std::cmp::Ordering;

pub(super) const OPS: Group = &[
    ("And", |n| logical(n, |a, b| a && b, Expr::try_mul)),
    ("Equal", |n| compare(n, Ordering::is_eq, Expr::try_equal)),
    ("Greater", |n| compare(n, Ordering::is_gt, Expr::try_greater)),
    ("GreaterOrEqual", |n| compare(n, Ordering::is_ge, Expr::try_greater_equal)),
    ("Less", |n| compare(n, Ordering::is_lt, Expr::try_less)),
    ("LessOrEqual", |n| compare(n, Ordering::is_le, Expr::try_less_equal)),
    ("Not", not),
    ("Or", |n| logical(n, |a, b| a || b, Expr::try_maximum)),
    ("Where", select),
    ("Xor", |n| logical(n, |a, b| a != b, |a, b| Ok(a.try_sub(b)?.abs()))),
];

type Builder = fn(&Expr, &Expr) -> perturb_graph::Result<Expr>;

fn compare(node: &Node, holds: fn(Ordering) -> bool, expr: Builder) -> Outputs {
    if let (Value::Host(a), Value::Host(b)) = (node.value(0)?, node.value(1)?) {
        return Ok(vec![host::compare(a, b, holds)?.into()]);
    }
    Ok(vec![expr(&node.expr(0)?, &node.expr(1)?)?.into()])
}

fn logical(node: &Node, truth: fn(bool, bool) -> bool, expr: Builder) -> Outputs {
    if let (Value::Host(a), Value::Host(b)) = (node.value(0)?, node.value(1)?) {
        if a.dtype() != DType::Bool || b.dtype() != DType::Bool {
            return invalid("operands must be truth values");
        }
        let result = host::zip(a, b, |_, _| None, |a, b| f64::from(u8::from(truth(a != 0.0, b != 0.0))))?;
        return Ok(vec![result.into()]);
    }
    Ok(vec![expr(&node.expr(0)?, &node.expr(1)?)?.into()])
}

fn not(node: &Node) -> Outputs {
    match node.value(0)? {
        Value::Host(t) => {
            let flip = host::zip(t, t, |_, _| None, |a, _| if a == 0.0 { 1.0 } else { 0.0 })?;
            Ok(vec![flip.into()])
        }
        value => {
            let mask = value.to_expr(node.dtype)?;
            Ok(vec![mask.like(1.0).sub(&mask).into()])
        }
    }
}

/// The elements of one operand where the mask holds, of the other elsewhere; all three broadcast together.
fn select(node: &Node) -> Outputs {
    let [mask, on_true, on_false] = [node.value(0)?, node.value(1)?, node.value(2)?];
    let shape = host::broadcast_shapes(mask.shape(), on_true.shape())?;
    let shape = host::broadcast_shapes(&shape, on_false.shape())?;
    if let (Value::Host(m), Value::Host(a), Value::Host(b)) = (mask, on_true, on_false) {
        return Ok(vec![host::select(m, a, b, &shape)?.into()]);
    }
    let [mask, on_true, on_false] = [mask, on_true, on_false]
        .map(|v| v.to_expr(node.dtype)?.try_broadcast_to(&shape).map_err(crate::error::NodeError::from));
    Ok(vec![Expr::try_select(&mask?, &on_true?, &on_false?)?.into()])
}
