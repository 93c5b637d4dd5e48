//! Convolution as implicit GEMM: columns of image patches are packed for a block of positions that stays in the
//! second-level cache, and multiplied at once.

use super::gemm::{Matrix, single};
use crate::float::Float;
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
    size: [usize; 3],
    window: [usize; 3],
    positions: [usize; 3],
    strides: [usize; 3],
    low: [usize; 3],
    dilation: [usize; 3],
}

/// Elements of a packed block: 64 Ki f32 are 256 KiB, a quarter to a half of a second-level cache.
const BLOCK: usize = 1 << 16;
/// Positions below which a packed block is narrower than one vector.
const NARROW: usize = 16;
/// Partial sums of the kernel's gradient: fixed, so that results do not depend on the number of threads.
const KERNEL_PARTS: usize = 8;

impl Convolving {
    /// `None` if there are more than three spatial axes.
    pub fn new(conv: &Convolution, shapes: &ConvShapes) -> Option<Convolving> {
        let lead = 3usize.checked_sub(conv.strides.len())?;
        let fill = |values: &[usize], missing: usize| {
            let mut all = [missing; 3];
            all[lead..].copy_from_slice(values);
            all
        };
        let low: Vec<usize> = conv.padding.iter().map(|p| p.0).collect();
        Some(Convolving {
            result: conv.result,
            images: shapes.image[0],
            groups: conv.groups,
            inputs: shapes.kernel[1],
            outputs: shapes.kernel[0] / conv.groups,
            size: fill(&shapes.image[2..], 1),
            window: fill(&shapes.kernel[2..], 1),
            positions: fill(&shapes.response[2..], 1),
            strides: fill(&conv.strides, 1),
            low: fill(&low, 0),
            dilation: fill(&conv.dilation, 1),
        })
    }

    /// Floating-point operations of one run.
    pub fn flops(&self) -> u64 {
        2 * (self.images * self.groups * self.outputs * self.depth() * self.responses()) as u64
    }

    fn plane(&self) -> usize {
        self.size.iter().product()
    }

    fn responses(&self) -> usize {
        self.positions.iter().product()
    }

    // Rows of the packed matrix: input channels times window elements.
    fn depth(&self) -> usize {
        self.inputs * self.window.iter().product::<usize>()
    }

    // Positions in one block.
    fn block(&self) -> usize {
        let p = self.responses();
        (BLOCK / self.depth().max(1)).clamp(16, 1 << 14).min(p.max(1))
    }

    // Calls f(row, first position, count, start in the image plane group) for every run of positions in `from..to`
    // that reads evenly from one image row; positions that read padding are not reported.
    fn for_each_run(&self, from: usize, to: usize, mut f: impl FnMut(usize, usize, usize, usize)) {
        let [_, ph, pw] = self.positions;
        let mut row = 0;
        for c in 0..self.inputs {
            for kd in 0..self.window[0] {
                for kh in 0..self.window[1] {
                    for kw in 0..self.window[2] {
                        let mut p = from;
                        while p < to {
                            let (line, x) = (p / pw, p % pw);
                            let count = (pw - x).min(to - p);
                            let depth = self.source(0, line / ph, kd);
                            let height = self.source(1, line % ph, kh);
                            if let (Some(d), Some(h)) = (depth, height) {
                                let (lo, hi) = self.valid(kw, x, x + count);
                                if lo < hi {
                                    let w = lo * self.strides[2] + kw * self.dilation[2] - self.low[2];
                                    let at = c * self.plane() + (d * self.size[1] + h) * self.size[2] + w;
                                    f(row, p + lo - x, hi - lo, at);
                                }
                            }
                            p += count;
                        }
                        row += 1;
                    }
                }
            }
        }
    }

    fn source(&self, axis: usize, position: usize, k: usize) -> Option<usize> {
        (position * self.strides[axis] + k * self.dilation[axis])
            .checked_sub(self.low[axis])
            .filter(|&v| v < self.size[axis])
    }

