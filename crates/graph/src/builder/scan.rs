//! Loops written as a function of one step.

use crate::{Body, DType, Expr, GraphError, Op, Result, Scan, Shape, substitute};
use std::collections::HashSet;
use std::sync::Arc;

impl Expr {
    /// A loop of `length` steps with carried state. `step` is called once, with placeholders for the state and for one
    /// row of each stack, and returns the next state and the step's outputs; the loop returns the final state and the
    /// outputs of all steps, stacked along a new first axis. With `reverse`, steps run from the last row to the first.
    ///
    /// Expressions of the surrounding graph may be used within `step`; derivatives, batches and bounds reach them.
    ///
    /// ```
    /// use perturb_graph::{DType, Expr, Tensor, eval};
    ///
    /// // Running products of x, and the product of all.
    /// let x = Expr::input("x", [3], DType::F64);
    /// let (last, all) = Expr::scan(&[Expr::scalar(1.0, DType::F64)], &[x.clone()], 3, false, |state, row| {
    ///     let next = state[0].mul(&row[0]);
    ///     Ok((vec![next.clone()], vec![next]))
    /// })?;
    /// let at = Tensor::new([3], vec![2.0, 3.0, 4.0])?;
    /// let values = eval(&[last[0].clone(), all[0].clone()], &[(x, at)])?;
    /// assert_eq!(values[0].as_slice::<f64>(), [24.0]);
    /// assert_eq!(values[1].as_slice::<f64>(), [2.0, 6.0, 24.0]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// Those of `step`; and if a stack does not have `length` rows, a next state does not have its state's shape, or
    /// state and outputs are not of one floating-point type.
    pub fn scan<F>(
        init: &[Expr],
        slices: &[Expr],
        length: usize,
        reverse: bool,
        step: F,
    ) -> Result<(Vec<Expr>, Vec<Expr>)>
    where
        F: FnOnce(&[Expr], &[Expr]) -> Result<(Vec<Expr>, Vec<Expr>)>,
    {
        let (body, captured) = trace(init, slices, length, step)?;
        apply(&Arc::new(body), length, reverse, init, slices, &captured)
    }

    /// [`Expr::scan`] whose derivatives need memory for about `length / every + every` states instead of `length`: a
    /// loop over segments of `every` steps, each of which is computed again where its derivative is needed
    /// (Griewank 1992, one level).
    ///
    /// # Errors
    /// See [`Expr::scan`]; and if `every` is 0.
    pub fn scan_checkpointed<F>(
        init: &[Expr],
        slices: &[Expr],
        length: usize,
        reverse: bool,
        every: usize,
        step: F,
    ) -> Result<(Vec<Expr>, Vec<Expr>)>
    where
        F: FnOnce(&[Expr], &[Expr]) -> Result<(Vec<Expr>, Vec<Expr>)>,
    {
        let Some(segments) = length.checked_div(every) else {
            return crate::op::shape_error("scan", "a segment needs at least one step", init);
        };
        let (body, captured) = trace(init, slices, length, step)?;
        let (body, whole) = (Arc::new(body), segments * every);
        // What is left over makes a shorter segment at the end of the stacks: the last to run, or with `reverse` the
        // first.
        let part = |from: usize, to: usize| slices.iter().map(|s| s.slice_axis(0, from, to)).collect::<Vec<_>>();
        let run_rest = |state: &[Expr]| apply(&body, length - whole, reverse, state, &part(whole, length), &captured);
        let run_whole = |state: &[Expr]| {
            let rows: Vec<Expr> =
                part(0, whole).iter().map(|s| split_rows(s, segments, every)).collect::<Result<_>>()?;
            let (finals, stacks) = Expr::scan(state, &rows, segments, reverse, |state, rows| {
                apply(&body, every, reverse, state, rows, &captured)
            })?;
            Ok((finals, stacks.iter().map(join_rows).collect::<Result<Vec<_>>>()?))
        };
        let (finals, first, last) = if reverse {
            let (state, last) = run_rest(init)?;
            let (finals, first) = run_whole(&state)?;
            (finals, first, last)
        } else {
            let (state, first): (Vec<Expr>, Vec<Expr>) = run_whole(init)?;
            let (finals, last) = run_rest(&state)?;
            (finals, first, last)
        };
        let stacks = first.into_iter().zip(last).map(|(a, b)| Expr::try_concat(&[a, b], 0));
        Ok((finals, stacks.collect::<Result<_>>()?))
    }
}

