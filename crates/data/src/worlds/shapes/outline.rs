//! Outlines of plane figures, as signed distances in pixels.

use super::creature::Creature;
use std::f32::consts::{FRAC_1_SQRT_2, SQRT_2, TAU};

/// What a figure is: the noun of its caption, the class of most tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ShapeKind {
    /// A disc.
    Circle,
    /// A square.
    Square,
    /// An equilateral triangle.
    Triangle,
    /// A star of five points, inner radius [`ShapeKind::STAR_INNER`].
    Star,
    /// A Greek cross, arms of half width [`ShapeKind::CROSS_ARM`].
    Cross,
    /// An annulus, inner radius [`ShapeKind::RING_INNER`].
    Ring,
    /// A square on its corner with half discs on its two upper sides.
    Heart,
    /// An individual [`Creature`], told by its identity.
    Creature,
}

impl ShapeKind {
    /// All kinds, by class index.
    pub const ALL: [ShapeKind; 8] = [
        ShapeKind::Circle,
        ShapeKind::Square,
        ShapeKind::Triangle,
        ShapeKind::Star,
        ShapeKind::Cross,
        ShapeKind::Ring,
        ShapeKind::Heart,
        ShapeKind::Creature,
    ];
    /// Inner radius of the star, as a fraction of its circumradius.
    pub const STAR_INNER: f32 = 0.42;
    /// Half the width of the cross's arms, as a fraction of its circumradius.
    pub const CROSS_ARM: f32 = 0.3;
    /// Inner radius of the ring, as a fraction of its outer radius.
    pub const RING_INNER: f32 = 0.55;

    /// The class index, in the order of [`ShapeKind::ALL`].
    pub fn label(self) -> usize {
        self as usize
    }

    /// The class name.
    pub fn name(self) -> &'static str {
        match self {
            ShapeKind::Circle => "circle",
            ShapeKind::Square => "square",
            ShapeKind::Triangle => "triangle",
            ShapeKind::Star => "star",
            ShapeKind::Cross => "cross",
            ShapeKind::Ring => "ring",
            ShapeKind::Heart => "heart",
            ShapeKind::Creature => "creature",
        }
    }

    /// Corners on or inside the unit circle, in order; none for figures with curved sides.
    fn corners(self) -> Vec<[f32; 2]> {
        let regular = |n: usize, radius: fn(usize) -> f32| -> Vec<[f32; 2]> {
            let angle = |i: usize| TAU * i as f32 / n as f32 - TAU / 4.0;
            (0..n).map(|i| [radius(i) * angle(i).cos(), radius(i) * angle(i).sin()]).collect()
        };
        match self {
            ShapeKind::Circle | ShapeKind::Ring | ShapeKind::Heart | ShapeKind::Creature => Vec::new(),
            ShapeKind::Square => [[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [-1.0, 1.0f32]]
                .map(|[x, y]| [x * FRAC_1_SQRT_2, y * FRAC_1_SQRT_2])
                .to_vec(),
            ShapeKind::Triangle => regular(3, |_| 1.0),
            ShapeKind::Star => regular(10, |i| if i.is_multiple_of(2) { 1.0 } else { ShapeKind::STAR_INNER }),
            ShapeKind::Cross => {
                let arm = ShapeKind::CROSS_ARM;
                let tip = (1.0 - arm * arm).sqrt();
                let quarter = [[arm, -tip], [arm, -arm], [tip, -arm]];
                let turn = |[x, y]: [f32; 2], turns| (0..turns).fold([x, y], |[x, y], _| [-y, x]);
                (0..4).flat_map(|turns| quarter.map(|p| turn(p, turns))).collect()
            }
        }
    }
}

/// A figure placed in the image; coordinates in pixels, y downwards.
pub(crate) enum Outline {
    Annulus { centre: [f32; 2], inner: f32, outer: f32 },
    Polygon(Vec<Edge>),
    Heart(Placement),
    Creature(Placement, Box<Creature>),
}

/// Where a figure is and how it is turned.
#[derive(Clone, Copy)]
pub(crate) struct Placement {
    centre: [f32; 2],
    radius: f32,
    cos: f32,
    sin: f32,
}

impl Placement {
    pub(crate) fn new(centre: [f32; 2], radius: f32, rotation: f32) -> Placement {
        let (sin, cos) = rotation.sin_cos();
        Placement { centre, radius, cos, sin }
    }

    /// A point of the image in the figure's own axes, circumradius 1.
    pub(crate) fn local(&self, [x, y]: [f32; 2]) -> [f32; 2] {
        let (dx, dy) = ((x - self.centre[0]) / self.radius, (y - self.centre[1]) / self.radius);
        [self.cos * dx + self.sin * dy, self.cos * dy - self.sin * dx]
    }
}

/// From one corner to the next.
pub(crate) struct Edge {
    start: [f32; 2],
    step: [f32; 2],
    inverse_square_length: f32,
}

