//! A small canvas with panels, lines, dots and colour maps.

use perturb_graph::Tensor;
use std::error::Error;
use std::path::Path;

/// Red, green, blue in [0, 1].
pub type Rgb = [f32; 3];

pub const INK: Rgb = [0.15, 0.17, 0.22];
pub const FAINT: Rgb = [0.85, 0.86, 0.88];
/// Colours for classes, distinguishable also without red or green (Okabe and Ito 2008).
pub const CLASSES: [Rgb; 8] = [
    [0.0, 0.45, 0.70],
    [0.90, 0.62, 0.0],
    [0.0, 0.62, 0.45],
    [0.80, 0.40, 0.0],
    [0.80, 0.47, 0.65],
    [0.34, 0.71, 0.91],
    [0.60, 0.55, 0.10],
    [0.35, 0.35, 0.35],
];

/// Pixels, white at first.
pub struct Canvas {
    width: usize,
    height: usize,
    pixels: Vec<Rgb>,
}

/// A rectangle of the canvas with its own axes: x to the right, y upwards.
#[derive(Clone, Copy)]
pub struct Panel {
    pub left: usize,
    pub top: usize,
    pub width: usize,
    pub height: usize,
    pub x: [f64; 2],
    pub y: [f64; 2],
}

impl Canvas {
    pub fn new(width: usize, height: usize) -> Canvas {
        Canvas { width, height, pixels: vec![[1.0; 3]; width * height] }
    }

    /// Writes the canvas as a PNG file.
    pub fn save(&self, path: &Path) -> Result<(), Box<dyn Error>> {
        super::palette::save(path, self.width, &self.pixels)
    }

    pub fn set(&mut self, x: usize, y: usize, color: Rgb) {
        if x < self.width && y < self.height {
            self.pixels[y * self.width + x] = color;
        }
    }

    /// Blends a colour in.
    fn blend(&mut self, x: i64, y: i64, color: Rgb, share: f32, panel: &Panel) {
        let inside = |v: i64, start: usize, size: usize| v >= start as i64 && v < (start + size) as i64;
        if share > 0.0 && inside(x, panel.left, panel.width) && inside(y, panel.top, panel.height) {
            let (x, y) = (x as usize, y as usize);
            if x < self.width && y < self.height {
                let pixel = &mut self.pixels[y * self.width + x];
                *pixel = [0, 1, 2].map(|c| pixel[c] + share * (color[c] - pixel[c]));
            }
        }
    }

    /// Copies an image `[3, H, W]`, each pixel `zoom` times as large.
    pub fn image(&mut self, image: &Tensor, left: usize, top: usize, zoom: usize) {
        let (height, width) = (image.shape()[1], image.shape()[2]);
        let values = image.as_slice::<f32>();
        for y in 0..height * zoom {
            for x in 0..width * zoom {
                let at = |c: usize| values[(c * height + y / zoom) * width + x / zoom];
                self.set(left + x, top + y, [at(0), at(1), at(2)]);
            }
        }
    }

    /// Colours every pixel of a panel by a function of its place.
    pub fn paint(&mut self, panel: &Panel, color: impl Fn(f64, f64) -> Rgb) {
        for row in 0..panel.height {
            for column in 0..panel.width {
                let share = |i: usize, n: usize| (i as f64 + 0.5) / n as f64;
                let x = panel.x[0] + (panel.x[1] - panel.x[0]) * share(column, panel.width);
                let y = panel.y[1] - (panel.y[1] - panel.y[0]) * share(row, panel.height);
                self.set(panel.left + column, panel.top + row, color(x, y));
            }
        }
    }

    /// A disc of a radius in pixels.
    pub fn dot(&mut self, panel: &Panel, [x, y]: [f64; 2], radius: f64, color: Rgb) {
        let [px, py] = panel.pixel([x, y]);
        let reach = radius.ceil() as i64 + 1;
        for dy in -reach..=reach {
            for dx in -reach..=reach {
                let (cx, cy) = (px.floor() as i64 + dx, py.floor() as i64 + dy);
                let distance = (cx as f64 + 0.5 - px).hypot(cy as f64 + 0.5 - py);
                self.blend(cx, cy, color, (radius - distance + 0.5).clamp(0.0, 1.0) as f32, panel);
            }
        }
    }

