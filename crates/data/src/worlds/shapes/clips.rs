//! Moving scenes: straight motion with reflection at the image's sides, or around a torus.

use super::outline::ShapeKind;
use super::scene::{Object, Scene};
use super::scenes::{Scenes, between};
use crate::worlds::error::WorldError;
use crate::worlds::stream::stream;
use perturb_graph::Tensor;
use rand::{Rng, RngExt};
use rand_distr::StandardNormal;
use std::f32::consts::TAU;

/// The world of clips. The first frame is a scene of [`Scenes`]; every object has a constant speed, uniform in
/// `speed`, and a direction uniform on the circle. Objects pass in front of each other without collision. At a
/// distance of their circumradius from a side of the image they are reflected; on a torus they go on.
#[derive(Clone, Debug, PartialEq)]
pub struct Clips {
    /// Law of the first frame.
    pub scenes: Scenes,
    /// Number of frames.
    pub frames: usize,
    /// Smallest and largest speed, in sides of the image per frame.
    pub speed: [f32; 2],
    /// What happens to the first object, and from which frame on.
    pub anomaly: Option<(Anomaly, usize)>,
}

/// A departure from what all other objects do.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Anomaly {
    /// The object is of this kind.
    Kind(ShapeKind),
    /// The object moves this many times as fast.
    Speed(f32),
    /// The object is displaced in every frame by independent normal noise of this standard deviation, in sides of the
    /// image.
    Jitter(f32),
}

/// A clip, frame by frame.
#[derive(Clone, Debug, PartialEq)]
pub struct Clip {
    /// The frames. Only positions differ, the noise of the pixels, and what an anomaly changes.
    pub scenes: Vec<Scene>,
    /// Velocity of each object in each frame, sides of the image per frame, jitter left out.
    pub velocities: Vec<Vec<[f32; 2]>>,
    /// Whether a frame is abnormal.
    pub abnormal: Vec<bool>,
}

/// A clip in pixels.
#[derive(Clone, Debug, PartialEq)]
pub struct RenderedClip {
    /// f32 `[T, 3, H, W]` in [0, 1].
    pub images: Tensor,
    /// f32 `[T, objects, H, W]`, as in [`Rendered`](super::Rendered).
    pub visible: Tensor,
    /// f32 `[T − 1, 2, H, W]`: how far, in pixels to the right and down, the object at least half visible in a pixel
    /// moves until the next frame; 0 on the backdrop. On a torus the shorter way around.
    pub flow: Tensor,
}

/// The straight line of one coordinate.
struct Path {
    start: f32,
    velocity: f32,
    /// Nearest position to a side, or `None` on a torus.
    margin: Option<f32>,
}

impl Path {
    /// Position and velocity after `time` frames, `gain` times as fast from frame `from` on.
    fn at(&self, time: f32, gain: f32, from: f32) -> (f32, f32) {
        let factor = if time >= from { gain } else { 1.0 };
        let travelled = self.velocity * (time.min(from) + gain * (time - from).max(0.0));
        let Some(margin) = self.margin else {
            return ((self.start + travelled).rem_euclid(1.0), self.velocity * factor);
        };
        // Unfolded, the way to and fro is a straight line of period twice the room.
        let room = 1.0 - 2.0 * margin;
        let unfolded = (self.start - margin + travelled).rem_euclid(2.0 * room);
        if unfolded <= room {
            (margin + unfolded, self.velocity * factor)
        } else {
            (margin + 2.0 * room - unfolded, -self.velocity * factor)
        }
    }
}

