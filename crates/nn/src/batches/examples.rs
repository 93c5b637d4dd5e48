//! Examples in memory, by columns.

use crate::{Batch, TrainError};
use perturb_graph::{DType, Element, Tensor};

/// Tensors of one number of rows, by name: row `i` of each belongs to example `i`.
#[derive(Clone, Debug)]
pub struct Examples {
    columns: Vec<(String, Tensor)>,
    rows: usize,
}

impl Examples {
    /// Examples `[N, …]` under a name.
    ///
    /// # Errors
    /// If there are none.
    pub fn new(name: &str, values: Tensor) -> Result<Examples, TrainError> {
        match values.shape().first() {
            Some(&rows) if rows > 0 => Ok(Examples { columns: vec![(name.into(), values)], rows }),
            _ => Err(TrainError::Data(format!("'{name}' of shape {} holds no examples", values.shape()))),
        }
    }

    /// The same examples with one more tensor `[N, …]` each.
    ///
    /// # Errors
    /// If the number of rows differs.
    pub fn with(mut self, name: &str, values: Tensor) -> Result<Examples, TrainError> {
        let rows = values.shape().first().copied().unwrap_or(0);
        if rows != self.rows {
            let message = format!("'{name}' has {rows} rows for {} examples of '{}'", self.rows, self.columns[0].0);
            return Err(TrainError::Data(message));
        }
        self.columns.push((name.into(), values));
        Ok(self)
    }

    /// `inputs [N, …]` with one of `classes` labels each, under the names `input` and `label`.
    ///
    /// # Errors
    /// If there are no examples, not one label for each, or a label is out of range.
    pub fn labelled(inputs: Tensor, labels: &[usize], classes: usize) -> Result<Examples, TrainError> {
        if inputs.shape().first() != Some(&labels.len()) {
            return Err(TrainError::Data(format!("{} labels for inputs of {}", labels.len(), inputs.shape())));
        }
        if let Some((i, bad)) = labels.iter().enumerate().find(|(_, label)| **label >= classes) {
            return Err(TrainError::Data(format!("label {bad} of example {i} for a model of {classes} classes")));
        }
        let labels = Tensor::new([labels.len()], labels.iter().map(|&l| l as i64).collect())?;
        Examples::new("input", inputs)?.with("label", labels)
    }

    /// Number of examples.
    pub fn len(&self) -> usize {
        self.rows
    }

    /// Never: there is at least one.
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// A column by name.
    pub fn column(&self, name: &str) -> Option<&Tensor> {
        self.columns.iter().find(|(n, _)| n == name).map(|(_, values)| values)
    }

    /// Writes these rows to a batch that has one row for each. A tensor of the batch that is named `index` (i64) gets the
    /// rows' numbers, if there is no column of that name.
    ///
    /// # Errors
    /// If a tensor of the batch has no column, or one of another type or size.
    pub fn gather(&self, rows: &[usize], batch: &mut Batch) -> Result<(), TrainError> {
        for (name, into) in batch.iter_mut() {
            match self.column(name) {
                Some(column) => gather(name, column, rows, into)?,
                None if name == "index" && into.dtype() == DType::I64 && into.count() == rows.len() => {
                    into.as_mut_slice::<i64>().iter_mut().zip(rows).for_each(|(v, &row)| *v = row as i64);
                }
                None => {
                    let known = self.columns.iter().map(|(n, _)| n.as_str()).collect::<Vec<_>>().join(", ");
                    return Err(TrainError::Data(format!("the step takes '{name}', but the data have {known}")));
                }
            }
        }
        Ok(())
    }
}

fn gather(name: &str, column: &Tensor, rows: &[usize], into: &mut Tensor) -> Result<(), TrainError> {
    let width = column.count() / column.shape()[0];
    if column.dtype() != into.dtype() || into.count() != width * rows.len() {
        let (is, want) = (column.shape(), into.shape());
        let example = format!("{}{}", column.dtype(), perturb_graph::Shape::from(&is[1..]));
        let message =
            format!("examples {example} of '{name}' do not fill {}{want} for {} of them", into.dtype(), rows.len());
        return Err(TrainError::Data(message));
    }
    match into.dtype() {
        DType::F32 => copy::<f32>(column, rows, width, into),
        DType::F64 => copy::<f64>(column, rows, width, into),
        DType::I64 => copy::<i64>(column, rows, width, into),
        DType::Bool => copy::<bool>(column, rows, width, into),
    }
    Ok(())
}

fn copy<T: Element>(column: &Tensor, rows: &[usize], width: usize, into: &mut Tensor) {
    let source = column.as_slice::<T>();
    let target = into.as_mut_slice::<T>().chunks_exact_mut(width.max(1));
    for (row, out) in rows.iter().zip(target) {
        out.copy_from_slice(&source[row * width..(row + 1) * width]);
    }
}
