//! Examples as pictures.

use crate::CliError;
use perturb::graph::Graph;
use perturb::report::picture::{Picture, base64};

/// How an example is drawn: `[channels, height, width]`, or not at all.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Canvas {
    /// Channels (1 or 3), height and width.
    pub shape: [usize; 3],
    /// Smallest and largest value, shown black and white.
    pub limits: (f64, f64),
    /// Screen pixels for each element.
    pub scale: usize,
}

impl Canvas {
    /// The canvas for a graph's input, if that is an image: `[1, C, H, W]`, or flat with a square number of pixels.
    pub fn of(graph: &Graph, limits: Option<(f64, f64)>) -> Option<Canvas> {
        let shape = image_shape(&graph.inputs[0].shape()[1..])?;
        // Small images are enlarged in whole steps to about 112 screen pixels.
        let scale = (112 / shape[1].max(shape[2]).max(1)).max(1);
        Some(Canvas { shape, limits: limits?, scale })
    }

    fn unit(&self, values: &[f32]) -> Vec<f32> {
        let (low, high) = (self.limits.0 as f32, self.limits.1 as f32);
        values.iter().map(|v| (v - low) / (high - low)).collect()
    }

    /// The example itself.
    pub fn image(&self, values: &[f32]) -> Result<String, CliError> {
        Ok(base64(&Picture::new(&self.unit(values), self.shape)?.png(self.scale)?))
    }

    /// The magnified difference between two examples, and the factor.
    pub fn difference(&self, clean: &[f32], adversarial: &[f32]) -> Result<(String, f32), CliError> {
        let (clean, adversarial) = (self.unit(clean), self.unit(adversarial));
        let clean = Picture::new(&clean, self.shape)?;
        let adversarial = Picture::new(&adversarial, self.shape)?;
        let factor = clean.magnification(&adversarial);
        Ok((base64(&clean.perturbation_png(&adversarial, factor, self.scale)?), factor))
    }

    /// An attribution as a heat map.
    pub fn heatmap(&self, attribution: &[f32]) -> Result<String, CliError> {
        Ok(base64(&self.heatmap_png(attribution)?))
    }

    /// Signed values as the PNG file of a heat map: blue is negative, white 0, red positive.
    pub fn heatmap_png(&self, values: &[f32]) -> Result<Vec<u8>, CliError> {
        Ok(Picture::new(values, self.shape)?.heatmap_png(self.scale)?)
    }
}

/// `[channels, height, width]` of an example's shape without batch axis, if it can be seen as an image.
pub fn image_shape(example: &[usize]) -> Option<[usize; 3]> {
    match example {
        [c @ (1 | 3), h, w] if *h > 1 && *w > 1 => return Some([*c, *h, *w]),
        [h, w] if *h > 1 && *w > 1 => return Some([1, *h, *w]),
        _ => {}
    }
    if example.iter().filter(|&&d| d > 1).count() != 1 {
        return None;
    }
    let n: usize = example.iter().product();
    let square = |n: usize| (8..=512).find(|s| s * s == n);
    square(n).map(|s| [1, s, s]).or_else(|| square(n / 3).filter(|s| 3 * s * s == n).map(|s| [3, s, s]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_are_recognised_and_features_are_not() {
        assert_eq!(image_shape(&[3, 32, 32]), Some([3, 32, 32]));
        assert_eq!(image_shape(&[784, 1]), Some([1, 28, 28]));
        assert_eq!(image_shape(&[3072]), Some([3, 32, 32]));
        assert_eq!(image_shape(&[1, 1, 5]), None);
        assert_eq!(image_shape(&[2, 32, 32]), None);
    }
}
