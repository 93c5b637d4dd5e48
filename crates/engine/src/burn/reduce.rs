//! Sums and maxima over axes, and running sums.

use super::kernel::{Kernel, Site, take};
use super::layout::range;
use super::value::extent;
use burn_backend::ops::{BoolTensorOps, FloatTensorOps, PadMode};
use burn_dispatch::{Dispatch, DispatchTensor};
use perturb_graph::CumSum;

/// Sum over `axes`.
pub(super) fn sum(axes: &[usize], site: &Site) -> Kernel {
    let (axes, shape) = (axes.to_vec(), extent(site.shape));
    Box::new(move |operands| {
        let [x] = take(operands);
        let sum = axes.iter().fold(x, |x, &axis| Dispatch::float_sum_dim(x, axis));
        Dispatch::float_reshape(sum, shape.clone())
    })
}

/// Maximum over `axes`. Devices lose NaN in a maximum, and some start it at the lowest finite number, so both NaN and
/// lines of nothing but −∞ are told apart by masks.
pub(super) fn max(axes: &[usize], site: &Site) -> Kernel {
    let (axes, shape, truth, float) = (axes.to_vec(), extent(site.shape), site.truth, site.float());
    Box::new(move |operands| {
        let [x] = take(operands);
        let largest = |x: DispatchTensor| axes.iter().fold(x, |x, &axis| Dispatch::float_max_dim(x, axis));
        let anywhere = |mask: DispatchTensor| {
            let found = largest(Dispatch::bool_into_float(mask, float));
            Dispatch::float_greater_elem(found, 0.5f64.into(), truth)
        };
        let nan = anywhere(Dispatch::float_is_nan(x.clone(), truth));
        let above = anywhere(Dispatch::float_greater_elem(x.clone(), f64::NEG_INFINITY.into(), truth));
        let max = Dispatch::float_mask_fill(largest(x), Dispatch::bool_not(above), f64::NEG_INFINITY.into());
        let max = Dispatch::float_mask_fill(max, nan, f64::NAN.into());
        Dispatch::float_reshape(max, shape.clone())
    })
}

/// Sum of the elements before each.
pub(super) fn running_sum(sum: &CumSum, site: &Site) -> Kernel {
    let (sum, shape) = (*sum, site.shape.to_vec());
    Box::new(move |operands| {
        let [x] = take(operands);
        let flip = |x| if sum.reverse { Dispatch::float_flip(x, &[sum.axis]) } else { x };
        let mut result = Dispatch::float_cumsum(flip(x), sum.axis);
        if sum.exclusive {
            result = shifted(result, sum.axis, &shape);
        }
        flip(result)
    })
}

// One step later along `axis`, after a zero.
fn shifted(x: DispatchTensor, axis: usize, shape: &[usize]) -> DispatchTensor {
    let mut before = vec![(0, 0); shape.len()];
    before[axis] = (1, 0);
    let kept: Vec<_> = shape.iter().map(|&n| range(0, n, 1)).collect();
    Dispatch::float_slice(Dispatch::float_pad(x, &before, PadMode::Constant(0.0)), &kept)
}
