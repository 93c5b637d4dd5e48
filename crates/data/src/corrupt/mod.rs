//! The 15 common corruptions of Hendrycks & Dietterich 2019 (ImageNet-C, CIFAR-10-C), each with five severities.
//!
//! ```
//! use perturb_data::augment::Augmentation;
//! use perturb_data::corrupt::{Corrupt, Corruption, Profile, Severity};
//! use perturb_data::worlds::Shapes;
//! let images = Shapes::default().dataset(7, 2).images;
//! for corruption in Corruption::ALL {
//!     let corrupt = Corrupt { corruption, severity: Severity::new(3)?, profile: Profile::for_size(32, 32) };
//!     assert_eq!(corrupt.batch(&images, 0, &[0, 1])?.shape(), images.shape());
//! }
//! # Ok::<(), perturb_data::DataError>(())
//! ```
//!
//! The numbers are those of the authors' programs for ImageNet at 224×224 pixels and for CIFAR-10 at 32×32, and work on
//! any size. Two things differ from the published images: frost is a procedural texture, where the authors paste photos
//! of frost; and JPEG is written by the `image` crate, whose colours are not subsampled. Values are not rounded to 8
//! bits.

mod blur;
mod digital;
mod noise;
mod plasma;
mod weather;

pub(crate) use digital::jpeg;

use crate::augment::Augmentation;
use crate::error::{DataError, Result};
use crate::imaging::Image;
use rand_chacha::ChaCha8Rng;
use std::fmt;

/// One of the fifteen corruptions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Corruption {
    /// Normal noise, as from low light.
    GaussianNoise,
    /// Poisson noise, as from few photons.
    ShotNoise,
    /// Values replaced by 0 or 1, as from defects ("salt and pepper").
    ImpulseNoise,
    /// Out of focus: a disk.
    DefocusBlur,
    /// Frosted glass: neighbouring pixels take each other's place.
    GlassBlur,
    /// The camera moves: a one-sided Gaussian along a line.
    MotionBlur,
    /// The camera comes nearer: a mean over zooms.
    ZoomBlur,
    /// Falling snow.
    Snow,
    /// Frost on the lens, here a procedural texture of ice needles.
    Frost,
    /// Fog from the diamond-square algorithm.
    Fog,
    /// Brightness raised.
    Brightness,
    /// Contrast lowered.
    Contrast,
    /// Small regions stretched and shrunk.
    ElasticTransform,
    /// Scaled down and up again.
    Pixelate,
    /// Lossy compression.
    JpegCompression,
}

/// How strong a corruption is, 1 to 5.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Severity(u8);

/// Which of the authors' sets of parameters is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Profile {
    /// ImageNet-C, made for 224×224 pixels.
    ImageNet,
    /// CIFAR-10-C, made for 32×32 pixels.
    Cifar10,
}

/// A corruption at a severity: an augmentation that adds nothing to learn from but something to be judged by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Corrupt {
    /// What is done.
    pub corruption: Corruption,
    /// How strongly.
    pub severity: Severity,
    /// With which parameters.
    pub profile: Profile,
}

impl Corruption {
    /// All of them, in the order of the paper's tables.
    pub const ALL: [Corruption; 15] = [
        Corruption::GaussianNoise,
        Corruption::ShotNoise,
        Corruption::ImpulseNoise,
        Corruption::DefocusBlur,
        Corruption::GlassBlur,
        Corruption::MotionBlur,
        Corruption::ZoomBlur,
        Corruption::Snow,
        Corruption::Frost,
        Corruption::Fog,
        Corruption::Brightness,
        Corruption::Contrast,
        Corruption::ElasticTransform,
        Corruption::Pixelate,
        Corruption::JpegCompression,
    ];

    /// The name that the published files have, such as `gaussian_noise`.
    pub fn name(self) -> &'static str {
        match self {
            Corruption::GaussianNoise => "gaussian_noise",
            Corruption::ShotNoise => "shot_noise",
            Corruption::ImpulseNoise => "impulse_noise",
            Corruption::DefocusBlur => "defocus_blur",
            Corruption::GlassBlur => "glass_blur",
            Corruption::MotionBlur => "motion_blur",
            Corruption::ZoomBlur => "zoom_blur",
            Corruption::Snow => "snow",
            Corruption::Frost => "frost",
            Corruption::Fog => "fog",
            Corruption::Brightness => "brightness",
            Corruption::Contrast => "contrast",
            Corruption::ElasticTransform => "elastic_transform",
            Corruption::Pixelate => "pixelate",
            Corruption::JpegCompression => "jpeg_compression",
        }
    }

    /// The corruption of this name.
    pub fn from_name(name: &str) -> Option<Corruption> {
        Corruption::ALL.into_iter().find(|c| c.name() == name)
    }
}

impl fmt::Display for Corruption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Severity {
    /// All five, weakest first.
    pub const ALL: [Severity; 5] = [Severity(1), Severity(2), Severity(3), Severity(4), Severity(5)];

    /// The severity of this level.
    ///
    /// # Errors
    /// [`DataError::Severity`] unless it is 1 to 5.
    pub fn new(level: u8) -> Result<Severity> {
        if (1..=5).contains(&level) { Ok(Severity(level)) } else { Err(DataError::Severity(level)) }
    }

    /// The level, 1 to 5.
    pub fn level(self) -> u8 {
        self.0
    }

    /// The value for this severity, of five.
    fn of<T: Copy>(self, values: [T; 5]) -> T {
        values[usize::from(self.0 - 1)]
    }
}

impl Profile {
    /// CIFAR-10-C's parameters for images whose shorter side has at most 64 pixels, ImageNet-C's for larger ones.
    pub fn for_size(height: usize, width: usize) -> Profile {
        if height.min(width) <= 64 { Profile::Cifar10 } else { Profile::ImageNet }
    }

