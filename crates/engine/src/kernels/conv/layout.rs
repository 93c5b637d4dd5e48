//! A source taken apart by phase, in bands of lines that stay in the second-level cache.

use super::geometry::{Axis, Side};
use crate::float::Float;
use crate::kernels::simd::{Lanes, Simd, Task};

/// How a source is laid out: `[channel][phase][plane][line][place]`, lines a pitch apart.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Layout {
    pub axes: [Axis; 3],
    pub channels: usize,
    pub pitch: usize,
    /// Target lines of one band, and the source lines that they need.
    pub band: usize,
    lines: usize,
    /// For each phase of the target, the window's elements that belong to it and where all of their terms are read,
    /// channel by channel.
    pub phases: Vec<Phase>,
    /// Elements of a whole source.
    pub len: usize,
}

/// Terms of one phase of the target.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Phase {
    /// Places in the window.
    pub taps: Vec<usize>,
    /// Where each term is read for the target's place 0, relative to the source's start.
    pub offsets: Vec<usize>,
    /// Largest offset.
    pub reach: usize,
    /// First and one-past-last line and place that hold elements of the phase.
    pub lines: (usize, usize),
    pub places: (usize, usize),
}

/// Elements of a band: 128 Ki f32 are half a second-level cache.
const BAND: usize = 1 << 17;
/// More than the last tile of a line can read beyond it: three registers of 16.
const SLACK: usize = 64;

impl Layout {
    /// Bands are used only where images are not split over threads, which share one source.
    pub fn new(axes: [Axis; 3], channels: usize, banded: bool) -> Layout {
        let pitch = axes[2].pitch();
        let source_phases: usize = axes.iter().map(|a| a.source.phases).product();
        let line = channels * source_phases * pitch;
        let all = axes[1].places;
        let fits = (BAND / line.max(1)).saturating_sub(axes[1].reach).max(4);
        let band = if banded && axes[0].lines() == 1 { all.min(fits) } else { all };
        let lines = band + axes[1].reach;
        let planes = axes[0].lines();
        let mut layout = Layout { axes, channels, pitch, band, lines, phases: Vec::new(), len: 0 };
        let channel = source_phases * planes * lines * pitch;
        layout.phases = layout.find_phases(channel);
        let reach = layout.phases.iter().map(|p| p.reach).max().unwrap_or(0);
        let targets = layout.plane_start(layout.axes[0].places.saturating_sub(1)) + layout.width();
        layout.len = (channels * channel).max(reach + targets) + SLACK;
        layout
    }

    fn find_phases(&self, channel: usize) -> Vec<Phase> {
        let [d, h, w] = &self.axes;
        let mut phases = vec![Phase::default(); d.target.phases * h.target.phases * w.target.phases];
        let mut shifts = vec![Vec::new(); phases.len()];
        for (i, a) in d.taps.iter().enumerate() {
            for (j, b) in h.taps.iter().enumerate() {
                for (k, c) in w.taps.iter().enumerate() {
                    let target = self.target_phase(a.target_phase, b.target_phase, c.target_phase);
                    let source = self.source_phase(a.source_phase, b.source_phase, c.source_phase);
                    let line = (source * d.lines() + a.shift) * self.lines + b.shift;
                    phases[target].taps.push((i * h.taps.len() + j) * w.taps.len() + k);
                    shifts[target].push(line * self.pitch + c.shift);
                }
            }
        }
        for (i, (phase, shifts)) in phases.iter_mut().zip(&shifts).enumerate() {
            phase.lines = h.target.places(i / w.target.phases % h.target.phases);
            phase.places = w.target.places(i % w.target.phases);
            let all = (0..self.channels).flat_map(|c| shifts.iter().map(move |s| c * channel + s));
            phase.offsets = all.collect();
            phase.reach = phase.offsets.iter().copied().max().unwrap_or(0);
        }
        phases
    }

    pub fn target_phase(&self, d: usize, h: usize, w: usize) -> usize {
        (d * self.axes[1].target.phases + h) * self.axes[2].target.phases + w
    }

    fn source_phase(&self, d: usize, h: usize, w: usize) -> usize {
        (d * self.axes[1].source.phases + h) * self.axes[2].source.phases + w
    }

    /// Elements from the first place of a band's first line to the last place of its last.
    pub fn width(&self) -> usize {
        self.band.saturating_sub(1) * self.pitch + self.axes[2].places
    }

