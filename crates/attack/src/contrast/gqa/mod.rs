//! Contrast sets from GQA's scene graphs and questions (Hudson & Manning 2019).
//!
//! GQA has for each image a graph of its objects, with names, attributes and relations, and for each question the program
//! that answers it on the graph. One atom of the program, a name, an attribute or a relation, is replaced by another of
//! its type that the files use, and in the question's text likewise, with the article before it repaired. The answer of
//! the changed question is what its program finds on the graph.
//!
//! So "no" is as good as the annotation: what an image shows and nobody wrote down does not exist here, a plate that is
//! "next to" a bed is not "near" it. What the files do tell is used: where a program calls an object of the graph by
//! another word than the graph does ("animal" for a dog), that word is not taken to be absent from scenes with a dog.
//!
//! | operation | here |
//! |---|---|
//! | `select`, `filter`, `relate`, `exist`, `verify`, `and`, `or` | as they say; `verify` and `relate` need one object |
//! | `query`, `choose`, `same`, `different`, `common` | if the graph gives each object one attribute of the type |
//! | positions in the image, the whole scene, comparisons ("older"), `choose rel`, `relate same …` | not known |
//!
//! Types of attributes are those that programs give them (`filter color`, `query` of `material`).
//!
//! ```
//! use perturb_attack::contrast::gqa::Gqa;
//!
//! let scenes = r#"{"1": {"objects": {
//!     "8": {"name": "cat", "attributes": ["black"], "relations": [{"name": "on", "object": "9"}]},
//!     "9": {"name": "table", "attributes": [], "relations": []},
//!     "10": {"name": "owl", "attributes": [], "relations": []}}}}"#;
//! let questions = r#"{"5": {"imageId": "1", "question": "Is there a cat on the table?", "answer": "yes", "semantic": [
//!     {"operation": "select", "dependencies": [], "argument": "table (9)"},
//!     {"operation": "relate", "dependencies": [0], "argument": "cat,on,s (8)"},
//!     {"operation": "exist", "dependencies": [1], "argument": "?"}]}}"#;
//! let gqa = Gqa::read(scenes, questions)?;
//! let set = gqa.contrasts(&gqa.questions()[0])?;
//! assert_eq!(set[0].text, "Is there a cat on the owl?");
//! assert_eq!(set[1].text, "Is there an owl on the table?");
//! assert!(set.iter().all(|change| change.answer.to_string() == "no"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod atoms;
mod change;
mod execute;
mod program;
mod scene;
mod text;

pub use change::{Change, NoContrast};
pub use execute::Answer;
pub use program::{Program, Role, Step};
pub use scene::{Object, Relation, Scene};

use atoms::{Atoms, other_words};
use rand::Rng;
use rand::seq::IndexedRandom;
use serde::Deserialize;
use std::collections::BTreeMap;

/// A question about an image.
#[derive(Clone, Debug, PartialEq)]
pub struct Question {
    /// Its number in the data set.
    pub id: String,
    /// The image, whose graph is [`Gqa::scene`] of it.
    pub image: String,
    /// In English.
    pub text: String,
    /// What the program finds, which is what the data set says too.
    pub answer: Answer,
    /// The program.
    pub program: Program,
}

/// Scenes, and those questions about them whose programs run here and give the recorded answers.
#[derive(Clone, Debug)]
pub struct Gqa {
    scenes: BTreeMap<String, Scene>,
    questions: Vec<Question>,
    /// How many questions were left out, by reason.
    skipped: BTreeMap<String, usize>,
    atoms: Atoms,
}

/// A file that is not in GQA's format.
#[derive(Debug, thiserror::Error)]
pub enum GqaError {
    /// The scene graphs.
    #[error("not scene graphs in GQA's format: {0}; give a file such as val_sceneGraphs.json as it was downloaded")]
    Scenes(serde_json::Error),
    /// The questions.
    #[error("not questions in GQA's format: {0}; give a file such as val_balanced_questions.json as it was downloaded")]
    Questions(serde_json::Error),
}

#[derive(Deserialize)]
struct Raw {
    #[serde(rename = "imageId")]
    image: String,
    question: String,
    answer: String,
    semantic: Vec<program::RawStep>,
}

