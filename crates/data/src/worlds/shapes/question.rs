//! Questions about a scene, as programs that run on its graph.

use super::color::Color;
use super::graph::{Node, Relation, SceneGraph};
use super::outline::ShapeKind;
use super::scene::SizeName;
use super::scenes::pick;
use rand::{Rng, RngExt};
use std::fmt::{self, Display, Formatter};

/// A question. [`Display`] asks it in English, [`Question::answer`] computes the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Question {
    /// "Is there a red circle left of the star?" Without a relation: "Is there a red circle?"
    Exists(Reference),
    /// "How many red things are there?"
    Count(Filter),
    /// "What color is the star?"
    Query(Attribute, Reference),
    /// "Is the star left of the red circle?"
    Relate(Filter, Relation, Filter),
    /// "Do the star and the red circle have the same color?"
    Same(Attribute, Filter, Filter),
}

/// What an object must be; what is `None` is left open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Filter {
    /// Its size.
    pub size: Option<SizeName>,
    /// Its colour.
    pub color: Option<Color>,
    /// Its kind; "thing" if left open.
    pub kind: Option<ShapeKind>,
}

/// An object told by what it is and, maybe, by where it is relative to another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Reference {
    /// What it is.
    pub filter: Filter,
    /// Where it is: "left of the star".
    pub relative: Option<(Relation, Filter)>,
}

/// What can be asked of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Attribute {
    /// "size"
    Size,
    /// "color"
    Color,
    /// "shape"
    Kind,
}

/// The answer to a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Answer {
    /// Yes or no.
    Truth(bool),
    /// How many.
    Number(usize),
    /// A size.
    Size(SizeName),
    /// A colour.
    Color(Color),
    /// A kind.
    Kind(ShapeKind),
}

/// A question that has no answer in a scene, because "the …" does not tell exactly one object.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{objects} objects of the scene are called \"the {name}\"; a question needs exactly one")]
pub struct Unanswerable {
    /// What the object is called.
    pub name: String,
    /// How many objects fit.
    pub objects: usize,
}

impl Attribute {
    /// All attributes.
    pub const ALL: [Attribute; 3] = [Attribute::Size, Attribute::Color, Attribute::Kind];

    /// The attribute in words.
    pub fn name(self) -> &'static str {
        ["size", "color", "shape"][self as usize]
    }

    /// The attribute's value.
    pub fn of(self, node: &Node) -> Answer {
        match self {
            Attribute::Size => Answer::Size(node.size),
            Attribute::Color => Answer::Color(node.color),
            Attribute::Kind => Answer::Kind(node.kind),
        }
    }
}

impl Filter {
    /// Whether a node is what the filter says.
    pub fn fits(&self, node: &Node) -> bool {
        self.size.is_none_or(|size| size == node.size)
            && self.color.is_none_or(|color| color == node.color)
            && self.kind.is_none_or(|kind| kind == node.kind)
    }

    /// A filter that fits `node`: each attribute is said with probability ½.
    fn of(node: &Node, rng: &mut impl Rng) -> Filter {
        Filter {
            size: rng.random_bool(0.5).then_some(node.size),
            color: rng.random_bool(0.5).then_some(node.color),
            kind: rng.random_bool(0.5).then_some(node.kind),
        }
    }

    /// The filter without what it says about an attribute.
    fn without(self, attribute: Attribute) -> Filter {
        match attribute {
            Attribute::Size => Filter { size: None, ..self },
            Attribute::Color => Filter { color: None, ..self },
            Attribute::Kind => Filter { kind: None, ..self },
        }
    }

    /// The filter with one of the attributes that it mentions replaced by another value.
    fn altered(self, rng: &mut impl Rng) -> Filter {
        match (self.size, self.color, self.kind) {
            (_, _, Some(_)) if rng.random_bool(0.5) => Filter { kind: Some(pick(&ShapeKind::ALL, rng)), ..self },
            (_, Some(_), _) if rng.random_bool(0.5) => Filter { color: Some(pick(&Color::ALL, rng)), ..self },
            (_, _, Some(_)) => Filter { kind: Some(pick(&ShapeKind::ALL, rng)), ..self },
            (_, Some(_), _) => Filter { color: Some(pick(&Color::ALL, rng)), ..self },
            _ => Filter { size: Some(pick(&SizeName::ALL, rng)), ..self },
        }
    }
}

impl Question {
    /// The answer in a scene.
    ///
    /// # Errors
    /// [`Unanswerable`] if a definite description ("the star") does not fit exactly one object.
    pub fn answer(&self, graph: &SceneGraph) -> Result<Answer, Unanswerable> {
        Ok(match *self {
            Question::Exists(reference) => Answer::Truth(!reference.all(graph)?.is_empty()),
            Question::Count(filter) => Answer::Number(graph.nodes.iter().filter(|n| filter.fits(n)).count()),
            Question::Query(attribute, reference) => attribute.of(&graph.nodes[reference.only(graph)?]),
            Question::Relate(a, relation, b) => {
                Answer::Truth(graph.relations.contains(&(a.only(graph)?, relation, b.only(graph)?)))
            }
            Question::Same(attribute, a, b) => {
                let (a, b) = (&graph.nodes[a.only(graph)?], &graph.nodes[b.only(graph)?]);
                Answer::Truth(attribute.of(a) == attribute.of(b))
            }
        })
    }