impl Outline {
    /// `kind` with circumradius `radius` around `centre`, turned by `rotation` radians (clockwise on the screen);
    /// `identity` tells one creature from another.
    pub(crate) fn new(kind: ShapeKind, centre: [f32; 2], radius: f32, rotation: f32, identity: u64) -> Outline {
        let placement = || Placement::new(centre, radius, rotation);
        match kind {
            ShapeKind::Circle => Outline::Annulus { centre, inner: 0.0, outer: radius },
            ShapeKind::Ring => Outline::Annulus { centre, inner: ShapeKind::RING_INNER * radius, outer: radius },
            ShapeKind::Heart => Outline::Heart(placement()),
            ShapeKind::Creature => Outline::Creature(placement(), Box::new(Creature::from_seed(identity))),
            _ => Outline::polygon(&kind.corners(), centre, radius, rotation),
        }
    }

    fn polygon(corners: &[[f32; 2]], centre: [f32; 2], radius: f32, rotation: f32) -> Outline {
        let (sin, cos) = rotation.sin_cos();
        let place =
            |[x, y]: [f32; 2]| [centre[0] + radius * (cos * x - sin * y), centre[1] + radius * (sin * x + cos * y)];
        let edge = |i: usize| {
            let (start, end) = (place(corners[i]), place(corners[(i + 1) % corners.len()]));
            let step = [end[0] - start[0], end[1] - start[1]];
            Edge { start, step, inverse_square_length: 1.0 / (step[0] * step[0] + step[1] * step[1]) }
        };
        Outline::Polygon((0..corners.len()).map(edge).collect())
    }

    /// Distance in pixels from `point` to the outline, negative inside.
    pub(crate) fn signed_distance(&self, point: [f32; 2]) -> f32 {
        match self {
            Outline::Annulus { centre, inner, outer } => {
                let distance = (point[0] - centre[0]).hypot(point[1] - centre[1]);
                if *inner > 0.0 { (distance - outer).max(inner - distance) } else { distance - outer }
            }
            Outline::Polygon(edges) => polygon_distance(edges, point),
            Outline::Heart(placement) => placement.radius * heart_distance(placement.local(point)),
            Outline::Creature(placement, creature) => {
                placement.radius * creature.signed_distance(placement.local(point))
            }
        }
    }
}

/// Distance from the tip of a heart of square side √½ to the centre of its circumcircle, which is also the latter's
/// radius: the circle through the tip that touches both lobes, c = ½ / (3/2 − √½).
const HEART_CENTRE: f32 = 0.630_601_94;

/// Exact distance to a heart of circumradius 1, tip towards +y (Quilez, "2D distance functions").
fn heart_distance([x, y]: [f32; 2]) -> f32 {
    let (x, y) = (x.abs() * HEART_CENTRE, HEART_CENTRE * (1.0 - y));
    let distance = if x + y > 1.0 {
        (x - 0.25).hypot(y - 0.75) - SQRT_2 / 4.0
    } else {
        let along = 0.5 * (x + y).max(0.0);
        x.hypot(y - 1.0).min((x - along).hypot(y - along)).copysign(x - y)
    };
    distance / HEART_CENTRE
}

