//! Labels: class indices, or names that become indices.

use crate::error::{DataError, Result};
use crate::npy::{self, Header};
use crate::npz::Archive;
use crate::source::Source;
use crate::{idx, load};
use std::collections::BTreeSet;
use std::path::Path;

/// Names under which archives and tables keep labels, most telling first.
pub(crate) const NAMES: [&str; 11] =
    ["y", "labels", "label", "target", "targets", "class", "category", "class_name", "y_test", "test_labels", "arr_1"];

/// All labels of a source.
#[derive(Debug, PartialEq)]
pub(crate) struct Labels {
    pub(crate) indices: Vec<usize>,
    pub(crate) class_names: Option<Vec<String>>,
}

impl Labels {
    /// The labels of the first `kept` of `total` examples.
    pub(crate) fn checked(mut self, path: &Path, total: usize, kept: usize) -> Result<Vec<usize>> {
        if self.indices.len() != total {
            return Err(DataError::LabelCount {
                path: path.to_path_buf(),
                labels: self.indices.len(),
                examples: total,
            });
        }
        self.indices.truncate(kept);
        Ok(self.indices)
    }
}

/// Reads labels from a `.npy`, `.npz`, IDX or text file; in text, the column named like a label, else the last one.
pub(crate) fn read(path: &Path) -> Result<Labels> {
    let start = load::first_bytes(path)?;
    if start.starts_with(npy::MAGIC) {
        let mut source = Source::open(path)?;
        let header = Header::read(&mut source, "labels")?;
        let labels = in_array(&header, &mut source, "labels")?;
        source.finish(true)?;
        return Ok(labels);
    }
    if start.starts_with(b"PK") {
        let mut archive = Archive::open(path)?;
        let names = archive.names()?;
        let name = match archive.find(&NAMES)? {
            Some(name) => name,
            None if names.len() == 1 => names[0].clone(),
            None => {
                return Err(DataError::MissingArray { path: path.to_path_buf(), wanted: NAMES.to_vec(), found: names });
            }
        };
        return archive.array(&name, in_array);
    }
    if idx::is_magic(&start) {
        return in_idx(path);
    }
    in_text(path)
}

/// Labels in an IDX file.
pub(crate) fn in_idx(path: &Path) -> Result<Labels> {
    from_integers(path, &idx::read_vector(path)?)
}

/// Labels in an array of shape `[N]` or `[N, 1]`, of integers or of real numbers without fraction.
pub(crate) fn in_array(header: &Header, source: &mut Source, name: &str) -> Result<Labels> {
    let shape = &header.shape;
    if shape.is_empty() || shape[1..].iter().any(|&d| d != 1) {
        let reason = format!("labels must be one class index per example, but array {name} has shape {shape:?}");
        return Err(DataError::malformed(source.path(), reason));
    }
    let integers = if header.stored.is_float() {
        let values = header.read_elements::<f64>(source, name, None)?;
        if let Some(index) = values.iter().position(|v| v.fract() != 0.0) {
            return Err(not_an_index(source.path(), index, &values[index].to_string()));
        }
        values.into_iter().map(|v| v as i64).collect()
    } else {
        header.read_elements::<i64>(source, name, None)?
    };
    from_integers(source.path(), &integers)
}

fn in_text(path: &Path) -> Result<Labels> {
    let mut rows = read_table(path)?;
    let named = rows.first().and_then(|header| column(header, &NAMES));
    if named.is_some() {
        rows.remove(0);
    }
    let cell = |row: &Vec<String>| row.get(named.unwrap_or(row.len().saturating_sub(1))).cloned().unwrap_or_default();
    from_text(path, &rows.iter().map(cell).collect::<Vec<_>>())
}

/// Numbers stay class indices; names are sorted, and a name's rank is its index.
pub(crate) fn from_text(path: &Path, cells: &[String]) -> Result<Labels> {
    if let Some(index) = cells.iter().position(String::is_empty) {
        return Err(not_an_index(path, index, "missing"));
    }
    if cells.iter().any(|c| c.parse::<f64>().is_ok()) {
        let parse = |(index, cell): (usize, &String)| cell.parse().map_err(|_| not_an_index(path, index, cell));
        return Ok(Labels { indices: cells.iter().enumerate().map(parse).collect::<Result<_>>()?, class_names: None });
    }
    let names: Vec<&String> = cells.iter().collect::<BTreeSet<_>>().into_iter().collect();
    let indices = cells.iter().map(|c| names.partition_point(|n| *n < c)).collect();
    Ok(Labels { indices, class_names: Some(names.into_iter().cloned().collect()) })
}

fn from_integers(path: &Path, values: &[i64]) -> Result<Labels> {
    let convert =
        |(index, &v): (usize, &i64)| usize::try_from(v).map_err(|_| not_an_index(path, index, &v.to_string()));
    Ok(Labels { indices: values.iter().enumerate().map(convert).collect::<Result<_>>()?, class_names: None })
}

fn not_an_index(path: &Path, index: usize, value: &str) -> DataError {
    let expected = "labels must be class indices 0, 1, 2, … (or names throughout, in text)".to_string();
    DataError::Label { path: path.to_path_buf(), index, value: value.to_string(), expected }
}

/// The trimmed cells of a CSV file, row by row; rows may differ in length.
pub(crate) fn read_table(path: &Path) -> Result<Vec<Vec<String>>> {
    let wrap = |e: csv::Error| DataError::malformed(path, format!("not a readable CSV table ({e})"));
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .trim(csv::Trim::All)
        .comment(Some(b'#'))
        .from_path(path)
        .map_err(wrap)?;
    reader.records().map(|r| Ok(r.map_err(wrap)?.iter().map(str::to_string).collect())).collect()
}

/// The first column of a header row that has one of the names.
pub(crate) fn column(header: &[String], names: &[&str]) -> Option<usize> {
    header.iter().position(|cell| names.iter().any(|name| cell.eq_ignore_ascii_case(name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(cells: &[&str]) -> Result<Labels> {
        from_text("labels.csv".as_ref(), &cells.iter().map(|c| c.to_string()).collect::<Vec<_>>())
    }

    #[test]
    fn names_become_ranks() {
        let labels = parse(&["dog", "cat", "dog", "ape"]).unwrap();
        assert_eq!(labels.indices, [2, 1, 2, 0]);
        assert_eq!(labels.class_names.unwrap(), ["ape", "cat", "dog"]);
        assert_eq!(parse(&["3", "0"]).unwrap(), Labels { indices: vec![3, 0], class_names: None });
    }

    #[test]
    fn what_is_no_class_index() {
        for (cells, bad) in [(["0", "-1"], "-1"), (["1.5", "2"], "1.5"), (["1", "cat"], "cat"), (["1", ""], "missing")]
        {
            match parse(&cells) {
                Err(DataError::Label { value, .. }) => assert_eq!(value, bad),
                other => panic!("{cells:?} gave {other:?}"),
            }
        }
    }
}