// [segments·every, …] as [segments, every, …].
fn split_rows(stack: &Expr, segments: usize, every: usize) -> Result<Expr> {
    stack.try_reshape([segments, every].into_iter().chain(stack.shape()[1..].iter().copied()).collect::<Shape>())
}

fn join_rows(stack: &Expr) -> Result<Expr> {
    let rows = stack.shape()[0] * stack.shape()[1];
    stack.try_reshape(std::iter::once(rows).chain(stack.shape()[2..].iter().copied()).collect::<Shape>())
}

fn apply(
    body: &Arc<Body>,
    length: usize,
    reverse: bool,
    init: &[Expr],
    slices: &[Expr],
    captured: &[Expr],
) -> Result<(Vec<Expr>, Vec<Expr>)> {
    let scan = Scan { body: body.clone(), length, reverse };
    let result = Expr::apply(scan.clone(), &[init, slices, captured].concat())?;
    Ok(scan.unpack(&result))
}

// The body that `step` describes, and the expressions of the surrounding graph that it uses.
fn trace<F>(init: &[Expr], slices: &[Expr], length: usize, step: F) -> Result<(Body, Vec<Expr>)>
where
    F: FnOnce(&[Expr], &[Expr]) -> Result<(Vec<Expr>, Vec<Expr>)>,
{
    if let Some(stack) = slices.iter().find(|s| s.shape().first() != Some(&length)) {
        let reason = format!("every stack needs {length} rows, one for each step");
        let shapes = vec![stack.shape().clone()];
        return Err(GraphError::Shape { op: "scan".into(), reason, shapes });
    }
    // Whatever is older than this was there before the step.
    let start = Expr::scalar(0.0, DType::F64).id();
    let carry: Vec<Expr> = init.iter().map(|x| Expr::input("state", x.shape(), x.dtype())).collect();
    let rows: Vec<Expr> = slices.iter().map(|s| Expr::input("row", &s.shape()[1..], s.dtype())).collect();
    let (next, outputs) = step(&carry, &rows)?;
    let states = next.len();
    let results = [next, outputs].concat();
    let own: HashSet<u64> = carry.iter().chain(&rows).map(Expr::id).collect();
    let captured = surroundings(&results, &own, start);
    let placeholders: Vec<Expr> = captured.iter().map(|x| Expr::input("captured", x.shape(), x.dtype())).collect();
    let pairs: Vec<(Expr, Expr)> = captured.iter().cloned().zip(placeholders.iter().cloned()).collect();
    let mut next = substitute(&results, &pairs)?;
    let outputs = next.split_off(states);
    Ok((Body::new(carry, rows, placeholders, next, outputs)?, captured))
}

// Nodes that `results` use and that are older than `start`, or leaves that can vary; constants stay within.
fn surroundings(results: &[Expr], own: &HashSet<u64>, start: u64) -> Vec<Expr> {
    let mut seen = HashSet::new();
    let mut pending = results.to_vec();
    let mut found = Vec::new();
    while let Some(node) = pending.pop() {
        if own.contains(&node.id()) || !seen.insert(node.id()) || node.uniform_value().is_some() {
            continue;
        }
        match node.op() {
            Op::Constant(_) => {}
            Op::Input { .. } | Op::Param { .. } => found.push(node),
            _ if node.id() < start => found.push(node),
            _ => pending.extend(node.inputs().iter().cloned()),
        }
    }
    found.sort_unstable_by_key(Expr::id);
    found
}
