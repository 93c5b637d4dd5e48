//! Who likes what: recommendation data, such as Last.fm (HetRec 2011).

use crate::error::{DataError, Result};
use crate::graphs::{SparseMatrix, UndirectedGraph};
use crate::lines::Lines;
use std::path::Path;

/// Users, items, and how often each user chose which item. Users and items are counted from 0.
#[derive(Clone, Debug, PartialEq)]
pub struct Interactions {
    /// Interactions to learn from, `[users, items]`, with their weights (here, how often an artist was played).
    pub train: SparseMatrix,
    /// Interactions held out.
    pub test: SparseMatrix,
    /// Who is friends with whom.
    pub friends: UndirectedGraph,
}

impl Interactions {
    /// Loads `data1.txt` and `test1.txt` (user, item, weight, counted from 1) and `trustnetwork.txt` (two users) from a
    /// folder; each may be gzipped.
    ///
    /// # Errors
    /// [`DataError`], with the line for malformed rows.
    pub fn load(folder: &Path) -> Result<Interactions> {
        let train = read_weights(&folder.join("data1.txt"))?;
        let test = read_weights(&folder.join("test1.txt"))?;
        let mut edges = Vec::new();
        Lines::open(&folder.join("trustnetwork.txt"))?.for_each(|line| {
            let [u, v] = line.words()?;
            let (u, v) = (from_one(&line, u, "a user")?, from_one(&line, v, "a user")?);
            edges.push([u.min(v), u.max(v)]);
            Ok(())
        })?;
        let entries = || train.iter().chain(&test);
        let users = entries().map(|e| e.0 + 1).chain(edges.iter().map(|e| e[1] + 1)).max().unwrap_or(0);
        let items = entries().map(|e| e.1 + 1).max().unwrap_or(0);
        if train.is_empty() {
            return Err(DataError::Empty {
                path: folder.join("data1.txt"),
                expected: "lines of user, item and weight",
            });
        }
        let friends = UndirectedGraph { nodes: users, edges }.simple();
        let matrix = |entries| SparseMatrix::from_entries(users, items, entries);
        Ok(Interactions { train: matrix(train), test: matrix(test), friends })
    }

    /// Number of users.
    pub fn users(&self) -> usize {
        self.train.rows
    }

    /// Number of items.
    pub fn items(&self) -> usize {
        self.train.columns
    }
}

fn read_weights(path: &Path) -> Result<Vec<(usize, usize, f32)>> {
    let mut entries = Vec::new();
    Lines::open(path)?.for_each(|line| {
        let [user, item, weight] = line.words()?;
        let weight = line.real(weight, "the weight")? as f32;
        entries.push((from_one(&line, user, "a user")?, from_one(&line, item, "an item")?, weight));
        Ok(())
    })?;
    Ok(entries)
}

/// An index that the file counts from 1.
fn from_one(line: &crate::lines::Line<'_>, field: &str, what: &str) -> Result<usize> {
    let value = line.index(field, crate::graphs::MAX_INDEX, what)?;
    value.checked_sub(1).ok_or_else(|| line.error(format!("{what} is 0, but they are counted from 1")))
}
