//! Bounding the elements of a node one functional each, whole tensors back to the input.

use crate::batched::Batched;
use crate::known::{Group, Known};
use crate::problem::Problem;
use crate::{CertifyError, Result};
use perturb_graph::{Expr, Tensor};

/// Bytes of the largest intermediate tensor that one run aims at: more only moves it out of the caches.
const TARGET_BYTES: usize = 4 << 20;
/// Bytes up to which all rows of one example are worth one constant identity matrix.
const WHOLE_BYTES: usize = 64 << 20;

/// Executables that bound elements of one node of one example.
pub(crate) struct Rows {
    batched: Batched,
    elements: usize,
    /// Rows of one item if they are fed; otherwise an item is an example, and its rows are all elements.
    chunk: Option<usize>,
}

impl Rows {
    pub fn compile(problem: &Problem, node: &Expr, batch: usize) -> Result<Rows> {
        let elements = node.shape().count();
        let row_bytes = 4 * problem.widest(node);
        let whole = elements * row_bytes <= WHOLE_BYTES && (elements * row_bytes) as u64 <= problem.memory_limit / 8;
        if whole {
            let most = (TARGET_BYTES / (elements * row_bytes)).clamp(1, batch);
            // As many in every run, so that the last one of a full batch does not repeat examples.
            let items = batch.div_ceil(batch.div_ceil(most));
            let rows = Expr::constant(identity(node)?);
            match Rows::with(problem, node, &rows, items, false) {
                Err(CertifyError::Memory { .. }) => {}
                other => return other,
            }
        }
        let mut chunk = (TARGET_BYTES / row_bytes).clamp(1, elements);
        loop {
            let rows = Expr::try_input("rows", node.shape().prepend(chunk), node.dtype())?;
            match Rows::with(problem, node, &rows, 1, true) {
                Err(CertifyError::Memory { .. }) if chunk > 1 => chunk /= 2,
                other => return other,
            }
        }
    }

    fn with(problem: &Problem, node: &Expr, rows: &Expr, items: usize, fed: bool) -> Result<Rows> {
        let bounds = problem.bounder.functionals(node, rows)?;
        let mut mapped = problem.mapped();
        mapped.extend(fed.then(|| rows.clone()));
        let what = format!("{} {}", node.op().name(), node.shape());
        let outputs = [bounds.lo, bounds.hi];
        let batched = Batched::compile(&outputs, &mapped, &problem.shared(), items, problem.memory_limit, &what)?;
        Ok(Rows { batched, elements: node.shape().count(), chunk: fed.then(|| rows.shape()[0]) })
    }

    /// Tightens `known` at the elements for which `wanted` holds.
    pub fn run(&self, group: &Group, known: &mut Known, wanted: impl Fn(&Known, usize) -> bool) -> Result<()> {
        let shared = [&group.balls.lower, &group.balls.upper];
        let Some(chunk) = self.chunk else {
            let bounds = self.batched.run(group.len, &shared, |e, k, target| group.feed(e, k, target))?;
            for (at, (&lo, &hi)) in bounds[0].iter().zip(&bounds[1]).enumerate() {
                if wanted(known, at) {
                    known.intersect(at, lo, hi);
                }
            }
            return Ok(());
        };
        // Items: an example and the elements of it that one run bounds.
        let mut items: Vec<(usize, Vec<usize>)> = Vec::new();
        for example in 0..group.len {
            let own = example * self.elements..(example + 1) * self.elements;
            let elements: Vec<usize> = own.filter(|&at| wanted(known, at)).collect();
            items.extend(elements.chunks(chunk).map(|c| (example, c.to_vec())));
        }
        let rows_input = 2 + 2 * group.known.len();
        let bounds = self.batched.run(items.len(), &shared, |item, k, target| {
            let (example, elements) = &items[item];
            if k < rows_input {
                return group.feed(*example, k, target);
            }
            for (row, at) in elements.iter().enumerate() {
                target[row * self.elements + at % self.elements] = 1.0;
            }
        })?;
        for (item, (_, elements)) in items.iter().enumerate() {
            for (row, &at) in elements.iter().enumerate() {
                known.intersect(at, bounds[0][item * chunk + row], bounds[1][item * chunk + row]);
            }
        }
        Ok(())
    }
}

/// Writes the `n × n` identity matrix into zeros.
pub(crate) fn write_identity(n: usize, target: &mut [f32]) {
    (0..n).for_each(|i| target[i * n + i] = 1.0);
}

/// One functional for each element of `node`, as rows of its shape.
pub(crate) fn identity(node: &Expr) -> Result<Tensor> {
    let n = node.shape().count();
    let mut values = vec![0.0f32; n * n];
    write_identity(n, &mut values);
    Ok(Tensor::new(node.shape().prepend(n), values)?)
}
