//! What a change of a small window of an image changes: the same sums, but only those that the window reaches.
//!
//! Convolutions, pools and elementwise functions see a window of their operand only. So if a few neighbouring pixels of
//! an image change, a few neighbouring places of every response do, and the rest can be kept from before. The graph is
//! cut at what convolutions read and at what the first global operation reads: these values are *kept*. Each *step*
//! computes a window of one kept value from windows of earlier ones, and the *head* everything that is global.

mod cut;
mod locality;
mod place;
mod window;

use crate::{Graph, Result, Shape};
use cut::Cut;
pub use place::Place;

/// A graph from an image `[1, C, H, W]`, cut for changes of windows of one size.
#[derive(Clone, Debug)]
pub struct Localized {
    /// From the image to all kept values but the first, which is the image itself.
    pub values: Graph,
    /// One for each of `values`' outputs, in an order in which they can be computed.
    pub steps: Vec<Step>,
    /// From the kept values of `reads`, in full, to the graph's outputs.
    pub head: Graph,
    /// Kept values that the head reads.
    pub head_reads: Vec<usize>,
    /// Products that are added up by the steps, as a share of those that the values take in full.
    pub share: f64,
    sizes: Vec<[usize; 2]>,
    // For both axes, each kept value and each position of the image's window: where the value's window begins.
    starts: [Vec<Vec<usize>>; 2],
}

/// Computes a window of a kept value.
#[derive(Clone, Debug)]
pub struct Step {
    /// From windows `[1, C, h, w]`, one for each of `reads`, to the window of the result.
    pub graph: Graph,
    /// What the inputs are.
    pub reads: Vec<Read>,
}

/// A window of a kept value that a step reads. On each axis it begins at `stride·s − low` if the result's begins at s, and
/// may extend beyond the value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Read {
    /// Index of the value: 0 is the image.
    pub kept: usize,
    /// Step along each axis.
    pub stride: [usize; 2],
    /// What is read before the window's own start.
    pub low: [usize; 2],
    /// What stands beyond the value.
    pub outside: f64,
}

impl Read {
    /// Where the window begins that a result's window at `start` needs: before the value if negative.
    pub fn origin(&self, start: [usize; 2]) -> [isize; 2] {
        [0, 1].map(|a| (start[a] * self.stride[a]) as isize - self.low[a] as isize)
    }
}

impl Localized {
    /// The shape of a kept value, `[1, C, H, W]`.
    pub fn kept(&self, index: usize) -> &Shape {
        match index.checked_sub(1) {
            None => self.values.inputs[0].shape(),
            Some(i) => self.values.outputs[i].1.shape(),
        }
    }

    /// Height and width of the window of a kept value.
    pub fn size(&self, index: usize) -> [usize; 2] {
        self.sizes[index]
    }

    /// Top and left of the window of a kept value that a window of the image at `position` reaches.
    pub fn start(&self, index: usize, position: [usize; 2]) -> [usize; 2] {
        [0, 1].map(|axis| self.starts[axis][index][position[axis]])
    }

    /// The window of a kept value that a window of the image at `position` reaches.
    pub fn reached(&self, index: usize, position: [usize; 2]) -> Place {
        Place { origin: self.start(index, position).map(|s| s as isize), size: self.size(index) }
    }

    /// All of a kept value.
    pub fn whole(&self, index: usize) -> Place {
        let shape = self.kept(index);
        Place { origin: [0, 0], size: [shape[2], shape[3]] }
    }
}

impl Graph {
    /// The graph cut for changes of windows of `size` (height, width); `None` if it is not of one image `[1, C, H, W]`
    /// that is larger than the window, if a constant that meets it varies over its plane, or if nothing of it is local.
    ///
    /// # Errors
    /// If a window's graph cannot be built.
    pub fn localize(&self, size: [usize; 2]) -> Result<Option<Localized>> {
        let [image] = self.inputs.as_slice() else { return Ok(None) };
        let fits = |axis: usize| (1..image.shape()[2 + axis]).contains(&size[axis]);
        if image.rank() != 4 || image.shape()[0] != 1 || !fits(0) || !fits(1) {
            return Ok(None);
        }
        let Some(cut) = Cut::new(self, image) else { return Ok(None) };
        cut.localized(self, size)
    }
}
