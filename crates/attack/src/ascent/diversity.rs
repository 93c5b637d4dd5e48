//! Random views: the example shrunk and padded.

use crate::geometry::Geometry;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

/// Input diversity (Xie et al. 2019): with a probability, the image is resized bilinearly to a random size between
/// `scale` and 1 times its own and padded with zeros to its own size, at a random place.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Diversity {
    /// How often an image is transformed.
    pub probability: f64,
    /// Smallest size.
    pub scale: f64,
}

impl Default for Diversity {
    /// One half, 0.9.
    fn default() -> Self {
        Diversity { probability: 0.5, scale: 0.9 }
    }
}

// For each row or column of the view: nothing, or two of the image with their weights.
type Taps = Vec<Option<[(usize, f32); 2]>>;

/// A linear map of images, the same for all channels.
pub(crate) struct View {
    geometry: Geometry,
    rows: Taps,
    columns: Taps,
}

impl Diversity {
    /// A view, or none.
    pub(crate) fn draw(&self, geometry: Geometry, rng: &mut ChaCha8Rng) -> Option<View> {
        if rng.random::<f64>() >= self.probability {
            return None;
        }
        let share: f64 = rng.random_range(self.scale..=1.0);
        let mut taps = |size: usize| {
            let small = ((share * size as f64) as usize).clamp(1, size);
            let start = rng.random_range(0..=size - small);
            (0..size).map(|i| i.checked_sub(start).filter(|&i| i < small).map(|i| sources(i, small, size))).collect()
        };
        Some(View { geometry, rows: taps(geometry.height), columns: taps(geometry.width) })
    }
}

// Bilinear interpolation with half-pixel centres.
fn sources(i: usize, small: usize, size: usize) -> [(usize, f32); 2] {
    let at = ((i as f64 + 0.5) * size as f64 / small as f64 - 0.5).clamp(0.0, (size - 1) as f64);
    let (below, weight) = (at.floor() as usize, at.fract() as f32);
    [(below, 1.0 - weight), ((below + 1).min(size - 1), weight)]
}

impl View {
    // Calls `visit` with the index of an element of the view, one of the image, and the weight between them.
    fn visit(&self, mut visit: impl FnMut(usize, usize, f32)) {
        let Geometry { channels, height, width } = self.geometry;
        for channel in 0..channels {
            let start = channel * height * width;
            for (r, rows) in self.rows.iter().enumerate() {
                let Some(rows) = rows else { continue };
                for (c, columns) in self.columns.iter().enumerate() {
                    let Some(columns) = columns else { continue };
                    for ((y, wy), (x, wx)) in rows.iter().flat_map(|a| columns.iter().map(move |b| (a, b))) {
                        visit(start + r * width + c, start + y * width + x, wy * wx);
                    }
                }
            }
        }
    }

    /// The view of an image.
    pub fn apply(&self, image: &[f32]) -> Vec<f32> {
        let mut view = vec![0.0; image.len()];
        self.visit(|to, from, weight| view[to] += weight * image[from]);
        view
    }

    /// The gradient by the image of a function whose gradient by the view is given.
    pub fn pull_back(&self, gradient: &[f32]) -> Vec<f32> {
        let mut pulled = vec![0.0; gradient.len()];
        self.visit(|to, from, weight| pulled[from] += weight * gradient[to]);
        pulled
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    // ⟨T·x, g⟩ = ⟨x, Tᵀ·g⟩; a constant image keeps its value where it is not padded.
    #[test]
    fn pull_back_is_the_transpose() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let geometry = Geometry { channels: 2, height: 7, width: 10 };
        let always = Diversity { probability: 1.0, scale: 0.4 };
        let mut padded = 0;
        for _ in 0..50 {
            let view = always.draw(geometry, &mut rng).unwrap();
            let mut draw = || (0..140).map(|_| rng.random_range(-1.0..1.0f32)).collect::<Vec<f32>>();
            let (x, g) = (draw(), draw());
            let inner = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(a * b)).sum::<f64>();
            assert!((inner(&view.apply(&x), &g) - inner(&x, &view.pull_back(&g))).abs() < 1e-5);
            let flat = view.apply(&[0.5; 140]);
            assert!(flat.iter().all(|&v| v == 0.0 || (v - 0.5).abs() < 1e-6));
            padded += flat.iter().filter(|&&v| v == 0.0).count();
        }
        assert!(padded > 1000);
    }
}
