//! Replacing one atom of a question, in its program and in its text.

use super::Question;
use super::atoms::Atoms;
use super::execute::Answer;
use super::scene::Scene;
use super::text::{contains, place, replaced, same_number};
use crate::contrast::AtomKind;

/// A question that was changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The changed question, in English.
    pub text: String,
    /// Its answer, another than before.
    pub answer: Answer,
    /// What was replaced.
    pub replaced: AtomKind,
    /// The atom, and what stands in its place.
    pub atom: [String; 2],
}

/// Why a question has no contrasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoContrast {
    /// No atom can be replaced in the text.
    #[error("no word that its program says once stands in its text exactly once")]
    Words,
    /// All replacements leave the answer, or have none.
    #[error("no change of one word changes the answer")]
    Answer,
}

/// A change whose text is not written yet.
#[derive(Clone, Debug)]
pub(super) struct Candidate<'a> {
    atom: (AtomKind, usize, &'a str),
    new: &'a str,
    answer: Answer,
}

impl Candidate<'_> {
    pub fn write(&self, question: &Question) -> Change {
        let (kind, place, old) = self.atom;
        Change {
            text: replaced(&question.text, place, old, self.new),
            answer: self.answer.clone(),
            replaced: kind,
            atom: [old.into(), self.new.into()],
        }
    }
}

/// All changes of one atom that change the answer; at least one.
pub(super) fn candidates<'a>(
    question: &'a Question,
    scene: &Scene,
    atoms: &'a Atoms,
) -> Result<Vec<Candidate<'a>>, NoContrast> {
    let (said, present) = (question.program.words(), scene.words());
    let (mut found, mut replaceable) = (Vec::new(), false);
    for (at, (step, _)) in question.program.steps.iter().enumerate() {
        for (index, atom) in step.atoms().iter().enumerate() {
            let old = atom.word;
            // Words that the program says twice, alone or in longer names, may stand in the text for both.
            let once = said.iter().filter(|words| contains(words, old)).count() == 1;
            let Some(place) = place(&question.text, old).filter(|_| once) else { continue };
            replaceable = true;
            let run = |new: &str| {
                let mut program = question.program.clone();
                *program.steps[at].0.atoms_mut()[index] = new.into();
                program.run(scene, &atoms.types).ok()
            };
            // On this graph all words that it does not have are alike.
            let mut absent: Option<Option<Answer>> = None;
            // A word that the program says elsewhere would stand in the text twice.
            for new in atoms.like(atom.of, atom.kind).filter(|new| !said.contains(new)) {
                let fits = same_number(old, new) && !atoms.is_other_word(new, scene);
                if atom.of == AtomKind::Object && !fits {
                    continue;
                }
                let answer =
                    if present.contains(new) { run(new) } else { absent.get_or_insert_with(|| run(new)).clone() };
                let changed = answer.filter(|a| *a != question.answer && a.has_type_of(&question.answer));
                found.extend(changed.map(|answer| Candidate { atom: (atom.of, place, old), new, answer }));
            }
        }
    }
    match (found.is_empty(), replaceable) {
        (false, _) => Ok(found),
        (true, true) => Err(NoContrast::Answer),
        (true, false) => Err(NoContrast::Words),
    }
}