    /// Where the elements of a phase lie among the places of the band of `lines` from `first`: start and end.
    pub fn range(&self, phase: &Phase, first: usize, lines: usize) -> (usize, usize) {
        let (from, to) = (phase.lines.0.max(first) - first, phase.lines.1.min(first + lines).saturating_sub(first));
        if to <= from || phase.places.1 <= phase.places.0 {
            return (0, 0);
        }
        (from * self.pitch + phase.places.0, (to - 1) * self.pitch + phase.places.1)
    }

    /// Terms of all phases.
    pub fn weights(&self) -> usize {
        self.phases.iter().map(|p| p.offsets.len()).sum()
    }

    /// Where the target's plane begins in a source.
    pub fn plane_start(&self, plane: usize) -> usize {
        plane * self.lines * self.pitch
    }

    /// First target line and number of lines of every band.
    pub fn bands(&self) -> impl Iterator<Item = (usize, usize)> + use<> {
        let (all, band) = (self.axes[1].places, self.band.max(1));
        (0..all).step_by(band).map(move |first| (first, band.min(all - first)))
    }

    /// Elements of one channel.
    pub fn channel(&self) -> usize {
        let phases: usize = self.axes.iter().map(|a| a.source.phases).product();
        phases * self.axes[0].lines() * self.lines * self.pitch
    }
}

/// Lays out neighbouring channels for the band from target line `first`. Places that hold no element must be zero before.
pub(super) struct Fill<'a, T> {
    pub layout: &'a Layout,
    /// The channels, as they lie in memory.
    pub channels: &'a [T],
    pub first: usize,
    pub lines: usize,
    pub out: &'a mut [T],
}

impl<T: Float + Simd> Task<T> for Fill<'_, T> {
    type Output = ();
    #[inline(always)]
    unsafe fn run<V: Lanes<T>>(self) {
        let Fill { layout, channels, first, lines, out } = self;
        let [d, h, w] = &layout.axes;
        let size = w.source.size;
        let plane = d.source.size * h.source.size * size;
        let (channel, phase) = (layout.channel(), d.lines() * layout.lines * layout.pitch);
        if plane == 0 {
            return;
        }
        for (image, out) in channels.chunks_exact(plane).zip(out.chunks_exact_mut(channel)) {
            for (pd, place_d) in (0..d.source.phases).flat_map(|p| (0..d.lines()).map(move |l| (p, l))) {
                let depth = d.source.element(pd, place_d);
                for (ph, line) in (0..h.source.phases).flat_map(|p| (0..lines + h.reach).map(move |l| (p, l))) {
                    let start = layout.source_phase(pd, ph, 0) * phase + (place_d * layout.lines + line) * layout.pitch;
                    match (depth, h.source.element(ph, first + line)) {
                        (Some(u), Some(v)) => {
                            let row = &image[(u * h.source.size + v) * size..][..size];
                            // SAFETY: the instruction set is the caller's promise.
                            unsafe { take_apart::<T, V>(&w.source, row, &mut out[start..], phase) }
                        }
                        _ => {
                            for p in 0..w.source.phases {
                                out[start + p * phase..][..layout.pitch].fill(T::ZERO);
                            }
                        }
                    }
                }
            }
        }
    }
}

// Copies the elements of a row to their places; phases begin `phase` apart.
#[inline(always)]
unsafe fn take_apart<T: Float, V: Lanes<T>>(side: &Side, row: &[T], out: &mut [T], phase: usize) {
    let n = row.len();
    let place = |u: usize| ((u + side.low) % side.phases) * phase + (u + side.low) / side.phases;
    match side.phases {
        1 => {
            let target = &mut out[side.low..side.low + n];
            for at in (0..n).step_by(V::N) {
                // SAFETY: both slices have n elements.
                unsafe { V::copy(row.as_ptr().add(at), target.as_mut_ptr().add(at), V::N.min(n - at)) }
            }
        }
        2 if n > 1 => {
            let (even, odd, pairs) = (place(0), place(1), n / 2);
            assert!(even.max(odd) + pairs <= out.len(), "a line leaves its source");
            for at in (0..pairs).step_by(V::N) {
                let count = V::N.min(pairs - at);
                // SAFETY: 2·(at + count) ≤ n elements are read, and both targets lie inside by the check above.
                unsafe {
                    let target = out.as_mut_ptr();
                    V::split(row.as_ptr().add(2 * at), target.add(even + at), target.add(odd + at), count);
                }
            }
            if n % 2 == 1 {
                out[place(n - 1)] = row[n - 1];
            }
        }
        _ => {
            for (u, &x) in row.iter().enumerate() {
                out[place(u)] = x;
            }
        }
    }
}
