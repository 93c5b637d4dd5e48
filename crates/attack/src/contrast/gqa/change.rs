//! Replacing one atom of a question, in its program and in its text.

use super::Question;
use super::execute::Answer;
use super::program::Step;
use super::scene::Scene;
use crate::contrast::AtomKind;
use std::collections::{BTreeMap, BTreeSet};

/// A question that was changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The changed question, in English.
    pub text: String,
    /// Its answer, another than before.
    pub answer: Answer,
    /// What was replaced.
    pub replaced: AtomKind,
}

/// What atoms are replaced by: all that the scene graphs and the programs use.
#[derive(Clone, Debug, Default)]
pub(super) struct Atoms {
    names: BTreeSet<String>,
    relations: BTreeSet<String>,
    /// Attributes by the type that programs give them.
    attributes: BTreeMap<String, BTreeSet<String>>,
}

impl Atoms {
    pub fn of(scenes: &BTreeMap<String, Scene>, questions: &[Question]) -> Atoms {
        let mut atoms = Atoms::default();
        for object in scenes.values().flat_map(|scene| scene.objects.values()) {
            atoms.names.insert(object.name.clone());
            atoms.relations.extend(object.relations.iter().map(|r| r.name.clone()));
        }
        for (step, _) in questions.iter().flat_map(|q| &q.program.steps) {
            // An attribute without a type has no others like it.
            if let Step::Filter { kind, value, .. } | Step::Verify { kind, value } = step
                && !kind.is_empty()
            {
                atoms.attributes.entry(kind.clone()).or_default().insert(value.clone());
            }
        }
        atoms
    }
}

/// All changes of one atom that change the answer.
pub(super) fn contrasts(question: &Question, scene: &Scene, atoms: &Atoms) -> Vec<Change> {
    let mut found = Vec::new();
    for at in 0..question.program.steps.len() {
        for slot in slots(&question.program.steps[at].0, atoms) {
            let Some(place) = place(&question.text, slot.old) else { continue };
            for new in slot.new.iter().filter(|new| *new != slot.old && (slot.fits)(slot.old, new)) {
                let mut program = question.program.clone();
                (slot.set)(&mut program.steps[at].0, new);
                let Ok(answer) = program.run(scene) else { continue };
                if answer != question.answer && answer.has_type_of(&question.answer) {
                    let text = replaced(&question.text, place, slot.old, new);
                    found.push(Change { text, answer, replaced: slot.kind });
                }
            }
        }
    }
    found
}

/// An atom of a step, and what may stand in its place.
struct Slot<'a> {
    kind: AtomKind,
    old: &'a str,
    new: &'a BTreeSet<String>,
    fits: fn(&str, &str) -> bool,
    set: fn(&mut Step, &str),
}

fn slots<'a>(step: &'a Step, atoms: &'a Atoms) -> Vec<Slot<'a>> {
    let name = |old: &'a str, set: fn(&mut Step, &str)| Slot {
        kind: AtomKind::Object,
        old,
        new: &atoms.names,
        fits: same_number,
        set,
    };
    let any = |_: &str, _: &str| true;
    let relation = |old: &'a str, set: fn(&mut Step, &str)| Slot {
        kind: AtomKind::Relation,
        old,
        new: &atoms.relations,
        fits: any,
        set,
    };
    match step {
        Step::Select(old) => vec![name(old, |step, new| {
            if let Step::Select(name) = step {
                *name = new.into();
            }
        })],
        Step::Relate { name: named, relation: old, .. } => {
            let set_name: fn(&mut Step, &str) = |step, new| {
                if let Step::Relate { name, .. } = step {
                    *name = Some(new.into());
                }
            };
            let set: fn(&mut Step, &str) = |step, new| {
                if let Step::Relate { relation, .. } = step {
                    *relation = new.into();
                }
            };
            named.iter().map(|old| name(old, set_name)).chain([relation(old, set)]).collect()
        }
        Step::VerifyRelation { name: named, relation: old, .. } => {
            let set_name: fn(&mut Step, &str) = |step, new| {
                if let Step::VerifyRelation { name, .. } = step {
                    *name = new.into();
                }
            };
            let set: fn(&mut Step, &str) = |step, new| {
                if let Step::VerifyRelation { relation, .. } = step {
                    *relation = new.into();
                }
            };
            vec![name(named, set_name), relation(old, set)]
        }
        Step::Filter { kind, value: old, .. } | Step::Verify { kind, value: old } => {
            let set: fn(&mut Step, &str) = |step, new| {
                if let Step::Filter { value, .. } | Step::Verify { value, .. } = step {
                    *value = new.into();
                }
            };
            let slot = |new| Slot { kind: AtomKind::Attribute, old, new, fits: any, set };
            atoms.attributes.get(kind).map(slot).into_iter().collect()
        }
        Step::Exist | Step::QueryName | Step::And | Step::Or => Vec::new(),
    }
}

// Plurals stay plurals, by their ending: verbs and articles agree with them.
fn same_number(old: &str, new: &str) -> bool {
    let plural = |name: &str| name.ends_with('s') && !name.ends_with("ss");
    plural(old) == plural(new)
}

// Where words stand in a text, if they do so exactly once and as whole words.
fn place(text: &str, words: &str) -> Option<usize> {
    let lower = text.to_ascii_lowercase();
    let letter = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    let whole =
        |at: usize| !letter(lower[..at].chars().next_back()) && !letter(lower[at + words.len()..].chars().next());
    let mut places = lower.match_indices(words).map(|(at, _)| at).filter(|&at| whole(at));
    places.next().filter(|_| places.next().is_none())
}

// The text with other words at a place, and with the article before them that goes with the first letter of the new ones.
fn replaced(text: &str, place: usize, old: &str, new: &str) -> String {
    let (before, after) = (&text[..place], &text[place + old.len()..]);
    let vowel = |word: &str| word.starts_with(['a', 'e', 'i', 'o', 'u']);
    let articles = if vowel(new) { [(" a ", " an "), ("A ", "An ")] } else { [(" an ", " a "), ("An ", "A ")] };
    for (wrong, right) in articles {
        let Some(rest) = before.strip_suffix(wrong) else { continue };
        // A capital is at the beginning only.
        if vowel(old) != vowel(new) && (wrong.starts_with(' ') || rest.is_empty()) {
            return format!("{rest}{right}{new}{after}");
        }
    }
    format!("{before}{new}{after}")
}
