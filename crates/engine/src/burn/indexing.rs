//! Slices chosen by indices, and their adjoint. Indices come from the host, which has checked them.

use super::kernel::{Kernel, Site, take};
use super::value::extent;
use burn_backend::ops::{FloatTensorOps, IntTensorOps};
use burn_backend::tensor::IndexingUpdateOp;
use burn_dispatch::{Dispatch, DispatchTensor};
use perturb_graph::{Gather, GatherSizes, ScatterAdd};

/// `(x, indices)`.
pub(super) fn gather(gather: Gather, site: &Site) -> Result<Kernel, String> {
    let indexed = Indexed::new(gather.sizes(site.operands[0], site.operands[1]))?;
    let shape = extent(site.shape);
    Ok(Box::new(move |operands| {
        let [x, indices] = take(operands);
        let (x, indices) = (indexed.table(x), indexed.indices(indices));
        let chosen = match indexed.paired() {
            true => Dispatch::float_gather(2, x, indices),
            false => Dispatch::float_select(x, 2, indices),
        };
        Dispatch::float_reshape(chosen, shape.clone())
    }))
}

/// `(updates, indices)`.
pub(super) fn scatter_add(scatter: ScatterAdd, site: &Site) -> Result<Kernel, String> {
    let indexed = Indexed::new(scatter.sizes(site.shape, site.operands[1]))?;
    let (shape, device, float) = (extent(site.shape), site.device.clone(), site.float());
    Ok(Box::new(move |operands| {
        let [updates, indices] = take(operands);
        let zeros = indexed.table(Dispatch::float_zeros(shape.clone(), &device, float));
        let (updates, indices) = (indexed.slices(updates), indexed.indices(indices));
        let sums = match indexed.paired() {
            true => Dispatch::float_scatter(2, zeros, indices, updates, IndexingUpdateOp::Add),
            false => Dispatch::float_select_assign(zeros, 2, indices, updates, IndexingUpdateOp::Add),
        };
        Dispatch::float_reshape(sums, shape.clone())
    }))
}

struct Indexed(GatherSizes);

impl Indexed {
    fn new(sizes: GatherSizes) -> Result<Indexed, String> {
        if i32::try_from(sizes.size).is_err() {
            return Err(format!("an axis of size {} needs more than 32 bits to index", sizes.size));
        }
        Ok(Indexed(sizes))
    }

    // Whether every combination of leading axes has indices of its own.
    fn paired(&self) -> bool {
        self.0.batch > 1
    }

    fn table(&self, x: DispatchTensor) -> DispatchTensor {
        Dispatch::float_reshape(x, [self.0.batch, self.0.outer, self.0.size, self.0.inner].into())
    }

    fn slices(&self, y: DispatchTensor) -> DispatchTensor {
        Dispatch::float_reshape(y, self.slice_shape().into())
    }

    fn slice_shape(&self) -> [usize; 4] {
        [self.0.batch, self.0.outer, self.0.count, self.0.inner]
    }

    fn indices(&self, indices: DispatchTensor) -> DispatchTensor {
        if !self.paired() {
            return Dispatch::int_reshape(indices, [self.0.count].into());
        }
        let thin = Dispatch::int_reshape(indices, [self.0.batch, 1, self.0.count, 1].into());
        Dispatch::int_expand(thin, self.slice_shape().into())
    }
}
