//! PNG pictures of inputs, perturbations and attributions.

use base64::Engine;
use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{ExtendedColorType, ImageEncoder};

/// Largest width or height of a written picture, in pixels.
const MAX_SIDE: usize = 16_384;
/// The share of elements inside the scale of a heat map: a few outliers must not turn the rest grey.
const HEATMAP_QUANTILE: f64 = 0.99;
/// Ends and middle of the diverging colour map: blue, white, red stay apart for colour-blind readers.
const NEGATIVE: [f32; 3] = [0.129, 0.400, 0.674];
const MIDDLE: [f32; 3] = [0.969, 0.969, 0.969];
const POSITIVE: [f32; 3] = [0.698, 0.094, 0.169];

/// Why a picture could not be drawn.
#[derive(Debug, thiserror::Error)]
pub enum PictureError {
    /// The number of values does not fit the sizes.
    #[error("a picture of {channels}×{height}×{width} needs {expected} values, {found} were given")]
    Length {
        /// Channels.
        channels: usize,
        /// Rows.
        height: usize,
        /// Columns.
        width: usize,
        /// `channels · height · width`.
        expected: usize,
        /// Number of values given.
        found: usize,
    },
    /// A size is 0 or the scaled picture is too large.
    #[error("cannot draw {channels}×{height}×{width} at scale {scale}: sizes must be 1 to {MAX_SIDE} pixels")]
    Size {
        /// Channels.
        channels: usize,
        /// Rows.
        height: usize,
        /// Columns.
        width: usize,
        /// Pixels per element.
        scale: usize,
    },
    /// Two pictures that belong together differ in size.
    #[error("the pictures differ in size: {0:?} and {1:?} (channels, height, width)")]
    Mismatch([usize; 3], [usize; 3]),
    /// The encoder failed.
    #[error("cannot encode the PNG: {0}")]
    Encode(#[from] image::ImageError),
}

/// Borrowed values of shape `[channels, height, width]`, row-major.
///
/// As an image, values lie in \[0, 1\] (outside they are clamped, NaN is drawn black), three channels are RGB, and any
/// other number of channels is averaged to grey.
#[derive(Clone, Copy, Debug)]
pub struct Picture<'a> {
    values: &'a [f32],
    shape: [usize; 3],
}