    // The part of positions x0..x1 along the last axis for which window element k reads inside the image.
    fn valid(&self, k: usize, x0: usize, x1: usize) -> (usize, usize) {
        let (s, shift) = (self.strides[2], k * self.dilation[2]);
        let lo = self.low[2].saturating_sub(shift).div_ceil(s).max(x0);
        let hi = (self.size[2] + self.low[2]).saturating_sub(shift).div_ceil(s).min(x1);
        (lo, hi.max(lo))
    }

    // Patches of positions from..to as columns: [depth, to − from].
    fn pack<T: Float>(&self, image: &[T], from: usize, to: usize, packed: &mut [T]) {
        let width = to - from;
        packed.fill(T::ZERO);
        let step = self.strides[2];
        self.for_each_run(from, to, |row, p, count, at| {
            let target = &mut packed[row * width + p - from..row * width + p - from + count];
            if step == 1 {
                target.copy_from_slice(&image[at..at + count]);
            } else {
                target.iter_mut().zip(image[at..].iter().step_by(step)).for_each(|(t, &v)| *t = v);
            }
        });
    }

    // The adjoint of `pack`: adds columns back into the image. `runs` are those of the whole image, found before.
    fn unpack<T: Float>(&self, packed: &[T], layout: Layout, runs: Option<&[Run]>, image: &mut [T]) {
        let Layout { from, to, row_stride, column_stride } = layout;
        let step = self.strides[2];
        let mut add = |row: usize, p: usize, count: usize, at: usize| {
            let start = row * row_stride + (p - from) * column_stride;
            if step == 1 && column_stride == 1 {
                let source = &packed[start..start + count];
                image[at..at + count].iter_mut().zip(source).for_each(|(t, &v)| *t += v);
            } else {
                let source = packed[start..].iter().step_by(column_stride).take(count);
                image[at..].iter_mut().step_by(step).zip(source).for_each(|(t, &v)| *t += v);
            }
        };
        match runs {
            Some(runs) => runs.iter().for_each(|r| add(r.row, r.position, r.count, r.at)),
            None => self.for_each_run(from, to, add),
        }
    }

    // All runs of an image whose positions fit one block: many small images share the work of finding them.
    fn shared_runs(&self) -> Option<Vec<Run>> {
        let lines = self.positions[0] * self.positions[1];
        if self.responses() > self.block() || self.images * self.groups < 2 || self.depth() * lines > MAX_RUNS {
            return None;
        }
        let mut runs = Vec::with_capacity(self.depth() * lines);
        self.for_each_run(0, self.responses(), |row, position, count, at| {
            runs.push(Run { row, position, count, at });
        });
        Some(runs)
    }
}

/// A run of positions that one row of the packed matrix reads evenly from an image.
#[derive(Clone, Copy)]
struct Run {
    row: usize,
    position: usize,
    count: usize,
    at: usize,
}

/// Runs that are worth keeping: 512 KiB.
const MAX_RUNS: usize = 1 << 14;

/// How positions `from..to` lie in a packed matrix.
#[derive(Clone, Copy)]
struct Layout {
    from: usize,
    to: usize,
    row_stride: usize,
    column_stride: usize,
}

/// Runs the convolution; operands are as in [`Slot`].
pub(crate) fn run<T: Float>(c: &Convolving, a: &[T], b: &[T], out: &mut [T]) {
    if out.is_empty() {
        return;
    }
    match c.result {
        Slot::Response => response(c, a, b, out),
        Slot::Image => image(c, a, b, out),
        Slot::Kernel => kernel(c, a, b, out),
    }
}

fn parallel(c: &Convolving) -> bool {
    c.images * c.groups * c.outputs * c.depth() * c.responses() > 1 << 18
}

fn for_each_chunk<T: Float>(parallel: bool, out: &mut [T], size: usize, f: impl Fn(usize, &mut [T]) + Sync) {
    if parallel {
        out.par_chunks_mut(size).enumerate().for_each(|(i, chunk)| f(i, chunk));
    } else {
        out.chunks_mut(size).enumerate().for_each(|(i, chunk)| f(i, chunk));
    }
}