impl Gqa {
    /// Reads scene graphs (the text of `val_sceneGraphs.json`) and questions (of `val_balanced_questions.json`).
    ///
    /// # Errors
    /// If a text is no JSON or lacks what the format has; the message names line and column.
    pub fn read(scenes: &str, questions: &str) -> Result<Gqa, GqaError> {
        let scenes: BTreeMap<String, Scene> = serde_json::from_str(scenes).map_err(GqaError::Scenes)?;
        let raw: BTreeMap<String, Raw> = serde_json::from_str(questions).map_err(GqaError::Questions)?;
        let mut atoms = Atoms::of(&scenes);
        let mut parsed = Vec::with_capacity(raw.len());
        for (id, raw) in raw {
            let program = Program::parse(&raw.semantic);
            if let Some(scene) = scenes.get(&raw.image) {
                atoms.learn(scene, program.as_ref().ok(), (&raw.semantic, &raw.answer));
            }
            parsed.push((id, raw, program));
        }
        let (mut found, mut skipped) = (Vec::new(), BTreeMap::new());
        for (id, raw, program) in parsed {
            match question(id, raw, program, (&scenes, &atoms)) {
                Ok(question) => found.push(question),
                Err(reason) => *skipped.entry(reason).or_default() += 1,
            }
        }
        Ok(Gqa { scenes, questions: found, skipped, atoms })
    }

    /// The questions, ordered by their numbers as text.
    pub fn questions(&self) -> &[Question] {
        &self.questions
    }

    /// How many questions were left out, by reason: a program with an operation that is not known here (each counted by
    /// itself), an image without a graph, a description that fits no object or several, another answer than the recorded
    /// one, or a text that says more than the program.
    pub fn skipped(&self) -> &BTreeMap<String, usize> {
        &self.skipped
    }

    /// The graph of an image.
    pub fn scene(&self, image: &str) -> Option<&Scene> {
        self.scenes.get(image)
    }

    /// All changes of one atom of a question that change its answer into another of the same type, at least one, in a
    /// fixed order. The atom's words stand in the text exactly once; a name is replaced by one of the same number, which
    /// its ending tells.
    ///
    /// # Errors
    /// [`NoContrast`] if there is none.
    pub fn contrasts(&self, question: &Question) -> Result<Vec<Change>, NoContrast> {
        Ok(self.candidates(question)?.iter().map(|c| c.write(question)).collect())
    }

    /// Up to `count` of the [`contrasts`](Gqa::contrasts), different ones, drawn uniformly.
    ///
    /// # Errors
    /// [`NoContrast`] if there is none.
    pub fn contrast_set(
        &self,
        question: &Question,
        count: usize,
        rng: &mut impl Rng,
    ) -> Result<Vec<Change>, NoContrast> {
        Ok(self.candidates(question)?.sample(rng, count).map(|c| c.write(question)).collect())
    }

    fn candidates<'a>(&'a self, question: &'a Question) -> Result<Vec<change::Candidate<'a>>, NoContrast> {
        let scene = self.scene(&question.image).ok_or(NoContrast::Answer)?;
        change::candidates(question, scene, &self.atoms)
    }
}

fn question(
    id: String,
    raw: Raw,
    program: Result<Program, String>,
    (scenes, atoms): (&BTreeMap<String, Scene>, &Atoms),
) -> Result<Question, String> {
    let scene = scenes.get(&raw.image).ok_or("its image has no scene graph")?;
    let program = program?;
    if other_words(scene, &raw.semantic).next().is_some() {
        return Err("its program calls an object by another word than the scene graph".into());
    }
    let answer = program.run(scene, &atoms.types).map_err(|e| e.reason().to_string())?;
    if !raw.answer.eq_ignore_ascii_case(&answer.to_string()) {
        return Err("the scene graph does not give the recorded answer".into());
    }
    // "Is the small book …" with a program that only knows of a book: what replaces the book would have to be small.
    if text::others(&raw.question, &program.words()).iter().any(|word| atoms.is_attribute(word)) {
        return Err("its text has an attribute that its program does not have".into());
    }
    Ok(Question { id, image: raw.image, text: raw.question, answer, program })
}

#[cfg(test)]
mod tests;
