//! Largest and smallest elements, running sums, and known positions.

use super::Group;
use crate::error::{NodeError, invalid};
use crate::host;
use crate::node::{Node, Outputs, axis, shape};
use crate::value::{Value, cast};
use perturb_graph::{ArgMax, ArgSort, CumSum, DType, Expr, Tensor};

pub(super) const OPS: Group = &[
    ("ArgMax", |n| arg(n, Ok)),
    ("ArgMin", |n| arg(n, |x| Ok(x.try_unary(perturb_graph::Unary::Neg)?))),
    ("CumSum", cum_sum),
    ("EyeLike", eye_like),
    ("Hardmax", hardmax),
    ("NonZero", non_zero),
    ("TopK", top_k),
    ("Trilu", trilu),
];

/// Index of the first largest element of what `of` makes of the operand, or of the last one.
fn arg(node: &Node, of: fn(Expr) -> Result<Expr, NodeError>) -> Outputs {
    let x = of(node.number(0)?)?;
    let axis = node.axis("axis", 0, x.rank())?;
    let best = if node.int("select_last_index", 0) != 0 {
        let first = Expr::apply(ArgMax { axis }, &[x.try_reverse(&[axis])?])?;
        first.like(x.shape()[axis] as f64 - 1.0).sub(&first)
    } else {
        Expr::apply(ArgMax { axis }, std::slice::from_ref(&x))?
    };
    if node.int("keepdims", 1) == 0 {
        return Ok(vec![best.into()]);
    }
    let mut kept = x.shape().to_vec();
    kept[axis] = 1;
    Ok(vec![best.try_reshape(kept)?.into()])
}

/// 1 at the first largest element along an axis, 0 elsewhere; before operator set 13 over all axes from `axis` on.
fn hardmax(node: &Node) -> Outputs {
    let x = node.expr_of_rank(0, 1)?;
    let (rows, axis) = if node.opset >= 13 {
        (x.clone(), node.axis("axis", -1, x.rank())?)
    } else {
        let axis = node.axis("axis", 1.min(x.rank() as i64 - 1), x.rank())?;
        let (rows, columns) = x.shape().split_at(axis);
        (x.try_reshape([rows.iter().product::<usize>(), columns.iter().product()])?, 1)
    };
    let best = Expr::apply(ArgMax { axis }, std::slice::from_ref(&rows))?;
    let mut kept = rows.shape().to_vec();
    kept[axis] = 1;
    let mut along = vec![1; rows.rank()];
    along[axis] = rows.shape()[axis];
    let places = Expr::constant(Tensor::new(along, (0..rows.shape()[axis] as i64).collect())?);
    let mask = cast(&best.try_reshape(kept)?.try_equal(&places)?, x.dtype())?;
    Ok(vec![mask.try_reshape(x.shape())?.into()])
}

/// The `k` largest or smallest elements in order, and their indices.
fn top_k(node: &Node) -> Outputs {
    let x = node.number(0)?;
    let axis = node.axis("axis", -1, x.rank())?;
    let k = match node.has("k") {
        true => node.int("k", 0) as f64,
        false => node.known_scalar(1, "numbers of elements")?.unwrap_or(-1.0),
    };
    if !(0.0..=x.shape()[axis] as f64).contains(&k) {
        return invalid(format!("the top {k} of {} elements", x.shape()[axis]));
    }
    let descending = node.int("largest", 1) != 0;
    let order = Expr::apply(ArgSort { axis, descending }, std::slice::from_ref(&x))?;
    let indices = Value::Expr(order).slice(axis, 0, 1, k as usize)?.to_number(node.dtype)?;
    Ok(vec![x.try_take_along_axis(axis, &indices)?.into(), indices.into()])
}

fn cum_sum(node: &Node) -> Outputs {
    let x = node.number(0)?;
    let Some(along) = node.known_scalar(1, "axes")? else { return invalid("the axis is missing") };
    let axis = axis(along as i64, x.rank())?;
    let (exclusive, reverse) = (node.int("exclusive", 0) != 0, node.int("reverse", 0) != 0);
    Ok(vec![Expr::apply(CumSum { axis, exclusive, reverse }, &[x])?.into()])
}

/// A matrix of the operand's shape with ones on a diagonal.
fn eye_like(node: &Node) -> Outputs {
    let x = node.value(0)?;
    let &[rows, columns] = &x.shape()[..] else { return invalid("the operand must be a matrix") };
    host::check_count(x.shape())?;
    let k = node.int("k", 0);
    let on = |i: usize| (i % columns) as i64 == ((i / columns) as i64).saturating_add(k);
    let ones = (0..rows * columns).map(|i| f64::from(u8::from(on(i)))).collect();
    let dtype = match crate::decode::Code::from_number(i32::try_from(node.int("dtype", 0)).unwrap_or(0)) {
        Ok(code) if code.is_float() => node.dtype,
        Ok(crate::decode::Code::Bool) => DType::Bool,
        Ok(_) => DType::I64,
        Err(_) => x.dtype(),
    };
    Ok(vec![Tensor::from_f64([rows, columns], dtype, ones)?.into()])
}

/// Positions of the elements of a constant that are not 0: one row for each axis.
fn non_zero(node: &Node) -> Outputs {
    let Some(x) = node.known(0, "values")? else { return invalid("the operand is missing") };
    let found: Vec<usize> = x.to_f64_vec().iter().enumerate().filter(|(_, v)| **v != 0.0).map(|(i, _)| i).collect();
    let strides = x.shape().strides();
    let rows = x.shape().iter().zip(&strides).flat_map(|(&d, &s)| found.iter().map(move |&i| (i / s % d) as i64));
    let positions: Vec<i64> = rows.collect();
    let result = shape(&[x.shape().len() as i64, found.len() as i64], "result")?;
    Ok(vec![Tensor::new(result, positions)?.into()])
}

/// The upper or lower triangle of matrices, zeros elsewhere.
fn trilu(node: &Node) -> Outputs {
    let x = node.value(0)?;
    let Some(&[rows, columns]) = x.shape().last_chunk::<2>() else { return invalid("the operand must have 2 axes") };
    let k = node.known_scalar(1, "diagonals")?.unwrap_or(0.0);
    let upper = node.int("upper", 1) != 0;
    host::check_count(&[rows, columns].into())?;
    let kept = |i: usize| {
        let offset = (i % columns) as f64 - (i / columns) as f64;
        if upper { offset >= k } else { offset <= k }
    };
    let mask: Vec<bool> = (0..rows * columns).map(kept).collect();
    let x = x.to_number(node.dtype)?;
    let mask = Expr::constant(Tensor::new([rows, columns], mask)?.to_dtype(x.dtype()));
    Ok(vec![Expr::try_select(&mask, &x, &x.like(0.0))?.into()])
}
