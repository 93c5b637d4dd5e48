//! Small PNG files: few colours.

use super::canvas::Rgb;
use std::collections::HashMap;
use std::error::Error;
use std::fs::File;
use std::io::BufWriter;
use std::path::Path;

/// Colours of a picture at most.
const COLORS: usize = 200;

/// Writes pixels with the most frequent colours (at five bits per channel); others become the nearest of these.
pub fn save(path: &Path, width: usize, pixels: &[Rgb]) -> Result<(), Box<dyn Error>> {
    let coarse = |pixel: &Rgb| pixel.map(|v| (v.clamp(0.0, 1.0) * 31.0).round() as u8);
    let mut counts: HashMap<[u8; 3], usize> = HashMap::new();
    pixels.iter().for_each(|pixel| *counts.entry(coarse(pixel)).or_default() += 1);
    let mut colors: Vec<([u8; 3], usize)> = counts.into_iter().collect();
    colors.sort_by_key(|&(color, count)| (std::cmp::Reverse(count), color));
    let palette: Vec<[u8; 3]> = colors.iter().take(COLORS).map(|c| c.0).collect();
    let distance = |a: &[u8; 3], b: &[u8; 3]| (0..3).map(|c| i32::from(a[c].abs_diff(b[c])).pow(2)).sum::<i32>();
    let nearest = |color: &[u8; 3]| (0..palette.len()).min_by_key(|&i| distance(&palette[i], color)).unwrap_or(0) as u8;
    let index: HashMap<[u8; 3], u8> = colors.iter().map(|(color, _)| (*color, nearest(color))).collect();
    let data: Vec<u8> = pixels.iter().map(|pixel| index[&coarse(pixel)]).collect();
    let mut encoder = png::Encoder::new(
        BufWriter::new(File::create(path)?),
        u32::try_from(width)?,
        u32::try_from(pixels.len() / width)?,
    );
    encoder.set_color(png::ColorType::Indexed);
    encoder.set_palette(palette.concat().iter().map(|&v| (u32::from(v) * 255 / 31) as u8).collect::<Vec<u8>>());
    encoder.set_compression(png::Compression::High);
    encoder.set_filter(png::Filter::NoFilter);
    encoder.write_header()?.write_image_data(&data)?;
    Ok(())
}
