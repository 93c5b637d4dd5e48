//! Reductions and matrix products.

use super::encode::{int, signed};
use super::error::ExportError;
use super::writer::{Stored, Writer};
use perturb_graph::{DotDims, Expr, Shape};

type Result = std::result::Result<Stored, ExportError>;

/// A reduction over `axes`, which vanish, by the operator `op`.
pub(super) fn reduce(w: &mut Writer, node: &Expr, op: &str, axes: &[usize]) -> Result {
    let x = w.full(&node.inputs()[0])?;
    let axes = w.ints(&signed(axes));
    Ok(Stored { name: w.emit(op, &[&x, &axes], vec![int("keepdims", 0)]), shape: node.shape().clone() })
}

/// A generalised matrix product: both operands are brought to stacks of matrices, batch axes first.
pub(super) fn dot(w: &mut Writer, node: &Expr, dims: &DotDims) -> Result {
    let (lhs, rhs) = (&node.inputs()[0], &node.inputs()[1]);
    let lhs_free = DotDims::free(lhs.rank(), &dims.lhs_contract, &dims.lhs_batch);
    let rhs_free = DotDims::free(rhs.rank(), &dims.rhs_contract, &dims.rhs_batch);
    let a = Operand { order: [&dims.lhs_batch, &lhs_free, &dims.lhs_contract], expr: lhs };
    let b = Operand { order: [&dims.rhs_batch, &dims.rhs_contract, &rhs_free], expr: rhs };
    // Without batch axes, the standard's product takes any number of axes of rows.
    let keep_rows = dims.lhs_batch.is_empty() && !lhs_free.is_empty() && dims.lhs_contract.len() == 1;
    let a = if keep_rows { a.ordered(w)? } else { a.matrices(w)? };
    let b = b.matrices(w)?;
    let product = w.emit("MatMul", &[&a.name, &b.name], vec![]);
    let columns = b.shape.last().copied().unwrap_or(1);
    let shape: Shape = a.shape[..a.shape.len() - 1].iter().copied().chain([columns]).collect();
    Ok(w.reshape(&Stored { name: product, shape }, node.shape()))
}

/// An operand with its axes in three groups: batch, rows, columns.
struct Operand<'a> {
    expr: &'a Expr,
    order: [&'a [usize]; 3],
}

impl Operand<'_> {
    // The axes in the groups' order.
    fn ordered(&self, w: &mut Writer) -> Result {
        let value = Stored { name: w.full(self.expr)?, shape: self.expr.shape().clone() };
        Ok(w.transpose(&value, &self.order.concat()))
    }

    // Batch axes as they are, the axes of rows joined to one, and those of columns.
    fn matrices(&self, w: &mut Writer) -> Result {
        let ordered = self.ordered(w)?;
        let [batch, rows, columns] = self.order.map(|axes| axes.iter().map(|&a| self.expr.shape()[a]));
        let shape: Shape = batch.chain([rows.product(), columns.product()]).collect();
        Ok(w.reshape(&ordered, shape))
    }
}
