//! Styles: how one and the same scene is drawn.

use super::color::rgb;
use super::scene::{Backdrop, Object};

/// How a scene is drawn. Every style shows the same factors and has the same masks, so that a style is a domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Style {
    /// Bright figures of one colour on a dark background of one colour.
    Flat,
    /// As flat, with the textures of the objects and of the backdrop.
    Textured,
    /// As flat, with dark figures on a bright background; hues stay.
    Inverted,
    /// Coloured pen lines and a faint wash on paper.
    Outline,
    /// Round dots and a faint wash.
    Dotted,
    /// Glowing tubes in the dark.
    Neon,
}

/// Colours of a scene in a style, red, green and blue.
#[derive(Clone, Copy)]
pub(crate) struct Ink {
    /// The figure's main colour.
    pub(crate) main: [f32; 3],
    /// What fills the figure between lines, dots or tubes.
    pub(crate) wash: [f32; 3],
}

impl Style {
    /// All styles.
    pub const ALL: [Style; 6] =
        [Style::Flat, Style::Textured, Style::Inverted, Style::Outline, Style::Dotted, Style::Neon];

    /// The style's name.
    pub fn name(self) -> &'static str {
        ["flat", "textured", "inverted", "outline", "dotted", "neon"][self as usize]
    }

    /// The backdrop's colour.
    pub(crate) fn ground(self, backdrop: &Backdrop) -> [f32; 3] {
        let Backdrop { hue, saturation, value, .. } = *backdrop;
        match self {
            Style::Flat | Style::Textured | Style::Dotted => rgb(hue, saturation, value),
            Style::Inverted => rgb(hue, 0.6 * saturation, 1.0 - 0.4 * value),
            Style::Outline => rgb(hue, 0.35 * saturation, 1.0 - 0.15 * value),
            Style::Neon => rgb(hue, saturation, 0.35 * value),
        }
    }

    /// A figure's colours, its hue turned by `turn` (a creature has two hues).
    pub(crate) fn ink(self, object: &Object, turn: f32, ground: [f32; 3]) -> Ink {
        let Object { saturation, value, .. } = *object;
        let hue = (object.hue + turn).rem_euclid(1.0);
        let (main, share) = match self {
            Style::Flat | Style::Textured => (rgb(hue, saturation, value), 0.0),
            Style::Inverted => (rgb(hue, saturation, 0.45 * value), 0.0),
            Style::Outline => (rgb(hue, saturation, 0.7 * value), 0.15),
            Style::Dotted => (rgb(hue, saturation, value), 0.3),
            Style::Neon => (rgb(hue, saturation, value), 0.12),
        };
        Ink { main, wash: mix(ground, main, share) }
    }
}

impl Ink {
    /// The colour `depth` pixels inside a figure of the given circumradius in pixels, at `local` (figure's own axes,
    /// circumradius 1).
    pub(crate) fn at(&self, style: Style, depth: f32, radius: f32, local: [f32; 2]) -> [f32; 3] {
        match style {
            Style::Flat | Style::Textured | Style::Inverted => self.main,
            Style::Outline => {
                let width = (0.14 * radius).max(1.0);
                mix(self.wash, self.main, (width - depth + 0.5).clamp(0.0, 1.0))
            }
            Style::Dotted => {
                let pitch = (2.6 / radius).max(0.3);
                let offset = local.map(|v| ((v / pitch).rem_euclid(1.0) - 0.5) * pitch * radius);
                let distance = offset[0].hypot(offset[1]);
                mix(self.wash, self.main, (0.36 * pitch * radius - distance + 0.5).clamp(0.0, 1.0))
            }
            Style::Neon => {
                // The tube runs inside of the outline, so that the light ends where the figure does.
                let (inset, width) = ((0.12 * radius).max(0.8), (0.1 * radius).max(0.7));
                let offset = (depth - inset) / width;
                let (glow, core) = ((-0.25 * offset * offset).exp(), (-2.0 * offset * offset).exp());
                mix(mix(self.wash, self.main, glow), [1.0; 3], 0.55 * core)
            }
        }
    }
}

/// The point that divides the way from `a` to `b` at `share`.
pub(crate) fn mix(a: [f32; 3], b: [f32; 3], share: f32) -> [f32; 3] {
    [0, 1, 2].map(|c| a[c] + share * (b[c] - a[c]))
}
