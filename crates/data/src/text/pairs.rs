//! Pairs of sentences with a score, such as the semantic textual similarity benchmark (Cer et al. 2017).

use crate::error::{DataError, Result};
use crate::lines::plain_or_gzipped;
use crate::tables::csv_rows;
use std::path::Path;

/// Pairs of sentences and how alike they are.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SentencePairs {
    /// The pairs.
    pub pairs: Vec<(String, String)>,
    /// Similarity of each pair; in STS-B from 0 (nothing in common) to 5 (equivalent).
    pub scores: Vec<f64>,
}

impl SentencePairs {
    /// Loads a CSV file, gzipped or not, of `sentence1,sentence2,score` without header.
    ///
    /// # Errors
    /// [`DataError`], with the line for malformed rows.
    pub fn load(path: &Path) -> Result<SentencePairs> {
        let path = plain_or_gzipped(path);
        let mut set = SentencePairs::default();
        for (line, row) in csv_rows(&path, b',')? {
            let [first, second, score] = &row[..] else {
                return Err(DataError::line(&path, line, format!("{} fields where 3 are expected", row.len())));
            };
            let score = score.trim().parse().ok().filter(|s: &f64| s.is_finite());
            set.scores.push(score.ok_or_else(|| DataError::line(&path, line, "the score must be a number"))?);
            set.pairs.push((first.clone(), second.clone()));
        }
        if set.pairs.is_empty() {
            return Err(DataError::Empty { path, expected: "rows of two sentences and a score" });
        }
        Ok(set)
    }
}