    /// The values for this profile.
    fn of<T: Copy>(self, imagenet: T, cifar10: T) -> T {
        match self {
            Profile::ImageNet => imagenet,
            Profile::Cifar10 => cifar10,
        }
    }
}

impl Augmentation for Corrupt {
    fn apply(&self, image: Image, rng: &mut ChaCha8Rng) -> Image {
        let Corrupt { corruption, severity, profile } = *self;
        let corrupted = match corruption {
            Corruption::GaussianNoise => {
                let deviation = profile.of([0.08, 0.12, 0.18, 0.26, 0.38], [0.04, 0.06, 0.08, 0.09, 0.10]);
                noise::gaussian(image, severity.of(deviation), rng)
            }
            Corruption::ShotNoise => {
                let photons = profile.of([60.0, 25.0, 12.0, 5.0, 3.0], [500.0, 250.0, 100.0, 75.0, 50.0]);
                noise::shot(image, severity.of(photons), rng)
            }
            Corruption::ImpulseNoise => {
                let amount = profile.of([0.03, 0.06, 0.09, 0.17, 0.27], [0.01, 0.02, 0.03, 0.05, 0.07]);
                noise::impulse(image, severity.of(amount), rng)
            }
            Corruption::DefocusBlur => {
                let disk = profile.of(
                    [(3.0, 0.1), (4.0, 0.5), (6.0, 0.5), (8.0, 0.5), (10.0, 0.5)],
                    [(0.3, 0.4), (0.4, 0.5), (0.5, 0.6), (1.0, 0.2), (1.5, 0.1)],
                );
                blur::defocus(&image, severity.of(disk))
            }
            Corruption::GlassBlur => {
                let glass = profile.of(
                    [(0.7, 1, 2), (0.9, 2, 1), (1.0, 2, 3), (1.1, 3, 2), (1.5, 4, 2)],
                    [(0.05, 1, 1), (0.25, 1, 1), (0.4, 1, 1), (0.25, 1, 2), (0.4, 1, 2)],
                );
                blur::glass(&image, severity.of(glass), rng)
            }
            Corruption::MotionBlur => {
                let motion = profile.of(
                    [(10, 3.0), (15, 5.0), (15, 8.0), (15, 12.0), (20, 15.0)],
                    [(6, 1.0), (6, 1.5), (6, 2.0), (8, 2.0), (9, 2.5)],
                );
                blur::motion(&image, severity.of(motion), rng)
            }
            Corruption::ZoomBlur => {
                // Steps of the zoom and how many, as NumPy's `arange` counts them.
                let zooms = profile.of(
                    [(0.01, 12), (0.01, 16), (0.02, 11), (0.02, 13), (0.03, 11)],
                    [(0.01, 7), (0.01, 12), (0.01, 16), (0.01, 21), (0.01, 26)],
                );
                blur::zoom(&image, severity.of(zooms))
            }
            Corruption::Snow => {
                weather::snow(&image, severity.of(profile.of(weather::SNOW_IMAGENET, weather::SNOW_CIFAR10)), rng)
            }
            Corruption::Frost => {
                let weights = profile.of(
                    [(1.0, 0.4), (0.8, 0.6), (0.7, 0.7), (0.65, 0.7), (0.6, 0.75)],
                    [(1.0, 0.2), (1.0, 0.3), (0.9, 0.4), (0.85, 0.4), (0.75, 0.45)],
                );
                // CIFAR-10-C shrinks the photos to a fifth.
                weather::frost(image, severity.of(weights), profile.of(1.0, 0.2), rng)
            }
            Corruption::Fog => {
                let fog = profile.of(
                    [(1.5, 2.0), (2.0, 2.0), (2.5, 1.7), (2.5, 1.5), (3.0, 1.4)],
                    [(0.2, 3.0), (0.5, 3.0), (0.75, 2.5), (1.0, 2.0), (1.5, 1.75)],
                );
                weather::fog(image, severity.of(fog), rng)
            }
            Corruption::Brightness => {
                let shift = profile.of([0.1, 0.2, 0.3, 0.4, 0.5], [0.05, 0.1, 0.15, 0.2, 0.3]);
                digital::brightness(image, severity.of(shift))
            }
            Corruption::Contrast => {
                let factor = profile.of([0.4, 0.3, 0.2, 0.1, 0.05], [0.75, 0.5, 0.4, 0.3, 0.15]);
                digital::contrast(image, severity.of(factor))
            }
            Corruption::ElasticTransform => {
                // In units of the side; the authors write 244 for ImageNet's 224.
                let side = image.height().min(image.width()) as f64 * profile.of(244.0 / 224.0, 1.0);
                let elastic = profile.of(
                    [(2.0, 0.7, 0.1), (2.0, 0.08, 0.2), (0.05, 0.01, 0.02), (0.07, 0.01, 0.02), (0.12, 0.01, 0.02)],
                    [(0.0, 0.0, 0.08), (0.05, 0.2, 0.07), (0.08, 0.06, 0.06), (0.1, 0.04, 0.05), (0.1, 0.03, 0.03)],
                );
                let (magnitude, sigma, corners) = severity.of(elastic);
                digital::elastic(&image, magnitude * side, sigma * side, corners * side, rng)
            }
            Corruption::Pixelate => {
                let factor = profile.of([0.6, 0.5, 0.4, 0.3, 0.25], [0.95, 0.9, 0.85, 0.75, 0.65]);
                digital::pixelate(&image, severity.of(factor))
            }
            Corruption::JpegCompression => {
                digital::jpeg(&image, severity.of(profile.of([25, 18, 15, 10, 7], [80, 65, 58, 50, 40])))
            }
        };
        corrupted.clamped()
    }
}
