//! Sliding windows: the attributes that convolutions and poolings share.

use crate::error::{NodeError, invalid, unsupported};
use crate::node::{Node, sizes};

/// A window over the spatial axes.
#[derive(Clone, Debug)]
pub(crate) struct Window {
    pub(crate) kernel: Vec<usize>,
    pub(crate) strides: Vec<usize>,
    pub(crate) dilation: Vec<usize>,
    /// Zeros before and after each axis.
    pub(crate) padding: Vec<(usize, usize)>,
}

impl Window {
    /// Reads `strides`, `dilations`, `pads` and `auto_pad`, for a window of `kernel` over axes of the sizes `spatial`.
    pub(crate) fn read(node: &Node, kernel: Vec<usize>, spatial: &[usize]) -> Result<Window, NodeError> {
        let rank = spatial.len();
        if kernel.len() != rank || rank == 0 {
            return invalid(format!("a window of {} axes over {rank} spatial axes", kernel.len()));
        }
        let list = |name: &str| match node.ints(name) {
            None => Ok(vec![1; rank]),
            Some(v) if v.len() == rank => sizes(v, 1, name),
            Some(v) => invalid(format!("{name} {v:?} must have {rank} entries")),
        };
        let (strides, dilation) = (list("strides")?, list("dilations")?);
        let mut window = Window { kernel, strides, dilation, padding: vec![(0, 0); rank] };
        match node.text("auto_pad", "NOTSET").as_str() {
            "NOTSET" | "" => window.padding = explicit(node, rank)?,
            "VALID" => {}
            upper @ ("SAME_UPPER" | "SAME_LOWER") => {
                for (axis, &size) in spatial.iter().enumerate() {
                    let covered = (size.div_ceil(window.strides[axis]).saturating_sub(1)) * window.strides[axis];
                    let total = (covered + window.extent(axis)).saturating_sub(size);
                    let (less, more) = (total / 2, total - total / 2);
                    window.padding[axis] = if upper == "SAME_UPPER" { (less, more) } else { (more, less) };
                }
            }
            other => return invalid(format!("auto_pad {other:?} is unknown")),
        }
        Ok(window)
    }

    /// Number of elements that the window spans along an axis.
    pub(crate) fn extent(&self, axis: usize) -> usize {
        (self.kernel[axis] - 1) * self.dilation[axis] + 1
    }

    /// Number of window positions along an axis of `size`, and the padding that must be added at its end so that the
    /// last one fits when positions are rounded up.
    pub(crate) fn positions(&self, axis: usize, size: usize, round_up: bool) -> Result<(usize, usize), NodeError> {
        let (low, high) = self.padding[axis];
        let (padded, extent, stride) = (size + low + high, self.extent(axis), self.strides[axis]);
        if padded < extent {
            return invalid(format!(
                "a window of {extent} does not fit the padded size {padded} of spatial axis {axis}"
            ));
        }
        let mut count = (padded - extent) / stride + 1;
        // A window may begin only inside the data or the padding before them.
        if round_up && !(padded - extent).is_multiple_of(stride) && count * stride < size + low {
            count += 1;
        }
        let needed = (count - 1) * stride + extent;
        Ok((count, needed.saturating_sub(padded)))
    }
}

fn explicit(node: &Node, rank: usize) -> Result<Vec<(usize, usize)>, NodeError> {
    let Some(pads) = node.ints("pads") else { return Ok(vec![(0, 0); rank]) };
    if pads.len() != 2 * rank {
        return invalid(format!("pads {pads:?} must have {} entries", 2 * rank));
    }
    if pads.iter().any(|&p| p < 0) {
        return unsupported("negative pads");
    }
    let pads = sizes(pads, 0, "pads")?;
    Ok((0..rank).map(|i| (pads[i], pads[i + rank])).collect())
}
