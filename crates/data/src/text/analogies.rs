//! Analogy questions, "a is to b as c is to d" (Mikolov et al. 2013).

use crate::error::{DataError, Result};
use crate::lines::Lines;
use std::path::Path;

/// Questions in groups.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Analogies {
    /// The groups, such as `capital-common-countries`.
    pub groups: Vec<AnalogyGroup>,
}

/// Questions about one relation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AnalogyGroup {
    /// Name of the relation; those of grammar begin with `gram`.
    pub name: String,
    /// `[a, b, c, d]`: a is to b as c is to d.
    pub questions: Vec<[String; 4]>,
}

impl Analogies {
    /// Loads `questions-words.txt`, gzipped or not: a line `: name` begins a group, other lines hold four words.
    ///
    /// # Errors
    /// [`DataError`], with the line for malformed rows.
    pub fn load(path: &Path) -> Result<Analogies> {
        let mut set = Analogies::default();
        Lines::open(path)?.for_each(|line| {
            if let Some(name) = line.text.strip_prefix(':') {
                set.groups.push(AnalogyGroup { name: name.trim().to_string(), questions: Vec::new() });
                return Ok(());
            }
            let words = line.words::<4>()?.map(str::to_string);
            let group = set.groups.last_mut();
            group
                .ok_or_else(|| line.error("a question before the first group, a line \": name\""))?
                .questions
                .push(words);
            Ok(())
        })?;
        if set.groups.is_empty() {
            return Err(DataError::Empty { path: path.to_path_buf(), expected: "groups of questions" });
        }
        Ok(set)
    }
}
