//! Responses and images' gradients: panels of target channels, tile by tile over the places.

use super::ahead::Ahead;
use super::geometry::Side;
use super::layout::{Fill, Layout};
use super::places::{Panels, Places};
use super::{Convolving, TASKS, for_each_chunk};
use crate::float::Float;
use crate::kernels::Finish;
use crate::kernels::simd::{Lanes, Simd, Task, dispatch};
use crate::kernels::tile::{correlate, panel_rows};
use perturb_graph::Slot;

/// Sums that are kept before they are written.
const SUMS: usize = 1 << 14;
/// Bytes of the source that one tile reads before the next weights: they stay in the first-level cache.
const STRIP: usize = 20 << 10;

/// What a run needs to know of its sizes.
struct Shape<'a> {
    layout: &'a Layout,
    /// Target channels of a group, rows of a panel, and target elements of one channel.
    channels: usize,
    rows: usize,
    target: usize,
    /// Source elements of a group of one image.
    source: usize,
}

impl Shape<'_> {
    // Channels whose sums in all phases stay in the second-level cache: whole panels.
    fn together(&self) -> usize {
        let panel = self.layout.phases.len() * self.rows * sums_width(self.layout);
        (SUMS / panel.max(1)).max(1) * self.rows
    }

    fn sums(&self) -> usize {
        self.layout.phases.len() * self.together().min(self.channels) * sums_width(self.layout)
    }
}

// Distance of the sums' rows: whole registers from any start, whatever the instruction set.
fn sums_width(layout: &Layout) -> usize {
    layout.width().next_multiple_of(16) + 16
}

pub(super) fn run<T: Float>(c: &Convolving, source: &[T], weights: &[T], out: &mut [T], finish: Finish<T>) {
    let (channels, target, source_plane) = match c.result {
        Slot::Image => (c.inputs, c.plane, c.positions),
        _ => (c.outputs, c.positions, c.plane),
    };
    let rows = panel_rows(channels, dispatch::<T, _>(MostRows));
    let layout = &c.layout;
    let shape = Shape { layout, channels, rows, target, source: layout.channels * source_plane };
    let panels = Panels::new::<T>(channels);
    let by_places = c.many() && panels.pay(layout);
    let packed_size = if by_places { c.groups * layout.weights() * panels.padded() } else { weights.len() };
    T::with_scratch(packed_size, |packed| {
        if by_places {
            let (row_stride, channel_stride) = strides(c);
            for (g, packed) in packed.chunks_mut((layout.weights() * panels.padded()).max(1)).enumerate() {
                let first = g * c.outputs * c.depth();
                panels.pack(layout, packed, |channel, tap, row| {
                    weights[first + channel * channel_stride + tap + row * row_stride]
                });
            }
            return many(c, &shape, source, packed, out, finish, Some(panels));
        }
        pack(c, &shape, weights, packed);
        if c.many() {
            many(c, &shape, source, packed, out, finish, None)
        } else {
            few(c, &shape, source, packed, out, finish)
        }
    });
}

// One task for some images; each lays out its images band by band.
fn many<T: Float>(
    c: &Convolving,
    shape: &Shape,
    source: &[T],
    packed: &[T],
    out: &mut [T],
    finish: Finish<T>,
    by_places: Option<Panels>,
) {
    let working = by_places.map_or(shape.sums(), |panels| panels.sums(shape.layout));
    let pieces = c.images * c.groups;
    let per_task = pieces.div_ceil(TASKS);
    let piece = shape.channels * shape.target;
    for_each_chunk(c.is_split(), out, per_task * piece, |task, chunk| {
        T::with_scratch(shape.layout.len + working, |scratch| {
            let (laid, sums) = scratch.split_at_mut(shape.layout.len);
            laid.fill(T::ZERO);
            for (i, out) in chunk.chunks_mut(piece).enumerate() {
                let i = task * per_task + i;
                let channels = &source[i * shape.source..(i + 1) * shape.source];
                let next = if i + 1 < pieces { &source[(i + 1) * shape.source..(i + 2) * shape.source] } else { &[] };
                for (first, lines) in shape.layout.bands() {
                    dispatch(Fill { layout: shape.layout, channels, first, lines, out: &mut *laid });
                    let (packed, sums, out) = (group(c, packed, i), &mut *sums, &mut *out);
                    let (layout, laid) = (shape.layout, &*laid);
                    match by_places {
                        Some(panels) => {
                            dispatch(Places { layout, panels, packed, first, lines, laid, sums, next, out })
                        }
                        None => dispatch(Runs { shape, packed, first_panel: 0, first, lines, laid, sums, next, out }),
                    }
                }
                finish(i * piece, out);
            }
        });
    });
}

