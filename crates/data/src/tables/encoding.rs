//! Variables as the columns of a matrix: numbers standardised, categories one-hot.

use super::{Column, Table};
use perturb_graph::Tensor;
use std::ops::Range;

/// The map from a table's variables to the columns of an f32 matrix, and back.
#[derive(Clone, Debug, PartialEq)]
pub struct Encoding {
    /// The variables in the order of their columns.
    pub variables: Vec<EncodedVariable>,
}

/// Where and how one variable is encoded.
#[derive(Clone, Debug, PartialEq)]
pub struct EncodedVariable {
    /// Its name.
    pub name: String,
    /// Its columns: one for a number, one per level for a category.
    pub columns: Range<usize>,
    /// Mean and standard deviation of a number (with n in the denominator; 1 where it would be 0).
    pub scale: Option<(f64, f64)>,
    /// Levels of a category.
    pub levels: Vec<String>,
}

impl Encoding {
    /// The encoding whose means and deviations are those of the rows in `range`, the training part. Missing numbers do
    /// not count.
    ///
    /// # Panics
    /// If the range is not inside the table.
    #[track_caller]
    pub fn fit(table: &Table, range: Range<usize>) -> Encoding {
        let mut next = 0;
        let encode = |variable: &super::Variable| {
            let (width, scale, levels) = match &variable.column {
                Column::Numeric(values) => (1, Some(moments(&values[range.clone()])), Vec::new()),
                Column::Categorical { levels, .. } => (levels.len(), None, levels.clone()),
            };
            let columns = next..next + width;
            next += width;
            EncodedVariable { name: variable.name.clone(), columns, scale, levels }
        };
        Encoding { variables: table.variables.iter().map(encode).collect() }
    }

    /// Number of columns.
    pub fn width(&self) -> usize {
        self.variables.last().map_or(0, |v| v.columns.end)
    }

    /// Name of each column: a number's own, `variable=level` for a category's.
    pub fn column_names(&self) -> Vec<String> {
        let names = |v: &EncodedVariable| match v.scale {
            Some(_) => vec![v.name.clone()],
            None => v.levels.iter().map(|level| format!("{}={level}", v.name)).collect(),
        };
        self.variables.iter().flat_map(names).collect()
    }

    /// The table as f32 `[N, width]`. Missing numbers become 0, the mean; a level that the encoding does not know
    /// becomes all zeros.
    ///
    /// # Panics
    /// If the table lacks one of the variables, or has it with another type.
    #[track_caller]
    pub fn encode(&self, table: &Table) -> Tensor {
        let (rows, width) = (table.len(), self.width());
        let mut data = vec![0.0; rows * width];
        for encoded in &self.variables {
            let name = &encoded.name;
            let variable = table.variable(name).unwrap_or_else(|| panic!("the table has no variable {name}"));
            let start = encoded.columns.start;
            match (&variable.column, encoded.scale) {
                (Column::Numeric(values), Some((mean, deviation))) => {
                    for (row, value) in values.iter().enumerate().filter(|(_, v)| !v.is_nan()) {
                        data[row * width + start] = ((value - mean) / deviation) as f32;
                    }
                }
                (Column::Categorical { codes, levels }, None) => {
                    let place: Vec<Option<usize>> =
                        levels.iter().map(|level| encoded.levels.iter().position(|l| l == level)).collect();
                    for (row, &code) in codes.iter().enumerate() {
                        if let Some(level) = place[code] {
                            data[row * width + start + level] = 1.0;
                        }
                    }
                }
                _ => panic!("variable {name} is numeric in one and categorical in the other"),
            }
        }
        Tensor::new([rows, width], data).expect("made for this shape")
    }

    /// A row of the matrix in the table's own terms, `(variable, value)`: the number, or the level with the largest
    /// entry.
    ///
    /// # Panics
    /// If the row is not of this encoding's width.
    #[track_caller]
    pub fn decode(&self, row: &[f32]) -> Vec<(&str, String)> {
        assert_eq!(row.len(), self.width(), "a row of another encoding");
        let decode = |variable: &EncodedVariable| match variable.scale {
            Some((mean, deviation)) => (f64::from(row[variable.columns.start]) * deviation + mean).to_string(),
            None => {
                let entries = row[variable.columns.clone()].iter().zip(&variable.levels);
                entries.max_by(|(a, _), (b, _)| a.total_cmp(b)).map(|(_, level)| level.clone()).unwrap_or_default()
            }
        };
        self.variables.iter().map(|v| (v.name.as_str(), decode(v))).collect()
    }
}

/// Mean and standard deviation of the values that are not missing.
fn moments(values: &[f64]) -> (f64, f64) {
    let present = || values.iter().filter(|v| !v.is_nan());
    let count = (present().count() as f64).max(1.0);
    let mean = present().sum::<f64>() / count;
    let variance = present().map(|v| (v - mean).powi(2)).sum::<f64>() / count;
    (mean, if variance > 0.0 { variance.sqrt() } else { 1.0 })
}

#[cfg(test)]
mod tests {
    use super::super::{Target, Variable};
    use super::*;

    fn table() -> Table {
        let numeric = Column::Numeric(vec![1.0, 3.0, f64::NAN, 11.0]);
        let levels = ["?", "a", "b"].map(str::to_string).to_vec();
        let categorical = Column::Categorical { codes: vec![1, 2, 0, 1], levels };
        let variables =
            vec![Variable { name: "x".into(), column: numeric }, Variable { name: "k".into(), column: categorical }];
        Table { variables, target: Target::Real(vec![0.0; 4]) }
    }

    #[test]
    fn moments_come_from_the_training_rows() {
        let encoding = Encoding::fit(&table(), 0..3);
        assert_eq!((encoding.width(), encoding.variables[0].scale), (4, Some((2.0, 1.0))));
        assert_eq!(encoding.column_names(), ["x", "k=?", "k=a", "k=b"]);
        let matrix = encoding.encode(&table());
        let expected = [-1., 0., 1., 0., 1., 0., 0., 1., 0., 1., 0., 0., 9., 0., 1., 0.];
        assert_eq!(matrix.as_slice::<f32>(), expected);
        assert_eq!(encoding.decode(&expected[12..]), [("x", "11".to_string()), ("k", "a".to_string())]);
    }

    #[test]
    fn unknown_levels_are_zero() {
        let encoding = Encoding::fit(&table(), 0..4);
        let mut other = table();
        if let Column::Categorical { levels, .. } = &mut other.variables[1].column {
            levels[1] = "new".into();
        }
        assert_eq!(encoding.encode(&other).as_slice::<f32>()[1..4], [0.0, 0.0, 0.0]);
    }
}