fn response<T: Float>(c: &Convolving, x: &[T], w: &[T], y: &mut [T]) {
    let (plane, p, depth, block) = (c.plane(), c.responses(), c.depth(), c.block());
    if p == 0 {
        return;
    }
    // One task for each image and group.
    for_each_chunk(parallel(c), y, c.outputs * p, |task, y| {
        let (n, g) = (task / c.groups, task % c.groups);
        let start = (n * c.groups + g) * c.inputs * plane;
        let image = &x[start..start + c.inputs * plane];
        let weights = Matrix { data: w, offset: g * c.outputs * depth, row_stride: depth as isize, column_stride: 1 };
        T::with_scratch(depth * block, |packed| {
            for from in (0..p).step_by(block) {
                let to = (from + block).min(p);
                let width = to - from;
                c.pack(image, from, to, &mut packed[..depth * width]);
                let columns = Matrix { data: packed, offset: 0, row_stride: width as isize, column_stride: 1 };
                single((c.outputs, width, depth), weights, columns, &mut y[from..], p, false);
            }
        });
    });
}

fn image<T: Float>(c: &Convolving, y: &[T], w: &[T], x: &mut [T]) {
    let (plane, p, depth, block) = (c.plane(), c.responses(), c.depth(), c.block());
    let runs = c.shared_runs();
    for_each_chunk(parallel(c), x, c.inputs * plane, |task, image| {
        image.fill(T::ZERO);
        let (n, g) = (task / c.groups, task % c.groups);
        let start = (n * c.groups + g) * c.outputs * p;
        let weights = Matrix { data: w, offset: g * c.outputs * depth, row_stride: depth as isize, column_stride: 1 };
        T::with_scratch(depth * block, |packed| {
            for from in (0..p).step_by(block) {
                let to = (from + block).min(p);
                let width = to - from;
                let rows = Matrix { data: y, offset: start + from, row_stride: p as isize, column_stride: 1 };
                // The longer side in neighbouring places, for the vectors of the product: [depth, width] or its
                // transpose.
                if width >= NARROW || depth < width {
                    single((depth, width, c.outputs), weights.transposed(), rows, packed, width, false);
                    c.unpack(packed, Layout { from, to, row_stride: width, column_stride: 1 }, runs.as_deref(), image);
                } else {
                    single((width, depth, c.outputs), rows.transposed(), weights, packed, depth, false);
                    c.unpack(packed, Layout { from, to, row_stride: 1, column_stride: depth }, runs.as_deref(), image);
                }
            }
        });
    });
}

fn kernel<T: Float>(c: &Convolving, x: &[T], y: &[T], w: &mut [T]) {
    let (plane, p, depth, block) = (c.plane(), c.responses(), c.depth(), c.block());
    let per_part = c.images.div_ceil(KERNEL_PARTS).max(1);
    let parts = c.images.div_ceil(per_part);
    let size = w.len();
    let accumulate = |part: usize, w: &mut [T]| {
        w.fill(T::ZERO);
        T::with_scratch(depth * block, |packed| {
            for n in part * per_part..((part + 1) * per_part).min(c.images) {
                for g in 0..c.groups {
                    let from_x = (n * c.groups + g) * c.inputs * plane;
                    let from_y = (n * c.groups + g) * c.outputs * p;
                    for from in (0..p).step_by(block) {
                        let to = (from + block).min(p);
                        let width = to - from;
                        c.pack(&x[from_x..from_x + c.inputs * plane], from, to, &mut packed[..depth * width]);
                        let rows = Matrix { data: y, offset: from_y + from, row_stride: p as isize, column_stride: 1 };
                        let columns = Matrix { data: packed, offset: 0, row_stride: 1, column_stride: width as isize };
                        let target = &mut w[g * c.outputs * depth..(g + 1) * c.outputs * depth];
                        single((c.outputs, depth, width), rows, columns, target, depth, true);
                    }
                }
            }
        });
    };
    if parts <= 1 {
        return accumulate(0, w);
    }
    T::with_scratch(parts * size, |partial| {
        for_each_chunk(parallel(c), partial, size, |part, chunk| accumulate(part, chunk));
        w.copy_from_slice(&partial[..size]);
        for part in partial[size..parts * size].chunks(size) {
            w.iter_mut().zip(part).for_each(|(w, &v)| *w += v);
        }
    });
}
