//! The law of scenes: how many objects, of which kinds, colours, sizes and places.

use super::color::Color;
use super::creature::Creature;
use super::outline::ShapeKind;
use super::scene::{Backdrop, Object, Pattern, Scene, SizeName};
use super::style::Style;
use super::texture::Texture;
use crate::worlds::error::WorldError;
use crate::worlds::stream::stream;
use crate::{Dataset, Format, PixelEncoding};
use perturb_graph::Tensor;
use rand::{Rng, RngExt};
use rayon::prelude::*;
use std::f32::consts::TAU;

/// The world of scenes. Every factor is drawn independently of the others, uniformly from what its field allows;
/// laws with dependences come from editing the scenes that it draws.
///
/// Saturation is drawn from [0.75, 1) for objects and [0.4, 0.7) for backdrops, value from [0.8, 1) and [0.25, 0.45),
/// so that objects stand out in every style. A creature's hue is its own.
#[derive(Clone, Debug, PartialEq)]
pub struct Scenes {
    /// Height and width of the images in pixels.
    pub size: usize,
    /// Half width of the uniform noise on every channel of every pixel.
    pub noise: f32,
    /// Smallest and largest number of objects.
    pub objects: [usize; 2],
    /// Kinds with their weights (which need not sum to 1).
    pub kinds: Vec<(ShapeKind, f32)>,
    /// Hues of the objects.
    pub hues: Hues,
    /// Hues of the backdrop.
    pub backdrop_hues: Hues,
    /// Circumradii of the objects.
    pub radii: Radii,
    /// Rotations are drawn from `[low, high)`, in radians.
    pub rotation: [f32; 2],
    /// Styles.
    pub styles: Vec<Style>,
    /// Textures of objects and backdrops, which [`Style::Textured`] shows.
    pub textures: Vec<Texture>,
    /// Where the objects may be.
    pub placement: Placement,
}

/// A law of hues.
#[derive(Clone, Debug, PartialEq)]
pub enum Hues {
    /// One of these colours, with up to 0.02 to either side, so that the name is beyond doubt.
    Named(Vec<Color>),
    /// Uniform from `[low, high)`.
    Between(f32, f32),
}

/// A law of circumradii, fractions of the image's side.
#[derive(Clone, Debug, PartialEq)]
pub enum Radii {
    /// One of these sizes, with up to 8 % to either side, so that the name is beyond doubt.
    Named(Vec<SizeName>),
    /// Uniform from `[low, high)`.
    Between(f32, f32),
}

/// Where objects may be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Placement {
    /// Wholly inside of the image; objects may cover each other.
    Inside,
    /// Wholly inside, circumcircles at least this fraction of the image's side apart.
    Apart(f32),
    /// Anywhere on a torus ([`Scene::wraps`]).
    Torus,
}

/// Samples 0 to n − 1 of a seed.
#[derive(Clone, Debug, PartialEq)]
pub struct ScenesSet {
    /// f32 `[N, 3, H, W]` in [0, 1].
    pub images: Tensor,
    /// f32 `[N, objects, H, W]`, the largest number of objects; see [`Rendered`](super::Rendered). Planes of objects
    /// that a scene does not have are 0.
    pub visible: Tensor,
    /// What the images show.
    pub scenes: Vec<Scene>,
}

impl Default for Scenes {
    /// One to three objects of the six kinds of [`Shapes`](super::Shapes) and hearts, named hues and sizes, flat, apart, 32×32, noise ±0.03.
    fn default() -> Self {
        Scenes {
            size: 32,
            noise: 0.03,
            objects: [1, 3],
            kinds: ShapeKind::ALL.into_iter().filter(|&k| k != ShapeKind::Creature).map(|kind| (kind, 1.0)).collect(),
            hues: Hues::Named(Color::ALL.to_vec()),
            backdrop_hues: Hues::Named(Color::ALL.to_vec()),
            radii: Radii::Named(SizeName::ALL.to_vec()),
            rotation: [0.0, TAU],
            styles: vec![Style::Flat],
            textures: Texture::ALL.to_vec(),
            placement: Placement::Apart(0.0),
        }
    }
}

/// Attempts to place all objects before giving up.
const ATTEMPTS: usize = 2000;

