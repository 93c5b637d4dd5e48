//! Products of few columns by the same matrices, or by their magnitudes, become one step that reads the matrices once. The
//! extreme value of a linear functional over a box is such a pair: a·c ± |a|·r.

use super::fuse::{is_elementwise, roots};
use super::steps::{Builder, Work, is_view};
use crate::kernels::gemm::readings::{Reading, Readings};
use crate::lower::{Kind, Lowered};
use crate::view::View;
use perturb_graph::{DotDims, Op, Unary};
use std::collections::HashMap;

/// Which products read the same matrices.
pub(super) struct Shared {
    /// The group of each node that is such a product.
    pub group: Vec<Option<usize>>,
    /// The products of each group, in order.
    pub members: Vec<Vec<usize>>,
    /// Nodes that are magnitudes of the matrices, which nothing else reads.
    pub is_magnitude: Vec<bool>,
}

/// The node of a product's matrices, and its axes that count them and that are summed over.
type Matrices<'a> = (usize, &'a [usize], &'a [usize]);

/// A group that another product by the same matrices may join.
struct Open {
    group: usize,
    columns: usize,
    /// The node before which its products must be computed.
    until: usize,
}

/// Finds the groups, and for every node the elementwise node that computes it.
pub(super) fn shared_matrices(graph: &Lowered, read_transposed: &[bool]) -> (Vec<usize>, Shared) {
    let dims: Vec<Option<&DotDims>> = (0..graph.nodes.len()).map(|i| few_columns(graph, i)).collect();
    let candidate = |i: usize| dims[i].filter(|_| !read_transposed[i]);
    let is_magnitude = magnitudes(graph, |i| candidate(i).is_some());
    let root = roots(graph, &is_magnitude);
    let used = first_uses(graph, &root);
    let mut shared = Shared { group: vec![None; graph.nodes.len()], members: Vec::new(), is_magnitude };
    let mut open: HashMap<Matrices, Open> = HashMap::new();
    for (i, &until) in used.iter().enumerate() {
        let Some(d) = candidate(i) else { continue };
        let (matrices, columns) =
            ((shared.matrix(graph, i), &d.lhs_batch[..], &d.lhs_contract[..]), columns(graph, i, d));
        let group = match open.get_mut(&matrices) {
            Some(open) if i < open.until && open.columns + columns <= Readings::MOST => {
                open.columns += columns;
                open.until = open.until.min(until);
                open.group
            }
            _ => {
                let group = shared.members.len();
                shared.members.push(Vec::new());
                open.insert(matrices, Open { group, columns, until });
                group
            }
        };
        shared.members[group].push(i);
        shared.group[i] = Some(group);
    }
    // A product that is alone is like any other.
    for members in &shared.members {
        if let [only] = members[..]
            && !shared.is_magnitude[graph.nodes[only].inputs[0]]
        {
            shared.group[only] = None;
        }
    }
    (root, shared)
}

impl Shared {
    // The node whose matrices, or their magnitudes, product `i` reads.
    fn matrix(&self, graph: &Lowered, i: usize) -> usize {
        let left = graph.nodes[i].inputs[0];
        if self.is_magnitude[left] { graph.nodes[left].inputs[0] } else { left }
    }
}

fn columns(graph: &Lowered, i: usize, dims: &DotDims) -> usize {
    let right = &graph.nodes[graph.nodes[i].inputs[1]].shape;
    DotDims::free(right.len(), &dims.rhs_contract, &dims.rhs_batch).iter().map(|&a| right[a]).product()
}

fn few_columns(graph: &Lowered, i: usize) -> Option<&DotDims> {
    let Kind::Op(Op::Dot(dims)) = &graph.nodes[i].kind else { return None };
    (1..=Readings::FEW).contains(&columns(graph, i, dims)).then_some(dims)
}

