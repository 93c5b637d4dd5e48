//! The words that stand for one another: those of all scene graphs and programs of the files.

use super::program::{Program, RawStep};
use super::scene::Scene;
use crate::contrast::AtomKind;
use std::collections::{BTreeMap, BTreeSet};

/// Attributes by their types, such as `color`.
pub(super) type Types = BTreeMap<String, BTreeSet<String>>;

/// What atoms are replaced by.
#[derive(Clone, Debug, Default)]
pub(super) struct Atoms {
    names: BTreeSet<String>,
    relations: BTreeSet<String>,
    /// By the types that programs give them: graphs have attributes without types.
    pub types: Types,
    /// All attributes of the graphs.
    attributes: BTreeSet<String>,
    /// Other words for objects, such as "animal", with the names of those that were called so.
    also: BTreeMap<String, BTreeSet<String>>,
}

impl Atoms {
    pub fn of(scenes: &BTreeMap<String, Scene>) -> Atoms {
        let mut atoms = Atoms::default();
        for object in scenes.values().flat_map(|scene| scene.objects.values()) {
            atoms.names.insert(object.name.clone());
            atoms.relations.extend(object.relations.iter().map(|r| r.name.clone()));
            atoms.attributes.extend(object.attributes.iter().cloned());
        }
        atoms
    }

    /// Adds what a question says about words: of which type attributes are, and what else objects are called.
    pub fn learn(&mut self, scene: &Scene, program: Option<&Program>, (raw, answer): (&[RawStep], &str)) {
        for (kind, word) in program.iter().flat_map(|p| &p.steps).flat_map(|(step, _)| step.typed()) {
            self.types.entry(kind.into()).or_default().insert(word.into());
        }
        if let Some(kind) = raw.last().and_then(RawStep::asked)
            && self.attributes.contains(answer)
        {
            self.types.entry(kind.into()).or_default().insert(answer.into());
        }
        for (word, name) in other_words(scene, raw) {
            self.also.entry(word.into()).or_default().insert(name.into());
        }
    }

    /// The words of the type of an atom.
    pub fn like(&self, of: AtomKind, kind: &str) -> impl Iterator<Item = &str> {
        let words = match of {
            AtomKind::Object => Some(&self.names),
            AtomKind::Relation => Some(&self.relations),
            AtomKind::Attribute => self.types.get(kind),
        };
        words.into_iter().flatten().map(String::as_str)
    }

    /// Whether an object of a graph may be called by a word that is not its name: then the graph does not tell that there
    /// is no such thing.
    pub fn is_other_word(&self, word: &str, scene: &Scene) -> bool {
        self.also.get(word).is_some_and(|names| scene.objects.values().any(|object| names.contains(&object.name)))
    }

    pub fn is_attribute(&self, word: &str) -> bool {
        self.attributes.contains(word)
    }
}

/// Words of a program for objects that the graph calls otherwise, with these names.
pub(super) fn other_words<'a>(scene: &'a Scene, raw: &'a [RawStep]) -> impl Iterator<Item = (&'a str, &'a str)> {
    let named = raw.iter().filter_map(RawStep::named);
    let pairs = named.flat_map(|(word, numbers)| {
        let objects = numbers.filter_map(|number| scene.objects.get(number));
        objects.map(move |object| (word, object.name.as_str()))
    });
    pairs.filter(|(word, name)| word != name)
}
