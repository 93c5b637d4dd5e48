//! Single images: reading to [0, 1], writing PNG.

use crate::atomic::write_atomically;
use crate::error::{DataError, Result};
use crate::imaging::Image;
use crate::npz;
use image::codecs::png::PngEncoder;
use image::{ColorType, ExtendedColorType, ImageEncoder, ImageReader};
use perturb_graph::Tensor;
use std::io::Write;
use std::path::Path;

/// Whether a file that begins with these bytes is a PNG or JPEG image.
pub(crate) fn is_magic(start: &[u8]) -> bool {
    start.starts_with(b"\x89PNG\r\n\x1a\n") || start.starts_with(&[0xff, 0xd8, 0xff])
}

/// Whether the file's name is that of an image.
pub(crate) fn has_image_name(path: &Path) -> bool {
    let extension = path.extension().map(|e| e.to_string_lossy().to_lowercase());
    matches!(extension.as_deref(), Some("png" | "jpg" | "jpeg"))
}

/// Loads a PNG or JPEG image as f32 `[1, C, H, W]` in [0, 1].
///
/// `channels` asks for 1 (luminance, Rec. 709 weights) or 3; without it grey images have one channel, others three.
/// Transparency is ignored.
///
/// # Errors
/// [`DataError::Read`]; [`DataError::Malformed`] for damaged images, images that need more than 512 MiB, and other
/// numbers of channels.
pub fn load_image(path: &Path, channels: Option<usize>) -> Result<Tensor> {
    let image = read(path, channels)?;
    npz::tensor(path, vec![1, image.channels(), image.height(), image.width()], image.into_values())
}

/// Saves an f32 image `[C, H, W]` or `[1, C, H, W]`, of one or three channels, as an 8-bit PNG. Values are clamped
/// to [0, 1] and rounded to the nearest of 256 levels. The file appears complete or not at all.
///
/// # Errors
/// [`DataError::Malformed`] for other shapes, [`DataError::NonFinite`], [`DataError::DType`], [`DataError::Write`].
pub fn save_png(path: &Path, image: &Tensor) -> Result<()> {
    let shape = image.shape();
    let (channels, height, width) = match shape[..] {
        [c @ (1 | 3), h, w] | [1, c @ (1 | 3), h, w] if h > 0 && w > 0 => (c, h, w),
        _ => {
            let reason =
                format!("a PNG takes one image [C, H, W] with one or three channels, not an array of shape {shape}");
            return Err(DataError::malformed(path, reason));
        }
    };
    let values = image.try_as_slice::<f32>().ok_or_else(|| DataError::DType {
        path: path.to_path_buf(),
        array: "image".to_string(),
        dtype: image.dtype().to_string(),
    })?;
    if let Some(element) = values.iter().position(|v| !v.is_finite()) {
        return Err(DataError::NonFinite { path: path.to_path_buf(), example: 0, element, value: values[element] });
    }
    let mut bytes = vec![0; values.len()];
    for (c, plane) in values.chunks_exact(height * width).enumerate() {
        plane.iter().enumerate().for_each(|(i, v)| bytes[i * channels + c] = (v.clamp(0.0, 1.0) * 255.0).round() as u8);
    }
    let color = if channels == 1 { ExtendedColorType::L8 } else { ExtendedColorType::Rgb8 };
    write_atomically(path, |out| {
        let mut encoded = Vec::new();
        let size = |n: usize| u32::try_from(n).map_err(std::io::Error::other);
        let encoder = PngEncoder::new(&mut encoded);
        encoder.write_image(&bytes, size(width)?, size(height)?, color).map_err(std::io::Error::other)?;
        out.write_all(&encoded)
    })
}

/// Decodes a PNG or JPEG image.
pub(crate) fn read(path: &Path, channels: Option<usize>) -> Result<Image> {
    let reader = ImageReader::open(path).and_then(ImageReader::with_guessed_format).map_err(DataError::read(path))?;
    let image = reader.decode().map_err(|e| {
        DataError::malformed(path, format!("not a readable PNG or JPEG image ({e}); convert or fetch it again"))
    })?;
    let (width, height) = (image.width() as usize, image.height() as usize);
    let channels = channels.unwrap_or(if image.color().has_color() { 3 } else { 1 });
    let wide = matches!(image.color(), ColorType::L16 | ColorType::La16 | ColorType::Rgb16 | ColorType::Rgba16);
    let data = match (channels, wide) {
        (1, false) => planes(image.into_luma8().as_raw(), 1, 255.0),
        (3, false) => planes(image.into_rgb8().as_raw(), 3, 255.0),
        (1, true) => planes(image.into_luma16().as_raw(), 1, 65535.0),
        (3, true) => planes(image.into_rgb16().as_raw(), 3, 65535.0),
        _ => return Err(DataError::malformed(path, format!("images have 1 or 3 channels, not {channels}"))),
    };
    Image::new(channels, height, width, data).map_err(|e| DataError::malformed(path, e.to_string()))
}

/// Interleaved samples as planes, divided by the largest value.
fn planes<T: Copy + Into<f32>>(samples: &[T], channels: usize, largest: f32) -> Vec<f32> {
    (0..channels).flat_map(|c| samples.iter().skip(c).step_by(channels).map(move |&v| v.into() / largest)).collect()
}
