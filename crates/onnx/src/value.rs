//! Values during import: known constants, weights, and expressions, under one set of structural operations.

use crate::error::{NodeError, invalid, unsupported};
use crate::host;
use perturb_graph::{Cast, DType, Expr, Shape, Tensor};

/// What a name in the file stands for while its graph is imported.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    /// A constant that import knows: shapes, axes, exporters' constants.
    Host(Tensor),
    /// A weight: an expression with a name whose value is also known.
    Param(Expr),
    /// A value that depends on the model's inputs, or on weights.
    Expr(Expr),
}

impl From<Expr> for Value {
    fn from(expr: Expr) -> Value {
        Value::Expr(expr)
    }
}

impl From<Tensor> for Value {
    fn from(tensor: Tensor) -> Value {
        Value::Host(tensor)
    }
}

impl Value {
    /// Sizes of the axes.
    pub(crate) fn shape(&self) -> &Shape {
        match self {
            Value::Host(t) => t.shape(),
            Value::Param(e) | Value::Expr(e) => e.shape(),
        }
    }

    /// Number of axes.
    pub(crate) fn rank(&self) -> usize {
        self.shape().len()
    }

    /// Element type.
    pub(crate) fn dtype(&self) -> DType {
        match self {
            Value::Host(t) => t.dtype(),
            Value::Param(e) | Value::Expr(e) => e.dtype(),
        }
    }

    /// The value if it is known during import, or depends on weights and constants alone and takes little to compute.
    pub(crate) fn known(&self) -> Option<Tensor> {
        match self {
            Value::Host(t) => Some(t.clone()),
            Value::Param(e) => e.value().cloned(),
            Value::Expr(e) => host::evaluate(e),
        }
    }

    /// The value as an expression of numbers: integers stay integers, floating-point numbers become those of type
    /// `dtype`, and truth values become 0 and 1 of that type.
    pub(crate) fn to_number(&self, dtype: DType) -> Result<Expr, NodeError> {
        match self {
            Value::Host(t) if t.dtype() == DType::I64 => Ok(Expr::constant(t.clone())),
            Value::Host(t) => Ok(Expr::constant(t.to_dtype(dtype))),
            Value::Param(e) | Value::Expr(e) if e.dtype() == DType::Bool => cast(e, dtype),
            Value::Param(e) | Value::Expr(e) => Ok(e.clone()),
        }
    }

    /// The value as an expression of the floating-point type `dtype`; truth values become 0 and 1.
    pub(crate) fn to_expr(&self, dtype: DType) -> Result<Expr, NodeError> {
        match self.to_number(dtype)? {
            e if e.dtype().is_float() => Ok(e),
            _ => unsupported("integer operands, where only floating-point numbers are supported"),
        }
    }

    /// Truth values as 0 and 1 of the type `dtype`, in which the operators that use them compute.
    pub(crate) fn to_mask(&self, dtype: DType) -> Result<Expr, NodeError> {
        cast(&self.to_number(dtype)?, dtype)
    }

    /// Indices as an expression; negative ones count from the end of an axis of `size`.
    pub(crate) fn to_indices(&self, size: usize) -> Result<Expr, NodeError> {
        let indices = self.to_number(DType::F32)?;
        if indices.dtype() != DType::I64 {
            return invalid(format!("indices must be integers, not {}", indices.dtype()));
        }
        let zero = indices.like(0.0);
        Ok(match self {
            // Known ones are checked before anything runs.
            Value::Host(t) => {
                let size = i64::try_from(size).unwrap_or(i64::MAX);
                let from_start = |&i: &i64| if i < 0 { i.checked_add(size) } else { Some(i) };
                let values: Option<Vec<i64>> = t.as_slice::<i64>().iter().map(from_start).collect();
                match values.filter(|v| v.iter().all(|i| (0..size).contains(i))) {
                    Some(values) => Expr::constant(Tensor::new(t.shape(), values)?),
                    None => return invalid(format!("an index is outside of the axis of size {size}")),
                }
            }
            _ => Expr::try_select(&indices.less(&zero), &indices.offset(size as f64), &indices)?,
        })
    }

    /// The same elements under another shape.
    pub(crate) fn reshape(&self, shape: impl Into<Shape>) -> Result<Value, NodeError> {
        Ok(match self {
            Value::Host(t) => t.reshape(shape)?.into(),
            Value::Param(e) | Value::Expr(e) => e.try_reshape(shape)?.into(),
        })
    }

    /// The axes in another order; `perm` is a permutation of them.
    pub(crate) fn transpose(&self, perm: &[usize]) -> Result<Value, NodeError> {
        Ok(match self {
            Value::Host(t) => {
                let own = t.shape().strides();
                let shape = perm.iter().map(|&p| t.shape()[p]).collect();
                let strides: Vec<isize> = perm.iter().map(|&p| own[p] as isize).collect();
                host::strided(t, shape, 0, &strides)?.into()
            }
            Value::Param(e) | Value::Expr(e) => e.try_transpose(perm)?.into(),
        })
    }

