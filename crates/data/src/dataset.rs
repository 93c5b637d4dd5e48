//! The one form in which every data set is handed on.

use crate::error::{DataError, Result};
use perturb_graph::Tensor;
use std::path::PathBuf;

/// Examples with, mostly, their labels.
#[derive(Clone, Debug)]
pub struct Dataset {
    /// The examples, f32 `[N, …]`; images are `[N, C, H, W]`. All values are finite.
    pub inputs: Tensor,
    /// Class index of each example.
    pub labels: Option<Vec<usize>>,
    /// Name of each class, by index.
    pub class_names: Option<Vec<String>>,
    /// Where the data come from: a path or a world's name.
    pub source: String,
    /// How the data were stored.
    pub format: Format,
    /// How stored values relate to inputs.
    pub pixel: PixelEncoding,
}

/// How a data set is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// One NumPy array.
    Npy,
    /// A zip archive of NumPy arrays.
    Npz,
    /// MNIST's IDX, plain or gzipped.
    Idx,
    /// CIFAR-10's binary rows of 3073 bytes, plain or gzipped.
    Cifar10,
    /// PNG or JPEG files.
    ImageFolder,
    /// Not stored but computed by one of the [`worlds`](crate::worlds).
    World,
}

/// How stored values relate to inputs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum PixelEncoding {
    /// Unsigned integers (8 bits; 16 in some PNGs) divided by their largest value, so that inputs lie in [0, 1].
    Bytes,
    /// Values as stored.
    Stored {
        /// Smallest value observed.
        min: f32,
        /// Largest value observed.
        max: f32,
    },
}

impl Dataset {
    /// Number of examples.
    pub fn len(&self) -> usize {
        self.inputs.shape()[0]
    }

    /// Whether there are no examples. A loaded data set always has some.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Shape of one example, without the batch axis.
    pub fn example_shape(&self) -> &[usize] {
        &self.inputs.shape()[1..]
    }

    /// Checks that every label is a class of a model with `classes` outputs.
    ///
    /// # Errors
    /// [`DataError::Label`] naming the first label that is not below `classes`.
    pub fn check_labels(&self, classes: usize) -> Result<()> {
        let labels = self.labels.as_deref().unwrap_or_default();
        match labels.iter().position(|&label| label >= classes) {
            None => Ok(()),
            Some(index) => Err(DataError::Label {
                path: PathBuf::from(&self.source),
                index,
                value: labels[index].to_string(),
                expected: format!(
                    "the model has {classes} classes, so labels must lie in 0..={}",
                    classes.saturating_sub(1)
                ),
            }),
        }
    }
}
