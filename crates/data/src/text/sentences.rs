//! Sentences with a class each.

use crate::error::{DataError, Result};
use crate::lines::{Encoding, Lines, plain_or_gzipped};
use std::path::Path;

/// Sentences to classify.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sentences {
    /// The sentences, tokens between blanks.
    pub texts: Vec<String>,
    /// Class of each.
    pub labels: Vec<usize>,
}

/// The parts of a set of sentences as Kim 2014 uses it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SentenceSplits {
    /// To learn from; everything, where the set has no published split and cross-validation is usual.
    pub train: Sentences,
    /// To choose by, where published.
    pub validation: Option<Sentences>,
    /// To report on, where published.
    pub test: Option<Sentences>,
}

/// No set of sentences has more classes; a larger label is damage.
const MAX_CLASSES: usize = 1 << 16;

impl Sentences {
    /// Loads lines of a class index, a blank and a sentence. The file may be gzipped; lines that are not UTF-8 are read
    /// as Windows-1252, in which some of these sets are published.
    ///
    /// # Errors
    /// [`DataError`], with the line for malformed rows.
    pub fn load(path: &Path) -> Result<Sentences> {
        let mut sentences = Sentences::default();
        let mut lines = Lines::open_encoded(path, Encoding::Utf8OrWindows1252)?;
        while let Some(line) = lines.next_line()? {
            let (label, text) = line.text.split_once(' ').unwrap_or((line.text, ""));
            sentences.labels.push(line.index(label, MAX_CLASSES, "the class")?);
            sentences.texts.push(text.trim().to_string());
        }
        if sentences.texts.is_empty() {
            return Err(DataError::Empty {
                path: lines.path().to_path_buf(),
                expected: "lines of a class and a sentence",
            });
        }
        Ok(sentences)
    }

    /// Number of sentences.
    pub fn len(&self) -> usize {
        self.texts.len()
    }

    /// Whether there are no sentences.
    pub fn is_empty(&self) -> bool {
        self.texts.is_empty()
    }

    /// One more than the largest class.
    pub fn classes(&self) -> usize {
        self.labels.iter().max().map_or(0, |&label| label + 1)
    }
}

impl SentenceSplits {
    /// Loads set `name` (`sst2`, `sst5`, `mr`, `subj`, `cr`, `mpqa`, `trec`) from a folder that holds
    /// `name.train.txt`, `name.dev.txt` and `name.test.txt`, or `name.all.txt`; each may be gzipped.
    ///
    /// # Errors
    /// [`DataError`], with the line for malformed rows.
    pub fn load(folder: &Path, name: &str) -> Result<SentenceSplits> {
        let part = |part: &str| folder.join(format!("{name}.{part}.txt"));
        let exists = |name: &str| plain_or_gzipped(&part(name)).exists();
        let optional = |name: &str| if exists(name) { Sentences::load(&part(name)).map(Some) } else { Ok(None) };
        let train = match optional("all")? {
            Some(all) => all,
            None => Sentences::load(&part("train"))?,
        };
        Ok(SentenceSplits { train, validation: optional("dev")?, test: optional("test")? })
    }
}