impl Scenes {
    /// Scene `index` of `seed`; it depends on nothing else.
    ///
    /// # Errors
    /// [`WorldError::Parameter`] if a field allows nothing, or objects cannot be placed apart in 2000 attempts.
    pub fn scene(&self, seed: u64, index: u64) -> Result<Scene, WorldError> {
        self.check()?;
        self.draw(&mut stream("shapes scenes", seed, index))
    }

    /// The first `n` samples of `seed`, computed in parallel.
    ///
    /// # Errors
    /// As [`Scenes::scene`].
    pub fn dataset(&self, seed: u64, n: usize) -> Result<ScenesSet, WorldError> {
        self.check()?;
        let (area, planes) = (self.size * self.size, self.objects[1]);
        let (mut images, mut visible) = (vec![0.0; n * 3 * area], vec![0.0; n * planes * area]);
        let scenes = images
            .par_chunks_mut(3 * area)
            .zip(visible.par_chunks_mut((planes * area).max(1)))
            .enumerate()
            .map(|(index, (image, visible))| {
                let scene = self.draw(&mut stream("shapes scenes", seed, index as u64))?;
                scene.draw(self.size, image, &mut visible[..scene.objects.len() * area]);
                Ok(scene)
            })
            .collect::<Result<Vec<Scene>, WorldError>>()?;
        let tensor = |channels: usize, data| {
            Tensor::new([n, channels, self.size, self.size], data).expect("buffers are made for these shapes")
        };
        Ok(ScenesSet { images: tensor(3, images), visible: tensor(planes, visible), scenes })
    }

    fn draw(&self, rng: &mut impl Rng) -> Result<Scene, WorldError> {
        let count = rng.random_range(self.objects[0]..=self.objects[1]);
        let style = pick(&self.styles, rng);
        let backdrop = Backdrop {
            hue: self.backdrop_hues.draw(rng),
            saturation: rng.random_range(0.4..0.7),
            value: rng.random_range(0.25..0.45),
            pattern: self.pattern(0.15..0.4, rng),
        };
        let mut objects: Vec<Object> = (0..count).map(|_| self.object(rng)).collect();
        self.place(&mut objects, rng)?;
        let (wraps, noise_seed) = (self.placement == Placement::Torus, rng.random());
        Ok(Scene { objects, backdrop, style, wraps, noise: self.noise, noise_seed })
    }

    /// An object that is not yet placed.
    fn object(&self, rng: &mut impl Rng) -> Object {
        let kind = self.kind(rng);
        let (hue, identity) = (self.hues.draw(rng), rng.random());
        Object {
            kind,
            hue: if kind == ShapeKind::Creature { Creature::from_seed(identity).hue } else { hue },
            saturation: rng.random_range(0.75..1.0),
            value: rng.random_range(0.8..1.0),
            radius: self.radii.draw(rng),
            x: 0.5,
            y: 0.5,
            rotation: between(self.rotation, rng),
            pattern: self.pattern(0.5..1.0, rng),
            identity,
        }
    }

    fn kind(&self, rng: &mut impl Rng) -> ShapeKind {
        let total: f32 = self.kinds.iter().map(|k| k.1).sum();
        let mut rest = rng.random_range(0.0..1.0) * total;
        for &(kind, weight) in &self.kinds {
            if rest < weight {
                return kind;
            }
            rest -= weight;
        }
        // Rounding can leave a rest after the last kind.
        self.kinds.iter().rfind(|k| k.1 > 0.0).expect("checked: a weight is positive").0
    }

    fn pattern(&self, period: std::ops::Range<f32>, rng: &mut impl Rng) -> Pattern {
        Pattern {
            texture: pick(&self.textures, rng),
            angle: rng.random_range(0.0..TAU),
            period: rng.random_range(period),
            seed: rng.random(),
        }
    }

    fn place(&self, objects: &mut [Object], rng: &mut impl Rng) -> Result<(), WorldError> {
        for _ in 0..ATTEMPTS {
            for object in objects.iter_mut() {
                let margin = if self.placement == Placement::Torus { 0.0 } else { object.radius };
                [object.x, object.y] = [0, 1].map(|_| between([margin, 1.0 - margin], rng));
            }
            let Placement::Apart(gap) = self.placement else { return Ok(()) };
            let apart = |a: &Object, b: &Object| (a.x - b.x).hypot(a.y - b.y) >= a.radius + b.radius + gap;
            if objects.iter().enumerate().all(|(i, a)| objects[..i].iter().all(|b| apart(a, b))) {
                return Ok(());
            }
        }
        let expected =
            format!("{} objects cannot be placed in {ATTEMPTS} attempts: allow fewer or smaller ones", objects.len());
        Err(WorldError::parameter("shapes", "placement", format!("{:?}", self.placement), expected))
    }

