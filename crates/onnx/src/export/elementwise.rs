//! Elementwise functions. The standard's broadcast, so operands are taken as they are stored.

use super::encode;
use super::error::ExportError;
use super::writer::{Stored, Writer};
use crate::host::broadcast_shapes;
use perturb_graph::{Binary, Cast, Compare, DType, Expr, Shape, Unary};

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
        Unary::Tan => "Tan",
        Unary::Asin => "Asin",
        Unary::Acos => "Acos",
        Unary::Atan => "Atan",
        Unary::Sinh => "Sinh",
        Unary::Cosh => "Cosh",
        Unary::Asinh => "Asinh",
        Unary::Acosh => "Acosh",
        Unary::Atanh => "Atanh",
        Unary::Log1p => return Ok(log1p(w, node.dtype(), x)),
        Unary::Expm1 => return Ok(expm1(w, node.dtype(), x)),
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

/// `log(1 + x)`, accurate near 0: `log(u)·x/(u − 1)` with the rounded `u = 1 + x`, whose error cancels (Higham 2002,
/// §1.14.1).
fn log1p(w: &mut Writer, dtype: DType, x: Stored) -> Stored {
    let one = w.number(1.0, dtype);
    let u = w.emit("Add", &[&x.name, &one], vec![]);
    let (log, step) = (w.emit("Log", &[&u], vec![]), w.emit("Sub", &[&u, &one], vec![]));
    let ratio = w.emit("Div", &[&x.name, &step], vec![]);
    let product = w.emit("Mul", &[&log, &ratio], vec![]);
    // Where u − 1 is 0 or infinite, there is no ratio.
    let finite = chosen_at(w, dtype, &u, f64::INFINITY, &log, &product);
    Stored { name: chosen_at(w, dtype, &step, 0.0, &x.name, &finite), shape: x.shape }
}

/// `exp(x) − 1`, accurate near 0: `(u − 1)·x/log(u)` with the rounded `u = exp(x)` (Higham 2002, §1.14.1).
fn expm1(w: &mut Writer, dtype: DType, x: Stored) -> Stored {
    let one = w.number(1.0, dtype);
    let u = w.emit("Exp", &[&x.name], vec![]);
    let (log, step) = (w.emit("Log", &[&u], vec![]), w.emit("Sub", &[&u, &one], vec![]));
    let ratio = w.emit("Div", &[&x.name, &log], vec![]);
    let product = w.emit("Mul", &[&step, &ratio], vec![]);
    // Where u is 1, 0 or infinite, there is no ratio.
    let above = chosen_at(w, dtype, &u, f64::INFINITY, &u, &product);
    let below = chosen_at(w, dtype, &u, 0.0, &step, &above);
    Stored { name: chosen_at(w, dtype, &step, 0.0, &x.name, &below), shape: x.shape }
}

/// `there` where `x` is `value`, else `elsewhere`.
fn chosen_at(w: &mut Writer, dtype: DType, x: &str, value: f64, there: &str, elsewhere: &str) -> String {
    let value = w.number(value, dtype);
    let mask = w.emit("Equal", &[x, &value], vec![]);
    w.emit("Where", &[&mask, there, elsewhere], vec![])
}

/// Another element type.
pub(super) fn cast(w: &mut Writer, node: &Expr, op: &Cast) -> Result {
    if op.to == DType::Bool {
        return w.mask(&node.inputs()[0]);
    }
    let x = w.stored(&node.inputs()[0])?;
    Ok(Stored { name: w.cast(&x.name, encode::code(op.to)), shape: x.shape })
}

