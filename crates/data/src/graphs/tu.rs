//! Collections of small graphs with a class each, in the text form of Xu et al. 2019 (GIN) and Zhang et al. 2018 (DGCNN).

use super::UndirectedGraph;
use crate::error::{DataError, Result};
use crate::lines::Lines;
use std::collections::BTreeSet;
use std::path::Path;

/// A collection of graphs to classify.
#[derive(Clone, Debug, PartialEq)]
pub struct GraphClassification {
    /// The graphs.
    pub graphs: Vec<TaggedGraph>,
    /// Class of each graph; classes are numbered in the order of the file's labels.
    pub labels: Vec<usize>,
    /// Number of classes.
    pub classes: usize,
    /// Number of node tags: tags are below it.
    pub tags: usize,
}

/// A graph whose nodes have tags, such as kinds of atoms.
#[derive(Clone, Debug, PartialEq)]
pub struct TaggedGraph {
    /// The graph, without loops and repetitions.
    pub graph: UndirectedGraph,
    /// Tag of each node; tags are numbered in the order of the file's.
    pub tags: Vec<usize>,
    /// Real attributes of each node, all of one length; empty where the collection has none.
    pub attributes: Vec<Vec<f32>>,
}

impl GraphClassification {
    /// Loads a collection: a line with the number of graphs; then per graph a line `nodes label` and per node a line
    /// `tag degree neighbours… attributes…`. The file may be gzipped.
    ///
    /// # Errors
    /// [`DataError`], with the line for malformed rows.
    pub fn load(path: &Path) -> Result<GraphClassification> {
        let mut lines = Lines::open(path)?;
        let [count] = first(&mut lines, "the number of graphs")?;
        let (mut graphs, mut labels) = (Vec::new(), Vec::new());
        for _ in 0..count {
            let [nodes, label] = first(&mut lines, "a graph's number of nodes and label")?;
            graphs.push(read_graph(&mut lines, usize::try_from(nodes).unwrap_or(0))?);
            labels.push(label);
        }
        if graphs.is_empty() {
            return Err(DataError::Empty { path: lines.path().to_path_buf(), expected: "at least one graph" });
        }
        let (labels, classes) = ranks(&labels);
        let raw: Vec<i64> = graphs.iter().flat_map(|(_, tags, _)| tags.iter().copied()).collect();
        let (ranked, tags) = ranks(&raw);
        let mut ranked = ranked.into_iter();
        let graphs = graphs.into_iter().map(|(graph, tags, attributes)| {
            let tags = ranked.by_ref().take(tags.len()).collect();
            TaggedGraph { graph, tags, attributes }
        });
        Ok(GraphClassification { graphs: graphs.collect(), labels, classes, tags })
    }
}

/// The whole numbers of the next line.
fn first<const N: usize>(lines: &mut Lines, what: &str) -> Result<[i64; N]> {
    let Some(line) = lines.next_line()? else {
        return Err(lines.error(format!("the file ends after this line, where {what} should follow")));
    };
    let mut numbers = [0; N];
    for (number, word) in numbers.iter_mut().zip(line.words::<N>()?) {
        *number = line.number(word, what)?;
    }
    if numbers[0] < 0 { Err(line.error(format!("{what} cannot be negative"))) } else { Ok(numbers) }
}

type Parsed = (UndirectedGraph, Vec<i64>, Vec<Vec<f32>>);

fn read_graph(lines: &mut Lines, nodes: usize) -> Result<Parsed> {
    let (mut edges, mut tags, mut attributes) = (Vec::new(), Vec::new(), Vec::<Vec<f32>>::new());
    for node in 0..nodes {
        let Some(line) = lines.next_line()? else {
            return Err(lines.error(format!("the file ends after this line, in a graph of {nodes} nodes")));
        };
        let mut words = line.text.split_whitespace();
        let mut word = |what: &str| words.next().ok_or_else(|| line.error(format!("{what} is missing")));
        tags.push(line.number(word("the tag")?, "the tag")?);
        let degree: usize = line.number(word("the degree")?, "the degree")?;
        for _ in 0..degree {
            let neighbour = line.index(word("a neighbour")?, nodes, "a neighbour")?;
            edges.push([node.min(neighbour), node.max(neighbour)]);
        }
        let rest: Vec<f32> = words.map(|w| Ok(line.real(w, "an attribute")? as f32)).collect::<Result<_>>()?;
        if attributes.first().is_some_and(|a| a.len() != rest.len()) {
            return Err(line.error(format!(
                "{} attributes, but {} at the node before",
                rest.len(),
                attributes[0].len()
            )));
        }
        attributes.push(rest);
    }
    if attributes.first().is_none_or(Vec::is_empty) {
        attributes.clear();
    }
    Ok((UndirectedGraph { nodes, edges }.simple(), tags, attributes))
}

/// Each value's rank among the distinct values, and how many there are.
fn ranks(values: &[i64]) -> (Vec<usize>, usize) {
    let distinct: Vec<i64> = values.iter().copied().collect::<BTreeSet<_>>().into_iter().collect();
    (values.iter().map(|v| distinct.partition_point(|d| d < v)).collect(), distinct.len())
}