// Each image in turn, its channels over the threads.
fn few<T: Float>(c: &Convolving, shape: &Shape, source: &[T], packed: &[T], out: &mut [T], finish: Finish<T>) {
    let piece = shape.channels * shape.target;
    let layout = shape.layout;
    let lines = layout.axes[1].places;
    T::with_scratch(layout.len, |laid| {
        laid.fill(T::ZERO);
        for (i, out) in out.chunks_mut(piece).enumerate() {
            let image = &source[i * shape.source..(i + 1) * shape.source];
            let plane = shape.source / layout.channels.max(1);
            let filled = &mut laid[..layout.channels * layout.channel()];
            let at_once = layout.channels.div_ceil(TASKS).max(1);
            for_each_chunk(c.is_split(), filled, at_once * layout.channel(), |j, out| {
                let channels = &image[j * at_once * plane..((j + 1) * at_once * plane).min(image.len())];
                dispatch(Fill { layout, channels, first: 0, lines, out });
            });
            let (packed, laid) = (group(c, packed, i), &*laid);
            for_each_chunk(c.is_split(), out, shape.rows * shape.target, |first_panel, out| {
                T::with_scratch(shape.sums(), |sums| {
                    let out = &mut *out;
                    dispatch(Runs { shape, packed, first_panel, first: 0, lines, laid, sums, next: &[], out });
                });
                finish(i * piece + first_panel * shape.rows * shape.target, out);
            });
        }
    });
}

fn group<'a, T>(c: &Convolving, packed: &'a [T], piece: usize) -> &'a [T] {
    let (size, g) = (packed.len() / c.groups, piece % c.groups);
    &packed[g * size..(g + 1) * size]
}

/// Asks how many rows of accumulators the instruction set has.
struct MostRows;

impl<T: Simd> Task<T> for MostRows {
    type Output = usize;
    #[inline(always)]
    unsafe fn run<V: Lanes<T>>(self) -> usize {
        V::ROWS
    }
}

// Distances of the weights of neighbouring target channels, and of neighbouring source channels.
fn strides(c: &Convolving) -> (usize, usize) {
    match c.result {
        Slot::Image => (c.window, c.depth()),
        _ => (c.depth(), c.window),
    }
}

// Weights in the order in which tiles read them: `[group][phase][panel][term][row]`.
fn pack<T: Float>(c: &Convolving, shape: &Shape, weights: &[T], packed: &mut [T]) {
    let (row_stride, channel_stride) = strides(c);
    let size = c.outputs * c.depth();
    for (g, packed) in packed.chunks_mut(size.max(1)).enumerate() {
        let mut at = 0;
        for phase in &shape.layout.phases {
            for first in (0..shape.channels).step_by(shape.rows) {
                let rows = shape.rows.min(shape.channels - first);
                for channel in 0..shape.layout.channels {
                    for &tap in &phase.taps {
                        let start = g * size + channel * channel_stride + tap;
                        for row in first..first + rows {
                            packed[at] = weights[start + row * row_stride];
                            at += 1;
                        }
                    }
                }
            }
        }
    }
}

/// Computes panels of target channels for a band of lines.
struct Runs<'a, T> {
    shape: &'a Shape<'a>,
    packed: &'a [T],
    first_panel: usize,
    first: usize,
    lines: usize,
    laid: &'a [T],
    /// Working memory for the sums of one panel.
    sums: &'a mut [T],
    /// What will be read next.
    next: &'a [T],
    /// The target channels from the first panel on.
    out: &'a mut [T],
}

