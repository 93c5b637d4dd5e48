//! Tables of typed columns.

use super::csv_rows;
use crate::error::{DataError, Result};
use crate::lines::plain_or_gzipped;
use std::collections::BTreeSet;
use std::path::Path;

/// Rows of variables with something to predict.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    /// The variables to predict from.
    pub variables: Vec<Variable>,
    /// What is to be predicted.
    pub target: Target,
}

/// A named column.
#[derive(Clone, Debug, PartialEq)]
pub struct Variable {
    /// Its name.
    pub name: String,
    /// Its values.
    pub column: Column,
}

/// The values of a variable.
#[derive(Clone, Debug, PartialEq)]
pub enum Column {
    /// Numbers; missing ones are NaN.
    Numeric(Vec<f64>),
    /// One of a few levels. Missing values, written as nothing or `?`, are a level of their own.
    Categorical {
        /// Level of each row.
        codes: Vec<usize>,
        /// Names by level, sorted.
        levels: Vec<String>,
    },
}

/// What is to be predicted of each row.
#[derive(Clone, Debug, PartialEq)]
pub enum Target {
    /// A number.
    Real(Vec<f64>),
    /// A class.
    Class {
        /// Class of each row.
        labels: Vec<usize>,
        /// Names by class.
        names: Vec<String>,
    },
}

/// How a delimited file is to be understood. Columns that are not mentioned are dropped.
#[derive(Clone, Copy, Debug)]
pub struct Layout<'a> {
    /// The character between fields.
    pub delimiter: u8,
    /// Names of the columns, or none if the file's first row holds them.
    pub header: Option<&'a [&'a str]>,
    /// Rows to skip before the first of data, besides the row of names.
    pub skip: usize,
    /// Columns of numbers.
    pub numeric: &'a [&'a str],
    /// Columns of categories.
    pub categorical: &'a [&'a str],
    /// The column to predict.
    pub target: &'a str,
    /// The classes: what the target column says, and the name by which class i goes. None for numbers.
    pub classes: &'a [(&'a str, &'a str)],
}

impl Table {
    /// Loads a delimited file, gzipped or not.
    ///
    /// # Errors
    /// [`DataError`], with the line for malformed rows.
    pub fn load(path: &Path, layout: &Layout<'_>) -> Result<Table> {
        let path = &*plain_or_gzipped(path);
        let mut rows = csv_rows(path, layout.delimiter)?.into_iter().skip(layout.skip);
        let header: Vec<String> = match layout.header {
            Some(names) => names.iter().map(|n| n.to_string()).collect(),
            None => {
                rows.next().map(|(_, names)| names.iter().map(|n| n.trim().to_string()).collect()).unwrap_or_default()
            }
        };
        let rows = Rows { path, header, rows: rows.collect() };
        rows.check()?;
        let numeric = layout.numeric.iter().map(|&name| rows.numeric(name).map(|c| (name, Column::Numeric(c))));
        let categorical = layout.categorical.iter().map(|&name| rows.categorical(name).map(|c| (name, c)));
        let mut variables: Vec<(usize, Variable)> = Vec::new();
        for column in numeric.chain(categorical) {
            let (name, column) = column?;
            variables.push((rows.position(name)?, Variable { name: name.to_string(), column }));
        }
        // As the file has them, whatever their types.
        variables.sort_by_key(|(position, _)| *position);
        let target = match layout.classes {
            [] => Target::Real(rows.complete(layout.target)?),
            classes => rows.classes(layout.target, classes)?,
        };
        Ok(Table { variables: variables.into_iter().map(|(_, v)| v).collect(), target })
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        match &self.target {
            Target::Real(values) => values.len(),
            Target::Class { labels, .. } => labels.len(),
        }
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The variable of this name.
    pub fn variable(&self, name: &str) -> Option<&Variable> {
        self.variables.iter().find(|v| v.name == name)
    }
}

struct Rows<'a> {
    path: &'a Path,
    header: Vec<String>,
    rows: Vec<(usize, Vec<String>)>,
}

impl Rows<'_> {
    fn check(&self) -> Result<()> {
        if self.rows.is_empty() {
            return Err(DataError::Empty { path: self.path.to_path_buf(), expected: "at least one row" });
        }
        match self.rows.iter().find(|(_, row)| row.len() != self.header.len()) {
            None => Ok(()),
            Some((line, row)) => {
                let reason = format!("{} fields where {} are expected", row.len(), self.header.len());
                Err(DataError::line(self.path, *line, reason))
            }
        }
    }

    /// Place of the first column of this name.
    fn position(&self, name: &str) -> Result<usize> {
        self.header.iter().position(|n| n == name).ok_or_else(|| {
            let reason = format!("there is no column {name}; the columns are {}", self.header.join(", "));
            DataError::malformed(self.path, reason)
        })
    }

    fn cells(&self, name: &str) -> Result<impl Iterator<Item = (usize, &str)>> {
        let column = self.position(name)?;
        Ok(self.rows.iter().map(move |(line, row)| (*line, row[column].trim())))
    }

    fn numeric(&self, name: &str) -> Result<Vec<f64>> {
        let parse =
            |(line, cell): (usize, &str)| match cell {
                "" | "?" => Ok(f64::NAN),
                _ => cell.parse().ok().filter(|v: &f64| v.is_finite()).ok_or_else(|| {
                    DataError::line(self.path, line, format!("{name} is {cell:?}, which is not a number"))
                }),
            };
        self.cells(name)?.map(parse).collect()
    }

    /// Numbers of which none may be missing.
    fn complete(&self, name: &str) -> Result<Vec<f64>> {
        let values = self.numeric(name)?;
        match values.iter().position(|v| v.is_nan()) {
            None => Ok(values),
            Some(row) => Err(DataError::line(self.path, self.rows[row].0, format!("{name} is missing"))),
        }
    }

    fn categorical(&self, name: &str) -> Result<Column> {
        let cells: Vec<&str> = self.cells(name)?.map(|(_, cell)| if cell.is_empty() { "?" } else { cell }).collect();
        let levels: Vec<&str> = cells.iter().copied().collect::<BTreeSet<_>>().into_iter().collect();
        let codes = cells.iter().map(|cell| levels.partition_point(|level| level < cell)).collect();
        Ok(Column::Categorical { codes, levels: levels.into_iter().map(str::to_string).collect() })
    }

    fn classes(&self, name: &str, classes: &[(&str, &str)]) -> Result<Target> {
        let label = |(line, cell): (usize, &str)| {
            classes.iter().position(|(written, _)| *written == cell).ok_or_else(|| {
                let known: Vec<&str> = classes.iter().map(|(written, _)| *written).collect();
                let reason = format!("{name} is {cell:?}; it must be one of {}", known.join(", "));
                DataError::line(self.path, line, reason)
            })
        };
        let labels = self.cells(name)?.map(label).collect::<Result<_>>()?;
        Ok(Target::Class { labels, names: classes.iter().map(|(_, name)| name.to_string()).collect() })
    }
}
