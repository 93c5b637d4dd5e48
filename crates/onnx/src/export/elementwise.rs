//! Elementwise functions. The standard's broadcast, so operands are taken as they are stored.

use super::encode;
use super::error::ExportError;
use super::writer::{Stored, Writer};
use crate::host::broadcast_shapes;
use perturb_graph::{Binary, Compare, Expr, Shape, Unary};

type Result<T = Stored> = std::result::Result<T, ExportError>;

/// A function of one operand.
pub(super) fn unary(w: &mut Writer, node: &Expr, f: Unary) -> Result {
    let x = w.stored(&node.inputs()[0])?;
    let op = match f {
        Unary::Neg => "Neg",
        Unary::Abs => "Abs",
        Unary::Sign => "Sign",
        Unary::Relu => "Relu",
        Unary::Exp => "Exp",
        Unary::Log => "Log",
        Unary::Sqrt => "Sqrt",
        Unary::Reciprocal => "Reciprocal",
        Unary::Tanh => "Tanh",
        Unary::Sigmoid => "Sigmoid",
        Unary::Erf => "Erf",
        Unary::Sin => "Sin",
        Unary::Cos => "Cos",
        Unary::Floor => "Floor",
        Unary::Ceil => "Ceil",
        Unary::Round => "Round",
        Unary::Square => {
            return Ok(Stored { name: w.emit("Mul", &[&x.name, &x.name], vec![]), shape: x.shape });
        }
        Unary::Step => {
            let zero = w.number(0.0, node.dtype());
            let mask = w.emit("Greater", &[&x.name, &zero], vec![]);
            return Ok(truth(w, node, Stored { name: mask, shape: x.shape }));
        }
    };
    Ok(Stored { name: w.emit(op, &[&x.name], vec![]), shape: x.shape })
}

/// A function of two operands.
pub(super) fn binary(w: &mut Writer, node: &Expr, f: Binary) -> Result {
    let op = match f {
        Binary::Add => "Add",
        Binary::Sub => "Sub",
        Binary::Mul => "Mul",
        Binary::Div => "Div",
        Binary::Max => "Max",
        Binary::Min => "Min",
    };
    of_two(w, node, op)
}

fn of_two(w: &mut Writer, node: &Expr, op: &str) -> Result {
    let (a, b) = (w.stored(&node.inputs()[0])?, w.stored(&node.inputs()[1])?);
    let shape = common(node, &[&a.shape, &b.shape])?;
    Ok(Stored { name: w.emit(op, &[&a.name, &b.name], vec![]), shape })
}

/// A comparison, as truth values and as numbers.
pub(super) fn compare(w: &mut Writer, node: &Expr, f: Compare) -> Result {
    let op = match f {
        Compare::Equal => "Equal",
        Compare::Greater => "Greater",
        Compare::GreaterEqual => "GreaterOrEqual",
        Compare::Less => "Less",
        Compare::LessEqual => "LessOrEqual",
    };
    let mask = of_two(w, node, op)?;
    Ok(truth(w, node, mask))
}

// Truth values are remembered for whoever selects by them; the numbers vanish again if nobody computes with them.
fn truth(w: &mut Writer, node: &Expr, mask: Stored) -> Stored {
    w.define_mask(node, mask.clone());
    Stored { name: w.cast(&mask.name, encode::code(node.dtype())), shape: mask.shape }
}

/// A choice by a mask.
pub(super) fn select(w: &mut Writer, node: &Expr) -> Result {
    let mask = w.mask(&node.inputs()[0])?;
    let (a, b) = (w.stored(&node.inputs()[1])?, w.stored(&node.inputs()[2])?);
    let shape = common(node, &[&mask.shape, &a.shape, &b.shape])?;
    Ok(Stored { name: w.emit("Where", &[&mask.name, &a.name, &b.name], vec![]), shape })
}

fn common(node: &Expr, shapes: &[&Shape]) -> Result<Shape> {
    shapes.iter().try_fold(Shape::default(), |all, shape| {
        broadcast_shapes(&all, shape).map_err(|_| ExportError::Unsupported {
            op: node.op().name().to_string(),
            reason: format!("operands stored as {shapes:?} do not broadcast together"),
        })
    })
}
