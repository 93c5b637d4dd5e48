//! Moving, repeating and cutting; conversions between floating-point types.

use super::kernel::{Kernel, Site, take};
use super::value::{extent, sizes};
use burn_backend::Slice as Range;
use burn_backend::ops::{FloatTensorOps, PadMode};
use burn_dispatch::{Dispatch, DispatchTensor};
use perturb_graph::{Pad, Slice};

fn of(f: impl Fn(DispatchTensor) -> DispatchTensor + Send + Sync + 'static) -> Kernel {
    Box::new(move |operands| {
        let [x] = take(operands);
        f(x)
    })
}

/// The same elements under the result's shape.
pub(super) fn reshape(site: &Site) -> Kernel {
    let shape = extent(site.shape);
    of(move |x| Dispatch::float_reshape(x, shape.clone()))
}

/// Axis `i` of the result is axis `perm[i]`.
pub(super) fn transpose(perm: &[usize]) -> Kernel {
    let perm = if perm.is_empty() { vec![0] } else { perm.to_vec() };
    of(move |x| Dispatch::float_permute(x, &perm))
}

/// Axis `i` of the operand becomes axis `axes[i]`; values repeat along the rest, without being copied.
pub(super) fn broadcast(axes: &[usize], site: &Site) -> Kernel {
    let whole = sizes(site.shape);
    let thin: Vec<usize> = (0..whole.len()).map(|a| if axes.contains(&a) { whole[a] } else { 1 }).collect();
    of(move |x| Dispatch::float_expand(Dispatch::float_reshape(x, thin.clone().into()), whole.clone().into()))
}

/// A range of indices `start, start + step, …` below `end`.
pub(super) fn range(start: usize, end: usize, step: usize) -> Range {
    Range::new(start as isize, Some(end as isize), step as isize)
}

/// A strided box.
pub(super) fn slice(slice: &Slice) -> Kernel {
    let ranges: Vec<Range> =
        (0..slice.start.len()).map(|a| range(slice.start[a], slice.end[a], slice.stride[a])).collect();
    of(move |x| if ranges.is_empty() { x } else { Dispatch::float_slice(x, &ranges) })
}

/// Zeros around and between the elements.
pub(super) fn pad(pad: &Pad, site: &Site) -> Kernel {
    let around: Vec<(usize, usize)> = pad.low.iter().copied().zip(pad.high.iter().copied()).collect();
    if pad.interior.iter().all(|&i| i == 0) {
        return of(
            move |x| if around.is_empty() { x } else { Dispatch::float_pad(x, &around, PadMode::Constant(0.0)) },
        );
    }
    let places: Vec<Range> = (0..pad.low.len())
        .map(|a| {
            let step = pad.interior[a] + 1;
            range(pad.low[a], pad.low[a] + (site.operands[0][a] - 1) * step + 1, step)
        })
        .collect();
    let (shape, device, float) = (extent(site.shape), site.device.clone(), site.float());
    of(move |x| Dispatch::float_slice_assign(Dispatch::float_zeros(shape.clone(), &device, float), &places, x))
}

/// Axes read backwards.
pub(super) fn reverse(axes: &[usize]) -> Kernel {
    let axes = axes.to_vec();
    of(move |x| if axes.is_empty() { x } else { Dispatch::float_flip(x, &axes) })
}

/// Operands one after another.
pub(super) fn concat(axis: usize) -> Kernel {
    Box::new(move |operands| Dispatch::float_cat(operands, axis))
}

/// Another floating-point type.
pub(super) fn cast(site: &Site) -> Kernel {
    let float = site.float();
    of(move |x| Dispatch::float_cast(x, float))
}