impl<'a> Picture<'a> {
    /// A view of `values` as `[channels, height, width]`.
    ///
    /// # Errors
    /// [`PictureError::Length`] or [`PictureError::Size`] if that is not possible.
    pub fn new(values: &'a [f32], shape: [usize; 3]) -> Result<Picture<'a>, PictureError> {
        let [channels, height, width] = shape;
        if channels == 0 || height == 0 || width == 0 || height > MAX_SIDE || width > MAX_SIDE {
            return Err(PictureError::Size { channels, height, width, scale: 1 });
        }
        let expected = channels.saturating_mul(height * width);
        if values.len() != expected {
            return Err(PictureError::Length { channels, height, width, expected, found: values.len() });
        }
        Ok(Picture { values, shape })
    }

    /// The values as an image, each element a square of `scale` × `scale` pixels. Returns the PNG file.
    ///
    /// # Errors
    /// [`PictureError::Size`] if the scaled picture is too large or `scale` is 0.
    pub fn png(&self, scale: usize) -> Result<Vec<u8>, PictureError> {
        self.encode(scale, &self.rgb())
    }

    /// The difference `adversarial − self`, times `factor`, around mid-grey. Returns the PNG file.
    ///
    /// # Errors
    /// [`PictureError::Mismatch`] if the sizes differ, [`PictureError::Size`] as for [`png`](Self::png).
    pub fn perturbation_png(&self, adversarial: &Picture, factor: f32, scale: usize) -> Result<Vec<u8>, PictureError> {
        self.same_size(adversarial)?;
        let pairs = self.values.iter().zip(adversarial.values);
        let difference: Vec<f32> = pairs.map(|(a, b)| 0.5 + factor * (b - a)).collect();
        Picture { values: &difference, shape: self.shape }.png(scale)
    }

    /// A round factor (1, 2 or 5 times a power of ten, at least 1) under which the difference to `adversarial` fills
    /// the range without being clipped where that is possible.
    pub fn magnification(&self, adversarial: &Picture) -> f32 {
        let largest = self.values.iter().zip(adversarial.values).map(|(a, b)| (b - a).abs()).fold(0.0, f32::max);
        // The slack keeps 0.5/0.05 at 10 although 0.05 is not exact.
        let limit = 0.5 / largest * 1.0001;
        if !limit.is_finite() || limit < 1.0 {
            return 1.0;
        }
        let decade = 10f32.powf(limit.log10().floor());
        [5.0, 2.0, 1.0].into_iter().map(|m| m * decade).find(|f| *f <= limit).unwrap_or(decade)
    }

    /// A signed attribution, summed over channels: blue is negative, white 0, red positive, symmetric, with the 99th
    /// percentile of the absolute values at the ends. Returns the PNG file.
    ///
    /// # Errors
    /// [`PictureError::Size`] as for [`png`](Self::png).
    pub fn heatmap_png(&self, scale: usize) -> Result<Vec<u8>, PictureError> {
        let pixels: Vec<[f32; 3]> = self.signed_strength().iter().map(|&s| diverging(s)).collect();
        self.encode(scale, &pixels)
    }

    /// The heat map of this attribution over a greyed `image`: the stronger the attribution, the less of the image
    /// shows, and never less than `1 − opacity` of it. Returns the PNG file.
    ///
    /// # Errors
    /// [`PictureError::Mismatch`] if height or width differ, [`PictureError::Size`] as for [`png`](Self::png).
    pub fn heatmap_overlay_png(&self, image: &Picture, opacity: f32, scale: usize) -> Result<Vec<u8>, PictureError> {
        if self.shape[1..] != image.shape[1..] {
            return Err(PictureError::Mismatch(self.shape, image.shape));
        }
        let mixed = self.signed_strength().into_iter().zip(image.rgb()).map(|(strength, pixel)| {
            let grey = 0.299 * pixel[0] + 0.587 * pixel[1] + 0.114 * pixel[2];
            let weight = opacity.clamp(0.0, 1.0) * strength.abs();
            diverging(strength.signum()).map(|c| weight * c + (1.0 - weight) * grey)
        });
        let pixels: Vec<[f32; 3]> = mixed.collect();
        self.encode(scale, &pixels)
    }

    fn same_size(&self, other: &Picture) -> Result<(), PictureError> {
        if self.shape == other.shape { Ok(()) } else { Err(PictureError::Mismatch(self.shape, other.shape)) }
    }

    /// One RGB triple per element, in \[0, 1\].
    fn rgb(&self) -> Vec<[f32; 3]> {
        let [channels, height, width] = self.shape;
        let area = height * width;
        let clamp = |v: f32| if v.is_nan() { 0.0 } else { v.clamp(0.0, 1.0) };
        (0..area)
            .map(|i| {
                if channels == 3 {
                    [0, 1, 2].map(|c| clamp(self.values[c * area + i]))
                } else {
                    let sum: f32 = (0..channels).map(|c| self.values[c * area + i]).sum();
                    [clamp(sum / channels as f32); 3]
                }
            })
            .collect()
    }

    /// The channel sums on a symmetric scale, in \[−1, 1\]; NaN counts as 0.
    fn signed_strength(&self) -> Vec<f32> {
        let [channels, height, width] = self.shape;
        let area = height * width;
        let sum = |i: usize| (0..channels).map(|c| self.values[c * area + i]).sum::<f32>();
        let sums: Vec<f32> = (0..area).map(sum).map(|s| if s.is_nan() { 0.0 } else { s }).collect();
        let mut sizes: Vec<f32> = sums.iter().map(|s| s.abs()).collect();
        sizes.sort_by(f32::total_cmp);
        let at_quantile = sizes[((area - 1) as f64 * HEATMAP_QUANTILE).round() as usize];
        // A map with very few non-zero elements has its 99th percentile at 0: fall back to the largest.
        let scale = if at_quantile > 0.0 { at_quantile } else { sizes[area - 1] };
        let relative = |s: f32| if s == 0.0 { 0.0 } else { (s / scale).clamp(-1.0, 1.0) };
        // ∞/∞ is NaN: only an infinite attribution is as large as an infinite scale.
        sums.iter().map(|&s| relative(s)).zip(&sums).map(|(r, s)| if r.is_nan() { s.signum() } else { r }).collect()
    }

    /// Writes one colour per element as a PNG, grey if all colours are.
    fn encode(&self, scale: usize, pixels: &[[f32; 3]]) -> Result<Vec<u8>, PictureError> {
        let [channels, height, width] = self.shape;
        let fits = |side: usize| (1..=MAX_SIDE).contains(&side.saturating_mul(scale));
        if !fits(height) || !fits(width) {
            return Err(PictureError::Size { channels, height, width, scale });
        }
        let grey = pixels.iter().all(|p| p[0] == p[1] && p[1] == p[2]);
        let depth = if grey { 1 } else { 3 };
        let mut bytes = Vec::with_capacity(height * width * scale * scale * depth);
        for row in pixels.chunks(width) {
            let line = row.iter().flat_map(|p| std::iter::repeat_n(p, scale));
            let line: Vec<u8> = line.flat_map(|p| p[..depth].iter().map(|v| (v * 255.0).round() as u8)).collect();
            (0..scale).for_each(|_| bytes.extend_from_slice(&line));
        }
        let colour = if grey { ExtendedColorType::L8 } else { ExtendedColorType::Rgb8 };
        let mut png = Vec::new();
        PngEncoder::new_with_quality(&mut png, CompressionType::Best, FilterType::Adaptive).write_image(
            &bytes,
            (width * scale) as u32,
            (height * scale) as u32,
            colour,
        )?;
        Ok(png)
    }
}

/// The colour of a strength in \[−1, 1\].
fn diverging(strength: f32) -> [f32; 3] {
    let end = if strength < 0.0 { NEGATIVE } else { POSITIVE };
    let weight = strength.abs();
    [0, 1, 2].map(|c| MIDDLE[c] + weight * (end[c] - MIDDLE[c]))
}

/// A file as base64, as the report embeds it.
pub fn base64(file: &[u8]) -> String {
    base64::engine::general_purpose::STANDARD.encode(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(png: &[u8]) -> image::RgbImage {
        image::load_from_memory(png).expect("a PNG").to_rgb8()
    }

    #[test]
    fn pixels_are_where_and_what_they_should_be() {
        // 3 channels, 1 row, 2 columns: red, then (clamped) white with a NaN channel.
        let values = [1.0, 2.0, 0.0, 1.5, -0.5, f32::NAN];
        let picture = decode(&Picture::new(&values, [3, 1, 2]).unwrap().png(3).unwrap());
        assert_eq!(picture.dimensions(), (6, 3));
        assert_eq!(picture.get_pixel(2, 2).0, [255, 0, 0]);
        assert_eq!(picture.get_pixel(3, 0).0, [255, 255, 0]);
    }

    #[test]
    fn two_channels_are_averaged_to_grey() {
        let picture = decode(&Picture::new(&[0.2, 0.6], [2, 1, 1]).unwrap().png(1).unwrap());
        assert_eq!(picture.get_pixel(0, 0).0, [102; 3]);
    }

    #[test]
    fn perturbation_is_magnified_around_grey() {
        let (clean, adversarial) = ([0.5, 0.5, 0.5], [0.5, 0.55, 0.4]);
        let (a, b) = (Picture::new(&clean, [1, 1, 3]).unwrap(), Picture::new(&adversarial, [1, 1, 3]).unwrap());
        assert_eq!(a.magnification(&b), 5.0);
        let picture = decode(&a.perturbation_png(&b, 5.0, 1).unwrap());
        let row: Vec<u8> = (0..3).map(|x| picture.get_pixel(x, 0).0[0]).collect();
        assert_eq!(row, [128, 191, 0]);
        assert_eq!(a.magnification(&a), 1.0);
    }

    #[test]
    fn magnification_is_round_and_does_not_clip() {
        for (change, factor) in [(0.05, 10.0), (8.0 / 255.0, 10.0), (0.3, 1.0), (0.9, 1.0), (0.001, 500.0)] {
            let b = [change];
            let (a, b) = (Picture::new(&[0.0], [1, 1, 1]).unwrap(), Picture::new(&b, [1, 1, 1]).unwrap());
            assert_eq!(a.magnification(&b), factor, "{change}");
        }
    }

    #[test]
    fn heatmap_is_symmetric_and_ignores_outliers() {
        // 200 elements: ±1 and one outlier, which must not wash out the rest.
        let mut values: Vec<f32> = (0..200).map(|i| if i % 2 == 0 { 1.0 } else { -1.0 }).collect();
        values[0] = 1e6;
        values[10] = 0.0;
        values[11] = f32::NAN;
        let picture = decode(&Picture::new(&values, [1, 10, 20]).unwrap().heatmap_png(1).unwrap());
        assert_eq!(picture.get_pixel(2, 0).0, [178, 24, 43]);
        assert_eq!(picture.get_pixel(1, 0).0, [33, 102, 172]);
        assert_eq!(picture.get_pixel(0, 0).0, [178, 24, 43]);
        assert_eq!(picture.get_pixel(10, 0).0, [247; 3]);
        assert_eq!(picture.get_pixel(11, 0).0, [247; 3]);
    }

    #[test]
    fn heatmap_of_nothing_and_of_one_element() {
        let blank = decode(&Picture::new(&[0.0; 9], [1, 3, 3]).unwrap().heatmap_png(1).unwrap());
        assert!(blank.pixels().all(|p| p.0 == [247; 3]));
        let mut single = [0.0; 400];
        single[7] = -2.0;
        let picture = decode(&Picture::new(&single, [1, 20, 20]).unwrap().heatmap_png(1).unwrap());
        assert_eq!(picture.get_pixel(7, 0).0, [33, 102, 172]);
    }

    #[test]
    fn overlay_shows_the_image_where_there_is_no_attribution() {
        let (attribution, image) = ([0.0, 1.0], [0.4, 0.4]);
        let (a, i) = (Picture::new(&attribution, [1, 1, 2]).unwrap(), Picture::new(&image, [1, 1, 2]).unwrap());
        let picture = decode(&a.heatmap_overlay_png(&i, 1.0, 1).unwrap());
        assert_eq!(picture.get_pixel(0, 0).0, [102; 3]);
        assert_eq!(picture.get_pixel(1, 0).0, [178, 24, 43]);
    }

    #[test]
    fn impossible_sizes_are_errors() {
        assert!(matches!(Picture::new(&[0.0; 3], [1, 2, 2]), Err(PictureError::Length { expected: 4, found: 3, .. })));
        assert!(matches!(Picture::new(&[], [0, 2, 2]), Err(PictureError::Size { .. })));
        assert!(matches!(Picture::new(&[], [usize::MAX, 9, 9]), Err(PictureError::Length { .. })));
        let picture = Picture::new(&[0.0; 4], [1, 2, 2]).unwrap();
        assert!(matches!(picture.png(0), Err(PictureError::Size { .. })));
        assert!(matches!(picture.png(usize::MAX), Err(PictureError::Size { .. })));
        let wide = Picture::new(&[0.0; 4], [1, 1, 4]).unwrap();
        assert!(matches!(picture.perturbation_png(&wide, 1.0, 1), Err(PictureError::Mismatch(..))));
    }
}
