//! Flips, rotations and affine maps.

use super::Augmentation;
use super::crop::between;
use crate::imaging::Image;
use crate::imaging::warp::{Outside, bilinear};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

/// Left and right exchanged.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HorizontalFlip {
    /// How probably.
    pub probability: f64,
}

/// Top and bottom exchanged.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct VerticalFlip {
    /// How probably.
    pub probability: f64,
}

impl Default for HorizontalFlip {
    /// Every other image.
    fn default() -> Self {
        HorizontalFlip { probability: 0.5 }
    }
}

impl Default for VerticalFlip {
    /// Every other image.
    fn default() -> Self {
        VerticalFlip { probability: 0.5 }
    }
}

impl Augmentation for HorizontalFlip {
    fn apply(&self, mut image: Image, rng: &mut ChaCha8Rng) -> Image {
        if rng.random::<f64>() < self.probability {
            let width = image.width();
            image.values_mut().chunks_exact_mut(width).for_each(<[f32]>::reverse);
        }
        image
    }
}

impl Augmentation for VerticalFlip {
    fn apply(&self, mut image: Image, rng: &mut ChaCha8Rng) -> Image {
        if rng.random::<f64>() < self.probability {
            let (height, width) = (image.height(), image.width());
            for plane in image.planes_mut() {
                let (upper, lower) = plane.split_at_mut(height / 2 * width);
                let rows = upper.chunks_exact_mut(width).zip(lower.chunks_exact_mut(width).rev());
                rows.for_each(|(a, b)| a.swap_with_slice(b));
            }
        }
        image
    }
}

/// A rotation about the middle by an angle drawn uniformly from ±`degrees`. What was outside is `fill`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RandomRotation {
    /// The greatest angle in degrees.
    pub degrees: f64,
    /// Value outside of the image.
    pub fill: f32,
}

impl Augmentation for RandomRotation {
    fn apply(&self, image: Image, rng: &mut ChaCha8Rng) -> Image {
        let angle = between((-self.degrees, self.degrees), rng);
        Affine { angle, ..Affine::default() }.apply(&image, self.fill)
    }
}

/// A random affine map about the middle: rotation, shift, scale, shear, each drawn uniformly. What was outside is `fill`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RandomAffine {
    /// The greatest angle of rotation in degrees, both ways.
    pub degrees: f64,
    /// The greatest shift as a part of the image's height and width, both ways.
    pub translate: f64,
    /// Least and greatest scale.
    pub scale: (f64, f64),
    /// The greatest angle of shear in degrees, both ways, along x alone.
    pub shear: f64,
    /// Value outside of the image.
    pub fill: f32,
}

impl Default for RandomAffine {
    /// Ten degrees, a tenth of the size, scale (0.9, 1.1), no shear.
    fn default() -> Self {
        RandomAffine { degrees: 10.0, translate: 0.1, scale: (0.9, 1.1), shear: 0.0, fill: 0.0 }
    }
}

impl Augmentation for RandomAffine {
    fn apply(&self, image: Image, rng: &mut ChaCha8Rng) -> Image {
        let mut symmetric = |limit: f64| between((-limit, limit), rng);
        let angle = symmetric(self.degrees);
        let x = symmetric(self.translate) * image.width() as f64;
        let y = symmetric(self.translate) * image.height() as f64;
        let shear = (symmetric(self.shear), 0.0);
        let scale = between(self.scale, rng);
        Affine { angle, translate: (x, y), scale, shear, ..Affine::default() }.apply(&image, self.fill)
    }
}

/// An affine map of the plane as torchvision's `affine` states it: about `center`, shear, then rotation, scale and shift.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Affine {
    /// Clockwise as one sees it, in degrees.
    pub(super) angle: f64,
    /// Right and down, in pixels.
    pub(super) translate: (f64, f64),
    pub(super) scale: f64,
    /// Along x and y, in degrees.
    pub(super) shear: (f64, f64),
    /// The fixed point, x and y from the middle of the image in units of its width and height.
    pub(super) center: (f64, f64),
}

impl Default for Affine {
    /// The identity.
    fn default() -> Self {
        Affine { angle: 0.0, translate: (0.0, 0.0), scale: 1.0, shear: (0.0, 0.0), center: (0.0, 0.0) }
    }
}

impl Affine {
    pub(super) fn apply(&self, image: &Image, fill: f32) -> Image {
        let (height, width) = (image.height(), image.width());
        let (rotation, shear_x, shear_y) =
            (self.angle.to_radians(), self.shear.0.to_radians(), self.shear.1.to_radians());
        let a = (rotation - shear_y).cos() / shear_y.cos();
        let b = -(rotation - shear_y).cos() * shear_x.tan() / shear_y.cos() - rotation.sin();
        let c = (rotation - shear_y).sin() / shear_y.cos();
        let d = -(rotation - shear_y).sin() * shear_x.tan() / shear_y.cos() + rotation.cos();
        // The inverse: the determinant of the part without scale is 1.
        let (inverse_x, inverse_y) = ([d / self.scale, -b / self.scale], [-c / self.scale, a / self.scale]);
        let middle = ((width as f64 - 1.0) / 2.0, (height as f64 - 1.0) / 2.0);
        let fixed = (middle.0 + self.center.0 * width as f64, middle.1 + self.center.1 * height as f64);
        let place = |y: usize, x: usize| {
            let (dx, dy) = (x as f64 - fixed.0 - self.translate.0, y as f64 - fixed.1 - self.translate.1);
            let source_x = inverse_x[0] * dx + inverse_x[1] * dy + fixed.0;
            let source_y = inverse_y[0] * dx + inverse_y[1] * dy + fixed.1;
            (source_y as f32, source_x as f32)
        };
        bilinear(image, Outside::Fill(fill), place)
    }
}
