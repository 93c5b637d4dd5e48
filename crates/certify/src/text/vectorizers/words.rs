//! Tables of word vectors.

use super::ROUNDING;
use crate::{CertifyError, Result};
use perturb_graph::Tensor;

/// A vector for each word, and the diameter of all of them.
#[derive(Clone, Debug, PartialEq)]
pub struct WordVectors {
    table: Vec<f64>,
    width: usize,
    diameter: f64,
}

impl WordVectors {
    /// The rows of `table [words, width]`. Finding the diameter compares all pairs of rows.
    ///
    /// # Errors
    /// If `table` is no matrix of at least one finite row.
    pub fn new(table: &Tensor) -> Result<WordVectors> {
        let &[words, width] = &table.shape()[..] else {
            return CertifyError::unfit("a table of word vectors", format!("it is {}, no matrix", table.shape()));
        };
        if words == 0 || width == 0 || !table.dtype().is_float() {
            return CertifyError::unfit("a table of word vectors", "it needs at least one row of numbers");
        }
        let table = table.to_f64_vec();
        if let Some(at) = table.iter().position(|v| !v.is_finite()) {
            let reason = format!("word {} has a value that is no finite number", at / width);
            return CertifyError::unfit("a table of word vectors", reason);
        }
        let rows: Vec<&[f64]> = table.chunks_exact(width).collect();
        let pairs = (0..words).flat_map(|i| (0..i).map(move |j| (i, j)));
        let diameter = pairs.map(|(i, j)| squared_distance(rows[i], rows[j])).fold(0.0, f64::max).sqrt();
        Ok(WordVectors { table, width, diameter: diameter * ROUNDING })
    }

    /// Number of words.
    pub fn words(&self) -> usize {
        self.table.len() / self.width
    }

    /// Length of a vector.
    pub fn width(&self) -> usize {
        self.width
    }

    /// The largest distance of two words' vectors.
    pub fn diameter(&self) -> f64 {
        self.diameter
    }

    /// The vector of a word.
    ///
    /// # Panics
    /// If there is no such word.
    #[track_caller]
    pub fn vector(&self, word: usize) -> &[f64] {
        &self.table[word * self.width..][..self.width]
    }

    /// The word whose vector is farthest from that of `word`, and the distance.
    ///
    /// # Panics
    /// If there is no such word.
    #[track_caller]
    pub fn farthest(&self, word: usize) -> (usize, f64) {
        let from = self.vector(word);
        let distances = self.table.chunks_exact(self.width).map(|row| squared_distance(row, from));
        let (farthest, distance) =
            distances.enumerate().fold((word, 0.0), |best, next| if next.1 > best.1 { next } else { best });
        (farthest, distance.sqrt())
    }
}

fn squared_distance(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum()
}