impl Clips {
    /// Clip `index` of `seed`; it depends on nothing else.
    ///
    /// # Errors
    /// As [`Scenes::scene`]; [`WorldError::Parameter`] for no frames, or speeds that are not finite.
    pub fn clip(&self, seed: u64, index: u64) -> Result<Clip, WorldError> {
        let fail = |parameter, value, expected: &str| Err(WorldError::parameter("shapes", parameter, value, expected));
        if self.frames == 0 {
            return fail("frames", "0".to_string(), "a clip needs at least one frame");
        }
        if !(0.0 <= self.speed[0] && self.speed[0] <= self.speed[1] && self.speed[1].is_finite()) {
            return fail("speed", format!("{:?}", self.speed), "give two finite speeds, the smaller first");
        }
        let mut rng = stream("shapes clips", seed, index);
        let first = self.scenes.scene(seed, index)?;
        let paths: Vec<[Path; 2]> = first
            .objects
            .iter()
            .map(|object| {
                let (speed, (sin, cos)) = (between(self.speed, &mut rng), rng.random_range(0.0..TAU).sin_cos());
                let margin = (!first.wraps).then_some(object.radius);
                [(object.x, cos), (object.y, sin)].map(|(start, c)| Path { start, velocity: speed * c, margin })
            })
            .collect();
        let mut clip = Clip { scenes: Vec::new(), velocities: Vec::new(), abnormal: Vec::new() };
        for frame in 0..self.frames {
            let mut scene = Scene { noise_seed: rng.random(), ..first.clone() };
            let mut velocities = Vec::new();
            for (i, (object, path)) in scene.objects.iter_mut().zip(&paths).enumerate() {
                let anomaly = self.anomaly.filter(|_| i == 0);
                velocities.push(step(object, path, frame, anomaly, &mut rng));
            }
            clip.scenes.push(scene);
            clip.velocities.push(velocities);
            clip.abnormal.push(self.anomaly.is_some_and(|(_, from)| frame >= from) && !paths.is_empty());
        }
        Ok(clip)
    }
}

/// Moves an object to its place in a frame; its velocity.
fn step(
    object: &mut Object,
    path: &[Path; 2],
    frame: usize,
    anomaly: Option<(Anomaly, usize)>,
    rng: &mut impl Rng,
) -> [f32; 2] {
    let (gain, from) = if let Some((Anomaly::Speed(gain), from)) = anomaly { (gain, from) } else { (1.0, 0) };
    let [(x, vx), (y, vy)] = [&path[0], &path[1]].map(|p| p.at(frame as f32, gain, from as f32));
    [object.x, object.y] = [x, y];
    match anomaly {
        Some((Anomaly::Kind(kind), from)) if frame >= from => object.kind = kind,
        Some((Anomaly::Jitter(deviation), from)) if frame >= from => {
            for coordinate in [&mut object.x, &mut object.y] {
                *coordinate += deviation * rng.sample::<f32, _>(StandardNormal);
            }
        }
        _ => {}
    }
    [vx, vy]
}

impl Clip {
    /// The clip in pixels.
    pub fn render(&self, size: usize) -> RenderedClip {
        let (frames, objects, area) = (self.scenes.len(), self.scenes[0].objects.len(), size * size);
        let (mut images, mut visible) = (vec![0.0; frames * 3 * area], vec![0.0; frames * objects * area]);
        let mut flow = vec![0.0; (frames - 1) * 2 * area];
        for (frame, scene) in self.scenes.iter().enumerate() {
            let visible = &mut visible[frame * objects * area..][..objects * area];
            scene.draw(size, &mut images[frame * 3 * area..][..3 * area], visible);
            let Some(next) = self.scenes.get(frame + 1) else { break };
            let flow = &mut flow[frame * 2 * area..][..2 * area];
            for (object, visible) in visible.chunks(area).enumerate() {
                let [dx, dy] = scene.displacement(next, object).map(|d| d * size as f32);
                for pixel in (0..area).filter(|&pixel| visible[pixel] >= 0.5) {
                    [flow[pixel], flow[area + pixel]] = [dx, dy];
                }
            }
        }
        let tensor = |shape: [usize; 4], data| Tensor::new(shape, data).expect("buffers are made for these shapes");
        RenderedClip {
            images: tensor([frames, 3, size, size], images),
            visible: tensor([frames, objects, size, size], visible),
            flow: tensor([frames - 1, 2, size, size], flow),
        }
    }
}

impl Scene {
    /// How far an object moves to its place in another scene.
    fn displacement(&self, next: &Scene, object: usize) -> [f32; 2] {
        let (a, b) = (&self.objects[object], &next.objects[object]);
        [b.x - a.x, b.y - a.y].map(|d| if self.wraps { d - d.round() } else { d })
    }
}
