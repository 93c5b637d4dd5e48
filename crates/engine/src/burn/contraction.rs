//! Generalised matrix products.

use super::kernel::{Kernel, Site, take};
use super::value::{extent, sizes};
use burn_backend::ops::FloatTensorOps;
use burn_dispatch::{Dispatch, DispatchTensor};
use perturb_graph::{DotDims, Shape};

/// As a batched matrix product of permuted operands.
pub(super) fn dot(dims: &DotDims, site: &Site) -> Kernel {
    let (lhs, rhs) = (site.operands[0], site.operands[1]);
    let lhs_free = DotDims::free(lhs.len(), &dims.lhs_contract, &dims.lhs_batch);
    let rhs_free = DotDims::free(rhs.len(), &dims.rhs_contract, &dims.rhs_batch);
    let left = Matrices::new(lhs, [&dims.lhs_batch, &lhs_free, &dims.lhs_contract]);
    let right = Matrices::new(rhs, [&dims.rhs_batch, &dims.rhs_contract, &rhs_free]);
    let shape = extent(site.shape);
    Box::new(move |operands| {
        let [a, b] = take(operands);
        Dispatch::float_reshape(Dispatch::float_matmul(left.of(a), right.of(b)), shape.clone())
    })
}

// An operand as `[batch, rows, columns]`.
struct Matrices {
    perm: Vec<usize>,
    shape: [usize; 3],
}

impl Matrices {
    fn new(x: &Shape, groups: [&Vec<usize>; 3]) -> Matrices {
        let sizes = sizes(x);
        let count = |axes: &Vec<usize>| axes.iter().map(|&a| sizes[a]).product();
        Matrices { perm: groups.iter().flat_map(|axes| axes.iter().copied()).collect(), shape: groups.map(count) }
    }

    fn of(&self, x: DispatchTensor) -> DispatchTensor {
        let in_order = self.perm.iter().enumerate().all(|(i, &p)| i == p);
        let x = if in_order { x } else { Dispatch::float_permute(x, &self.perm) };
        Dispatch::float_reshape(x, self.shape.into())
    }
}
