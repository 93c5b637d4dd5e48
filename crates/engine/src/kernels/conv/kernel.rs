//! The kernel's gradient: for every weight, the product of what it read with the response's gradient, summed over images
//! and positions. The response's gradient is transposed, so that registers hold output channels.

use super::ahead::Ahead;
use super::layout::Fill;
use super::transpose::Transpose;
use super::{Convolving, for_each_chunk};
use crate::float::Float;
use crate::kernels::simd::{Lanes, Task, dispatch};
use crate::kernels::tile::{Walk, accumulate, panel_rows};

/// Partial sums over images: fixed, so that results do not depend on the number of threads.
const PARTS: usize = 8;
/// Output channels are padded to a multiple of this, at least the widest register's elements.
const PAD: usize = 16;

pub(super) fn run<T: Float>(c: &Convolving, x: &[T], y: &[T], w: &mut [T]) {
    let padded = c.outputs.next_multiple_of(PAD);
    // Sums lie as [group][weight of an output][output], transposed.
    let size = c.groups * c.depth() * padded;
    let pieces = c.images * c.groups;
    let (per_part, parts) = if c.many() {
        let per_part = c.images.div_ceil(PARTS);
        (per_part, c.images.div_ceil(per_part))
    } else {
        (c.images, 1)
    };
    T::with_scratch(parts * size, |sums| {
        sums.fill(T::ZERO);
        if c.many() {
            for_each_chunk(c.is_split(), sums, size, |part, sums| {
                let end = ((part + 1) * per_part).min(c.images) * c.groups;
                T::with_scratch(c.layout.len, |laid| {
                    laid.fill(T::ZERO);
                    for piece in part * per_part * c.groups..end {
                        let sums = &mut sums[piece % c.groups * c.depth() * padded..];
                        whole(c, piece, piece + 1 < end, x, y, laid, sums);
                    }
                });
            });
        } else {
            T::with_scratch(c.layout.len, |laid| {
                laid.fill(T::ZERO);
                for piece in 0..pieces {
                    split(c, piece, x, y, laid, &mut sums[piece % c.groups * c.depth() * padded..]);
                }
            });
        }
        let (total, rest) = sums.split_at_mut(size);
        for part in rest.chunks(size) {
            total.iter_mut().zip(part).for_each(|(t, &v)| *t += v);
        }
        for (sums, w) in total.chunks(c.depth() * padded).zip(w.chunks_mut(c.outputs * c.depth())) {
            let (rows, columns) = (c.depth(), c.outputs);
            dispatch(Transpose { from: sums, stride: padded, rows, columns, to: w, to_stride: rows });
        }
    });
}

fn source<'a, T>(c: &Convolving, piece: usize, x: &'a [T]) -> &'a [T] {
    let size = c.inputs * c.plane;
    &x[piece * size..(piece + 1) * size]
}

fn response<'a, T>(c: &Convolving, piece: usize, y: &'a [T]) -> &'a [T] {
    let size = c.outputs * c.positions;
    &y[piece * size..(piece + 1) * size]
}

// Adds one image's part on this thread, band by band; the next one's may be fetched meanwhile.
fn whole<T: Float>(c: &Convolving, piece: usize, goes_on: bool, x: &[T], y: &[T], laid: &mut [T], sums: &mut [T]) {
    let next: [&[T]; 2] = if goes_on { [source(c, piece + 1, x), response(c, piece + 1, y)] } else { [&[], &[]] };
    for (first, lines) in c.layout.bands() {
        dispatch(Fill { layout: &c.layout, channels: source(c, piece, x), first, lines, out: &mut *laid });
        with_transposed(c, piece, (first, lines), y, |vectors| {
            dispatch(Weights { c, lines, laid, vectors, first: 0, count: c.depth(), next, sums });
        });
    }
}

