//! Scene graphs as GQA stores them.

use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

/// The graph of an image.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Scene {
    /// Objects by their numbers.
    pub objects: BTreeMap<String, Object>,
}

/// An object of an image.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Object {
    /// What it is.
    pub name: String,
    /// Its attributes, of all types.
    #[serde(default)]
    pub attributes: Vec<String>,
    /// What it stands in a relation to.
    #[serde(default)]
    pub relations: Vec<Relation>,
}

/// A relation of an object to another one.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Relation {
    /// The relation, as in "the object is `to the left of` the other one".
    pub name: String,
    /// The number of the other one.
    pub object: String,
}

impl Scene {
    /// Numbers of the objects of a name.
    pub(super) fn named(&self, name: &str) -> Vec<&str> {
        self.objects.iter().filter(|(_, object)| object.name == name).map(|(id, _)| id.as_str()).collect()
    }

    /// Whether an object stands in a relation to another one.
    pub(super) fn relates(&self, subject: &str, relation: &str, object: &str) -> bool {
        let of = self.objects.get(subject);
        of.is_some_and(|o| o.relations.iter().any(|r| r.name == relation && r.object == object))
    }

    /// All names, attributes and relations that the graph has.
    pub(super) fn words(&self) -> BTreeSet<&str> {
        let words = self.objects.values().flat_map(|o| {
            let relations = o.relations.iter().map(|r| &r.name);
            std::iter::once(&o.name).chain(&o.attributes).chain(relations)
        });
        words.map(String::as_str).collect()
    }
}
