//! Colour spaces.

/// 0.299 R + 0.587 G + 0.114 B.
pub(crate) fn luminance([r, g, b]: [f32; 3]) -> f32 {
    0.299 * r + 0.587 * g + 0.114 * b
}

/// Hue in [0, 1), saturation and value (Smith 1978). Grey has hue 0.
pub(crate) fn rgb_to_hsv([r, g, b]: [f32; 3]) -> [f32; 3] {
    let value = r.max(g).max(b);
    let chroma = value - r.min(g).min(b);
    if chroma <= 0.0 {
        return [0.0, 0.0, value];
    }
    let sector = if value == r {
        (g - b) / chroma
    } else if value == g {
        2.0 + (b - r) / chroma
    } else {
        4.0 + (r - g) / chroma
    };
    [(sector / 6.0).rem_euclid(1.0), chroma / value, value]
}

/// The inverse of [`rgb_to_hsv`]; hue is taken modulo 1.
pub(crate) fn hsv_to_rgb([h, s, v]: [f32; 3]) -> [f32; 3] {
    let sector = h.rem_euclid(1.0) * 6.0;
    let channel = |n: f32| {
        let k = (n + sector) % 6.0;
        v - v * s * k.min(4.0 - k).clamp(0.0, 1.0)
    };
    [channel(5.0), channel(3.0), channel(1.0)]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Python: colorsys.rgb_to_hsv.
    #[test]
    fn known_colours() {
        let cases = [
            ([0.2, 0.4, 0.6], [0.583_333_3, 0.666_666_7, 0.6]),
            ([0.9, 0.1, 0.3], [0.958_333_3, 0.888_888_9, 0.9]),
            ([0.5, 0.5, 0.5], [0.0, 0.0, 0.5]),
            ([0.1, 0.8, 0.1], [0.333_333_3, 0.875, 0.8]),
        ];
        for (rgb, hsv) in cases {
            assert!(rgb_to_hsv(rgb).iter().zip(hsv).all(|(a, b): (&f32, f32)| (a - b).abs() < 1e-6), "{rgb:?}");
        }
    }

    #[test]
    fn there_and_back() {
        for i in 0..1000 {
            let rgb = [i % 10, i / 10 % 10, i / 100].map(|v| v as f32 / 9.0);
            let back = hsv_to_rgb(rgb_to_hsv(rgb));
            assert!(back.iter().zip(rgb).all(|(a, b)| (a - b).abs() < 1e-6), "{rgb:?} {back:?}");
        }
    }
}
