//! One node as its importer sees it: attributes and operands, with the checks that every operator needs.

use crate::decode::Code;
use crate::error::{NodeError, invalid, unsupported};
use crate::proto::{AttributeProto, NodeProto, TensorProto};
use crate::value::Value;
use perturb_graph::{DType, Expr, Shape, Tensor};
use std::collections::HashMap;
use std::path::Path;

/// What an operator's importer returns: the values of the node's outputs, in order.
pub(crate) type Outputs = Result<Vec<Value>, NodeError>;

/// Largest window, stride, dilation, padding or repetition: a product of one of them and a tensor's size, or of two of
/// them, fits in `usize` with room to spare.
const MAX_SIZE: i64 = 1 << 28;

/// Largest number of elements of a tensor of single bytes.
const MAX_ELEMENTS: usize = 1 << 35;

/// A node with its operands.
pub(crate) struct Node<'a> {
    pub(crate) proto: &'a NodeProto,
    /// Operands; `None` where one is omitted.
    pub(crate) inputs: Vec<Option<Value>>,
    /// Version of the standard operator set.
    pub(crate) opset: i64,
    /// Floating-point type of all arithmetic.
    pub(crate) dtype: DType,
    /// Element types that the file declares.
    pub(crate) types: &'a HashMap<&'a str, Code>,
    /// Where external data of tensor attributes may lie.
    pub(crate) folder: Option<&'a Path>,
}

impl Node<'_> {
    /// Operand `i`, if it is given.
    pub(crate) fn optional(&self, i: usize) -> Option<&Value> {
        self.inputs.get(i).and_then(Option::as_ref)
    }

    /// Operand `i`.
    pub(crate) fn value(&self, i: usize) -> Result<&Value, NodeError> {
        self.optional(i).ok_or_else(|| NodeError::Invalid(format!("operand {i} is missing")))
    }

    /// All operands, none of which may be omitted.
    pub(crate) fn values(&self) -> Result<Vec<&Value>, NodeError> {
        if self.inputs.is_empty() {
            return invalid("there are no operands");
        }
        (0..self.inputs.len()).map(|i| self.value(i)).collect()
    }

    /// Operand `i` as a floating-point expression.
    pub(crate) fn expr(&self, i: usize) -> Result<Expr, NodeError> {
        self.value(i)?.to_expr(self.dtype)
    }

    /// Operand `i` as an expression of numbers, see [`Value::to_number`].
    pub(crate) fn number(&self, i: usize) -> Result<Expr, NodeError> {
        self.value(i)?.to_number(self.dtype)
    }

    /// Operand `i` as a floating-point expression, if it is given.
    pub(crate) fn optional_expr(&self, i: usize) -> Result<Option<Expr>, NodeError> {
        self.optional(i).map(|v| v.to_expr(self.dtype)).transpose()
    }

    /// Operand `i` as an expression of at least `rank` axes.
    pub(crate) fn expr_of_rank(&self, i: usize, rank: usize) -> Result<Expr, NodeError> {
        let expr = self.expr(i)?;
        if expr.rank() < rank {
            return invalid(format!("operand {i} must have at least {rank} axes"));
        }
        Ok(expr)
    }

    /// Operand `i`, which must be known during import, if it is given.
    pub(crate) fn known(&self, i: usize, what: &str) -> Result<Option<Tensor>, NodeError> {
        match self.optional(i) {
            None => Ok(None),
            Some(value) => match value.known() {
                Some(tensor) => Ok(Some(tensor)),
                None => unsupported(format!("{what} depend on the model's input; only constant ones are supported")),
            },
        }
    }

    /// Operand `i` as integers known during import, if it is given.
    pub(crate) fn known_ints(&self, i: usize, what: &str) -> Result<Option<Vec<i64>>, NodeError> {
        match self.known(i, what)? {
            None => Ok(None),
            Some(t) => match t.try_as_slice::<i64>() {
                Some(ints) => Ok(Some(ints.to_vec())),
                None => invalid(format!("{what} must be integers, not {}", t.dtype())),
            },
        }
    }

    /// Integers that older operator sets give as an attribute and newer ones as operand `i`.
    pub(crate) fn ints_or_input(&self, attribute: &str, i: usize) -> Result<Option<Vec<i64>>, NodeError> {
        match self.ints(attribute) {
            Some(ints) => Ok(Some(ints.to_vec())),
            None => self.known_ints(i, attribute),
        }
    }

    /// Operand `i` as one number known during import, if it is given.
    pub(crate) fn known_scalar(&self, i: usize, what: &str) -> Result<Option<f64>, NodeError> {
        match self.known(i, what)? {
            None => Ok(None),
            Some(t) if t.count() == 1 => Ok(Some(t.to_f64_vec()[0])),
            Some(t) => invalid(format!("{what} must be one number, not of shape {}", t.shape())),
        }
    }

    fn attribute(&self, name: &str) -> Option<&AttributeProto> {
        self.proto.attribute.iter().find(|a| a.name == name)
    }

    /// Whether an attribute is given.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.attribute(name).is_some()
    }

    /// An integer attribute.
    pub(crate) fn int(&self, name: &str, default: i64) -> i64 {
        self.attribute(name).map_or(default, |a| a.i)
    }

    /// A float attribute.
    pub(crate) fn float(&self, name: &str, default: f64) -> f64 {
        self.attribute(name).map_or(default, |a| f64::from(a.f))
    }

    /// A number that some operator sets give as a float and others as an integer.
    pub(crate) fn float_or_int(&self, name: &str, default: f64) -> f64 {
        self.attribute(name).map_or(default, |a| if a.r#type == 1 { f64::from(a.f) } else { a.i as f64 })
    }

    /// A list of integers.
    pub(crate) fn ints(&self, name: &str) -> Option<&[i64]> {
        self.attribute(name).map(|a| a.ints.as_slice())
    }

    /// A list of floats.
    pub(crate) fn floats(&self, name: &str) -> Option<&[f32]> {
        self.attribute(name).map(|a| a.floats.as_slice())
    }

    /// A string attribute.
    pub(crate) fn text(&self, name: &str, default: &str) -> String {
        self.attribute(name).map_or(default.to_string(), |a| String::from_utf8_lossy(&a.s).into_owned())
    }

    /// A list of strings.
    pub(crate) fn texts(&self, name: &str) -> Option<Vec<String>> {
        let list = &self.attribute(name)?.strings;
        Some(list.iter().map(|s| String::from_utf8_lossy(s).into_owned()).collect())
    }

    /// Element type that the file declares for operand `i`, where it does.
    pub(crate) fn declared(&self, i: usize) -> Option<Code> {
        self.types.get(self.proto.input.get(i)?.as_str()).copied()
    }

    /// A tensor attribute.
    pub(crate) fn tensor(&self, name: &str) -> Result<Option<Tensor>, NodeError> {
        let Some(tensor): Option<&TensorProto> = self.attribute(name).and_then(|a| a.t.as_ref()) else {
            return Ok(None);
        };
        crate::decode::tensor(tensor, self.folder)
            .map(Some)
            .map_err(|e| NodeError::Invalid(format!("attribute {name}: {e}")))
    }

    /// An axis attribute, counted from the end if it is negative.
    pub(crate) fn axis(&self, name: &str, default: i64, rank: usize) -> Result<usize, NodeError> {
        axis(self.int(name, default), rank)
    }

    /// Whether output `i` is used.
    pub(crate) fn wants(&self, i: usize) -> bool {
        self.proto.output.get(i).is_some_and(|name| !name.is_empty())
    }
}

