//! Sums of zero-padded parts that do not overlap: a concatenation. The gradient of slices that take an array apart, such as
//! the queries, keys and values of attention, is one.

use crate::lower::{Kind, Lowered};
use perturb_graph::{Binary, Op};

/// Most parts that are looked at.
const MAX_PARTS: usize = 64;

/// A part of an axis: where it begins, and the node that holds it.
struct Part {
    start: usize,
    end: usize,
    node: usize,
}

/// If the sum of `x` and `y` puts parts side by side that fill an axis, that axis and the parts in order.
pub(crate) fn concatenated(graph: &Lowered, x: usize, y: usize) -> Option<(usize, Vec<usize>)> {
    let axis = padded_axis(graph, y)?;
    let (mut parts, mut pending) = (Vec::new(), vec![x, y]);
    while let Some(node) = pending.pop() {
        match &graph.nodes[node].kind {
            Kind::Op(Op::Binary(Binary::Add)) => pending.extend(&graph.nodes[node].inputs),
            Kind::Op(Op::Pad(p)) if padded_axis(graph, node) == Some(axis) => {
                let inner = graph.nodes[node].inputs[0];
                let (start, size) = (p.low[axis], graph.nodes[inner].shape[axis]);
                parts.push(Part { start, end: start + size, node: inner });
            }
            _ => return None,
        }
        if parts.len() + pending.len() > MAX_PARTS {
            return None;
        }
    }
    parts.sort_by_key(|p| p.start);
    let adjoin = parts.windows(2).all(|w| w[0].end == w[1].start);
    let fill = parts.first()?.start == 0 && parts.last()?.end == graph.nodes[y].shape[axis];
    (adjoin && fill).then(|| (axis, parts.into_iter().map(|p| p.node).collect()))
}

// The only axis along which a node is padded, without gaps.
fn padded_axis(graph: &Lowered, node: usize) -> Option<usize> {
    let Kind::Op(Op::Pad(p)) = &graph.nodes[node].kind else { return None };
    let mut padded = (0..p.low.len()).filter(|&a| p.low[a] > 0 || p.high[a] > 0);
    let axis = padded.next()?;
    (padded.next().is_none() && p.interior.iter().all(|&gap| gap == 0)).then_some(axis)
}

#[cfg(test)]
mod tests {
    use crate::{Executable, Options};
    use perturb_graph::{DType, Expr, Tensor, eval, grad};

    // The squares of the parts of an array, each with its own factor; `parts` are ranges along the axis.
    fn gradient(axis: usize, parts: &[(usize, usize)]) -> (usize, f64) {
        let x = Expr::input("x", [5, 6, 7], DType::F64);
        let squares = parts
            .iter()
            .enumerate()
            .map(|(i, &(from, to))| x.slice_axis(axis, from, to).square().scale(1.0 + i as f64).sum());
        let loss = squares.reduce(|a, b| a.add(&b)).unwrap();
        let gradient = grad(&loss, &[x.clone()]).unwrap();
        let at = Tensor::new([5, 6, 7], (0..210).map(f64::from).collect()).unwrap();
        let executable = Executable::compile(&gradient, &[x.clone()], &Options::default()).unwrap();
        let got = executable.run(&[&at]).unwrap().remove(0).to_f64_vec();
        let want = eval(&gradient, &[(x, at)]).unwrap()[0].to_f64_vec();
        let error = got.iter().zip(&want).map(|(g, w)| (g - w).abs()).fold(0.0, f64::max);
        (executable.statistics().steps, error)
    }

    #[test]
    fn gradients_of_slices_that_fill_an_axis_are_one_concatenation() {
        for axis in 0..3 {
            let (steps, error) = gradient(axis, &[(0, 2), (2, 3), (3, 5 + axis)]);
            assert_eq!(error, 0.0);
            // One elementwise step for each part, and one that places them.
            assert_eq!(steps, 4, "axis {axis}");
        }
    }

    #[test]
    fn parts_that_overlap_or_leave_gaps_are_added() {
        for parts in [&[(0, 3), (2, 5)][..], &[(0, 2), (3, 5)], &[(1, 5), (0, 1), (2, 3)]] {
            assert_eq!(gradient(0, parts).1, 0.0, "{parts:?}");
        }
    }
}
