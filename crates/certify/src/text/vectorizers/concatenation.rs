//! Concatenated word vectors.

use super::{HammingRobust, ROUNDING, WordVectors, check};
use crate::Result;

/// The vectors of a document's words, one after another.
///
/// Replaced words move blocks that are orthogonal to one another, each by at most the diameter D of the word vectors: the
/// distance is at most `D·√h` for h replacements, so the map is Hölder continuous with exponent ½, with a constant that does
/// not depend on the length.
#[derive(Clone, Debug, PartialEq)]
pub struct Concat {
    words: WordVectors,
}

impl Concat {
    /// Concatenation of these vectors.
    pub fn new(words: WordVectors) -> Concat {
        Concat { words }
    }
}

impl HammingRobust for Concat {
    fn transform(&self, document: &[usize]) -> Result<Vec<f64>> {
        check(document, self.words.words())?;
        Ok(document.iter().flat_map(|&w| self.words.vector(w)).copied().collect())
    }

    fn bound(&self, document: &[usize], changes: usize) -> Result<f64> {
        check(document, self.words.words())?;
        Ok(self.words.diameter() * (changes.min(document.len()) as f64).sqrt() * ROUNDING)
    }
}
