//! Convolutions of planes.

/// What lies outside of a plane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Border {
    /// The value at the edge: a a a | a b c.
    Nearest,
    /// The plane mirrored with its edge: c b a | a b c (scipy's `reflect`).
    Symmetric,
    /// The plane mirrored about its edge: c b | a b c (OpenCV's `BORDER_REFLECT_101`, PyTorch's `reflect`).
    Mirror,
}

impl Border {
    /// The place inside `0..n` that shows at `i`.
    pub(crate) fn index(self, i: isize, n: usize) -> usize {
        let n = n as isize;
        let index = match self {
            Border::Nearest => i.clamp(0, n - 1),
            Border::Symmetric => {
                let i = i.rem_euclid(2 * n);
                i.min(2 * n - 1 - i)
            }
            Border::Mirror if n == 1 => 0,
            Border::Mirror => {
                let i = i.rem_euclid(2 * n - 2);
                i.min(2 * n - 2 - i)
            }
        };
        index as usize
    }
}

/// Weights exp(−x²/2σ²) at −radius, …, radius, with sum 1; for σ = 0 all weight is at 0.
pub(crate) fn gaussian_kernel(sigma: f64, radius: usize) -> Vec<f32> {
    let weight = |i: usize| {
        let x = i as f64 - radius as f64;
        if x == 0.0 { 1.0 } else { (-0.5 * (x / sigma).powi(2)).exp() }
    };
    let weights: Vec<f64> = (0..=2 * radius).map(weight).collect();
    let sum: f64 = weights.iter().sum();
    weights.into_iter().map(|w| (w / sum) as f32).collect()
}

/// A plane convolved with a Gaussian that ends `truncate` deviations from its centre, as `scipy.ndimage` does it.
pub(crate) fn gaussian(plane: &[f32], width: usize, sigma: f64, truncate: f64, border: Border) -> Vec<f32> {
    let kernel = gaussian_kernel(sigma, (truncate * sigma + 0.5) as usize);
    separable(plane, width, &kernel, border)
}

/// A plane convolved with a symmetric kernel along both axes.
pub(crate) fn separable(plane: &[f32], width: usize, kernel: &[f32], border: Border) -> Vec<f32> {
    let height = plane.len() / width;
    if kernel.len() == 1 {
        return plane.iter().map(|v| v * kernel[0] * kernel[0]).collect();
    }
    let mut rows = vec![0.0; plane.len()];
    let along_rows = Taps::new(kernel, width, border);
    for (out, row) in rows.chunks_exact_mut(width).zip(plane.chunks_exact(width)) {
        along_rows.convolve_row(row, out);
    }
    let mut columns = vec![0.0; plane.len()];
    let down_columns = Taps::new(kernel, height, border);
    for (y, out) in columns.chunks_exact_mut(width).enumerate() {
        down_columns.for_each(y, |source, weight| {
            let row = &rows[source * width..(source + 1) * width];
            out.iter_mut().zip(row).for_each(|(o, r)| *o += weight * r);
        });
    }
    columns
}

/// The weights of a kernel at each place of an axis. A kernel that is longer than the axis, which meets the same place
/// many times, is added up to one weight per place first.
enum Taps<'a> {
    Short { kernel: &'a [f32], sources: Vec<usize> },
    Long { length: usize, weights: Vec<f32> },
}

