//! Images in memory, and the few operations on them that augmentations and corruptions are made of.

pub(crate) mod color;
pub(crate) mod filter;
pub(crate) mod resize;
pub(crate) mod warp;

use crate::error::{DataError, Result};
use perturb_graph::Tensor;

/// An image of planes: row-major, one channel after the other, values in [0, 1] as a rule. It has one channel (grey) or
/// three (red, green, blue) and at least one pixel.
#[derive(Clone, Debug, PartialEq)]
pub struct Image {
    channels: usize,
    height: usize,
    width: usize,
    data: Vec<f32>,
}

impl Image {
    /// An image of these values, `channels × height × width` of them.
    ///
    /// # Errors
    /// [`DataError::NotAnImage`] for other numbers of values, of channels than 1 and 3, and images without pixels.
    pub fn new(channels: usize, height: usize, width: usize, data: Vec<f32>) -> Result<Image> {
        let count = channels.checked_mul(height).and_then(|n| n.checked_mul(width));
        if !matches!(channels, 1 | 3) || height == 0 || width == 0 || count != Some(data.len()) {
            let found = format!("{} values for {channels}×{height}×{width}", data.len());
            return Err(DataError::NotAnImage { found });
        }
        Ok(Image { channels, height, width, data })
    }

    /// The image in an f32 tensor `[C, H, W]` or `[1, C, H, W]`.
    ///
    /// # Errors
    /// [`DataError::NotAnImage`] for other shapes and types.
    pub fn from_tensor(tensor: &Tensor) -> Result<Image> {
        match (&tensor.shape()[..], tensor.try_as_slice::<f32>()) {
            (&[c, h, w] | &[1, c, h, w], Some(values)) => Image::new(c, h, w, values.to_vec()),
            _ => Err(DataError::NotAnImage { found: format!("{}{}", tensor.dtype(), tensor.shape()) }),
        }
    }

    /// f32 `[C, H, W]`.
    pub fn into_tensor(self) -> Tensor {
        Tensor::new([self.channels, self.height, self.width], self.data).expect("an image has all its values")
    }

    /// Number of channels, 1 or 3.
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// Number of rows.
    pub fn height(&self) -> usize {
        self.height
    }

    /// Number of columns.
    pub fn width(&self) -> usize {
        self.width
    }

    /// The values, plane by plane, row by row.
    pub fn values(&self) -> &[f32] {
        &self.data
    }

    /// The values, mutably.
    pub fn values_mut(&mut self) -> &mut [f32] {
        &mut self.data
    }

    /// The planes, one per channel.
    pub fn planes(&self) -> std::slice::ChunksExact<'_, f32> {
        self.data.chunks_exact(self.height * self.width)
    }

    /// The planes, mutably.
    pub fn planes_mut(&mut self) -> std::slice::ChunksExactMut<'_, f32> {
        self.data.chunks_exact_mut(self.height * self.width)
    }

    /// The values, plane by plane, row by row.
    pub fn into_values(self) -> Vec<f32> {
        self.data
    }

    /// `channels×height×width`, for messages.
    pub(crate) fn size(&self) -> String {
        format!("{}×{}×{}", self.channels, self.height, self.width)
    }

    /// Every value through `f`.
    pub(crate) fn map(mut self, f: impl Fn(f32) -> f32) -> Image {
        self.data.iter_mut().for_each(|v| *v = f(*v));
        self
    }

    /// An image of this size with other values.
    fn with_values(&self, data: Vec<f32>) -> Image {
        debug_assert_eq!(data.len(), self.data.len());
        Image { channels: self.channels, height: self.height, width: self.width, data }
    }

    /// Every plane through `f`, all to the size `height × width`.
    pub(crate) fn map_planes(&self, height: usize, width: usize, f: impl Fn(&[f32]) -> Vec<f32>) -> Image {
        let data: Vec<f32> = self.planes().flat_map(f).collect();
        debug_assert_eq!(data.len(), self.channels * height * width);
        Image { channels: self.channels, height, width, data }
    }

    /// Values outside of [0, 1] moved to its ends.
    pub(crate) fn clamped(self) -> Image {
        self.map(|v| v.clamp(0.0, 1.0))
    }

    /// Every pixel's values `[r, g, b]` through `f`; grey pixels are three equal values, of which the first is kept.
    pub(crate) fn map_pixels(&mut self, f: impl Fn([f32; 3]) -> [f32; 3]) {
        let area = self.height * self.width;
        if self.channels == 1 {
            self.data.iter_mut().for_each(|v| *v = f([*v; 3])[0]);
            return;
        }
        let (red, rest) = self.data.split_at_mut(area);
        let (green, blue) = rest.split_at_mut(area);
        for ((r, g), b) in red.iter_mut().zip(green).zip(blue) {
            [*r, *g, *b] = f([*r, *g, *b]);
        }
    }

    /// The plane of luminance, 0.299 R + 0.587 G + 0.114 B (Rec. 601, as PIL, torchvision and OpenCV have it).
    pub(crate) fn luminance(&self) -> Vec<f32> {
        let area = self.height * self.width;
        match self.channels {
            1 => self.data.clone(),
            _ => (0..area)
                .map(|i| color::luminance([self.data[i], self.data[i + area], self.data[i + 2 * area]]))
                .collect(),
        }
    }
}
