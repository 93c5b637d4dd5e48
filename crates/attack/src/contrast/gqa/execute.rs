//! Running programs on scene graphs.

use super::program::{Program, Role, Step};
use super::scene::Scene;
use std::fmt::{self, Display, Formatter};

/// The answer of a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Yes or no.
    Truth(bool),
    /// A word.
    Word(String),
}

impl Display for Answer {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Answer::Truth(true) => f.write_str("yes"),
            Answer::Truth(false) => f.write_str("no"),
            Answer::Word(word) => f.write_str(word),
        }
    }
}

impl Answer {
    /// Whether both are truths, or both words.
    pub(super) fn has_type_of(&self, other: &Answer) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
    }
}

/// Why a program has no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoAnswer {
    /// "The …" fits no object.
    Nothing,
    /// "The …" fits several.
    Ambiguous,
    /// A step was given objects where it takes truths, or the other way round.
    Mistyped,
}

impl NoAnswer {
    pub fn reason(self) -> &'static str {
        match self {
            NoAnswer::Nothing => "a definite description fits no object of the scene graph",
            NoAnswer::Ambiguous => "a definite description fits several objects of the scene graph",
            NoAnswer::Mistyped => "a step of its program has other operands than its operation takes",
        }
    }
}

/// What a step finds.
#[derive(Clone, Debug)]
enum Found<'a> {
    Objects(Vec<&'a str>),
    Answer(Answer),
}

impl Program {
    /// The answer on a scene graph.
    pub(super) fn run(&self, scene: &Scene) -> Result<Answer, NoAnswer> {
        let mut found: Vec<Found> = Vec::with_capacity(self.steps.len());
        for (step, of) in &self.steps {
            let next = step.run(scene, &of.iter().map(|&i| &found[i]).collect::<Vec<_>>())?;
            found.push(next);
        }
        match found.pop() {
            Some(Found::Answer(answer)) => Ok(answer),
            _ => Err(NoAnswer::Mistyped),
        }
    }
}

impl Step {
    fn run<'a>(&self, scene: &'a Scene, of: &[&Found<'a>]) -> Result<Found<'a>, NoAnswer> {
        let objects = || match of {
            [Found::Objects(objects)] => Ok(objects),
            _ => Err(NoAnswer::Mistyped),
        };
        let has =
            |id: &str, value: &str| scene.objects.get(id).is_some_and(|o| o.attributes.iter().any(|a| a == value));
        let truth = |truth: bool| Ok(Found::Answer(Answer::Truth(truth)));
        let related = |other: &str, name: Option<&str>, relation: &str, role: Role| -> Vec<&'a str> {
            let named = scene.objects.iter().filter(|(_, object)| name.is_none_or(|name| object.name == name));
            let holds = |id: &str| match role {
                Role::Subject => scene.relates(id, relation, other),
                Role::Object => scene.relates(other, relation, id),
            };
            named.map(|(id, _)| id.as_str()).filter(|id| holds(id)).collect()
        };
        match self {
            Step::Select(name) => Ok(Found::Objects(scene.named(name))),
            Step::Filter { value, negated, .. } => {
                let kept = objects()?.iter().copied().filter(|id| has(id, value) != *negated);
                Ok(Found::Objects(kept.collect()))
            }
            Step::Relate { name, relation, role } => {
                Ok(Found::Objects(related(only(objects()?)?, name.as_deref(), relation, *role)))
            }
            Step::Exist => truth(!objects()?.is_empty()),
            Step::Verify { value, .. } => truth(has(only(objects()?)?, value)),
            Step::VerifyRelation { name, relation, role } => {
                truth(!related(only(objects()?)?, Some(name), relation, *role).is_empty())
            }
            Step::QueryName => {
                let name = scene.objects.get(only(objects()?)?).map(|object| object.name.clone());
                Ok(Found::Answer(Answer::Word(name.ok_or(NoAnswer::Nothing)?)))
            }
            Step::And | Step::Or => match of {
                [Found::Answer(Answer::Truth(a)), Found::Answer(Answer::Truth(b))] => {
                    truth(if *self == Step::And { *a && *b } else { *a || *b })
                }
                _ => Err(NoAnswer::Mistyped),
            },
        }
    }
}

// The object of a definite description.
fn only<'a>(objects: &[&'a str]) -> Result<&'a str, NoAnswer> {
    match objects {
        [] => Err(NoAnswer::Nothing),
        [one] => Ok(one),
        _ => Err(NoAnswer::Ambiguous),
    }
}
