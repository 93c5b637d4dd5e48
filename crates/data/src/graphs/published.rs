//! The citation networks as Yang et al. 2016 published them, put together as everybody does since (Kipf & Welling 2017):
//! nodes of `allx` come first, those of the test set after them, in the places that `test.index` tells.

use super::pickle::{Array, Pickle};
use super::{MAX_INDEX, Planetoid, SparseMatrix, Split, UndirectedGraph};
use crate::error::{DataError, Result};
use crate::lines::Lines;
use std::path::{Path, PathBuf};

/// Papers to choose by come after those to learn from; so many.
const VALIDATION: usize = 500;

/// What the names of a folder's pickles begin with, such as `cora/ind.cora`.
pub(super) fn prefix(folder: &Path) -> Option<PathBuf> {
    let names = std::fs::read_dir(folder).ok()?.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let mut found: Vec<String> = names
        .filter_map(|name| Some(name.strip_suffix(".graph")?.to_string()))
        .filter(|n| n.starts_with("ind."))
        .collect();
    found.sort();
    found.first().map(|name| folder.join(name))
}

pub(super) fn load(prefix: &Path) -> Result<Planetoid> {
    let path = |part: &str| {
        let mut name = prefix.as_os_str().to_owned();
        name.push(format!(".{part}"));
        PathBuf::from(name)
    };
    let test = read_test(&path("test.index"))?;
    let (first, last) = (test.iter().min().copied().unwrap_or(0), test.iter().max().copied().unwrap_or(0));
    let nodes = last + 1;
    let known_words = Pickle::load(&path("allx"))?.sparse()?;
    let test_words = Pickle::load(&path("tx"))?.sparse()?;
    let (known, tested, columns) = (known_words.rows, test_words.rows, known_words.columns);
    let disagree =
        |what: &str| DataError::malformed(&path("test.index"), format!("it and the other files disagree about {what}"));
    if known != first || tested != test.len() || columns != test_words.columns {
        return Err(disagree("how many papers and words there are"));
    }
    let test_entries = test_words.entries().map(|(row, column, value)| (test[row], column, value));
    let features = SparseMatrix::from_entries(nodes, columns, known_words.entries().chain(test_entries));
    let (all_labels, classes) = read_labels(&path("ally"))?;
    let (test_labels, test_classes) = read_labels(&path("ty"))?;
    let learned = read_labels(&path("y"))?.0.len();
    if all_labels.len() != known || test_labels.len() != tested || classes != test_classes || learned > known {
        return Err(disagree("how many labels there are"));
    }
    // Papers between those of the test set that are in no file have neither words nor subject.
    let mut labels = all_labels;
    labels.resize(nodes, None);
    test.iter().zip(test_labels).for_each(|(&node, label)| labels[node] = label);
    let mut sorted = test;
    sorted.sort_unstable();
    let validation = (learned..nodes.min(learned + VALIDATION)).collect();
    Ok(Planetoid {
        graph: read_graph(&path("graph"), nodes)?,
        features: Some(features),
        labels,
        classes,
        split: Split { train: (0..learned).collect(), validation, test: sorted },
    })
}

/// The test set's places in the order of its rows; no place twice.
fn read_test(path: &Path) -> Result<Vec<usize>> {
    let mut test = Vec::new();
    Lines::open(path)?.for_each(|line| {
        test.push(line.index(line.text.trim(), MAX_INDEX, "a node")?);
        Ok(())
    })?;
    let mut distinct = test.clone();
    distinct.sort_unstable();
    distinct.dedup();
    // Some places may be in no file, but not most of them: that would be damage, and memory for nothing.
    let spread = distinct.last().zip(distinct.first()).map_or(usize::MAX, |(last, first)| last - first);
    if distinct.len() != test.len() || spread / 2 > test.len() {
        return Err(DataError::malformed(path, "not a list of distinct nodes that are mostly neighbours"));
    }
    Ok(test)
}

/// The class of each row of a one-hot matrix, and the number of classes.
fn read_labels(path: &Path) -> Result<(Vec<Option<usize>>, usize)> {
    let Array { shape, values } = Pickle::load(path)?.array::<i64>()?;
    match shape[..] {
        [_, classes] if classes > 0 => {
            let label = |row: &[i64]| row.iter().position(|&v| v != 0);
            Ok((values.chunks_exact(classes).map(label).collect(), classes))
        }
        _ => Err(DataError::malformed(path, format!("labels must be [papers, classes], not {shape:?}"))),
    }
}

fn read_graph(path: &Path, nodes: usize) -> Result<UndirectedGraph> {
    let mut edges = Vec::new();
    for (node, neighbours) in Pickle::load(path)?.adjacency()? {
        for neighbour in neighbours {
            if node.max(neighbour) >= nodes {
                let reason = format!("{node} and {neighbour} are linked, but there are only {nodes} papers");
                return Err(DataError::malformed(path, reason));
            }
            edges.push([node.min(neighbour), node.max(neighbour)]);
        }
    }
    Ok(UndirectedGraph { nodes, edges }.simple())
}
