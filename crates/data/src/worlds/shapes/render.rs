//! From scenes to pixels and masks.

use super::creature::Creature;
use super::outline::{Outline, Placement};
use super::scene::{Object, Pattern, Scene};
use super::style::{Ink, Style, mix};
use super::texture::Background;
use crate::worlds::stream::stream;
use perturb_graph::Tensor;
use rand::Rng;

/// A picture with the truth about its pixels.
#[derive(Clone, Debug, PartialEq)]
pub struct Rendered {
    /// f32 `[3, H, W]` in [0, 1].
    pub image: Tensor,
    /// f32 `[objects, H, W]` in [0, 1]: which part of the pixel's light comes from the object, occlusion included.
    /// The rest up to 1 comes from the backdrop. A pixel changes when the object is removed if and only if this is
    /// above 0 (but for coincidences of colours).
    pub visible: Tensor,
}

impl Rendered {
    /// i64 `[H, W]`: 0 for the backdrop, else 1 + the index of the object that fills most of the pixel.
    pub fn segmentation(&self) -> Tensor {
        let (objects, shape) = (self.visible.shape()[0], &self.visible.shape()[1..]);
        let visible = self.visible.as_slice::<f32>();
        let area = shape[0] * shape[1];
        let winner = |pixel: usize| {
            let mut best = (0, 1.0 - (0..objects).map(|o| visible[o * area + pixel]).sum::<f32>());
            for object in 0..objects {
                let share = visible[object * area + pixel];
                if share > best.1 {
                    best = (1 + object as i64, share);
                }
            }
            best.0
        };
        Tensor::new(shape, (0..area).map(winner).collect()).expect("one value per pixel")
    }

    /// Box of each object's visible pixels (at least half visible), `[left, top, right, bottom]` in pixels, the last
    /// two exclusive; `None` where nothing is to be seen.
    pub fn boxes(&self) -> Vec<Option<[usize; 4]>> {
        let [height, width] = [self.visible.shape()[1], self.visible.shape()[2]];
        let bounds = |plane: &[f32]| {
            let mut found: Option<[usize; 4]> = None;
            for pixel in (0..height * width).filter(|&pixel| plane[pixel] >= 0.5) {
                let (x, y) = (pixel % width, pixel / width);
                let [left, top, right, bottom] = found.unwrap_or([x, y, x, y]);
                found = Some([left.min(x), top.min(y), right.max(x + 1), bottom.max(y + 1)]);
            }
            found
        };
        self.visible.as_slice::<f32>().chunks(height * width).map(bounds).collect()
    }
}

impl Scene {
    /// The picture of `size`×`size` pixels.
    pub fn render(&self, size: usize) -> Rendered {
        let area = size * size;
        let (mut image, mut visible) = (vec![0.0; 3 * area], vec![0.0; self.objects.len() * area]);
        self.draw(size, &mut image, &mut visible);
        Rendered {
            image: Tensor::new([3, size, size], image).expect("three planes"),
            visible: Tensor::new([self.objects.len(), size, size], visible).expect("one plane per object"),
        }
    }

    /// Fills the planes of an image and of its objects' visible parts, which must be zero.
    pub(crate) fn draw(&self, size: usize, image: &mut [f32], visible: &mut [f32]) {
        let area = size * size;
        self.draw_backdrop(size, image);
        for (index, object) in self.objects.iter().enumerate() {
            for shift in self.shifts(object) {
                self.draw_object(size, object, shift, image, &mut visible[..(index + 1) * area]);
            }
        }
        if self.noise > 0.0 {
            add_noise(image, self.noise, &mut stream("shapes noise", self.noise_seed, 0));
        }
    }

    fn draw_backdrop(&self, size: usize, image: &mut [f32]) {
        let ground = self.style.ground(&self.backdrop);
        let area = size * size;
        for (plane, level) in image.chunks_mut(area.max(1)).zip(ground) {
            plane.fill(level);
        }
        if self.style == Style::Textured {
            let surface = self.backdrop.pattern.surface();
            for pixel in 0..area {
                let (x, y) = ((pixel % size) as f32 + 0.5, (pixel / size) as f32 + 0.5);
                let shade = 0.4 + 0.6 * surface.level(x / size as f32, y / size as f32);
                (0..3).for_each(|c| image[c * area + pixel] *= shade);
            }
        }
    }

