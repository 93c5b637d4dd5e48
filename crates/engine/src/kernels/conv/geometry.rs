//! Where a convolution reads and writes: both the response and the image's gradient are correlations at stride 1 of
//! sources that were taken apart by phase.
//!
//! Along one axis with stride s and padding `low`, the image's element u lies at place ⌊(u + low)/s⌋ of phase
//! (u + low) mod s. Element k of the window, at distance a = k·dilation, links place p of a response to place p + ⌊a/s⌋ of
//! phase a mod s. So a response reads s phases at one shift for each element of the window, and each phase of an image's
//! gradient reads the response's gradient at the shifts of the elements that belong to it. Rows of a taken-apart source
//! follow each other at a *pitch*, with zeros between, so that one shift is one offset for all rows, and a run of places
//! needs no packing: it is read where it lies, once for every element of the window.

/// One element of the window.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Tap {
    pub source_phase: usize,
    pub target_phase: usize,
    pub shift: usize,
}

/// One side of a correlation along one axis: element u lies at place `(u + low) / phases` of phase `(u + low) % phases`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Side {
    pub size: usize,
    pub low: usize,
    pub phases: usize,
}

impl Side {
    /// The element at a place of a phase, if there is one.
    pub fn element(&self, phase: usize, place: usize) -> Option<usize> {
        (place * self.phases + phase).checked_sub(self.low).filter(|&u| u < self.size)
    }

    /// Places from the first, up to and without the last, that hold elements of a phase.
    pub fn places(&self, phase: usize) -> (usize, usize) {
        let first = self.low.saturating_sub(phase).div_ceil(self.phases);
        let end = (self.size + self.low).saturating_sub(phase).div_ceil(self.phases);
        (first, end.max(first))
    }
}

/// One spatial axis of a correlation.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Axis {
    pub source: Side,
    pub target: Side,
    pub taps: Vec<Tap>,
    /// Places of the target, from 0.
    pub places: usize,
    /// Largest shift.
    pub reach: usize,
}

/// Sizes of a convolution along one axis.
#[derive(Clone, Copy)]
pub(super) struct Sizes {
    pub image: usize,
    pub window: usize,
    pub response: usize,
    pub stride: usize,
    pub low: usize,
    pub dilation: usize,
}

impl Axis {
    /// The axis of a response, whose source is the image.
    pub fn response(s: Sizes) -> Axis {
        let tap = |k: usize| {
            let a = k * s.dilation;
            Tap { source_phase: a % s.stride, target_phase: 0, shift: a / s.stride }
        };
        let source = Side { size: s.image, low: s.low, phases: s.stride };
        Axis::new(source, Side { size: s.response, low: 0, phases: 1 }, (0..s.window).map(tap).collect())
    }

    /// The axis of an image's gradient, whose source is the response's gradient.
    pub fn image(s: Sizes) -> Axis {
        let reach = s.window.saturating_sub(1) * s.dilation / s.stride;
        let tap = |k: usize| {
            let a = k * s.dilation;
            Tap { source_phase: 0, target_phase: a % s.stride, shift: reach - a / s.stride }
        };
        let source = Side { size: s.response, low: reach, phases: 1 };
        Axis::new(source, Side { size: s.image, low: s.low, phases: s.stride }, (0..s.window).map(tap).collect())
    }

    fn new(source: Side, target: Side, taps: Vec<Tap>) -> Axis {
        let places = (0..target.phases).map(|p| target.places(p).1).max().unwrap_or(0);
        let reach = taps.iter().map(|t| t.shift).max().unwrap_or(0);
        Axis { source, target, taps, places, reach }
    }

    /// The distance of rows along the last axis: wide enough for the target's places and the source's, and so wide that
    /// what is read beyond a row's end are the zeros in front of the next row.
    pub fn pitch(&self) -> usize {
        let ends = (0..self.source.phases).map(|p| self.source.places(p));
        let (first, end) = ends.fold((usize::MAX, 0), |(f, e), (first, end)| (f.min(first), e.max(end)));
        self.places.max(end).max((self.places + self.reach).saturating_sub(first))
    }

    /// Lines that are kept of an axis before the last.
    pub fn lines(&self) -> usize {
        self.places + self.reach
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all_sizes() -> impl Iterator<Item = Sizes> {
        let grid = |n: usize| 1..=n;
        grid(9).flat_map(move |image| {
            grid(4).flat_map(move |window| {
                grid(3).flat_map(move |stride| {
                    (0..3).flat_map(move |low| {
                        grid(3).filter_map(move |dilation| {
                            let span = (window - 1) * dilation + 1;
                            let response = (image + low + 1).checked_sub(span)? / stride + 1;
                            Some(Sizes { image, window, response, stride, low, dilation })
                        })
                    })
                })
            })
        })
    }

    /// Reads a row of ones, laid out with its pitch and followed by another, through the taps.
    fn correlate(axis: &Axis) -> Vec<f64> {
        let pitch = axis.pitch();
        let phases = axis.source.phases;
        // Two rows of distinct values in every phase, the second row's far larger.
        let mut laid = vec![vec![0.0; 2 * pitch + axis.places + axis.reach]; phases];
        for u in 0..axis.source.size {
            let (phase, place) = ((u + axis.source.low) % phases, (u + axis.source.low) / phases);
            laid[phase][place] = 1.0 + u as f64;
            laid[phase][pitch + place] = 1e6;
        }
        let value = |u: usize| {
            let (phase, place) =
                ((u + axis.target.low) % axis.target.phases, (u + axis.target.low) / axis.target.phases);
            let taps = axis.taps.iter().enumerate().filter(|(_, t)| t.target_phase == phase);
            taps.map(|(k, t)| (10 + k) as f64 * laid[t.source_phase][place + t.shift]).sum()
        };
        (0..axis.target.size).map(value).collect()
    }

    #[test]
    fn taps_shifts_and_pitches_give_the_definition_of_both_slots() {
        let mut count = 0;
        for s in all_sizes() {
            let place =
                |p: usize, k: usize| (p * s.stride + k * s.dilation).checked_sub(s.low).filter(|&u| u < s.image);
            let mut response = vec![0.0; s.response];
            let mut image = vec![0.0; s.image];
            for p in 0..s.response {
                for k in 0..s.window {
                    if let Some(u) = place(p, k) {
                        response[p] += (10 + k) as f64 * (1.0 + u as f64);
                        image[u] += (10 + k) as f64 * (1.0 + p as f64);
                    }
                }
            }
            assert_eq!(correlate(&Axis::response(s)), response);
            assert_eq!(correlate(&Axis::image(s)), image);
            count += 1;
        }
        assert!(count > 400);
    }
}
