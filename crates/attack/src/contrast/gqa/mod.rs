//! Contrast sets from GQA's scene graphs and questions (Hudson & Manning 2019).
//!
//! GQA has for each image a graph of its objects, with names, attributes and relations, and for each question the program
//! that answers it on the graph. One atom of the program is replaced by another one that the scene graphs use, and in the
//! question's text likewise. The answer of the changed question is what its program finds on the graph. So "no" is as good
//! as the annotation: what an image shows and nobody wrote down does not exist here.

mod change;
mod execute;
mod program;
mod scene;

pub use change::Change;
pub use execute::Answer;
pub use program::{Program, Role, Step};
pub use scene::{Object, Scene};

use change::Atoms;
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
#[error("not {what} in GQA's format: {source}")]
pub struct GqaError {
    what: &'static str,
    source: serde_json::Error,
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
        let scenes: BTreeMap<String, Scene> =
            serde_json::from_str(scenes).map_err(|source| GqaError { what: "scene graphs", source })?;
        let raw: BTreeMap<String, Raw> =
            serde_json::from_str(questions).map_err(|source| GqaError { what: "questions", source })?;
        let (mut found, mut skipped) = (Vec::new(), BTreeMap::new());
        for (id, raw) in raw {
            match question(id, raw, &scenes) {
                Ok(question) => found.push(question),
                Err(reason) => *skipped.entry(reason).or_default() += 1,
            }
        }
        let atoms = Atoms::of(&scenes, &found);
        Ok(Gqa { scenes, questions: found, skipped, atoms })
    }

    /// The questions, ordered by their numbers as text.
    pub fn questions(&self) -> &[Question] {
        &self.questions
    }

    /// How many questions were left out, by reason: a program with an operation that is not known here, a scene without a
    /// graph, a description that fits no object or several, or another answer than the recorded one.
    pub fn skipped(&self) -> &BTreeMap<String, usize> {
        &self.skipped
    }

    /// The graph of an image.
    pub fn scene(&self, image: &str) -> Option<&Scene> {
        self.scenes.get(image)
    }

    /// All changes of one atom of a question that change its answer into another of the same type, in a fixed order. The
    /// atom's words must stand in the text exactly once.
    pub fn contrasts(&self, question: &Question) -> Vec<Change> {
        self.scene(&question.image).map_or_else(Vec::new, |scene| change::contrasts(question, scene, &self.atoms))
    }
}

fn question(id: String, raw: Raw, scenes: &BTreeMap<String, Scene>) -> Result<Question, String> {
    let scene = scenes.get(&raw.image).ok_or("its image has no scene graph")?;
    let program = Program::parse(&raw.semantic)?;
    let answer = program.run(scene).map_err(|e| e.reason().to_string())?;
    if !raw.answer.eq_ignore_ascii_case(&answer.to_string()) {
        return Err("the scene graph gives another answer than the recorded one".into());
    }
    Ok(Question { id, image: raw.image, text: raw.question, answer, program })
}

#[cfg(test)]
mod tests;
