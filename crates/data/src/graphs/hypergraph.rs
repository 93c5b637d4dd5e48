//! Co-citation and co-authorship hypergraphs of Yadati et al. 2019 (HyperGCN).

use super::{MAX_INDEX, SparseMatrix, svm};
use crate::error::{DataError, Result};
use crate::lines::{Lines, plain_or_gzipped};
use std::path::Path;

/// A hypergraph whose nodes are to be classified.
#[derive(Clone, Debug, PartialEq)]
pub struct Hypergraph {
    /// Number of nodes.
    pub nodes: usize,
    /// Name of each hyperedge, a paper or an author.
    pub names: Vec<String>,
    /// Nodes of each hyperedge.
    pub hyperedges: Vec<Vec<usize>>,
    /// Class of each node.
    pub labels: Vec<usize>,
    /// Number of classes.
    pub classes: usize,
    /// Features `[N, F]`, if the folder holds them.
    pub features: Option<SparseMatrix>,
    /// Nodes to learn from in the first published split; all others are for testing.
    pub train: Vec<usize>,
}

impl Hypergraph {
    /// Loads `labels.txt` (one a line), `hyperedges.tsv` (name, tab, nodes between blanks), `split1_train.txt` (a node a
    /// line) and, if it is there, `features.svm` from a folder; each may be gzipped.
    ///
    /// # Errors
    /// [`DataError`], with the line for malformed rows.
    pub fn load(folder: &Path) -> Result<Hypergraph> {
        let mut labels = Vec::new();
        Lines::open(&folder.join("labels.txt"))?.for_each(|line| {
            labels.push(line.index(line.text.trim(), MAX_INDEX, "a label")?);
            Ok(())
        })?;
        let nodes = labels.len();
        if nodes == 0 {
            return Err(DataError::Empty { path: folder.join("labels.txt"), expected: "one label a line" });
        }
        let (mut names, mut hyperedges) = (Vec::new(), Vec::new());
        Lines::open(&folder.join("hyperedges.tsv"))?.for_each(|line| {
            let [name, members] = line.fields('\t')?;
            names.push(name.to_string());
            hyperedges.push(members.split(' ').map(|m| line.index(m, nodes, "a node")).collect::<Result<_>>()?);
            Ok(())
        })?;
        let mut train = Vec::new();
        Lines::open(&folder.join("split1_train.txt"))?.for_each(|line| {
            train.push(line.index(line.text.trim(), nodes, "a node")?);
            Ok(())
        })?;
        let features = folder.join("features.svm");
        let features = if plain_or_gzipped(&features).exists() { Some(svm::read(&features, nodes)?) } else { None };
        let classes = labels.iter().max().map_or(0, |&label| label + 1);
        Ok(Hypergraph { nodes, names, hyperedges, labels, classes, features, train })
    }

    /// The incidence matrix `[N, E]`: 1 where a node belongs to a hyperedge.
    pub fn incidence(&self) -> SparseMatrix {
        let members = self.hyperedges.iter().enumerate();
        let entries = members.flat_map(|(edge, nodes)| nodes.iter().map(move |&node| (node, edge, 1.0)));
        let mut matrix = SparseMatrix::from_entries(self.nodes, self.hyperedges.len(), entries);
        // A node listed twice in a hyperedge belongs to it once.
        matrix.values.fill(1.0);
        matrix
    }
}
