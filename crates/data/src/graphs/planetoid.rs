//! The citation networks Cora, Citeseer and Pubmed with the splits of Yang et al. 2016.

use super::{SparseMatrix, UndirectedGraph, published, svm};
use crate::error::{DataError, Result};
use crate::lines::{Lines, plain_or_gzipped};
use std::path::Path;

/// A citation network: papers, citations, bags of words, subjects.
#[derive(Clone, Debug, PartialEq)]
pub struct Planetoid {
    /// Papers and the citations between them, without direction.
    pub graph: UndirectedGraph,
    /// Bags of words `[N, F]`, if the folder holds them.
    pub features: Option<SparseMatrix>,
    /// Subject of each paper; a few papers of Citeseer have none.
    pub labels: Vec<Option<usize>>,
    /// Number of subjects.
    pub classes: usize,
    /// The published split.
    pub split: Split,
}

/// A split of examples, by index.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Split {
    /// To learn from.
    pub train: Vec<usize>,
    /// To choose by.
    pub validation: Vec<usize>,
    /// To report on.
    pub test: Vec<usize>,
}

impl Planetoid {
    /// Loads a network from a folder, in either form: as published, the pickles `ind.NAME.x`, `.y`, `.tx`, `.ty`,
    /// `.allx`, `.ally`, `.graph` and the text `ind.NAME.test.index`; or as text, `nodes.tsv` (id, label or −1, `train`,
    /// `val`, `test` or `-`), `edges.tsv` (two ids) and, if it is there, `features.svm` (line i for node i), each of
    /// which may be gzipped.
    ///
    /// # Errors
    /// [`DataError`], with the line for malformed rows.
    pub fn load(folder: &Path) -> Result<Planetoid> {
        match published::prefix(folder) {
            Some(prefix) if !plain_or_gzipped(&folder.join("nodes.tsv")).exists() => published::load(&prefix),
            _ => Planetoid::load_text(folder),
        }
    }

    fn load_text(folder: &Path) -> Result<Planetoid> {
        let (mut labels, mut split) = (Vec::new(), Split::default());
        Lines::open(&folder.join("nodes.tsv"))?.for_each(|line| {
            let [id, label, part] = line.fields('\t')?;
            let node = labels.len();
            if line.number::<usize>(id, "a node")? != node {
                return Err(line.error(format!("node {id} stands where node {node} is expected")));
            }
            match part {
                "train" => split.train.push(node),
                "val" => split.validation.push(node),
                "test" => split.test.push(node),
                "-" => {}
                _ => return Err(line.error(format!("the split is {part:?}; it must be train, val, test or -"))),
            }
            labels.push(match label {
                "-1" => None,
                // A subject is one of at most as many as there are papers; this only bounds what is believed.
                _ => Some(line.index(label, super::MAX_INDEX, "a label")?),
            });
            Ok(())
        })?;
        let nodes = labels.len();
        if nodes == 0 {
            return Err(DataError::Empty { path: folder.join("nodes.tsv"), expected: "one node a line" });
        }
        let graph = UndirectedGraph { nodes, edges: read_edges(&folder.join("edges.tsv"), nodes)? };
        let features = folder.join("features.svm");
        let features = if plain_or_gzipped(&features).exists() { Some(svm::read(&features, nodes)?) } else { None };
        let classes = labels.iter().flatten().max().map_or(0, |&label| label + 1);
        Ok(Planetoid { graph, features, labels, classes, split })
    }
}

fn read_edges(path: &Path, nodes: usize) -> Result<Vec<[usize; 2]>> {
    let mut edges = Vec::new();
    Lines::open(path)?.for_each(|line| {
        let [u, v] = line.fields('\t')?;
        let (u, v) = (line.index(u, nodes, "a node")?, line.index(v, nodes, "a node")?);
        edges.push([u.min(v), u.max(v)]);
        Ok(())
    })?;
    Ok(edges)
}
