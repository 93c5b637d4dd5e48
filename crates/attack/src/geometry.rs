//! Examples as images, and windows in them.

use perturb_graph::Shape;
use rand::{Rng, RngExt};

/// An example seen as an image: row-major `[channels, height, width]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Geometry {
    pub channels: usize,
    pub height: usize,
    pub width: usize,
}

/// A placed window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    pub top: usize,
    pub left: usize,
    pub height: usize,
    pub width: usize,
}

impl Geometry {
    pub fn of(example: &Shape) -> Geometry {
        let axes: Vec<usize> = example.iter().copied().filter(|&d| d != 1).collect();
        match axes.as_slice() {
            [] => Geometry { channels: 1, height: 1, width: 1 },
            [d] => Geometry { channels: 1, height: 1, width: *d },
            [h, w] => Geometry { channels: 1, height: *h, width: *w },
            [c, h, rest @ ..] => Geometry { channels: *c, height: *h, width: rest.iter().product() },
        }
    }

    /// Number of elements.
    pub fn count(&self) -> usize {
        self.channels * self.height * self.width
    }

    /// Height and width of a window that covers `share` of the image, its side at least `least`, and odd if asked. It is
    /// square, unless the image is too narrow: then it is as much longer. It does not cover an image of several rows or
    /// columns in full.
    pub fn window_size(&self, share: f64, least: usize, odd: bool) -> (usize, usize) {
        let area = share * (self.height * self.width) as f64;
        let side = area.sqrt().max(least as f64);
        let sized = |length: f64, limit: usize| {
            let length = length.round().max(least as f64) as usize;
            (if odd { length | 1 } else { length }).min(limit.saturating_sub(1)).max(1)
        };
        let (narrow, wide) = (self.height.min(self.width), self.height.max(self.width));
        let short = sized(side, narrow);
        let long = if side.round() > short as f64 { sized(area / short as f64, wide) } else { short };
        if self.height <= self.width { (short, long) } else { (long, short) }
    }

    /// A window of a size, uniformly placed.
    pub fn place(&self, (height, width): (usize, usize), rng: &mut impl Rng) -> Window {
        let top = rng.random_range(0..=self.height - height);
        let left = rng.random_range(0..=self.width - width);
        Window { top, left, height, width }
    }

    /// Indices of the elements of a window in one channel, row by row.
    pub fn indices(&self, channel: usize, window: Window) -> impl Iterator<Item = usize> + use<> {
        let Geometry { height, width, .. } = *self;
        (window.top..window.top + window.height).flat_map(move |row| {
            let start = (channel * height + row) * width + window.left;
            start..start + window.width
        })
    }
}

/// ±1 with equal chance.
pub(crate) fn random_sign(rng: &mut impl Rng) -> f64 {
    if rng.random::<bool>() { 1.0 } else { -1.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    #[test]
    fn windows_have_the_papers_sizes_on_images() {
        // √(0.8·28²) = 25.04, √(0.05·32²) = 7.16, √(0.001·32²) = 1.01.
        let mnist = Geometry::of(&[1, 28, 28].into());
        assert_eq!(mnist, Geometry { channels: 1, height: 28, width: 28 });
        assert_eq!(mnist.window_size(0.8, 1, false), (25, 25));
        assert_eq!(mnist.window_size(1.0, 1, false), (27, 27));
        let cifar = Geometry::of(&[3, 32, 32].into());
        assert_eq!(cifar.window_size(0.05, 1, false), (7, 7));
        assert_eq!(cifar.window_size(0.001, 1, false), (1, 1));
        assert_eq!((cifar.window_size(0.001, 3, true), cifar.window_size(0.06, 3, true)), ((3, 3), (9, 9)));
    }

    #[test]
    fn windows_on_features_are_blocks_of_the_same_share() {
        let features = Geometry::of(&[100].into());
        assert_eq!(features.window_size(0.8, 1, false), (1, 80));
        assert_eq!((features.window_size(0.001, 1, false), features.window_size(0.001, 3, true)), ((1, 1), (1, 3)));
        assert_eq!(Geometry::of(&[1, 100, 1].into()), features);
        assert_eq!(Geometry::of(&[4, 3, 5, 6].into()), Geometry { channels: 4, height: 3, width: 30 });
    }

    #[test]
    fn every_position_is_reached_and_none_beyond() {
        let geometry = Geometry { channels: 2, height: 4, width: 5 };
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut hit = vec![0; geometry.count()];
        for _ in 0..300 {
            let window = geometry.place((2, 2), &mut rng);
            let indices: Vec<usize> = (0..2).flat_map(|c| geometry.indices(c, window)).collect();
            assert_eq!(indices.len(), 8);
            indices.into_iter().for_each(|i| hit[i] += 1);
        }
        assert!(hit.iter().all(|&h| h > 0));
    }
}