/// An axis from 0, counted from the end if it is negative.
pub(crate) fn axis(axis: i64, rank: usize) -> Result<usize, NodeError> {
    let from_start = if axis < 0 { axis.checked_add(rank as i64) } else { Some(axis) };
    match from_start {
        Some(a) if (0..rank as i64).contains(&a) => Ok(a as usize),
        _ => invalid(format!("axis {axis} does not exist among {rank}")),
    }
}

/// Distinct axes from 0, ascending.
pub(crate) fn axes(list: &[i64], rank: usize) -> Result<Vec<usize>, NodeError> {
    let mut axes = list.iter().map(|&a| axis(a, rank)).collect::<Result<Vec<_>, _>>()?;
    axes.sort_unstable();
    if axes.windows(2).any(|pair| pair[0] == pair[1]) {
        return invalid(format!("axes {list:?} name one axis twice"));
    }
    Ok(axes)
}

/// Windows, strides and the like, which must lie in `least..=2²⁸`.
pub(crate) fn sizes(list: &[i64], least: i64, what: &str) -> Result<Vec<usize>, NodeError> {
    if let Some(bad) = list.iter().find(|v| !(least..=MAX_SIZE).contains(*v)) {
        return invalid(format!("{what} {list:?}: {bad} is not between {least} and {MAX_SIZE}"));
    }
    Ok(list.iter().map(|&v| v as usize).collect())
}

/// The sizes of a tensor's axes. Even without the axes of size 0, the number of elements must fit the address space.
pub(crate) fn shape(list: &[i64], what: &str) -> Result<Shape, NodeError> {
    let sizes: Option<Vec<usize>> = list.iter().map(|&v| usize::try_from(v).ok()).collect();
    let Some(sizes) = sizes else { return invalid(format!("{what} {list:?} has a negative size")) };
    match sizes.iter().try_fold(1usize, |n, &d| n.checked_mul(d.max(1))) {
        Some(count) if count <= MAX_ELEMENTS => Ok(sizes.into()),
        _ => invalid(format!("{what} {list:?} has more than {MAX_ELEMENTS} elements")),
    }
}