    /// Where copies of an object are to be drawn: at itself, on a torus also across the seams that it crosses.
    fn shifts(&self, object: &Object) -> impl Iterator<Item = [f32; 2]> + use<> {
        let across = |centre: f32| {
            // One pixel at least for the soft edge.
            let reach = object.radius + 0.1;
            let low = if self.wraps && centre < reach { 1.0 } else { 0.0 };
            let high = if self.wraps && centre > 1.0 - reach { -1.0 } else { 0.0 };
            [0.0, low, high].into_iter().enumerate().filter(|&(i, v)| i == 0 || v != 0.0).map(|(_, v)| v)
        };
        let rows = across(object.y);
        let columns: Vec<f32> = across(object.x).collect();
        rows.flat_map(move |dy| columns.clone().into_iter().map(move |dx| [dx, dy]))
    }

    /// Draws the last of the objects whose planes are given over the picture so far.
    fn draw_object(&self, size: usize, object: &Object, shift: [f32; 2], image: &mut [f32], visible: &mut [f32]) {
        let (area, side) = (size * size, size as f32);
        let centre = [(object.x + shift[0]) * side, (object.y + shift[1]) * side];
        let figure = Figure::new(self, object, centre, object.radius * side);
        let span = |c: f32| {
            let reach = object.radius * side + 1.0;
            ((c - reach).floor().max(0.0) as usize).min(size)..((c + reach).ceil().max(0.0) as usize).min(size)
        };
        let (behind, own) = visible.split_at_mut(visible.len() - area);
        for row in span(centre[1]) {
            for column in span(centre[0]) {
                let point = [column as f32 + 0.5, row as f32 + 0.5];
                let distance = figure.outline.signed_distance(point);
                // Exact for a straight edge that is parallel to the pixel's sides, close to it otherwise.
                let coverage = (0.5 - distance).clamp(0.0, 1.0);
                if coverage == 0.0 {
                    continue;
                }
                let pixel = row * size + column;
                let color = figure.color(point, -distance);
                for c in 0..3 {
                    let value = &mut image[c * area + pixel];
                    // In this form, what is wholly covered leaves no trace, not even of rounding.
                    *value = coverage * color[c] + (1.0 - coverage) * *value;
                }
                behind.iter_mut().skip(pixel).step_by(area).for_each(|share| *share *= 1.0 - coverage);
                own[pixel] = coverage + (1.0 - coverage) * own[pixel];
            }
        }
    }
}

/// An object made ready for drawing.
struct Figure {
    outline: Outline,
    placement: Placement,
    radius: f32,
    style: Style,
    ink: Ink,
    surface: Option<Background>,
    second_ink: Ink,
}

impl Figure {
    fn new(scene: &Scene, object: &Object, centre: [f32; 2], radius: f32) -> Figure {
        let style = scene.style;
        let ground = style.ground(&scene.backdrop);
        let outline = Outline::new(object.kind, centre, radius, object.rotation, object.identity);
        let turn = if let Outline::Creature(_, creature) = &outline { creature.second_hue } else { 0.0 };
        Figure {
            outline,
            placement: Placement::new(centre, radius, object.rotation),
            radius,
            style,
            ink: style.ink(object, 0.0, ground),
            surface: (style == Style::Textured).then(|| object.pattern.surface()),
            second_ink: style.ink(object, turn, ground),
        }
    }

    /// The colour at a point of the image that lies `depth` pixels inside.
    fn color(&self, point: [f32; 2], depth: f32) -> [f32; 3] {
        let local = self.placement.local(point);
        let color = match &self.outline {
            Outline::Creature(_, creature) => self.creature(creature, local, depth),
            _ => self.ink.at(self.style, depth, self.radius, local),
        };
        match &self.surface {
            Some(surface) => color.map(|v| v * (0.55 + 0.45 * surface.level(local[0] + 0.5, local[1] + 0.5))),
            None => color,
        }
    }

    /// Body, markings and eyes.
    fn creature(&self, creature: &Creature, local: [f32; 2], depth: f32) -> [f32; 3] {
        let blur = 1.0 / self.radius;
        let body = self.ink.at(self.style, depth, self.radius, local);
        let marks = self.second_ink.at(self.style, depth, self.radius, local);
        let color = mix(body, marks, creature.marking_share(local, blur));
        let (level, cover) = creature.eye(local, blur);
        mix(color, [level; 3], cover)
    }
}

impl Pattern {
    /// The texture as a function of place.
    fn surface(&self) -> Background {
        Background::new(self.texture, self.angle, self.period, &mut stream("shapes texture", self.seed, 0))
    }
}

/// Adds uniform noise of the given half width, from one random byte per value, and clamps to [0, 1].
pub(crate) fn add_noise(image: &mut [f32], half_width: f32, rng: &mut impl Rng) {
    let mut bytes = [0; 256];
    for chunk in image.chunks_mut(bytes.len()) {
        rng.fill_bytes(&mut bytes);
        for (value, byte) in chunk.iter_mut().zip(bytes) {
            *value = (*value + half_width * (f32::from(byte) / 127.5 - 1.0)).clamp(0.0, 1.0);
        }
    }
}
