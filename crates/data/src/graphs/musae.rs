//! Wikipedia and Facebook page networks of Rozemberczki et al. 2021 ("MUSAE").

use super::{MAX_INDEX, SparseMatrix, UndirectedGraph};
use crate::error::{DataError, Result};
use crate::lines::{Lines, plain_or_gzipped};
use crate::tables::csv_rows;
use std::collections::BTreeSet;
use std::path::Path;

/// A network of pages.
#[derive(Clone, Debug, PartialEq)]
pub struct Musae {
    /// Pages and links between them, without direction; with loops and repetitions as published.
    pub graph: UndirectedGraph,
    /// Which words or page descriptors occur, 0 or 1, `[N, F]`.
    pub features: SparseMatrix,
    /// What is to be predicted of each page.
    pub target: NodeTarget,
}

/// What is to be predicted of each node.
#[derive(Clone, Debug, PartialEq)]
pub enum NodeTarget {
    /// Average monthly traffic of a Wikipedia article.
    Real(Vec<f64>),
    /// A class.
    Class {
        /// Class of each node.
        labels: Vec<usize>,
        /// Names by class, sorted.
        names: Vec<String>,
    },
}

impl NodeTarget {
    /// Classes of nearly equal size by rank of the target: with five, the labels of the Wikipedia networks that Pei et
    /// al. 2020 (Geom-GCN) and most since use. Classes remain as they are.
    pub fn quantile_labels(&self, classes: usize) -> Vec<usize> {
        match self {
            NodeTarget::Class { labels, .. } => labels.clone(),
            NodeTarget::Real(values) => {
                let mut order: Vec<usize> = (0..values.len()).collect();
                order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
                let mut labels = vec![0; values.len()];
                order.iter().enumerate().for_each(|(rank, &node)| labels[node] = rank * classes / values.len());
                labels
            }
        }
    }
}

impl Musae {
    /// Loads `edges.csv`, `target.csv` and `features.json` from a folder; each may be gzipped.
    ///
    /// # Errors
    /// [`DataError`], with the line for malformed rows.
    pub fn load(folder: &Path) -> Result<Musae> {
        let target = read_target(&folder.join("target.csv"))?;
        let nodes = match &target {
            NodeTarget::Real(values) => values.len(),
            NodeTarget::Class { labels, .. } => labels.len(),
        };
        let mut edges = Vec::new();
        let mut header = true;
        Lines::open(&folder.join("edges.csv"))?.for_each(|line| {
            let [u, v] = line.fields(',')?;
            if !std::mem::take(&mut header) {
                let (u, v) = (line.index(u, nodes, "a node")?, line.index(v, nodes, "a node")?);
                edges.push([u.min(v), u.max(v)]);
            }
            Ok(())
        })?;
        let features = read_features(&folder.join("features.json"), nodes)?;
        Ok(Musae { graph: UndirectedGraph { nodes, edges }, features, target })
    }
}

fn read_target(path: &Path) -> Result<NodeTarget> {
    let path = plain_or_gzipped(path);
    let rows = csv_rows(&path, b',')?;
    let malformed = |line, reason: String| DataError::line(&path, line, reason);
    let mut values: Vec<String> = Vec::new();
    for (line, row) in rows.iter().skip(1) {
        if row.first().and_then(|id| id.parse().ok()) != Some(values.len()) || row.len() < 2 {
            return Err(malformed(*line, format!("expected a row about node {}", values.len())));
        }
        values.push(row[row.len() - 1].clone());
    }
    if values.is_empty() {
        return Err(DataError::Empty { path, expected: "a header and one row per node" });
    }
    let reals: Option<Vec<f64>> = values.iter().map(|v| v.parse().ok().filter(|v: &f64| v.is_finite())).collect();
    Ok(match reals {
        Some(reals) => NodeTarget::Real(reals),
        None => {
            let names: Vec<String> = values.iter().cloned().collect::<BTreeSet<_>>().into_iter().collect();
            let labels = values.iter().map(|v| names.partition_point(|n| n < v)).collect();
            NodeTarget::Class { labels, names }
        }
    })
}

/// An object of lists of feature indices by node. Node ids are strings there, features numbers or their strings.
fn read_features(path: &Path, nodes: usize) -> Result<SparseMatrix> {
    let mut lines = Lines::open(path)?;
    let mut text = String::new();
    while let Some(line) = lines.next_line()? {
        text.push_str(line.text);
        text.push('\n');
    }
    let malformed = |reason: String| DataError::malformed(lines.path(), reason);
    let object: std::collections::BTreeMap<String, Vec<serde_json::Value>> =
        serde_json::from_str(&text).map_err(|e| malformed(format!("not an object of lists of features ({e})")))?;
    let (mut entries, mut columns) = (Vec::new(), 0);
    for (node, features) in &object {
        let row = node.parse().ok().filter(|&row: &usize| row < nodes);
        let row = row.ok_or_else(|| malformed(format!("{node:?} is not one of the nodes 0 to {}", nodes - 1)))?;
        for feature in features {
            let column = match feature {
                serde_json::Value::String(s) => s.parse().ok(),
                other => other.as_u64().and_then(|v| usize::try_from(v).ok()),
            };
            let column = column.filter(|&c| c < MAX_INDEX);
            let column =
                column.ok_or_else(|| malformed(format!("node {node} has the feature {feature}; expected an index")))?;
            columns = columns.max(column + 1);
            entries.push((row, column, 1.0));
        }
    }
    let mut matrix = SparseMatrix::from_entries(nodes, columns, entries);
    matrix.values.fill(1.0);
    Ok(matrix)
}