    /// A line of a width in pixels.
    pub fn line(&mut self, panel: &Panel, from: [f64; 2], to: [f64; 2], width: f64, color: Rgb) {
        let (a, b) = (panel.pixel(from), panel.pixel(to));
        let step = [b[0] - a[0], b[1] - a[1]];
        let square = (step[0] * step[0] + step[1] * step[1]).max(1e-9);
        let bounds =
            |i: usize| ((a[i].min(b[i]) - width - 1.0).floor() as i64, (a[i].max(b[i]) + width + 1.0).ceil() as i64);
        let ((x0, x1), (y0, y1)) = (bounds(0), bounds(1));
        for y in y0..=y1 {
            for x in x0..=x1 {
                let p = [x as f64 + 0.5 - a[0], y as f64 + 0.5 - a[1]];
                let t = ((p[0] * step[0] + p[1] * step[1]) / square).clamp(0.0, 1.0);
                let distance = (p[0] - t * step[0]).hypot(p[1] - t * step[1]);
                self.blend(x, y, color, (0.5 * width - distance + 0.5).clamp(0.0, 1.0) as f32, panel);
            }
        }
    }

    /// A curve through points at x = 0, 1, 2 …
    pub fn curve(&mut self, panel: &Panel, values: &[f64], width: f64, color: Rgb) {
        for (i, pair) in values.windows(2).enumerate() {
            self.line(panel, [i as f64, pair[0]], [(i + 1) as f64, pair[1]], width, color);
        }
    }

    /// A frame of faint lines.
    pub fn frame(&mut self, panel: &Panel) {
        for x in 0..panel.width {
            self.set(panel.left + x, panel.top, FAINT);
            self.set(panel.left + x, panel.top + panel.height - 1, FAINT);
        }
        for y in 0..panel.height {
            self.set(panel.left, panel.top + y, FAINT);
            self.set(panel.left + panel.width - 1, panel.top + y, FAINT);
        }
    }
}

impl Panel {
    pub fn new(left: usize, top: usize, width: usize, height: usize, x: [f64; 2], y: [f64; 2]) -> Panel {
        Panel { left, top, width, height, x, y }
    }

    fn pixel(&self, [x, y]: [f64; 2]) -> [f64; 2] {
        let share = |v: f64, [low, high]: [f64; 2]| (v - low) / (high - low);
        [
            self.left as f64 + share(x, self.x) * self.width as f64,
            self.top as f64 + (1.0 - share(y, self.y)) * self.height as f64,
        ]
    }
}

/// The range of values with a margin.
pub fn range(values: &[f64]) -> [f64; 2] {
    let low = values.iter().fold(f64::INFINITY, |m, v| m.min(*v));
    let high = values.iter().fold(f64::NEG_INFINITY, |m, v| m.max(*v));
    let margin = 0.06 * (high - low).max(1e-9);
    [low - margin, high + margin]
}

/// White, through blue, to dark: for values from 0 to 1. Few levels keep the files small.
pub fn sequential(t: f64) -> Rgb {
    let t = ((t.clamp(0.0, 1.0) * 40.0).round() / 40.0) as f32;
    [1.0 - 0.95 * t, 1.0 - 0.72 * t, 1.0 - 0.45 * t * t]
}

/// Blue, white, red: for values from −1 to 1.
pub fn diverging(t: f64) -> Rgb {
    let t = ((t.clamp(-1.0, 1.0) * 24.0).round() / 24.0) as f32;
    if t < 0.0 {
        [1.0 + 0.85 * t, 1.0 + 0.6 * t, 1.0 + 0.25 * t]
    } else {
        [1.0 - 0.2 * t, 1.0 - 0.75 * t, 1.0 - 0.8 * t]
    }
}