/// The nearest edge gives the distance, the parity of crossings of a ray the sign.
fn polygon_distance(edges: &[Edge], [x, y]: [f32; 2]) -> f32 {
    let (mut square, mut inside) = (f32::INFINITY, false);
    for Edge { start, step, inverse_square_length } in edges {
        let (dx, dy) = (x - start[0], y - start[1]);
        let t = ((dx * step[0] + dy * step[1]) * inverse_square_length).clamp(0.0, 1.0);
        let (rx, ry) = (dx - t * step[0], dy - t * step[1]);
        square = square.min(rx * rx + ry * ry);
        let crosses = (dy < 0.0) != (dy < step[1]);
        let left_of_edge = if step[1] > 0.0 { dx * step[1] < step[0] * dy } else { dx * step[1] > step[0] * dy };
        inside ^= crosses && left_of_edge;
    }
    if inside { -square.sqrt() } else { square.sqrt() }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether `p` is in the figure of circumradius 1 around the origin, from its definition.
    fn contains(kind: ShapeKind, [x, y]: [f32; 2]) -> bool {
        let radius = x.hypot(y);
        match kind {
            ShapeKind::Circle => radius <= 1.0,
            ShapeKind::Ring => (ShapeKind::RING_INNER..=1.0).contains(&radius),
            ShapeKind::Square => x.abs().max(y.abs()) <= FRAC_1_SQRT_2,
            // Apothem 1/2 towards the three side normals.
            ShapeKind::Triangle => (0..3).all(|i| {
                let angle = TAU * i as f32 / 3.0 + TAU / 4.0;
                x * angle.cos() + y * angle.sin() <= 0.5
            }),
            ShapeKind::Cross => {
                let tip = (1.0 - ShapeKind::CROSS_ARM.powi(2)).sqrt();
                x.abs().min(y.abs()) <= ShapeKind::CROSS_ARM && x.abs().max(y.abs()) <= tip
            }
            // A square and two discs.
            ShapeKind::Heart => {
                let (x, y) = (HEART_CENTRE * x.abs(), HEART_CENTRE * (1.0 - y));
                (x + (y - 0.5).abs() <= 0.5) || (x - 0.25).hypot(y - 0.75) <= 2.0f32.sqrt() / 4.0
            }
            ShapeKind::Creature => Creature::from_seed(5).signed_distance([x, y]) <= 0.0,
            // Folded into the sector between a point and the neighbouring notch, one line bounds the star.
            ShapeKind::Star => {
                let angle = (y.atan2(x) + TAU / 4.0).rem_euclid(TAU / 5.0);
                let angle = angle.min(TAU / 5.0 - angle);
                let (px, py) = (radius * angle.cos(), radius * angle.sin());
                let inner = ShapeKind::STAR_INNER;
                let (nx, ny) = (inner * (TAU / 10.0).cos(), inner * (TAU / 10.0).sin());
                (px - 1.0) * ny - py * (nx - 1.0) <= 0.0
            }
        }
    }

    #[test]
    fn sign_equals_definition() {
        for kind in ShapeKind::ALL {
            let (centre, scale, rotation) = ([17.3, 14.1], 9.7, 0.6f32);
            let outline = Outline::new(kind, centre, scale, rotation, 5);
            let (sin, cos) = rotation.sin_cos();
            let mut disagreements = 0;
            for i in 0..320 {
                for j in 0..320 {
                    let p = [j as f32 / 10.0 + 0.037, i as f32 / 10.0 + 0.053];
                    let (dx, dy) = ((p[0] - centre[0]) / scale, (p[1] - centre[1]) / scale);
                    let local = [cos * dx + sin * dy, -sin * dx + cos * dy];
                    let distance = outline.signed_distance(p);
                    disagreements += usize::from(contains(kind, local) != (distance <= 0.0) && distance.abs() > 1e-3);
                }
            }
            assert_eq!(disagreements, 0, "{kind:?}");
        }
    }

    /// The distance is 1-Lipschitz and reaches zero: compared with the nearest of many points where the sign changes.
    #[test]
    fn size_equals_nearest_boundary_point() {
        // A creature's distance is of first order only: tested near the outline below.
        for kind in ShapeKind::ALL.into_iter().filter(|&kind| kind != ShapeKind::Creature) {
            let outline = Outline::new(kind, [0.0, 0.0], 10.0, 0.0, 5);
            let mut boundary = Vec::new();
            for ray in 0..4000 {
                let angle = TAU * ray as f32 / 4000.0;
                let at = |r: f32| [r * angle.cos(), r * angle.sin()];
                for step in 0..240 {
                    let r = 0.05 * step as f32;
                    if contains(kind, at(r / 10.0)) != contains(kind, at((r + 0.05) / 10.0)) {
                        boundary.push(at(r + 0.025));
                    }
                }
            }
            for p in [[0.3, 0.2], [7.0, 1.0], [-4.0, 9.0], [12.0, -12.0], [1.0, -5.0f32]] {
                let nearest = boundary.iter().map(|b| (p[0] - b[0]).hypot(p[1] - b[1])).fold(f32::INFINITY, f32::min);
                let distance = outline.signed_distance(p).abs();
                assert!((distance - nearest).abs() < 0.06, "{kind:?} at {p:?}: {distance} instead of {nearest}");
            }
        }
    }

    /// Within half a pixel of the outline, where coverage is computed, the distance of a creature of radius 10 pixels
    /// is right to a tenth of a pixel.
    #[test]
    fn creatures_have_nearly_exact_distances_near_the_outline() {
        for identity in 0..20 {
            let outline = Outline::new(ShapeKind::Creature, [0.0, 0.0], 10.0, 0.3, identity);
            let mut boundary = Vec::new();
            for ray in 0..4000 {
                let (sin, cos) = (TAU * ray as f32 / 4000.0).sin_cos();
                let (mut low, mut high) = (0.0, 10.1);
                for _ in 0..30 {
                    let middle = 0.5 * (low + high);
                    let inside = outline.signed_distance([middle * cos, middle * sin]) < 0.0;
                    (low, high) = if inside { (middle, high) } else { (low, middle) };
                }
                boundary.push([low * cos, low * sin]);
            }
            for b in boundary.iter().step_by(37) {
                for offset in [0.4f32, -0.4] {
                    let p = [b[0] + offset, b[1] - 0.3 * offset];
                    let nearest =
                        boundary.iter().map(|b| (p[0] - b[0]).hypot(p[1] - b[1])).fold(f32::INFINITY, f32::min);
                    let distance = outline.signed_distance(p).abs();
                    assert!((distance - nearest).abs() < 0.1, "{identity}: {distance} instead of {nearest}");
                }
            }
        }
    }
}
