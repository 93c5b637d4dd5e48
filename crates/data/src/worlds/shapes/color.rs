//! Names of colours, and colours on the screen.

/// A colour that has a name: the nearest of eight hues.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Color {
    /// Hue 0.
    Red,
    /// Hue 0.08.
    Orange,
    /// Hue 0.16.
    Yellow,
    /// Hue 0.33.
    Green,
    /// Hue 0.5.
    Cyan,
    /// Hue 0.64.
    Blue,
    /// Hue 0.76.
    Purple,
    /// Hue 0.89.
    Pink,
}

impl Color {
    /// All colours.
    pub const ALL: [Color; 8] =
        [Color::Red, Color::Orange, Color::Yellow, Color::Green, Color::Cyan, Color::Blue, Color::Purple, Color::Pink];

    /// The hue in [0, 1) that the name stands for.
    pub fn hue(self) -> f32 {
        [0.0, 0.08, 0.16, 0.33, 0.5, 0.64, 0.76, 0.89][self as usize]
    }

    /// The name.
    pub fn name(self) -> &'static str {
        ["red", "orange", "yellow", "green", "cyan", "blue", "purple", "pink"][self as usize]
    }

    /// The colour whose hue is nearest on the circle.
    pub fn nearest(hue: f32) -> Color {
        let distance = |color: &Color| {
            let gap = (hue - color.hue()).rem_euclid(1.0);
            gap.min(1.0 - gap)
        };
        Color::ALL.into_iter().min_by(|a, b| distance(a).total_cmp(&distance(b))).expect("there are eight colours")
    }
}

/// Red, green and blue of a colour given by hue, saturation and value, all in [0, 1] (Smith 1978).
pub(crate) fn rgb(hue: f32, saturation: f32, value: f32) -> [f32; 3] {
    [5.0, 3.0, 1.0f32].map(|n| {
        let k = (n + 6.0 * hue) % 6.0;
        value - value * saturation * k.min(4.0 - k).clamp(0.0, 1.0)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn primary_colours() {
        for (hue, expected) in [
            (0.0, [1.0, 0.0, 0.0]),
            (1.0 / 6.0, [1.0, 1.0, 0.0]),
            (1.0 / 3.0, [0.0, 1.0, 0.0]),
            (2.0 / 3.0, [0.0, 0.0, 1.0]),
            (5.0 / 6.0, [1.0, 0.0, 1.0]),
        ] {
            for (value, expected) in rgb(hue, 1.0, 1.0).into_iter().zip(expected) {
                assert!((value - expected).abs() < 1e-5, "hue {hue}");
            }
        }
        assert_eq!(rgb(0.4, 0.0, 0.7), [0.7; 3]);
    }

    #[test]
    fn names_cover_the_circle() {
        for color in Color::ALL {
            for jitter in [-0.039, 0.0, 0.039] {
                assert_eq!(Color::nearest((color.hue() + jitter).rem_euclid(1.0)), color);
            }
        }
        assert_eq!(Color::nearest(0.99), Color::Red);
    }
}
