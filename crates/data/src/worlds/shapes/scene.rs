//! Scenes as plain data: what a picture shows.

use super::color::Color;
use super::outline::ShapeKind;
use super::style::Style;
use super::texture::Texture;

/// A picture's whole content. [`Scene::render`] is a function of it, so an edited scene renders to the exact
/// counterfactual: same noise, same texture, only the edit differs.
#[derive(Clone, Debug, PartialEq)]
pub struct Scene {
    /// The objects, back to front: later ones cover earlier ones.
    pub objects: Vec<Object>,
    /// What is behind them.
    pub backdrop: Backdrop,
    /// How it is drawn.
    pub style: Style,
    /// Whether the picture is a torus: what leaves on one side enters at the other. Textures other than
    /// [`Style::Textured`]'s have no seam.
    pub wraps: bool,
    /// Half width of the uniform noise added to every channel of every pixel, in [0, 1] units; values are clamped.
    pub noise: f32,
    /// Seed of the noise.
    pub noise_seed: u64,
}

/// One figure of a scene. Lengths are fractions of the image's side.
#[derive(Clone, Debug, PartialEq)]
pub struct Object {
    /// What it is.
    pub kind: ShapeKind,
    /// Hue, [0, 1).
    pub hue: f32,
    /// Saturation, [0, 1].
    pub saturation: f32,
    /// Value (brightness), [0, 1].
    pub value: f32,
    /// Circumradius.
    pub radius: f32,
    /// Centre, horizontally from the left.
    pub x: f32,
    /// Centre, vertically from the top.
    pub y: f32,
    /// Rotation in radians; without effect on circles and rings.
    pub rotation: f32,
    /// Texture, seen in [`Style::Textured`]; its period is a fraction of the circumradius.
    pub pattern: Pattern,
    /// Seed of the individual, for [`ShapeKind::Creature`] only.
    pub identity: u64,
}

/// What is behind all objects.
#[derive(Clone, Debug, PartialEq)]
pub struct Backdrop {
    /// Hue, [0, 1).
    pub hue: f32,
    /// Saturation, [0, 1].
    pub saturation: f32,
    /// Value (brightness), [0, 1].
    pub value: f32,
    /// Texture, seen in [`Style::Textured`]; its period is a fraction of the image's side.
    pub pattern: Pattern,
}

/// A texture with its parameters.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pattern {
    /// What it looks like.
    pub texture: Texture,
    /// Direction, in radians.
    pub angle: f32,
    /// Period.
    pub period: f32,
    /// Seed of [`Texture::Noise`].
    pub seed: u64,
}

/// Names of sizes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SizeName {
    /// Circumradius below 0.13.
    Small,
    /// Circumradius from 0.13 to 0.18.
    Medium,
    /// Circumradius above 0.18.
    Large,
}

impl SizeName {
    /// All sizes.
    pub const ALL: [SizeName; 3] = [SizeName::Small, SizeName::Medium, SizeName::Large];

    /// The name.
    pub fn name(self) -> &'static str {
        ["small", "medium", "large"][self as usize]
    }

    /// The circumradius that the name stands for.
    pub fn radius(self) -> f32 {
        [0.11, 0.155, 0.21][self as usize]
    }

    /// The name of a circumradius.
    pub fn of(radius: f32) -> SizeName {
        match radius {
            r if r < 0.13 => SizeName::Small,
            r if r > 0.18 => SizeName::Large,
            _ => SizeName::Medium,
        }
    }
}

impl Object {
    /// The name of the hue.
    pub fn color(&self) -> Color {
        Color::nearest(self.hue)
    }

    /// The name of the size.
    pub fn size_name(&self) -> SizeName {
        SizeName::of(self.radius)
    }
}

impl Backdrop {
    /// The name of the hue.
    pub fn color(&self) -> Color {
        Color::nearest(self.hue)
    }
}
