//! The same value without the loop.

use super::Scan;
use crate::{Expr, Result, substitute};

impl Scan {
    /// The value of `node`, an application of this loop, as a graph of `length` copies of the body: what walks that
    /// cannot loop, such as linear bounds, work on.
    ///
    /// # Errors
    /// If a tensor would be too large.
    pub fn unroll(&self, node: &Expr) -> Result<Expr> {
        let body = &self.body;
        let (init, stacks, captured) = body.split(node.inputs());
        let mut state = init.to_vec();
        let mut rows: Vec<Vec<Option<Expr>>> = vec![vec![None; self.length]; body.outputs.len()];
        for t in self.steps() {
            let slices = stacks.iter().zip(&body.slices).map(|(s, p)| s.slice_axis(0, t, t + 1).try_reshape(p.shape()));
            let values = state.into_iter().map(Ok).chain(slices).chain(captured.iter().cloned().map(Ok));
            let pairs: Vec<(Expr, Expr)> =
                body.placeholders().into_iter().zip(values.collect::<Result<Vec<_>>>()?).collect();
            state = substitute(&body.results(), &pairs)?;
            for (stack, output) in rows.iter_mut().zip(state.split_off(body.next.len())) {
                stack[t] = Some(output);
            }
        }
        let pieces: Vec<Expr> = state.into_iter().chain(rows.into_iter().flatten().flatten()).collect();
        if pieces.is_empty() {
            return Ok(Expr::full(node.shape(), 0.0, node.dtype()));
        }
        let flat: Vec<Expr> = pieces.iter().map(|p| p.try_reshape([p.shape().count()])).collect::<Result<_>>()?;
        Expr::try_concat(&flat, 0)
    }
}