    /// Elements `start, start + step, …` (`count` of them) along one axis; `step` may be negative.
    pub(crate) fn slice(&self, axis: usize, start: usize, step: i64, count: usize) -> Result<Value, NodeError> {
        let size = self.shape()[axis];
        if count == size && start == 0 && step == 1 {
            return Ok(self.clone());
        }
        match self {
            Value::Host(t) => {
                let mut shape: Vec<usize> = t.shape().to_vec();
                let mut strides: Vec<isize> = t.shape().strides().iter().map(|&s| s as isize).collect();
                let offset = start * strides[axis] as usize;
                // The step of an axis that has fewer than two elements is never taken.
                strides[axis] = if count > 1 { strides[axis] * step as isize } else { 0 };
                shape[axis] = count;
                Ok(host::strided(t, shape.into(), offset, &strides)?.into())
            }
            Value::Param(e) | Value::Expr(e) => {
                if count == 0 {
                    let mut end = e.shape().to_vec();
                    end[axis] = 0;
                    return Ok(e.try_slice(&vec![0; e.rank()], &end, &vec![1; e.rank()])?.into());
                }
                let stride = step.unsigned_abs() as usize;
                let span = (count - 1) * stride;
                let (first, reversed) = if step > 0 { (start, false) } else { (start - span, true) };
                let (mut lo, mut hi) = (vec![0; e.rank()], e.shape().to_vec());
                let mut strides = vec![1; e.rank()];
                (lo[axis], hi[axis], strides[axis]) = (first, first + span + 1, if count > 1 { stride } else { 1 });
                let part = e.try_slice(&lo, &hi, &strides)?;
                Ok(if reversed { part.try_reverse(&[axis])? } else { part }.into())
            }
        }
    }

    /// The values at `indices` along `axis`.
    pub(crate) fn gather(&self, axis: usize, indices: &[usize]) -> Result<Value, NodeError> {
        if let Value::Host(t) = self {
            return Ok(host::take_along(t, axis, indices)?.into());
        }
        // An arithmetic progression is a slice.
        let step = indices.get(1).map_or(1, |&second| second as i64 - indices.first().map_or(0, |&i| i as i64));
        let progression = step != 0 && indices.windows(2).all(|pair| pair[1] as i64 - pair[0] as i64 == step);
        match indices.first() {
            None => self.slice(axis, 0, 1, 0),
            Some(&first) if progression => self.slice(axis, first, step, indices.len()),
            Some(_) => {
                let positions = Tensor::new([indices.len()], indices.iter().map(|&i| i as i64).collect())?;
                Ok(self.to_run_time().try_gather(axis, &Expr::constant(positions))?.into())
            }
        }
    }

    // The value as an expression of its own type.
    pub(crate) fn to_run_time(&self) -> Expr {
        match self {
            Value::Host(t) => Expr::constant(t.clone()),
            Value::Param(e) | Value::Expr(e) => e.clone(),
        }
    }

    /// The values repeated to `shape` by NumPy's rule.
    pub(crate) fn broadcast_to(&self, shape: &Shape) -> Result<Value, NodeError> {
        Ok(match self {
            Value::Host(t) if t.dtype().is_float() && shape.checked_count().is_none_or(|c| c > 4096) => {
                Expr::constant(t.clone()).try_broadcast_to(shape)?.into()
            }
            Value::Host(t) => host::broadcast(t, shape)?.into(),
            Value::Param(e) | Value::Expr(e) => e.try_broadcast_to(shape)?.into(),
        })
    }

    /// Values one after another along `axis`.
    pub(crate) fn concat(values: &[Value], axis: usize, dtype: DType) -> Result<Value, NodeError> {
        let Some(first) = values.first() else { return invalid("there is nothing to concatenate") };
        let differs = |v: &Value| {
            v.rank() != first.rank() || (0..v.rank()).any(|i| i != axis && v.shape()[i] != first.shape()[i])
        };
        if values.iter().any(differs) {
            return invalid(format!("operands may differ only in axis {axis}"));
        }
        let host: Option<Vec<Tensor>> =
            values.iter().map(|v| if let Value::Host(t) = v { Some(t.clone()) } else { None }).collect();
        if let Some(parts) = host {
            let mut shape = first.shape().to_vec();
            shape[axis] = parts.iter().fold(0usize, |n, p| n.saturating_add(p.shape()[axis]));
            return Ok(host::concat(&parts, axis, shape.into())?.into());
        }
        // Truth values stay what they are if all are.
        let all_truth = values.iter().all(|v| v.dtype() == DType::Bool);
        let part = |v: &Value| if all_truth { Ok(v.to_run_time()) } else { v.to_number(dtype) };
        let parts = values.iter().filter(|v| v.shape()[axis] > 0).map(part).collect::<Result<Vec<_>, _>>()?;
        Ok(Expr::try_concat(&parts, axis)?.into())
    }
}

/// The same values in another element type; wider elements may be too large a tensor.
pub(crate) fn cast(x: &Expr, to: DType) -> Result<Expr, NodeError> {
    Ok(Expr::apply(Cast { to }, std::slice::from_ref(x))?)
}