    /// A question that the scene answers, of a form chosen uniformly. Yes and no are equally likely wherever the scene
    /// allows both, so that the form does not give the answer away. `None` if 200 attempts find none, as in a scene
    /// without objects.
    pub fn draw(graph: &SceneGraph, rng: &mut impl Rng) -> Option<Question> {
        let (form, truth) = (rng.random_range(0..5), rng.random_bool(0.5));
        (0..200).find_map(|attempt| {
            let question = Question::attempt(graph, form, rng)?;
            match question.answer(graph).ok()? {
                // Half of the attempts insist on the wanted answer, for a scene may not allow it.
                Answer::Truth(found) => (found == truth || attempt >= 100).then_some(question),
                _ => Some(question),
            }
        })
    }

    fn attempt(graph: &SceneGraph, form: usize, rng: &mut impl Rng) -> Option<Question> {
        let nodes = &graph.nodes;
        let [i, j] = [0; 2].map(|_| rng.random_range(0..nodes.len().max(1)));
        let (a, b) = (Filter::of(nodes.get(i)?, rng), Filter::of(nodes.get(j)?, rng));
        let relative = (i != j && rng.random_bool(0.5)).then(|| (pick(&Relation::ALL, rng), b));
        // Contradictions in terms, and "is the star a star", are not asked.
        let attribute = pick(&Attribute::ALL, rng);
        match form {
            0 if a == Filter::default() => None,
            0 => {
                let filter = if rng.random_bool(0.5) { a } else { a.altered(rng) };
                Some(Question::Exists(Reference { filter, relative }))
            }
            1 => Some(Question::Count(a)),
            2 => Some(Question::Query(attribute, Reference { filter: a.without(attribute), relative })),
            3 => (i != j).then(|| Question::Relate(a, pick(&Relation::ALL, rng), b)),
            _ => (i != j).then(|| Question::Same(attribute, a.without(attribute), b.without(attribute))),
        }
    }
}

impl Filter {
    /// The only node that fits.
    fn only(&self, graph: &SceneGraph) -> Result<usize, Unanswerable> {
        Reference { filter: *self, relative: None }.only(graph)
    }
}

impl Reference {
    /// All nodes that fit.
    fn all(&self, graph: &SceneGraph) -> Result<Vec<usize>, Unanswerable> {
        let mut fitting: Vec<usize> = (0..graph.nodes.len()).filter(|&i| self.filter.fits(&graph.nodes[i])).collect();
        if let Some((relation, filter)) = self.relative {
            let to = filter.only(graph)?;
            fitting.retain(|&from| graph.relations.contains(&(from, relation, to)));
        }
        Ok(fitting)
    }

    /// The only node that fits.
    fn only(&self, graph: &SceneGraph) -> Result<usize, Unanswerable> {
        match self.all(graph)?[..] {
            [only] => Ok(only),
            ref several => Err(Unanswerable { name: self.to_string(), objects: several.len() }),
        }
    }
}

impl Display for Filter {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        let words = [self.size.map(SizeName::name), self.color.map(Color::name)];
        words.into_iter().flatten().try_for_each(|word| write!(f, "{word} "))?;
        f.write_str(self.kind.map_or("thing", ShapeKind::name))
    }
}

impl Display for Reference {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        write!(f, "{}", self.filter)?;
        self.relative.iter().try_for_each(|(relation, filter)| write!(f, " {} the {filter}", relation.name()))
    }
}

impl Display for Question {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        match self {
            Question::Exists(reference) => {
                let name = reference.to_string();
                let article = if name.starts_with('o') { "an" } else { "a" };
                write!(f, "is there {article} {name}?")
            }
            Question::Count(filter) => {
                let plural = if filter.kind == Some(ShapeKind::Cross) { "es" } else { "s" };
                write!(f, "how many {filter}{plural} are there?")
            }
            Question::Query(attribute, reference) => write!(f, "what {} is the {reference}?", attribute.name()),
            Question::Relate(a, relation, b) => write!(f, "is the {a} {} the {b}?", relation.name()),
            Question::Same(attribute, a, b) => {
                write!(f, "do the {a} and the {b} have the same {}?", attribute.name())
            }
        }
    }
}

impl Display for Answer {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        match self {
            Answer::Truth(true) => f.write_str("yes"),
            Answer::Truth(false) => f.write_str("no"),
            Answer::Number(n) => write!(f, "{n}"),
            Answer::Size(size) => f.write_str(size.name()),
            Answer::Color(color) => f.write_str(color.name()),
            Answer::Kind(kind) => f.write_str(kind.name()),
        }
    }
}