impl<'a> Taps<'a> {
    fn new(kernel: &'a [f32], length: usize, border: Border) -> Taps<'a> {
        let radius = kernel.len() / 2;
        let source = |i: usize| border.index(i as isize - radius as isize, length);
        if kernel.len() <= length {
            return Taps::Short { kernel, sources: (0..length + 2 * radius).map(source).collect() };
        }
        let mut weights = vec![0.0; length * length];
        for (at, row) in weights.chunks_exact_mut(length).enumerate() {
            kernel.iter().enumerate().for_each(|(k, weight)| row[source(at + k)] += weight);
        }
        Taps::Long { length, weights }
    }

    /// Calls `visit` with every place that contributes at `at`, and its weight.
    fn for_each(&self, at: usize, mut visit: impl FnMut(usize, f32)) {
        match self {
            Taps::Short { kernel, sources } => {
                kernel.iter().zip(&sources[at..]).for_each(|(&weight, &source)| visit(source, weight));
            }
            Taps::Long { length, weights } => {
                weights[at * length..(at + 1) * length].iter().enumerate().for_each(|(s, &weight)| visit(s, weight));
            }
        }
    }

    fn convolve_row(&self, row: &[f32], out: &mut [f32]) {
        match self {
            Taps::Short { kernel, sources } => {
                let padded: Vec<f32> = sources.iter().map(|&s| row[s]).collect();
                for (k, &weight) in kernel.iter().enumerate() {
                    out.iter_mut().zip(&padded[k..]).for_each(|(o, v)| *o += weight * v);
                }
            }
            Taps::Long { length, weights } => {
                for (o, weights) in out.iter_mut().zip(weights.chunks_exact(*length)) {
                    *o = weights.iter().zip(row).map(|(w, v)| w * v).sum();
                }
            }
        }
    }
}

/// Sums of values around each pixel: `taps` are `(dy, dx, weight)` (correlation).
pub(crate) fn correlate(plane: &[f32], width: usize, taps: &[(isize, isize, f32)], border: Border) -> Vec<f32> {
    let height = plane.len() / width;
    let reach = taps.iter().map(|t| t.1.unsigned_abs()).max().unwrap_or(0);
    // Rows are padded once, so that every tap reads a contiguous piece.
    let columns: Vec<usize> =
        (0..width + 2 * reach).map(|i| border.index(i as isize - reach as isize, width)).collect();
    let padded: Vec<f32> = plane.chunks_exact(width).flat_map(|row| columns.iter().map(|&x| row[x])).collect();
    let mut out = vec![0.0; plane.len()];
    for (y, out) in out.chunks_exact_mut(width).enumerate() {
        for &(dy, dx, weight) in taps {
            let source = border.index(y as isize + dy, height) * columns.len();
            let row = &padded[source + reach.saturating_add_signed(dx)..][..width];
            out.iter_mut().zip(row).for_each(|(o, v)| *o += weight * v);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn borders() {
        let show = |border: Border| -> Vec<usize> { (-4..7).map(|i| border.index(i, 3)).collect() };
        assert_eq!(show(Border::Nearest), [0, 0, 0, 0, 0, 1, 2, 2, 2, 2, 2]);
        assert_eq!(show(Border::Symmetric), [2, 2, 1, 0, 0, 1, 2, 2, 1, 0, 0]);
        assert_eq!(show(Border::Mirror), [0, 1, 2, 1, 0, 1, 2, 1, 0, 1, 2]);
        assert_eq!(Border::Mirror.index(-7, 1), 0);
    }

    /// numpy.sin(numpy.arange(12)).reshape(3, 4) through scipy.ndimage.gaussian_filter(…, 0.8, mode=…), and σ = 3, whose
    /// kernel is longer than both axes.
    #[test]
    fn scipy_gaussian() {
        let plane: Vec<f32> = (0..12).map(|i| (i as f32).sin()).collect();
        let expected: [(f64, Border, [f32; 4]); 4] = [
            (0.8, Border::Nearest, [-0.135_400_8, -0.122_600_1, -0.0359941, 0.0696214]),
            (0.8, Border::Symmetric, [-0.137_282_5, -0.123_660_6, -0.0363721, 0.066554]),
            (0.8, Border::Mirror, [-0.201_318_8, -0.175_684_2, -0.056438, 0.0383071]),
            (3.0, Border::Symmetric, [0.03887857, 0.03617489, 0.03234992, 0.02964392]),
        ];
        for (sigma, border, row) in expected {
            let found = gaussian(&plane, 4, sigma, 4.0, border);
            assert!(found[4..8].iter().zip(row).all(|(a, b)| (a - b).abs() < 2e-6), "{sigma} {border:?} {found:?}");
        }
    }

    #[test]
    fn correlation_agrees_with_the_separable_form() {
        let plane: Vec<f32> = (0..35).map(|i| (i * i % 11) as f32).collect();
        let kernel = [0.25, 0.5, 0.25];
        let taps: Vec<(isize, isize, f32)> =
            (0..9).map(|i| (i / 3 - 1, i % 3 - 1, kernel[(i / 3) as usize] * kernel[(i % 3) as usize])).collect();
        for border in [Border::Nearest, Border::Symmetric, Border::Mirror] {
            let (a, b) = (correlate(&plane, 7, &taps, border), separable(&plane, 7, &kernel, border));
            assert!(a.iter().zip(&b).all(|(x, y)| (x - y).abs() < 1e-5));
        }
    }
}
