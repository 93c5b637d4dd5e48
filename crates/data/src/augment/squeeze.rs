//! What takes fine detail out of values: defences by transformation of the input.

use super::Augmentation;
use crate::corrupt::jpeg;
use crate::imaging::Image;
use crate::imaging::filter::Border;
use rand_chacha::ChaCha8Rng;

/// A transformation that a small perturbation may not survive, without randomness.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Squeeze {
    /// Values rounded to so many bits (Xu, Evans and Qi 2018, §III.A): to the nearest of 2^bits levels from 0 to 1.
    /// From 1 to 24; others count as the nearest of these.
    BitDepth(u8),
    /// The middle one of the values in a window of this side around each pixel (§III.B). As in scipy, which the authors
    /// use, a pixel is at the lower right of the middle of an even window, the higher of two middle values counts, and the
    /// image is mirrored with its edge. A side of 0 counts as 1, which changes nothing.
    Median(usize),
    /// Written as a JPEG of this quality and read back. From 1 to 100; others count as the nearest of these.
    Jpeg(u8),
}

impl Squeeze {
    /// The changed image.
    pub fn to(self, image: Image) -> Image {
        match self {
            Squeeze::BitDepth(bits) => {
                let levels = 2f32.powi(i32::from(bits.clamp(1, 24))) - 1.0;
                image.map(|v| (v.clamp(0.0, 1.0) * levels).round() / levels)
            }
            Squeeze::Median(side) => {
                let (height, width) = (image.height(), image.width());
                image.map_planes(height, width, |plane| median(plane, width, side.max(1)))
            }
            Squeeze::Jpeg(quality) => jpeg(&image, quality.clamp(1, 100)),
        }
    }
}

impl Augmentation for Squeeze {
    fn apply(&self, image: Image, _: &mut ChaCha8Rng) -> Image {
        self.to(image)
    }
}

fn median(plane: &[f32], width: usize, side: usize) -> Vec<f32> {
    let (height, before) = (plane.len() / width, (side / 2) as isize);
    let at = |start: usize, k: usize, n: usize| Border::Symmetric.index(start as isize - before + k as isize, n);
    let mut window = Vec::with_capacity(side * side);
    let mut middle = |i: usize| {
        let (y, x) = (i / width, i % width);
        window.clear();
        window.extend((0..side * side).map(|k| plane[at(y, k / side, height) * width + at(x, k % side, width)]));
        window.sort_unstable_by(f32::total_cmp);
        window[side * side / 2]
    };
    (0..plane.len()).map(&mut middle).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(values: &[f32]) -> Image {
        Image::new(1, values.len() / 3, 3, values.to_vec()).unwrap()
    }

    // By hand, by the rules of scipy.ndimage.median_filter.
    #[test]
    fn medians_are_those_of_scipy() {
        let x = [1.0, 5.0, 2.0, 8.0, 3.0, 9.0, 4.0, 7.0, 6.0];
        assert_eq!(Squeeze::Median(2).to(image(&x)).values(), [1.0, 5.0, 5.0, 8.0, 5.0, 5.0, 8.0, 7.0, 7.0]);
        assert_eq!(Squeeze::Median(3).to(image(&x)).values(), [3.0, 3.0, 3.0, 4.0, 5.0, 6.0, 4.0, 6.0, 6.0]);
        assert_eq!(Squeeze::Median(1).to(image(&x)).values(), x);
    }

    #[test]
    fn bits_are_levels() {
        let squeezed = Squeeze::BitDepth(1).to(image(&[0.0, 0.49, 0.51]));
        assert_eq!(squeezed.values(), [0.0, 0.0, 1.0]);
        let squeezed = Squeeze::BitDepth(5).to(image(&[0.1, 0.5, 1.0]));
        assert!(squeezed.values().iter().zip([3.0, 16.0, 31.0]).all(|(v, l)| (v * 31.0 - l).abs() < 1e-5));
    }

    // A flat image has nothing to lose.
    #[test]
    fn jpeg_keeps_a_flat_image() {
        let squeezed = Squeeze::Jpeg(75).to(image(&[0.6; 9]));
        assert!(squeezed.values().iter().all(|v| (v - 0.6).abs() < 0.01));
    }
}
