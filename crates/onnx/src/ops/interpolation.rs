//! Weights with which resizing along one axis reads its operand.

use crate::error::{NodeError, invalid, unsupported};

/// How positions of the result map to positions of the operand, and how elements around those are weighed.
pub(super) struct Sampling {
    pub(super) mode: String,
    pub(super) coordinates: String,
    pub(super) rounding: String,
    /// Coefficient of the cubic kernel (Keys 1981, eq. 15: −½; the standard's default is −¾).
    pub(super) cubic: f64,
    /// Elements outside of the operand do not count, instead of being those at its edge.
    pub(super) exclude_outside: bool,
    /// Downsampling widens the kernel.
    pub(super) antialias: bool,
}

/// One axis that is resized.
#[derive(Clone, Copy)]
pub(super) struct Axis {
    /// Size of the operand.
    pub(super) size: usize,
    /// Size of the result.
    pub(super) count: usize,
    /// Result by operand.
    pub(super) scale: f64,
    /// The part of the operand that is read, from 0 to 1.
    pub(super) region: (f64, f64),
}

impl Sampling {
    /// Where in the operand position `o` of the result lies.
    pub(super) fn position(&self, o: usize, axis: Axis) -> Result<f64, NodeError> {
        let (o, size, scale) = (o as f64, axis.size as f64, axis.scale);
        Ok(match self.coordinates.as_str() {
            "half_pixel" => (o + 0.5) / scale - 0.5,
            "half_pixel_symmetric" => {
                let adjustment = axis.count as f64 / (scale * size);
                size / 2.0 * (1.0 - adjustment) + (o + 0.5) / scale - 0.5
            }
            "pytorch_half_pixel" if axis.count > 1 => (o + 0.5) / scale - 0.5,
            "pytorch_half_pixel" => 0.0,
            // The standard's length of the result is not rounded here.
            "align_corners" if axis.count > 1 => o * (size - 1.0) / (scale * size - 1.0),
            "align_corners" => 0.0,
            "asymmetric" => o / scale,
            "tf_crop_and_resize" => {
                let (from, to) = axis.region;
                let start = from * (size - 1.0);
                match axis.count {
                    1 => (start + to * (size - 1.0)) / 2.0,
                    count => start + o * (to - from) * (size - 1.0) / (count as f64 - 1.0),
                }
            }
            other => return unsupported(format!("coordinate_transformation_mode {other:?}")),
        })
    }

    /// The element that stands for each position.
    pub(super) fn nearest(&self, positions: &[f64], axis: Axis) -> Result<Vec<usize>, NodeError> {
        let round: fn(f64) -> f64 = match self.rounding.as_str() {
            "round_prefer_floor" => |p| (p - 0.5).ceil(),
            "round_prefer_ceil" => |p| (p + 0.5).floor(),
            "floor" => f64::floor,
            "ceil" => f64::ceil,
            // Operator set 10.
            "simple" if axis.scale < 1.0 => f64::ceil,
            "simple" => f64::floor,
            other => return unsupported(format!("nearest_mode {other:?}")),
        };
        Ok(positions.iter().map(|&p| round(p).clamp(0.0, axis.size as f64 - 1.0) as usize).collect())
    }

    /// Elements around a position with their weights, which add up to 1.
    pub(super) fn taps(&self, position: f64, axis: Axis) -> Result<Vec<(usize, f64)>, NodeError> {
        let (radius, kernel): (f64, fn(f64, f64) -> f64) = match self.mode.as_str() {
            "linear" => (1.0, |t, _| (1.0 - t.abs()).max(0.0)),
            "cubic" => (2.0, cubic),
            other => return unsupported(format!("mode {other:?}")),
        };
        // Beyond an axis nothing changes any more.
        const FAR: f64 = 1e9;
        if position.is_nan() {
            return invalid("a position is not a number");
        }
        let position = position.clamp(-FAR, FAR);
        let scale = if self.antialias { axis.scale.min(1.0) } else { 1.0 };
        let reach = radius / scale;
        let (first, last) = ((position - reach).ceil(), (position + reach).floor());
        let inside = |i: f64| (0.0..axis.size as f64).contains(&i);
        let mut taps = Vec::new();
        let mut i = first;
        while i <= last {
            let weight = kernel((i - position) * scale, self.cubic);
            if weight != 0.0 && (inside(i) || !self.exclude_outside) {
                taps.push((i.clamp(0.0, axis.size as f64 - 1.0) as usize, weight));
            }
            i += 1.0;
        }
        let total: f64 = taps.iter().map(|(_, w)| w).sum();
        taps.iter_mut().for_each(|(_, w)| *w /= total);
        Ok(taps)
    }
}

/// Keys 1981, eq. 8, with the coefficient `a`.
pub(super) fn cubic(t: f64, a: f64) -> f64 {
    let t = t.abs();
    if t <= 1.0 {
        ((a + 2.0) * t - (a + 3.0)) * t * t + 1.0
    } else if t < 2.0 {
        ((t - 5.0) * t + 8.0) * t * a - 4.0 * a
    } else {
        0.0
    }
}
