//! Convolution and its two gradients, without packing of patches: see [`geometry`] for how images are laid out, and
//! `kernels::tile` for the loops.

mod ahead;
mod correlate;
mod geometry;
mod kernel;
mod layout;
mod places;
mod transpose;

use super::Finish;
use crate::float::Float;
use geometry::{Axis, Sizes};
use layout::Layout;
use perturb_graph::{ConvShapes, Convolution, Slot};
use rayon::prelude::*;

/// A convolution of up to three spatial axes (missing ones are of size 1, in front).
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Convolving {
    result: Slot,
    images: usize,
    groups: usize,
    /// Input channels of one group.
    inputs: usize,
    /// Output channels of one group.
    outputs: usize,
    /// Elements of one channel of the image, of the response, and of one window.
    plane: usize,
    positions: usize,
    window: usize,
    layout: Layout,
}

/// Floating-point operations below which a convolution is not split.
const SERIAL_FLOPS: u64 = 1 << 19;
/// Tasks that many images are split into: fixed, as results must not depend on the number of threads.
const TASKS: usize = 32;
/// Images, counted for each group, from which each is one thread's work; fewer are each split over the threads.
const MANY_IMAGES: usize = 8;

impl Convolving {
    /// `None` if there are more than three spatial axes.
    pub fn new(conv: &Convolution, shapes: &ConvShapes) -> Option<Convolving> {
        let lead = 3usize.checked_sub(conv.strides.len())?;
        let axes: [Axis; 3] = std::array::from_fn(|a| {
            let sizes = match a.checked_sub(lead) {
                None => Sizes { image: 1, window: 1, response: 1, stride: 1, low: 0, dilation: 1 },
                Some(a) => Sizes {
                    image: shapes.image[2 + a],
                    window: shapes.kernel[2 + a],
                    response: shapes.response[2 + a],
                    stride: conv.strides[a],
                    low: conv.padding[a].0,
                    dilation: conv.dilation[a],
                },
            };
            if conv.result == Slot::Image { Axis::image(sizes) } else { Axis::response(sizes) }
        });
        let (inputs, outputs) = (shapes.kernel[1], shapes.kernel[0] / conv.groups);
        let channels = if conv.result == Slot::Image { outputs } else { inputs };
        let images = shapes.image[0];
        Some(Convolving {
            result: conv.result,
            images,
            groups: conv.groups,
            inputs,
            outputs,
            plane: shapes.image[2..].iter().product(),
            positions: shapes.response[2..].iter().product(),
            window: shapes.kernel[2..].iter().product(),
            layout: Layout::new(axes, channels, images * conv.groups >= MANY_IMAGES),
        })
    }

    fn many(&self) -> bool {
        self.images * self.groups >= MANY_IMAGES
    }

    /// Floating-point operations of one run.
    pub fn flops(&self) -> u64 {
        2 * (self.images * self.groups * self.outputs * self.depth() * self.positions) as u64
    }

    /// Whether a run is worth several threads.
    pub fn is_split(&self) -> bool {
        self.flops() > SERIAL_FLOPS
    }

    /// Weights of one output channel.
    fn depth(&self) -> usize {
        self.inputs * self.window
    }
}

impl std::fmt::Display for Convolving {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let kind = match self.result {
            Slot::Response => "convolution",
            Slot::Image => "convolution's image gradient",
            Slot::Kernel => "convolution's kernel gradient",
        };
        let (inputs, outputs) = (self.inputs * self.groups, self.outputs * self.groups);
        let Convolving { images, plane, positions, window, .. } = self;
        write!(f, "{kind} of {images}: {inputs}×{plane} → {outputs}×{positions} by {window}")
    }
}

/// Runs the convolution; operands are as in [`Slot`]. Every element of the result is finished once.
pub(crate) fn run<T: Float>(c: &Convolving, a: &[T], b: &[T], out: &mut [T], finish: Finish<T>) {
    if out.is_empty() {
        return;
    }
    match c.result {
        Slot::Response | Slot::Image => correlate::run(c, a, b, out, finish),
        Slot::Kernel => {
            kernel::run(c, a, b, out);
            finish(0, out);
        }
    }
}

// The chunks of `out`, over the threads if that is worth it.
fn for_each_chunk<T: Float>(parallel: bool, out: &mut [T], size: usize, f: impl Fn(usize, &mut [T]) + Sync) {
    if parallel {
        out.par_chunks_mut(size).enumerate().for_each(|(i, chunk)| f(i, chunk));
    } else {
        out.chunks_mut(size).enumerate().for_each(|(i, chunk)| f(i, chunk));
    }
}
