//! Images read at places between pixels.

use super::Image;
use super::filter::Border;

/// What is read outside of an image.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Outside {
    /// What the border shows there.
    Border(Border),
    /// This value.
    Fill(f32),
}

/// The image of the same size whose value at row y and column x is that of `image` at `place(y, x)`, a row and a column
/// counted from the first pixel's centre, by bilinear interpolation.
pub(crate) fn bilinear(image: &Image, outside: Outside, place: impl Fn(usize, usize) -> (f32, f32)) -> Image {
    let (height, width) = (image.height(), image.width());
    let area = height * width;
    let values = image.values();
    let read = |channel: usize, y: isize, x: isize| match outside {
        Outside::Border(border) => values[channel * area + border.index(y, height) * width + border.index(x, width)],
        Outside::Fill(value) => {
            let inside = (0..height as isize).contains(&y) && (0..width as isize).contains(&x);
            if inside { values[channel * area + y as usize * width + x as usize] } else { value }
        }
    };
    let mut out = vec![0.0; values.len()];
    for i in 0..area {
        let (y, x) = place(i / width, i % width);
        let (top, left) = (y.floor(), x.floor());
        let (fy, fx) = (y - top, x - left);
        // Far outside all is the same, and nearer numbers cannot overflow.
        let (top, left) = (top.clamp(-1e6, 1e6) as isize, left.clamp(-1e6, 1e6) as isize);
        let inside = top >= 0 && left >= 0 && top + 1 < height as isize && left + 1 < width as isize;
        for channel in 0..image.channels() {
            let [a, b, c, d] = if inside {
                let at = channel * area + top as usize * width + left as usize;
                [values[at], values[at + 1], values[at + width], values[at + width + 1]]
            } else {
                [(0, 0), (0, 1), (1, 0), (1, 1)].map(|(dy, dx)| read(channel, top + dy, left + dx))
            };
            let (upper, lower) = (a + (b - a) * fx, c + (d - c) * fx);
            out[channel * area + i] = upper + (lower - upper) * fy;
        }
    }
    image.with_values(out)
}

/// A plane read on a grid of rows and columns that lie between its own, all inside of it, by bilinear interpolation.
pub(crate) fn bilinear_grid(plane: &[f32], width: usize, rows: &[f32], columns: &[f32]) -> Vec<f32> {
    let split = |places: &[f32], count: usize| -> Vec<(usize, usize, f32)> {
        let split = |&place: &f32| {
            let low = (place.max(0.0) as usize).min(count - 1);
            (low, (low + 1).min(count - 1), place - low as f32)
        };
        places.iter().map(split).collect()
    };
    let across = split(columns, width);
    let mut out = Vec::with_capacity(rows.len() * columns.len());
    for (top, bottom, fy) in split(rows, plane.len() / width) {
        let (upper, lower) = (&plane[top * width..], &plane[bottom * width..]);
        out.extend(across.iter().map(|&(left, right, fx)| {
            let a = upper[left] + (upper[right] - upper[left]) * fx;
            let b = lower[left] + (lower[right] - lower[left]) * fx;
            a + (b - a) * fy
        }));
    }
    out
}