// Magnitudes that only products of few columns read, as their matrices.
fn magnitudes(graph: &Lowered, is_candidate: impl Fn(usize) -> bool) -> Vec<bool> {
    let is_abs = |i: usize| matches!(graph.nodes[i].kind, Kind::Op(Op::Unary(Unary::Abs)));
    let mut found: Vec<bool> = (0..graph.nodes.len()).map(|i| is_abs(i) && graph.nodes[i].dtype.is_float()).collect();
    let mut read = vec![false; graph.nodes.len()];
    for (i, node) in graph.nodes.iter().enumerate() {
        for (k, &x) in node.inputs.iter().enumerate() {
            read[x] = true;
            found[x] &= k == 0 && is_candidate(i);
        }
    }
    graph.outputs.iter().for_each(|&o| found[o] = false);
    found.iter().zip(read).map(|(&f, r)| f && r).collect()
}

// Before which node each node must be computed. Views are read when their users are, and fused nodes by their root.
fn first_uses(graph: &Lowered, root: &[usize]) -> Vec<usize> {
    let mut used = vec![usize::MAX; graph.nodes.len()];
    for (i, node) in graph.nodes.iter().enumerate().rev() {
        let by = match &node.kind {
            Kind::Op(op) if is_view(op) => used[i],
            kind if is_elementwise(kind) => root[i],
            _ => i,
        };
        node.inputs.iter().for_each(|&x| used[x] = used[x].min(by));
    }
    used
}

impl Builder<'_> {
    // Computes the group of product `i` with its last member, by when what all members multiply with is there.
    pub(super) fn readings(&mut self, i: usize) {
        let Some(group) = self.shared.group[i] else { return };
        let members = self.shared.members[group].clone();
        if members.last() != Some(&i) {
            return;
        }
        if !self.read_together(&members) {
            for &member in &members {
                if let Kind::Op(Op::Dot(dims)) = &self.graph.nodes[member].kind {
                    self.views[member] = Some(self.dot(member, dims));
                }
            }
        }
    }

    // Whether the matrices' terms are neighbours, so that it can be done.
    fn read_together(&mut self, members: &[usize]) -> bool {
        let graph = self.graph;
        let matrix = self.shared.matrix(graph, members[0]);
        let (mut readings, mut reads) = (None, Vec::new());
        for &member in members {
            let node = &graph.nodes[member];
            let Kind::Op(Op::Dot(dims)) = &node.kind else { return false };
            let (product, [left, right]) = self.product(matrix, node.inputs[1], dims);
            if product.lhs.column_stride != 1 && product.k != 1 {
                return false;
            }
            if reads.is_empty() {
                reads.push(left);
            }
            let all = readings.get_or_insert_with(|| Readings {
                batch: product.batch.clone(),
                m: product.m,
                k: product.k,
                matrix: product.lhs.clone(),
                columns: Vec::new(),
            });
            if (&all.matrix, reads[0]) != (&product.lhs, left) {
                return false;
            }
            for c in 0..product.n {
                let mut column = product.rhs.clone();
                column.offset = (column.offset as isize + c as isize * column.column_stride) as usize;
                all.columns.push(Reading { column, magnitudes: self.shared.is_magnitude[node.inputs[0]] });
                reads.push(right);
            }
        }
        let Some(readings) = readings else { return false };
        let columns = readings.columns.len();
        let rows: usize = readings.batch.iter().product::<usize>() * readings.m;
        let dtype = graph.nodes[members[0]].dtype;
        let all = self.step(Work::Readings(readings), reads, &[rows, columns].into(), dtype);
        let mut first = 0;
        for &member in members {
            let shape = &graph.nodes[member].shape;
            let own = (shape.count() / rows.max(1)).max(1);
            // Row-major over the rows, whose results lie `columns` apart, and over the columns of the member.
            let strides = View::whole(all.source, shape).strides;
            let strides =
                strides.iter().map(|&s| if s < own as isize { s } else { s / own as isize * columns as isize });
            let view = View { source: all.source, offset: first, strides: strides.collect(), shape: shape.clone() };
            self.views[member] = Some(view);
            first += own;
        }
        true
    }
}
