//! Comparisons, truth values and selection. A truth value is 0 or 1, of the type of what was compared.

use super::Group;
use super::arithmetic::Builder;
use crate::host;
use crate::node::{Node, Outputs};
use crate::value::cast;
use perturb_graph::Expr;

pub(super) const OPS: Group = &[
    ("And", |n| logical(n, Expr::try_mul)),
    ("Equal", |n| compare(n, Expr::try_equal)),
    ("Greater", |n| compare(n, Expr::try_greater)),
    ("GreaterOrEqual", |n| compare(n, Expr::try_greater_equal)),
    ("IsInf", is_inf),
    ("IsNaN", is_nan),
    ("Less", |n| compare(n, Expr::try_less)),
    ("LessOrEqual", |n| compare(n, Expr::try_less_equal)),
    ("Not", |n| Ok(vec![not(&n.number(0)?).into()])),
    ("Or", |n| logical(n, Expr::try_maximum)),
    ("Where", select),
    ("Xor", |n| logical(n, |a, b| Ok(a.try_sub(b)?.abs()))),
];

fn compare(node: &Node, expr: Builder) -> Outputs {
    let (a, b) = (node.number(0)?, node.number(1)?);
    // Truth values may be of several types.
    let b = cast(&b, a.dtype())?;
    Ok(vec![expr(&a, &b)?.into()])
}

fn logical(node: &Node, expr: Builder) -> Outputs {
    let a = node.number(0)?;
    let b = node.value(1)?.to_mask(a.dtype())?;
    Ok(vec![expr(&a, &b)?.into()])
}

/// 1 where the mask is 0.
fn not(mask: &Expr) -> Expr {
    mask.like(1.0).sub(mask)
}

fn is_nan(node: &Node) -> Outputs {
    let x = node.expr(0)?;
    Ok(vec![not(&x.equal(&x)).into()])
}

/// Infinite, or only of one sign.
fn is_inf(node: &Node) -> Outputs {
    let x = node.expr(0)?;
    let (positive, negative) = (node.int("detect_positive", 1) != 0, node.int("detect_negative", 1) != 0);
    let [above, below] = [f64::INFINITY, f64::NEG_INFINITY].map(|end| x.equal(&x.like(end)));
    let none = x.like(0.0);
    let mask = if positive { above } else { none.clone() };
    Ok(vec![if negative { mask.maximum(&below) } else { mask }.into()])
}

/// The elements of one operand where the mask holds, of the other elsewhere; all three broadcast together.
fn select(node: &Node) -> Outputs {
    let (on_true, on_false) = (node.number(1)?, node.number(2)?);
    let mask = node.value(0)?.to_mask(on_true.dtype())?;
    let shape = host::broadcast_shapes(mask.shape(), on_true.shape())?;
    let shape = host::broadcast_shapes(&shape, on_false.shape())?;
    let [mask, on_true, on_false] = [mask, on_true, on_false].map(|e| e.try_broadcast_to(&shape));
    Ok(vec![Expr::try_select(&mask?, &on_true?, &on_false?)?.into()])
}
