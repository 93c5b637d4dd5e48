//! Named points of a space.

use crate::error::{EmbedError, Result};
use crate::geometry::{Manifold, PoincareBall};
use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::Path;

/// A point for each of several names.
#[derive(Clone, Debug)]
pub struct Table<M> {
    names: Vec<String>,
    indices: HashMap<String, usize>,
    values: Vec<f64>,
    space: M,
}

/// A row near another.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Neighbor<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its distance.
    pub distance: f64,
}

impl<M: Manifold> Table<M> {
    /// A table of these names and their coordinates, row after row.
    ///
    /// # Errors
    /// [`EmbedError::Row`] for a name that occurs twice, a row that is missing, cut short or without a name, and a row
    /// that is no point of the space.
    pub fn new(names: Vec<String>, values: Vec<f64>, space: M) -> Result<Table<M>> {
        let width = space.dim();
        if values.len() != names.len() * width {
            let row = names.len().min(values.len() / width.max(1));
            let reason =
                format!("{} names need {} numbers, {} were given", names.len(), names.len() * width, values.len());
            return Err(EmbedError::Row { row, reason });
        }
        let mut indices = HashMap::with_capacity(names.len());
        for (row, name) in names.iter().enumerate() {
            if let Some(first) = indices.insert(name.clone(), row) {
                return Err(EmbedError::Row { row, reason: format!("'{name}' is also the name of row {first}") });
            }
            if !space.contains(&values[row * width..][..width]) {
                return Err(EmbedError::Row { row, reason: format!("'{name}' is no point of the space") });
            }
        }
        Ok(Table { names, indices, values, space })
    }

    /// The space.
    pub fn space(&self) -> &M {
        &self.space
    }

    /// The names, by row.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The row of a name.
    ///
    /// # Errors
    /// [`EmbedError::Unknown`].
    pub fn index(&self, name: &str) -> Result<usize> {
        let unknown = || EmbedError::Unknown { name: name.into(), rows: self.names.len() };
        self.indices.get(name).copied().ok_or_else(unknown)
    }

    /// The coordinates of a row, which must exist.
    pub fn row(&self, row: usize) -> &[f64] {
        &self.values[row * self.space.dim()..][..self.space.dim()]
    }

    /// The distance between two names.
    ///
    /// # Errors
    /// [`EmbedError::Unknown`].
    pub fn distance(&self, a: &str, b: &str) -> Result<f64> {
        Ok(self.space.dist(self.row(self.index(a)?), self.row(self.index(b)?)))
    }

    /// The `count` names nearest to a name, the nearest first, itself left out.
    ///
    /// # Errors
    /// [`EmbedError::Unknown`].
    pub fn most_similar(&self, name: &str, count: usize) -> Result<Vec<Neighbor<'_>>> {
        let own = self.index(name)?;
        let others = (0..self.names.len()).filter(|row| *row != own);
        let distance = |row: usize| self.space.dist(self.row(own), self.row(row));
        let mut found: Vec<Neighbor> =
            others.map(|row| Neighbor { name: &self.names[row], distance: distance(row) }).collect();
        found.sort_by(|a, b| a.distance.total_cmp(&b.distance));
        found.truncate(count);
        Ok(found)
    }

    /// Writes the text format of word2vec: a line with the numbers of rows and coordinates, then a name and its
    /// coordinates in each line, separated by spaces, with all digits that reading needs to give the same numbers.
    ///
    /// # Errors
    /// [`EmbedError::Row`] for a name that is empty or has white space in it, [`EmbedError::File`].
    pub fn save(&self, path: &Path) -> Result<()> {
        let split = |name: &String| name.is_empty() || name.contains(char::is_whitespace);
        if let Some(row) = self.names.iter().position(split) {
            let reason =
                format!("the name '{}' is empty or has white space, which the format cannot hold", self.names[row]);
            return Err(EmbedError::Row { row, reason });
        }
        let write = || -> std::io::Result<()> {
            let mut file = BufWriter::new(File::create(path)?);
            writeln!(file, "{} {}", self.names.len(), self.space.dim())?;
            for (row, name) in self.names.iter().enumerate() {
                write!(file, "{name}")?;
                self.row(row).iter().try_for_each(|value| write!(file, " {value}"))?;
                writeln!(file)?;
            }
            file.flush()
        };
        write().map_err(|source| EmbedError::File { path: path.into(), source })
    }

    /// Reads what [`save`](Self::save) or word2vec wrote; `space` gives the space for a number of coordinates.
    ///
    /// # Errors
    /// [`EmbedError::File`]; [`EmbedError::Format`] with the line of what is malformed.
    pub fn load(path: &Path, space: impl FnOnce(usize) -> M) -> Result<Table<M>> {
        let file = |source| EmbedError::File { path: path.into(), source };
        let fault = |line: usize, reason: String| EmbedError::Format { path: path.into(), line, reason };
        let mut lines = BufReader::new(File::open(path).map_err(file)?).lines();
        let header = lines.next().transpose().map_err(file)?.unwrap_or_default();
        let sizes: Option<Vec<usize>> = header.split_whitespace().map(|size| size.parse().ok()).collect();
        let Some([rows, width]) = sizes.and_then(|s| <[usize; 2]>::try_from(s).ok()) else {
            return Err(fault(1, format!("'{header}' should be the number of rows and that of coordinates")));
        };
        let (mut names, mut values) = (Vec::new(), Vec::new());
        for (index, text) in lines.enumerate() {
            let (line, text) = (index + 2, text.map_err(file)?);
            let mut fields = text.split_whitespace();
            names.push(fields.next().ok_or_else(|| fault(line, "a line without a name".into()))?.to_string());
            let before = values.len();
            for field in fields {
                values.push(field.parse::<f64>().map_err(|_| fault(line, format!("'{field}' is no number")))?);
            }
            if values.len() - before != width {
                return Err(fault(line, format!("{} coordinates instead of {width}", values.len() - before)));
            }
        }
        if names.len() != rows {
            return Err(fault(names.len() + 1, format!("the file ends after {} of {rows} rows", names.len())));
        }
        Table::new(names, values, space(width)).map_err(|error| match error {
            EmbedError::Row { row, reason } => fault(row + 2, reason),
            other => other,
        })
    }
}

impl Table<PoincareBall> {
    /// How much "`child` is a `parent`" is believed: `−(1 + α(‖parent‖ − ‖child‖))·d(child, parent)`, high if the two are
    /// near and the parent is nearer to the origin (Nickel & Kiela 2017, eq. 10; α = 1000 there).
    ///
    /// # Errors
    /// [`EmbedError::Unknown`].
    pub fn is_a_score(&self, child: &str, parent: &str, alpha: f64) -> Result<f64> {
        let norm = |row: &[f64]| row.iter().map(|v| v * v).sum::<f64>().sqrt();
        let (of_child, of_parent) = (norm(self.row(self.index(child)?)), norm(self.row(self.index(parent)?)));
        Ok(-(1.0 + alpha * (of_parent - of_child)) * self.distance(child, parent)?)
    }
}