// Adds one image's part, the weights over the threads.
fn split<T: Float>(c: &Convolving, piece: usize, x: &[T], y: &[T], laid: &mut [T], sums: &mut [T]) {
    let (layout, lines) = (&c.layout, c.layout.axes[1].places);
    let filled = &mut laid[..layout.channels * layout.channel()];
    for_each_chunk(c.is_split(), filled, layout.channel(), |channel, out| {
        let channels = &source(c, piece, x)[channel * c.plane..(channel + 1) * c.plane];
        dispatch(Fill { layout, channels, first: 0, lines, out });
    });
    let (laid, padded) = (&*laid, c.outputs.next_multiple_of(PAD));
    with_transposed(c, piece, (0, lines), y, |vectors| {
        let count = c.depth().div_ceil(PARTS).next_multiple_of(8);
        for_each_chunk(c.is_split(), &mut sums[..c.depth() * padded], count * padded, |i, sums| {
            let count = sums.len() / padded;
            dispatch(Weights {
                c,
                lines,
                laid,
                vectors,
                first: i * (c.depth().div_ceil(PARTS).next_multiple_of(8)),
                count,
                next: [&[], &[]],
                sums,
            });
        });
    });
}

// Lends the response's gradient of a band as [plane][position][output].
fn with_transposed<T: Float>(
    c: &Convolving,
    piece: usize,
    (first, lines): (usize, usize),
    y: &[T],
    f: impl FnOnce(&[T]),
) {
    let [d, h, w] = &c.layout.axes;
    let (columns, padded) = (lines * w.places, c.outputs.next_multiple_of(PAD));
    T::with_scratch(d.places * columns * padded, |vectors| {
        for (plane, to) in vectors.chunks_mut((columns * padded).max(1)).enumerate() {
            let start = piece * c.outputs * c.positions + (plane * h.places + first) * w.places;
            let from = &y[start..];
            dispatch(Transpose { from, stride: c.positions, rows: c.outputs, columns, to, to_stride: padded });
        }
        f(vectors);
    });
}

/// Adds the part of one band to `count` weights of every output from weight `first`.
struct Weights<'a, T> {
    c: &'a Convolving,
    lines: usize,
    laid: &'a [T],
    vectors: &'a [T],
    first: usize,
    count: usize,
    /// What will be read next.
    next: [&'a [T]; 2],
    sums: &'a mut [T],
}

impl<T: Float> Task<T> for Weights<'_, T> {
    type Output = ();
    #[inline(always)]
    unsafe fn run<V: Lanes<T>>(self) {
        let Weights { c, lines, laid, vectors, first, count, next, sums } = self;
        let (layout, padded) = (&c.layout, c.outputs.next_multiple_of(PAD));
        let positions = layout.axes[2].places;
        let walk = Walk { lines, positions, pitch: layout.pitch };
        let registers = c.outputs.div_ceil(V::N);
        let columns = panel_rows(registers, V::COLUMNS);
        let offsets = &layout.phases[0].offsets[first..first + count];
        let rows = panel_rows(count, V::ROWS);
        let tiles = count.div_ceil(rows) * layout.axes[0].places * registers.div_ceil(columns);
        let mut ahead = next.map(|next| Ahead::new(next, tiles));
        for (offsets, sums) in offsets.chunks(rows).zip(sums.chunks_mut(rows * padded)) {
            for plane in 0..layout.axes[0].places {
                let laid = &laid[layout.plane_start(plane)..];
                let vectors = &vectors[plane * lines * positions * padded..];
                for register in (0..registers).step_by(columns) {
                    ahead.iter_mut().for_each(Ahead::step);
                    let (at, columns) = (register * V::N, columns.min(registers - register));
                    // SAFETY: the instruction set is the caller's promise.
                    unsafe {
                        let (vectors, sums) = (&vectors[at..], &mut sums[at..]);
                        accumulate::<T, V>(columns, walk, laid, offsets, vectors, padded, sums, padded);
                    }
                }
            }
        }
    }
}
