//! Values during import: known constants, weights, and expressions, under one set of structural operations.

use crate::error::{NodeError, invalid, unsupported};
use crate::host;
use perturb_graph::{DType, Expr, Shape, Tensor};

/// What a name in the file stands for while its graph is imported.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    /// A constant that import knows: shapes, axes, exporters' constants. Integers are always of this kind.
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

    /// The value if it is known during import.
    pub(crate) fn known(&self) -> Option<&Tensor> {
        match self {
            Value::Host(t) => Some(t),
            Value::Param(e) => e.value(),
            Value::Expr(_) => None,
        }
    }

    /// The value as an expression of floating-point type `dtype`; truth values become 0 and 1.
    pub(crate) fn to_expr(&self, dtype: DType) -> Result<Expr, NodeError> {
        match self {
            Value::Host(t) if t.dtype() == DType::I64 => {
                unsupported("integer constants cannot be mixed with values that are known only at run time")
            }
            Value::Host(t) => Ok(Expr::constant(t.to_dtype(dtype))),
            Value::Param(e) | Value::Expr(e) if e.dtype().is_float() => Ok(e.clone()),
            Value::Param(e) | Value::Expr(e) => {
                unsupported(format!("arithmetic on {} values that are known only at run time", e.dtype()))
            }
        }
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
                    return unsupported(format!("a slice of axis {axis} is empty"));
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
    pub(crate) fn gather(&self, axis: usize, indices: &[usize], dtype: DType) -> Result<Value, NodeError> {
        const MAX_PIECES: usize = 4096;
        let mut pieces = Vec::new();
        let mut at = 0;
        while at < indices.len() {
            // The longest arithmetic progression from here is one slice.
            let step = indices.get(at + 1).map_or(1, |&next| next as i64 - indices[at] as i64);
            let mut count = 1;
            while step != 0
                && at + count < indices.len()
                && indices[at + count] as i64 - indices[at + count - 1] as i64 == step
            {
                count += 1;
            }
            pieces.push(self.slice(axis, indices[at], step, count)?);
            at += count;
            if pieces.len() > MAX_PIECES && self.known().is_none() {
                return unsupported(format!("gathering {} scattered elements of a run-time value", indices.len()));
            }
        }
        match pieces.len() {
            0 => self.slice(axis, 0, 1, 0),
            1 => Ok(pieces.remove(0)),
            _ => Value::concat(&pieces, axis, dtype),
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
        let parts =
            values.iter().filter(|v| v.shape()[axis] > 0).map(|v| v.to_expr(dtype)).collect::<Result<Vec<_>, _>>()?;
        Ok(Expr::try_concat(&parts, axis)?.into())
    }
}
