//! Smoothed gradients.

use crate::geometry::Geometry;

/// A Gaussian kernel that each channel of a gradient is convolved with (Dong et al. 2019, eq. 7): for a network that is
/// insensitive to small shifts, about the gradient averaged over shifted images.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Smoothing {
    /// Pixels on each side of the middle.
    pub radius: usize,
    /// Standard deviation in pixels.
    pub sigma: f64,
}

impl Default for Smoothing {
    /// 15 × 15 pixels, whose edge is three deviations from the middle, as in the authors' code.
    fn default() -> Self {
        Smoothing { radius: 7, sigma: 7.0 / 3.0 }
    }
}

impl Smoothing {
    pub(crate) fn smooth(&self, geometry: Geometry, gradient: &[f32]) -> Vec<f32> {
        let Geometry { channels, height, width } = geometry;
        let reach = self.radius as isize;
        let weight = |k: isize| (-0.5 * (k as f64 / self.sigma).powi(2)).exp();
        let kernel: Vec<f64> = (-reach..=reach).map(weight).collect();
        let total: f64 = kernel.iter().sum();
        // Outside of the image the gradient is zero. The kernel is a product: rows first, then columns.
        let along = |values: &[f32], lines: usize, size: usize, index: &dyn Fn(usize, usize) -> usize| {
            let mut out = vec![0.0f32; values.len()];
            for (line, i) in (0..lines).flat_map(|l| (0..size).map(move |i| (l, i))) {
                let taps = (-reach..=reach).zip(&kernel);
                let inside = taps.filter_map(|(k, w)| i.checked_add_signed(k).filter(|&j| j < size).map(|j| (j, w)));
                let sum: f64 = inside.map(|(j, w)| w * f64::from(values[index(line, j)])).sum();
                out[index(line, i)] = (sum / total) as f32;
            }
            out
        };
        let rows = along(gradient, channels * height, width, &|line, i| line * width + i);
        along(&rows, channels * width, height, &|line, i| (line / width * height + i) * width + line % width)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // A single spike becomes the kernel, whose sum is 1, symmetric and separable; channels do not mix.
    #[test]
    fn a_spike_becomes_the_kernel() {
        let geometry = Geometry { channels: 2, height: 9, width: 11 };
        let mut spike = vec![0.0f32; 198];
        spike[99 + 4 * 11 + 5] = 1.0;
        let kernel = Smoothing { radius: 2, sigma: 1.0 }.smooth(geometry, &spike);
        assert!(kernel[..99].iter().all(|&v| v == 0.0));
        let at = |row: usize, column: usize| f64::from(kernel[99 + row * 11 + column]);
        assert!((kernel.iter().sum::<f32>() - 1.0).abs() < 1e-6);
        assert!((at(4, 5) / at(5, 5) - 0.5f64.exp()).abs() < 1e-5 && (at(4, 5) / at(4, 7) - 2f64.exp()).abs() < 1e-4);
        assert!((at(3, 4) - at(5, 6)).abs() < 1e-7 && at(1, 5) == 0.0);
    }
}
