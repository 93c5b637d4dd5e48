//! "Is a" relations, such as WordNet's hypernymy.

use crate::error::{DataError, Result};
use crate::lines::Lines;
use std::collections::HashMap;
use std::path::Path;

/// Pairs of a concept and one of its ancestors.
///
/// ```
/// use perturb_data::graphs::Taxonomy;
/// let direct = Taxonomy::from_pairs([("cat", "feline"), ("feline", "mammal"), ("oak", "tree")]);
/// let closure = direct.closure();
/// assert_eq!(closure.pairs.len(), 4);
/// assert_eq!(closure.subtree("mammal").unwrap().names, ["cat", "feline", "mammal"]);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Taxonomy {
    /// Name of each concept, in the order of first mention.
    pub names: Vec<String>,
    /// `[child, ancestor]`, by index into `names`.
    pub pairs: Vec<[usize; 2]>,
}

impl Taxonomy {
    /// Loads a file of `child<TAB>ancestor` lines, gzipped or not.
    ///
    /// # Errors
    /// [`DataError`], with the line for malformed rows.
    pub fn load(path: &Path) -> Result<Taxonomy> {
        let mut builder = Builder::default();
        let mut lines = Lines::open(path)?;
        while let Some(line) = lines.next_line()? {
            let [child, ancestor] = line.fields('\t')?;
            if child.is_empty() || ancestor.is_empty() {
                return Err(line.error("a concept without name"));
            }
            builder.add(child, ancestor);
        }
        if builder.taxonomy.pairs.is_empty() {
            return Err(DataError::Empty { path: lines.path().to_path_buf(), expected: "lines of child and ancestor" });
        }
        Ok(builder.taxonomy)
    }

    /// The taxonomy of these pairs of a child and an ancestor.
    pub fn from_pairs<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Taxonomy {
        let mut builder = Builder::default();
        pairs.into_iter().for_each(|(child, ancestor)| builder.add(child, ancestor));
        builder.taxonomy
    }

    /// Index of a name.
    pub fn index(&self, name: &str) -> Option<usize> {
        self.names.iter().position(|n| n == name)
    }

    /// The transitive closure: a pair for every concept and every one of its ancestors, sorted; no concept is its own
    /// ancestor, even where the relation has cycles.
    pub fn closure(&self) -> Taxonomy {
        let parents = self.neighbours(|[child, ancestor]| (child, ancestor));
        let mut pairs = Vec::new();
        let mut seen_by = vec![usize::MAX; self.names.len()];
        for child in 0..self.names.len() {
            let mut open = parents[child].clone();
            let first = pairs.len();
            seen_by[child] = child;
            while let Some(ancestor) = open.pop() {
                if seen_by[ancestor] != child {
                    seen_by[ancestor] = child;
                    pairs.push([child, ancestor]);
                    open.extend(&parents[ancestor]);
                }
            }
            pairs[first..].sort_unstable();
        }
        Taxonomy { names: self.names.clone(), pairs }
    }

    /// The pairs among a concept and everything below it; `None` if there is no concept of this name.
    pub fn subtree(&self, root: &str) -> Option<Taxonomy> {
        let root = self.index(root)?;
        let children = self.neighbours(|[child, ancestor]| (ancestor, child));
        let mut inside = vec![false; self.names.len()];
        let mut open = vec![root];
        while let Some(concept) = open.pop() {
            if !std::mem::replace(&mut inside[concept], true) {
                open.extend(&children[concept]);
            }
        }
        let kept = self.pairs.iter().filter(|[child, ancestor]| inside[*child] && inside[*ancestor]);
        Some(Taxonomy::from_pairs(kept.map(|&[child, ancestor]| (&*self.names[child], &*self.names[ancestor]))))
    }

    fn neighbours(&self, direction: impl Fn([usize; 2]) -> (usize, usize)) -> Vec<Vec<usize>> {
        let mut neighbours = vec![Vec::new(); self.names.len()];
        for &pair in &self.pairs {
            let (from, to) = direction(pair);
            neighbours[from].push(to);
        }
        neighbours
    }
}

#[derive(Default)]
struct Builder {
    taxonomy: Taxonomy,
    indices: HashMap<String, usize>,
}

impl Builder {
    fn add(&mut self, child: &str, ancestor: &str) {
        let pair = [self.index(child), self.index(ancestor)];
        self.taxonomy.pairs.push(pair);
    }

    fn index(&mut self, name: &str) -> usize {
        if let Some(&index) = self.indices.get(name) {
            return index;
        }
        let index = self.taxonomy.names.len();
        self.taxonomy.names.push(name.to_string());
        self.indices.insert(name.to_string(), index);
        index
    }
}