/// A function of two operands.
pub(super) fn binary(w: &mut Writer, node: &Expr, f: Binary) -> Result {
    let op = match f {
        Binary::Div | Binary::Rem if node.dtype() == DType::I64 => return integer_division(w, node, f),
        Binary::Pow if node.dtype() == DType::I64 => return integer_power(w, node),
        Binary::Atan2 => return atan2(w, node),
        Binary::Pow => "Pow",
        Binary::Rem => {
            let (a, b) = (w.stored(&node.inputs()[0])?, w.stored(&node.inputs()[1])?);
            let shape = common(node, &[&a.shape, &b.shape])?;
            return Ok(Stored { name: w.emit("Mod", &[&a.name, &b.name], vec![encode::int("fmod", 1)]), shape });
        }
        Binary::Add => "Add",
        Binary::Sub => "Sub",
        Binary::Mul => "Mul",
        Binary::Div => "Div",
        Binary::Max => "Max",
        Binary::Min => "Min",
    };
    of_two(w, node, op)
}

/// Runtimes may stop at an integer division by 0, whose quotient and remainder are 0 here.
fn integer_division(w: &mut Writer, node: &Expr, f: Binary) -> Result {
    let (a, b) = (w.stored(&node.inputs()[0])?, w.stored(&node.inputs()[1])?);
    let shape = common(node, &[&a.shape, &b.shape])?;
    let (op, attributes) = if f == Binary::Div { ("Div", vec![]) } else { ("Mod", vec![encode::int("fmod", 1)]) };
    if node.inputs()[1].uniform_value().is_some_and(|b| b != 0.0) {
        return Ok(Stored { name: w.emit(op, &[&a.name, &b.name], attributes), shape });
    }
    let (zero, one) = (w.number(0.0, DType::I64), w.number(1.0, DType::I64));
    let none = w.emit("Equal", &[&b.name, &zero], vec![]);
    let divisor = w.emit("Where", &[&none, &one, &b.name], vec![]);
    let result = w.emit(op, &[&a.name, &divisor], attributes);
    Ok(Stored { name: w.emit("Where", &[&none, &zero, &result], vec![]), shape })
}

/// Runtimes compute with floating-point numbers, where a negative power of 0 is infinite; it is 0 here, as those of 2.
fn integer_power(w: &mut Writer, node: &Expr) -> Result {
    let (a, b) = (w.stored(&node.inputs()[0])?, w.stored(&node.inputs()[1])?);
    let shape = common(node, &[&a.shape, &b.shape])?;
    let [zero, two] = [0.0, 2.0].map(|v| w.number(v, DType::I64));
    let (none, negative) = (w.emit("Equal", &[&a.name, &zero], vec![]), w.emit("Less", &[&b.name, &zero], vec![]));
    let both = w.emit("And", &[&none, &negative], vec![]);
    let base = w.emit("Where", &[&both, &two, &a.name], vec![]);
    Ok(Stored { name: w.emit("Pow", &[&base, &b.name], vec![]), shape })
}

/// The angle of (x, y); signs of zeros are not told apart.
fn atan2(w: &mut Writer, node: &Expr) -> Result {
    let (y, x) = (w.stored(&node.inputs()[0])?, w.stored(&node.inputs()[1])?);
    let shape = common(node, &[&x.shape, &y.shape])?;
    let dtype = node.dtype();
    let [zero, half, pi] = [0.0, std::f64::consts::FRAC_PI_2, std::f64::consts::PI].map(|v| w.number(v, dtype));
    // atan(y/x), turned to the left half-plane by ±π; on the vertical axis ±π/2.
    let ratio = w.emit("Div", &[&y.name, &x.name], vec![]);
    let right = w.emit("Atan", &[&ratio], vec![]);
    let sign = w.emit("Sign", &[&y.name], vec![]);
    let below = w.emit("Less", &[&y.name, &zero], vec![]);
    let minus_pi = w.emit("Neg", &[&pi], vec![]);
    let turn = w.emit("Where", &[&below, &minus_pi, &pi], vec![]);
    let left = w.emit("Add", &[&right, &turn], vec![]);
    let vertical = w.emit("Mul", &[&sign, &half], vec![]);
    let negative = w.emit("Less", &[&x.name, &zero], vec![]);
    let off_axis = w.emit("Where", &[&negative, &left, &right], vec![]);
    Ok(Stored { name: chosen_at(w, dtype, &x.name, 0.0, &vertical, &off_axis), shape })
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
