//! The operations that automatic policies choose from, each with a definite strength.

use super::geometry::Affine;
use super::{Augmentation, tone};
use crate::imaging::Image;
use rand_chacha::ChaCha8Rng;

/// One operation of definite strength. Geometric ones interpolate linearly and show black outside of the image.
///
/// It is an [`Augmentation`] without randomness.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Operation {
    /// Nothing.
    Identity,
    /// Rows shifted by this factor of their distance from the top.
    ShearX(f64),
    /// Columns shifted by this factor of their distance from the left.
    ShearY(f64),
    /// A shift to the right, in pixels.
    TranslateX(f64),
    /// A shift down, in pixels.
    TranslateY(f64),
    /// A rotation about the middle, counter-clockwise as one sees it, in degrees.
    Rotate(f64),
    /// Values times this factor.
    Brightness(f64),
    /// Values moved away from the pixel's luminance by this factor; 1 changes nothing.
    Saturation(f64),
    /// Values moved away from the mean luminance by this factor; 1 changes nothing.
    Contrast(f64),
    /// Values moved away from their neighbours' by this factor; 1 changes nothing.
    Sharpness(f64),
    /// Hues turned by this part of a full circle.
    Hue(f64),
    /// Only this many of 8 bits kept.
    Posterize(u8),
    /// Values from this threshold on inverted.
    Solarize(f64),
    /// Each channel stretched to [0, 1].
    AutoContrast,
    /// Each channel's levels made about equally frequent.
    Equalize,
    /// 1 − v.
    Invert,
    /// Colours removed.
    Grayscale,
}

impl Operation {
    /// The changed image.
    pub fn to(self, image: Image) -> Image {
        // Shears keep the upper left corner in place, as torchvision's policies do.
        let corner = (-0.5, -0.5);
        let sheared = |shear| Affine { shear, center: corner, ..Affine::default() }.apply(&image, 0.0);
        let moved = |translate| Affine { translate, ..Affine::default() }.apply(&image, 0.0);
        match self {
            Operation::Identity => image,
            Operation::ShearX(factor) => sheared((factor.atan().to_degrees(), 0.0)),
            Operation::ShearY(factor) => sheared((0.0, factor.atan().to_degrees())),
            Operation::TranslateX(pixels) => moved((pixels, 0.0)),
            Operation::TranslateY(pixels) => moved((0.0, pixels)),
            Operation::Rotate(degrees) => Affine { angle: -degrees, ..Affine::default() }.apply(&image, 0.0),
            Operation::Brightness(factor) => tone::brightness(image, factor as f32),
            Operation::Saturation(factor) => tone::saturation(image, factor as f32),
            Operation::Contrast(factor) => tone::contrast(image, factor as f32),
            Operation::Sharpness(factor) => tone::sharpness(image, factor as f32),
            Operation::Hue(shift) => tone::hue(image, shift as f32),
            Operation::Posterize(bits) => tone::posterize(image, bits),
            Operation::Solarize(threshold) => tone::solarize(image, threshold as f32),
            Operation::AutoContrast => tone::autocontrast(image),
            Operation::Equalize => tone::equalize(image),
            Operation::Invert => image.map(|v| 1.0 - v),
            Operation::Grayscale => tone::saturation(image, 0.0),
        }
    }
}

impl Augmentation for Operation {
    fn apply(&self, image: Image, _: &mut ChaCha8Rng) -> Image {
        self.to(image)
    }
}