    fn check(&self) -> Result<(), WorldError> {
        let fail =
            |parameter, value: String, expected: &str| Err(WorldError::parameter("shapes", parameter, value, expected));
        let [low, high] = self.radii.bounds();
        if self.size == 0 {
            return fail("size", "0".to_string(), "images need at least one pixel");
        }
        if self.objects[0] > self.objects[1] {
            return fail("objects", format!("{:?}", self.objects), "give the smallest number first");
        }
        if self.kinds.iter().any(|k| !k.1.is_finite() || k.1 < 0.0) || self.kinds.iter().all(|k| k.1 <= 0.0) {
            return fail(
                "kinds",
                format!("{:?}", self.kinds),
                "weights must be finite and not negative, and one positive",
            );
        }
        if !(low > 0.0 && low <= high && high < 0.5) {
            return fail(
                "radii",
                format!("{:?}", self.radii),
                "circumradii must lie above 0 and below 0.5, the smaller first",
            );
        }
        if !(self.noise >= 0.0 && self.noise.is_finite()) {
            return fail("noise", self.noise.to_string(), "it must be finite and not negative");
        }
        for (parameter, empty) in [
            ("hues", self.hues.is_empty()),
            ("backdrop_hues", self.backdrop_hues.is_empty()),
            ("rotation", !(self.rotation[0] <= self.rotation[1] && self.rotation.iter().all(|r| r.is_finite()))),
            ("styles", self.styles.is_empty()),
            ("textures", self.textures.is_empty()),
        ] {
            if empty {
                return fail(parameter, "empty".to_string(), "it must allow at least one finite value");
            }
        }
        Ok(())
    }
}

impl Hues {
    fn draw(&self, rng: &mut impl Rng) -> f32 {
        match self {
            Hues::Named(colors) => (pick(colors, rng).hue() + rng.random_range(-0.02..0.02)).rem_euclid(1.0),
            Hues::Between(low, high) => between([*low, *high], rng).rem_euclid(1.0),
        }
    }

    fn is_empty(&self) -> bool {
        match self {
            Hues::Named(colors) => colors.is_empty(),
            Hues::Between(low, high) => !(low <= high && low.is_finite() && high.is_finite()),
        }
    }
}

impl Radii {
    fn draw(&self, rng: &mut impl Rng) -> f32 {
        match self {
            Radii::Named(sizes) => pick(sizes, rng).radius() * rng.random_range(0.92..1.08),
            Radii::Between(low, high) => between([*low, *high], rng),
        }
    }

    /// Smallest and largest; not numbers if there are none.
    fn bounds(&self) -> [f32; 2] {
        match self {
            Radii::Named(sizes) => {
                let radii = || sizes.iter().map(|s| s.radius());
                [radii().fold(f32::NAN, f32::min), radii().fold(f32::NAN, f32::max)]
            }
            Radii::Between(low, high) => [*low, *high],
        }
    }
}

impl ScenesSet {
    /// The images with a label for each and the names of the classes, as every loader returns them. Shares the
    /// images' memory.
    pub fn to_dataset(&self, class_names: &[&str], label: impl Fn(&Scene) -> usize) -> Dataset {
        Dataset {
            inputs: self.images.clone(),
            labels: Some(self.scenes.iter().map(label).collect()),
            class_names: Some(class_names.iter().map(|name| name.to_string()).collect()),
            source: "shapes".to_string(),
            format: Format::World,
            pixel: PixelEncoding::Stored { min: 0.0, max: 1.0 },
        }
    }
}

/// One of a list that is not empty.
pub(super) fn pick<T: Copy>(list: &[T], rng: &mut impl Rng) -> T {
    list[rng.random_range(0..list.len())]
}

/// Uniform from `[low, high)`, or `low` where the interval is a point.
pub(super) fn between([low, high]: [f32; 2], rng: &mut impl Rng) -> f32 {
    low + (high - low) * rng.random_range(0.0..1.0f32)
}
