//! Resampling with filters that widen when an image shrinks, as PIL does it ("antialiased").

/// The filter's shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Filter {
    /// Mean of the covered pixels.
    Box,
    /// Linear interpolation, a triangle.
    Bilinear,
}

impl Filter {
    fn support(self) -> f64 {
        match self {
            Filter::Box => 0.5,
            Filter::Bilinear => 1.0,
        }
    }

    fn weight(self, x: f64) -> f64 {
        match self {
            // Half open, so that neighbouring boxes do not overlap.
            Filter::Box => f64::from(u8::from(x > -0.5 && x <= 0.5)),
            Filter::Bilinear => (1.0 - x.abs()).max(0.0),
        }
    }
}

/// The part of a plane that becomes the new one, in pixels; it may begin and end inside of pixels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Region {
    pub(crate) top: f64,
    pub(crate) left: f64,
    pub(crate) height: f64,
    pub(crate) width: f64,
}

/// Resamples `region` of a plane of `width` columns to the size `to`, rows and columns.
pub(crate) fn resize(plane: &[f32], width: usize, region: Region, to: (usize, usize), filter: Filter) -> Vec<f32> {
    let height = plane.len() / width;
    let across = weights(width, region.left, region.width, to.1, filter);
    let mut rows = Vec::with_capacity(height * to.1);
    for row in plane.chunks_exact(width) {
        rows.extend(
            across.iter().map(|(start, weights)| weights.iter().zip(&row[*start..]).map(|(w, v)| w * v).sum::<f32>()),
        );
    }
    let mut out = vec![0.0; to.0 * to.1];
    let down = weights(height, region.top, region.height, to.0, filter);
    for (out, (start, weights)) in out.chunks_exact_mut(to.1.max(1)).zip(&down) {
        for (weight, row) in weights.iter().zip(rows.chunks_exact(to.1).skip(*start)) {
            out.iter_mut().zip(row).for_each(|(o, v)| *o += weight * v);
        }
    }
    out
}

/// For every new place the first old one that contributes and the weights from there on.
fn weights(size: usize, start: f64, length: f64, to: usize, filter: Filter) -> Vec<(usize, Vec<f32>)> {
    let scale = length / to as f64;
    let stretch = scale.max(1.0);
    let support = filter.support() * stretch;
    let place = |i: usize| {
        let centre = start + (i as f64 + 0.5) * scale;
        let first = ((centre - support + 0.5).max(0.0) as usize).min(size - 1);
        let end = ((centre + support + 0.5).max(0.0) as usize).clamp(first + 1, size);
        let raw: Vec<f64> = (first..end).map(|j| filter.weight((j as f64 - centre + 0.5) / stretch)).collect();
        let sum: f64 = raw.iter().sum();
        // Outside of the plane all weights are 0; there the nearest place shows.
        let weight = |w: f64| if sum > 0.0 { (w / sum) as f32 } else { 1.0 / raw.len() as f32 };
        (first, raw.iter().map(|&w| weight(w)).collect())
    };
    (0..to).map(place).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// PIL: Image.fromarray(numpy.sin(0.7 * numpy.arange(63)).reshape(7, 9)).resize(size, filter, box=region), the first
    /// four values of the second row.
    #[test]
    fn pil() {
        let plane: Vec<f32> = (0..63).map(|i| (f64::from(i) * 0.7).sin() as f32).collect();
        let whole = Region { top: 0.0, left: 0.0, height: 7.0, width: 9.0 };
        let part = Region { top: 0.5, left: 1.25, height: 5.5, width: 6.5 };
        let cases = [
            (Filter::Box, whole, (3, 4), [0.3661586, 0.7054251, -0.6463106, -0.7815043]),
            (Filter::Box, whole, (10, 13), [0.0168139, 0.6569866, 0.6569866, 0.9881682]),
            (Filter::Box, part, (5, 5), [0.8300886, 0.8457468, 0.3031183, -0.3820714]),
            (Filter::Bilinear, whole, (3, 4), [0.5094841, 0.7163775, -0.3926496, -0.8150612]),
            (Filter::Bilinear, whole, (10, 13), [0.0092476, 0.3549362, 0.7287108, 0.9611215]),
            (Filter::Bilinear, part, (5, 5), [0.8069693, 0.9018012, 0.2861562, -0.5668709]),
        ];
        for (filter, region, to, expected) in cases {
            let found = resize(&plane, 9, region, to, filter);
            assert_eq!(found.len(), to.0 * to.1);
            let row = &found[to.1..to.1 + 4];
            assert!(
                row.iter().zip(expected).all(|(a, b): (&f32, f32)| (a - b).abs() < 2e-6),
                "{filter:?} {to:?} {row:?}"
            );
        }
    }
}
