//! Responses and images' gradients of small planes: tiles of places by registers of target channels.
//!
//! Runs of places that cross the lines of a small plane compute much that is not there. Here the places of a tile are
//! read one by one, wherever they lie, and nothing is computed in vain; the sums are transposed at the end.

use super::ahead::Ahead;
use super::layout::{Layout, Phase};
use super::transpose::Transpose;
use crate::float::Float;
use crate::kernels::simd::{Lanes, Simd, Task, dispatch};
use crate::kernels::tile::{gather, panel_rows};

/// Fewest terms for which the transposition of the sums does not matter.
const TERMS: usize = 48;
/// Bytes of the weights that a tile reads before the next places: with as much of the source they stay in the first-level
/// cache.
const STRIP: usize = 10 << 10;

/// How target channels are cut into panels of registers.
#[derive(Clone, Copy)]
pub(super) struct Panels {
    pub channels: usize,
    lanes: usize,
    width: usize,
}

impl Panels {
    pub fn new<T: Simd>(channels: usize) -> Panels {
        dispatch::<T, _>(Cut(channels))
    }

    /// Channels and what fills up the last register.
    pub fn padded(&self) -> usize {
        self.channels.next_multiple_of(self.lanes)
    }

    /// Whether tiles of places are faster than runs of places that cross lines.
    pub fn pay(&self, layout: &Layout) -> bool {
        let terms = layout.phases.iter().map(|p| p.offsets.len()).max().unwrap_or(0);
        let lines = layout.axes[1].places;
        let (mut runs, mut places) = (0, 0);
        for phase in &layout.phases {
            let (from, to) = layout.range(phase, 0, lines);
            // A last tile of one register takes as long as one of two.
            runs += (to - from).div_ceil(self.lanes).next_multiple_of(2) * self.lanes * phase.offsets.len();
            places += count(phase, 0, lines) * phase.offsets.len();
        }
        terms >= TERMS && places * self.padded() * 21 < runs * self.channels * 20
    }

    /// Elements of working memory for the sums of a band.
    pub fn sums(&self, layout: &Layout) -> usize {
        2 * layout.phases.len() * most(layout) * self.padded()
    }

    /// Weights in the order in which tiles read them: `[phase][panel][term][channel]`, zeros behind the last channel.
    /// `weight(term's source channel, tap, target channel)` is one of them.
    pub fn pack<T: Float>(&self, layout: &Layout, out: &mut [T], weight: impl Fn(usize, usize, usize) -> T) {
        let mut out = out.iter_mut();
        for phase in &layout.phases {
            for first in (0..self.padded()).step_by(self.width) {
                let width = self.width.min(self.padded() - first);
                for channel in 0..layout.channels {
                    for &tap in &phase.taps {
                        for target in first..first + width {
                            let value = if target < self.channels { weight(channel, tap, target) } else { T::ZERO };
                            out.next().into_iter().for_each(|o| *o = value);
                        }
                    }
                }
            }
        }
    }
}

struct Cut(usize);

impl<T: Simd> Task<T> for Cut {
    type Output = Panels;
    #[inline(always)]
    unsafe fn run<V: Lanes<T>>(self) -> Panels {
        let width = panel_rows(self.0.div_ceil(V::N), V::COLUMNS) * V::N;
        Panels { channels: self.0, lanes: V::N, width }
    }
}

// Lines and places of a phase within a band.
fn lines_of(phase: &Phase, first: usize, lines: usize) -> (usize, usize) {
    let (from, to) = (phase.lines.0.max(first), phase.lines.1.min(first + lines));
    (from, to.max(from))
}

fn count(phase: &Phase, first: usize, lines: usize) -> usize {
    let (from, to) = lines_of(phase, first, lines);
    (to - from) * (phase.places.1 - phase.places.0)
}

// Most places that a phase has in a band.
fn most(layout: &Layout) -> usize {
    let width = layout.phases.iter().map(|p| p.places.1 - p.places.0).max().unwrap_or(0);
    layout.band * width
}

/// Computes all target channels for a band of lines.
pub(super) struct Places<'a, T> {
    pub layout: &'a Layout,
    pub panels: Panels,
    pub packed: &'a [T],
    pub first: usize,
    pub lines: usize,
    pub laid: &'a [T],
    /// Working memory of [`Panels::sums`] elements.
    pub sums: &'a mut [T],
    /// What will be read next.
    pub next: &'a [T],
    /// The image, `[channel][plane][line][place]`.
    pub out: &'a mut [T],
}

impl<T: Float> Task<T> for Places<'_, T> {
    type Output = ();
    #[inline(always)]
    unsafe fn run<V: Lanes<T>>(self) {
        let Places { layout, panels, packed, first, lines, laid, sums, next, out } = self;
        let (most, padded) = (most(layout), panels.padded());
        let (sums, turned) = sums.split_at_mut(sums.len() / 2);
        let blocks = layout.phases.iter().map(|phase| count(phase, first, lines).div_ceil(V::ROWS)).sum::<usize>();
        let tiles = blocks * layout.axes[0].places * padded.div_ceil(panels.width);
        let mut ahead = Ahead::new(next, tiles);
        for plane in 0..layout.axes[0].places {
            let mut before = 0;
            for (i, phase) in layout.phases.iter().enumerate() {
                let weights = &packed[before..][..phase.offsets.len() * padded];
                before += phase.offsets.len() * padded;
                let count = count(phase, first, lines);
                if count == 0 {
                    continue;
                }
                let start = layout.plane_start(plane);
                // SAFETY: the instruction set is the caller's promise.
                unsafe { sum::<T, V>(layout, phase, &panels, weights, (start, first, lines), laid, sums, &mut ahead) }
                let (rows, columns) = (count, panels.channels);
                let (to, to_stride) = match only_phase(layout, (plane, first)) {
                    Some((at, channel)) => (&mut out[at..], channel),
                    None => (&mut turned[i * most * padded..][..most * padded], count),
                };
                dispatch(Transpose { from: sums, stride: padded, rows, columns, to, to_stride });
            }
            if layout.phases.len() > 1 {
                // SAFETY: as above.
                unsafe { write::<T, V>(layout, &panels, (plane, first, lines), turned, out) }
            }
        }
    }
}

