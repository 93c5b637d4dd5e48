//! Pairs of words with human judgements of their similarity or relatedness.

use crate::error::{DataError, Result};
use crate::lines::Lines;
use std::path::Path;

/// Pairs of words and how alike people find them, on a scale of each set's own; compare ranks.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct WordSimilarity {
    /// The pairs.
    pub pairs: Vec<(String, String)>,
    /// The mean judgement of each pair.
    pub scores: Vec<f64>,
}

impl WordSimilarity {
    /// Loads lines of two words and a score between blanks.
    ///
    /// # Errors
    /// [`DataError`], with the line for malformed rows.
    pub fn load(path: &Path) -> Result<WordSimilarity> {
        let mut set = WordSimilarity::default();
        Lines::open(path)?.for_each(|line| {
            let [first, second, score] = line.words()?;
            set.scores.push(line.real(score, "the score")?);
            set.pairs.push((first.to_string(), second.to_string()));
            Ok(())
        })?;
        if set.pairs.is_empty() {
            return Err(DataError::Empty { path: path.to_path_buf(), expected: "lines of two words and a score" });
        }
        Ok(set)
    }
}