impl<T: Float> Task<T> for Runs<'_, T> {
    type Output = ();
    #[inline(always)]
    unsafe fn run<V: Lanes<T>>(self) {
        let Runs { shape, packed, first_panel, first, lines, laid, sums, next, out } = self;
        let layout = shape.layout;
        let width = sums_width(layout);
        let tiles = (out.len() / shape.target.max(1)).div_ceil(shape.rows) * layout.phases.len() * lines * layout.pitch;
        let mut ahead = Ahead::new(next, tiles / (V::COLUMNS * V::N));
        let together = shape.together();
        for (i, out) in out.chunks_mut(together * shape.target).enumerate() {
            let channels = out.len() / shape.target;
            let first_channel = first_panel * shape.rows + i * together;
            for plane in 0..layout.axes[0].places {
                let (mut before, start) = (0, layout.plane_start(plane));
                for (phase, sums) in layout.phases.iter().zip(sums.chunks_mut(channels * width)) {
                    let terms = phase.offsets.len();
                    let weights = &packed[before + first_channel * terms..before + (first_channel + channels) * terms];
                    before += shape.channels * terms;
                    if terms == 0 {
                        // A phase that no element of the window reaches.
                        sums.fill(T::ZERO);
                    }
                    let (from, to) = layout.range(phase, first, lines);
                    let columns = panel_rows((to - from).div_ceil(V::N), V::COLUMNS);
                    let strip = STRIP / (columns * V::N * size_of::<T>());
                    for at in (from..to).step_by(columns * V::N) {
                        let columns = (to - at).div_ceil(V::N).min(columns);
                        for (j, offsets) in phase.offsets.chunks(strip).enumerate() {
                            for channel in (0..channels).step_by(shape.rows) {
                                ahead.step();
                                let rows = shape.rows.min(channels - channel);
                                let weights = &weights[channel * terms + j * strip * rows..][..offsets.len() * rows];
                                let (tile, target) = ((rows, columns), &mut sums[channel * width + at..]);
                                let (reach, at, add) = (phase.reach, start + at, j > 0);
                                // SAFETY: the instruction set is the caller's promise; `reach` is the largest offset.
                                unsafe {
                                    correlate::<T, V>(tile, weights, offsets, reach, laid, at, target, width, add)
                                }
                            }
                        }
                    }
                }
                // SAFETY: as above.
                unsafe { write::<T, V>(layout, (plane, first, lines), sums, (channels, width), out) }
            }
        }
    }
}

// Puts a panel's sums `[phase][row][line][place]` together into the lines of its channels.
#[inline(always)]
unsafe fn write<T: Float, V: Lanes<T>>(
    layout: &Layout,
    (plane, first, lines): (usize, usize, usize),
    sums: &[T],
    (rows, width): (usize, usize),
    out: &mut [T],
) {
    let [d, h, w] = &layout.axes;
    let size = w.target.size;
    let channel = d.target.size * h.target.size * size;
    for (pd, u) in (0..d.target.phases).filter_map(|p| Some((p, d.target.element(p, plane)?))) {
        for line in 0..lines {
            for (ph, v) in (0..h.target.phases).filter_map(|p| Some((p, h.target.element(p, first + line)?))) {
                let phase = layout.target_phase(pd, ph, 0);
                for row in 0..rows {
                    let to = row * channel + (u * h.target.size + v) * size;
                    let from = &sums[(phase * rows + row) * width + line * layout.pitch..];
                    // SAFETY: the instruction set is the caller's promise.
                    unsafe { put_together::<T, V>(&w.target, from, rows * width, &mut out[to..to + size]) }
                }
            }
        }
    }
}

// Gathers the elements of a row from their places; phases begin `phase` apart.
#[inline(always)]
unsafe fn put_together<T: Float, V: Lanes<T>>(side: &Side, from: &[T], phase: usize, row: &mut [T]) {
    let n = row.len();
    let place = |u: usize| ((u + side.low) % side.phases) * phase + (u + side.low) / side.phases;
    match side.phases {
        1 => {
            let from = &from[side.low..side.low + n];
            for at in (0..n).step_by(V::N) {
                // SAFETY: both slices have n elements.
                unsafe { V::copy(from.as_ptr().add(at), row.as_mut_ptr().add(at), V::N.min(n - at)) }
            }
        }
        2 if n > 1 => {
            let (even, odd, pairs) = (place(0), place(1), n / 2);
            assert!(even.max(odd) + pairs <= from.len(), "a line leaves its sums");
            for at in (0..pairs).step_by(V::N) {
                let count = V::N.min(pairs - at);
                // SAFETY: 2·(at + count) ≤ n elements are written, and both sources lie inside by the check above.
                unsafe {
                    let (even, odd) = (from.as_ptr().add(even + at), from.as_ptr().add(odd + at));
                    V::merge(even, odd, row.as_mut_ptr().add(2 * at), count);
                }
            }
            if n % 2 == 1 {
                row[n - 1] = from[place(n - 1)];
            }
        }
        _ => {
            for (u, x) in row.iter_mut().enumerate() {
                *x = from[place(u)];
            }
        }
    }
}
