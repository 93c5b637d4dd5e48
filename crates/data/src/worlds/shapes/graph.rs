//! Scene graphs: objects with names of attributes, and relations between them.

use super::color::Color;
use super::outline::ShapeKind;
use super::scene::{Object, Scene, SizeName};

/// What a scene says in words: attributes of objects and where they are relative to each other.
#[derive(Clone, Debug, PartialEq)]
pub struct SceneGraph {
    /// The objects, in the scene's order.
    pub nodes: Vec<Node>,
    /// All that hold, `(from, relation, to)` as in "from is left of to".
    pub relations: Vec<(usize, Relation, usize)>,
}

/// Names of an object's attributes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Node {
    /// What it is.
    pub kind: ShapeKind,
    /// Its colour.
    pub color: Color,
    /// Its size.
    pub size: SizeName,
}

/// Where one object's centre is relative to another's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Relation {
    /// Further left, by more than [`Relation::MARGIN`].
    LeftOf,
    /// Further right, by more than [`Relation::MARGIN`].
    RightOf,
    /// Higher, by more than [`Relation::MARGIN`].
    Above,
    /// Lower, by more than [`Relation::MARGIN`].
    Below,
}

impl Relation {
    /// All relations.
    pub const ALL: [Relation; 4] = [Relation::LeftOf, Relation::RightOf, Relation::Above, Relation::Below];
    /// Difference of coordinates, as a fraction of the image's side, from which a relation holds; smaller ones are
    /// left open, because they are hard to see.
    pub const MARGIN: f32 = 0.05;

    /// The relation in words.
    pub fn name(self) -> &'static str {
        ["left of", "right of", "above", "below"][self as usize]
    }

    /// The relation that holds from `b` to `a` where this one holds from `a` to `b`.
    pub fn inverse(self) -> Relation {
        [Relation::RightOf, Relation::LeftOf, Relation::Below, Relation::Above][self as usize]
    }

    /// Whether it holds from `a` to `b`.
    pub fn holds(self, a: &Object, b: &Object) -> bool {
        let (dx, dy) = (b.x - a.x, b.y - a.y);
        let ahead = match self {
            Relation::LeftOf => dx,
            Relation::RightOf => -dx,
            Relation::Above => dy,
            Relation::Below => -dy,
        };
        ahead > Relation::MARGIN
    }

    /// The relation from `a` to `b` along the axis on which they differ most, if one holds.
    pub fn between(a: &Object, b: &Object) -> Option<Relation> {
        let (dx, dy) = (b.x - a.x, b.y - a.y);
        let axis = if dx.abs() >= dy.abs() {
            [Relation::LeftOf, Relation::RightOf]
        } else {
            [Relation::Above, Relation::Below]
        };
        axis.into_iter().find(|relation| relation.holds(a, b))
    }
}

impl Object {
    /// The names of its attributes.
    pub fn node(&self) -> Node {
        Node { kind: self.kind, color: self.color(), size: self.size_name() }
    }
}

impl Scene {
    /// The scene's graph.
    pub fn graph(&self) -> SceneGraph {
        let mut relations = Vec::new();
        for (i, a) in self.objects.iter().enumerate() {
            for (j, b) in self.objects.iter().enumerate().filter(|&(j, _)| j != i) {
                relations.extend(Relation::ALL.into_iter().filter(|r| r.holds(a, b)).map(|r| (i, r, j)));
            }
        }
        SceneGraph { nodes: self.objects.iter().map(Object::node).collect(), relations }
    }
}
