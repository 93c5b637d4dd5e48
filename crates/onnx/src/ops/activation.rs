//! Activation functions.

use super::{Group, arithmetic::unary};
use crate::node::{Node, Outputs};
use perturb_graph::Expr;

pub(super) const OPS: Group = &[
    ("Celu", celu),
    ("Clip", clip),
    ("Elu", |n| Ok(vec![n.expr(0)?.elu(n.float("alpha", 1.0)).into()])),
    ("Gelu", gelu),
    ("HardSigmoid", hard_sigmoid),
    ("HardSwish", hard_swish),
    ("LeakyRelu", |n| Ok(vec![n.expr(0)?.leaky_relu(n.float("alpha", f64::from(0.01f32))).into()])),
    ("Mish", |n| unary(n, |x| x.mul(&x.softplus().tanh()))),
    ("PRelu", prelu),
    ("Relu", |n| Ok(vec![relu(&n.number(0)?).into()])),
    ("Selu", selu),
    ("Shrink", shrink),
    ("Sigmoid", |n| unary(n, Expr::sigmoid)),
    ("Softplus", |n| unary(n, Expr::softplus)),
    ("Softsign", |n| unary(n, |x| x.div(&x.abs().add(&x.like(1.0))))),
    ("Tanh", |n| unary(n, Expr::tanh)),
    ("ThresholdedRelu", thresholded_relu),
];

/// `max(0, x)`, also of integers.
fn relu(x: &Expr) -> Expr {
    if x.dtype().is_float() { x.relu() } else { x.maximum(&x.like(0.0)) }
}

/// `max(0, x) + min(0, α(exp(x/α) − 1))`, that is, `α·elu(x/α)`.
fn celu(node: &Node) -> Outputs {
    let (x, alpha) = (node.expr(0)?, node.float("alpha", 1.0));
    Ok(vec![x.mul(&x.like(1.0 / alpha)).elu(1.0).mul(&x.like(alpha)).into()])
}

/// `γ·elu_α(x)`; the defaults are those of Klambauer et al. 2017 as float32.
fn selu(node: &Node) -> Outputs {
    let (alpha, gamma) =
        (node.float("alpha", f64::from(1.673_263_2_f32)), node.float("gamma", f64::from(1.050_701_f32)));
    let x = node.expr(0)?;
    Ok(vec![x.elu(alpha).mul(&x.like(gamma)).into()])
}

fn gelu(node: &Node) -> Outputs {
    let x = node.expr(0)?;
    Ok(vec![if node.text("approximate", "none") == "tanh" { x.gelu_tanh() } else { x.gelu() }.into()])
}

/// `clip(αx + β, 0, 1)`.
fn hard_sigmoid(node: &Node) -> Outputs {
    let x = node.expr(0)?;
    let (alpha, beta) = (x.like(node.float("alpha", f64::from(0.2f32))), x.like(node.float("beta", 0.5)));
    Ok(vec![x.mul(&alpha).add(&beta).clip(0.0, 1.0).into()])
}

/// `x · clip(x/6 + 1/2, 0, 1)`.
fn hard_swish(node: &Node) -> Outputs {
    unary(node, |x| x.mul(&x.mul(&x.like(1.0 / 6.0)).add(&x.like(0.5)).clip(0.0, 1.0)))
}

/// `max(0, x) + slope·min(0, x)`, the slope broadcast to `x`.
fn prelu(node: &Node) -> Outputs {
    let (x, slope) = (node.expr(0)?, node.expr(1)?.try_broadcast_to(node.value(0)?.shape())?);
    Ok(vec![x.relu().sub(&slope.mul(&x.neg().relu())).into()])
}

/// `x − bias` above `lambd`, `x + bias` below `−lambd`, 0 in between.
fn shrink(node: &Node) -> Outputs {
    let x = node.expr(0)?;
    let (edge, bias) = (node.float("lambd", 0.5), node.float("bias", 0.0));
    let (above, below) = (x.greater(&x.like(edge)), x.less(&x.like(-edge)));
    let low = Expr::select(&below, &x.offset(bias), &x.like(0.0));
    Ok(vec![Expr::select(&above, &x.offset(-bias), &low).into()])
}

/// `x` where `x > α`, else 0.
fn thresholded_relu(node: &Node) -> Outputs {
    let x = node.expr(0)?;
    let mask = x.greater(&x.like(node.float("alpha", 1.0)));
    Ok(vec![Expr::select(&mask, &x, &x.like(0.0)).into()])
}

/// Bounds are attributes before operator set 11 and scalar operands from then on; either may be absent.
fn clip(node: &Node) -> Outputs {
    let mut x = node.number(0)?;
    for (position, name) in [(1, "min"), (2, "max")] {
        let bound = match node.optional(position) {
            Some(bound) => bound.to_number(node.dtype)?,
            None if node.has(name) => x.like(node.float(name, 0.0)),
            None => continue,
        };
        let bound = bound.try_broadcast_to(x.shape())?;
        x = if position == 1 { x.maximum(&bound) } else { x.minimum(&bound) };
    }
    Ok(vec![x.into()])
}