// Where the places of a band from line `first` on begin in a channel of the image, and the distance of channels, if there is
// one phase only: then the places follow each other there.
fn only_phase(layout: &Layout, (plane, first): (usize, usize)) -> Option<(usize, usize)> {
    let ([d, h, w], [phase]) = (&layout.axes, layout.phases.as_slice()) else { return None };
    let lines = (d.target.element(0, plane)? * h.target.size) + phase.lines.0.max(first) - h.target.low;
    Some((lines * w.target.size, d.target.size * h.target.size * w.target.size))
}

// The sums of one phase in a band, `[place][channel]`.
#[inline(always)]
#[allow(clippy::too_many_arguments)] // both sides of a product, and what is fetched meanwhile
unsafe fn sum<T: Float, V: Lanes<T>>(
    layout: &Layout,
    phase: &Phase,
    panels: &Panels,
    weights: &[T],
    (start, first, lines): (usize, usize, usize),
    laid: &[T],
    sums: &mut [T],
    ahead: &mut Ahead<'_, T>,
) {
    let (from, _) = lines_of(phase, first, lines);
    let (count, width) = (count(phase, first, lines), phase.places.1 - phase.places.0);
    let (terms, padded) = (phase.offsets.len(), panels.padded());
    let place = |i: usize| start + (from - first + i / width) * layout.pitch + phase.places.0 + i % width;
    if terms == 0 {
        // A phase that no element of the window reaches.
        sums[..count * padded].fill(T::ZERO);
    }
    // Blocks of places as even as can be.
    let blocks = count.div_ceil(V::ROWS);
    for channel in (0..padded).step_by(panels.width) {
        let panel = panels.width.min(padded - channel);
        let weights = &weights[channel * terms..][..panel * terms];
        let strip = (STRIP / (panel * size_of::<T>())).max(1);
        for (j, offsets) in phase.offsets.chunks(strip).enumerate() {
            let weights = &weights[j * strip * panel..];
            for block in 0..blocks {
                ahead.step();
                let at = block * count / blocks;
                let rows = (block + 1) * count / blocks - at;
                let mut places = [0; 8];
                places.iter_mut().enumerate().take(rows).for_each(|(r, p)| *p = place(at + r));
                let (places, target) = (&places[..rows], &mut sums[at * padded + channel..]);
                let (columns, reach, add) = (panel / V::N, phase.reach, j > 0);
                // SAFETY: the instruction set is the caller's promise; `reach` is the largest offset.
                unsafe { gather::<T, V>(columns, laid, places, offsets, reach, weights, panel, target, padded, add) }
            }
        }
    }
}

// Puts the phases, each `[channel][line][place]` without gaps, together into the lines of the channels.
#[inline(always)]
unsafe fn write<T: Float, V: Lanes<T>>(
    layout: &Layout,
    panels: &Panels,
    (plane, first, lines): (usize, usize, usize),
    turned: &[T],
    out: &mut [T],
) {
    let [d, h, w] = &layout.axes;
    let size = w.target.size;
    let target = d.target.size * h.target.size * size;
    let region = most(layout) * panels.padded();
    for (pd, u) in (0..d.target.phases).filter_map(|p| Some((p, d.target.element(p, plane)?))) {
        for (ph, line) in (0..h.target.phases).flat_map(|p| (first..first + lines).map(move |l| (p, l))) {
            let Some(v) = h.target.element(ph, line) else { continue };
            let row = |pw: usize, channel: usize| {
                let index = layout.target_phase(pd, ph, pw);
                let phase = &layout.phases[index];
                let (from, width) = (lines_of(phase, first, lines).0, phase.places.1 - phase.places.0);
                let start = index * region + channel * count(phase, first, lines) + (line - from) * width;
                &turned[start..start + width]
            };
            for channel in 0..panels.channels {
                let to = &mut out[channel * target + (u * h.target.size + v) * size..][..size];
                // The phase of the first element.
                let zero = w.target.low % w.target.phases;
                match w.target.phases {
                    1 => {
                        for (from, to) in row(0, channel).chunks(V::N).zip(to.chunks_mut(V::N)) {
                            // SAFETY: both hold as many elements as are copied.
                            unsafe { V::copy(from.as_ptr(), to.as_mut_ptr(), to.len().min(from.len())) }
                        }
                    }
                    2 => {
                        let (even, odd) = (row(zero, channel), row(1 - zero, channel));
                        for (i, to) in to.chunks_mut(2 * V::N).enumerate() {
                            let (even, odd) = (&even[i * V::N..], &odd[i * V::N..]);
                            let pairs = to.len() / 2;
                            assert!(even.len() >= pairs && odd.len() >= pairs, "a line leaves its sums");
                            // SAFETY: 2·pairs elements are written, pairs are read of each, by the check above.
                            unsafe { V::merge(even.as_ptr(), odd.as_ptr(), to.as_mut_ptr(), pairs) }
                            if to.len() % 2 == 1 {
                                to[2 * pairs] = even[pairs];
                            }
                        }
                    }
                    n => {
                        for pw in 0..n {
                            let places = to.iter_mut().skip((pw + n - zero) % n).step_by(n);
                            places.zip(row(pw, channel)).for_each(|(t, &x)| *t = x);
                        }
                    }
                }
            }
        }
    }
}
