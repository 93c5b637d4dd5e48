//! Running programs on scene graphs.

use super::atoms::Types;
use super::program::{Program, Role, Step};
use super::scene::Scene;
use std::collections::BTreeSet;
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
    /// The graph does not say what is asked of an object, or says several things.
    Untold,
    /// A step was given objects where it takes truths, or the other way round.
    Mistyped,
}

impl NoAnswer {
    pub fn reason(self) -> &'static str {
        match self {
            NoAnswer::Nothing => "a definite description fits no object of the scene graph",
            NoAnswer::Ambiguous => "a definite description fits several objects of the scene graph",
            NoAnswer::Untold => "the scene graph does not settle what is asked of an object",
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

/// A graph, and of which type its attributes are.
#[derive(Clone, Copy)]
struct Known<'a> {
    scene: &'a Scene,
    types: &'a Types,
}

impl Program {
    /// The answer on a scene graph.
    pub(super) fn run(&self, scene: &Scene, types: &Types) -> Result<Answer, NoAnswer> {
        let mut found: Vec<Found> = Vec::with_capacity(self.steps.len());
        for (step, of) in &self.steps {
            let next = step.run(Known { scene, types }, &of.iter().map(|&i| &found[i]).collect::<Vec<_>>())?;
            found.push(next);
        }
        match found.pop() {
            Some(Found::Answer(answer)) => Ok(answer),
            _ => Err(NoAnswer::Mistyped),
        }
    }
}

impl Step {
    fn run<'a>(&self, known: Known<'a>, of: &[&Found<'a>]) -> Result<Found<'a>, NoAnswer> {
        let truth = |truth: bool| Ok(Found::Answer(Answer::Truth(truth)));
        let word = |word: &str| Ok(Found::Answer(Answer::Word(word.into())));
        let all = || objects(of.first().copied());
        let one = || all().and_then(only);
        match self {
            Step::Select(name) => Ok(Found::Objects(known.scene.named(name))),
            Step::Filter { value, negated, .. } => {
                let kept = all()?.iter().copied().filter(|id| known.has(id, value) != *negated);
                Ok(Found::Objects(kept.collect()))
            }
            Step::Relate { name, relation, role } => {
                Ok(Found::Objects(known.related(one()?, name.as_deref(), relation, *role)))
            }
            Step::Exist => truth(!all()?.is_empty()),
            Step::Verify { value, .. } => truth(known.has(one()?, value)),
            Step::VerifyRelation { name, relation, role } => {
                truth(!known.related(one()?, Some(name), relation, *role).is_empty())
            }
            Step::Query(kind) => word(known.value(one()?, kind)?),
            Step::Choose { kind, options } => word(known.choice(one()?, kind, options)?),
            Step::Same { kind, negated } => truth(known.are_same(of, kind)? != *negated),
            Step::Common => word(known.common(of)?),
            Step::And | Step::Or => match of {
                [Found::Answer(Answer::Truth(a)), Found::Answer(Answer::Truth(b))] => {
                    truth(if *self == Step::And { *a && *b } else { *a || *b })
                }
                _ => Err(NoAnswer::Mistyped),
            },
        }
    }
}

impl<'a> Known<'a> {
    fn has(self, id: &str, value: &str) -> bool {
        self.scene.objects.get(id).is_some_and(|o| o.attributes.iter().any(|a| a == value))
    }

    fn related(self, other: &str, name: Option<&str>, relation: &str, role: Role) -> Vec<&'a str> {
        let named = self.scene.objects.iter().filter(|(_, object)| name.is_none_or(|name| object.name == name));
        let holds = |id: &str| match role {
            Role::Subject => self.scene.relates(id, relation, other),
            Role::Object => self.scene.relates(other, relation, id),
        };
        named.map(|(id, _)| id.as_str()).filter(|id| holds(id)).collect()
    }

    /// The only attribute of a type that an object has, or its name.
    fn value(self, id: &str, kind: &str) -> Result<&'a str, NoAnswer> {
        let object = self.scene.objects.get(id).ok_or(NoAnswer::Nothing)?;
        if ["name", "type"].contains(&kind) {
            return Ok(&object.name);
        }
        let of_type = |a: &&String| self.types.get(kind).is_some_and(|all| all.contains(*a));
        // An attribute may be noted twice.
        let values: BTreeSet<&String> = object.attributes.iter().filter(of_type).collect();
        match (values.first(), values.len()) {
            (Some(value), 1) => Ok(value),
            _ => Err(NoAnswer::Untold),
        }
    }

    fn choice<'b>(self, id: &str, kind: &str, options: &'b [String; 2]) -> Result<&'b str, NoAnswer> {
        let is =
            |option: &String| if kind == "name" { self.value(id, kind) == Ok(option) } else { self.has(id, option) };
        match options.each_ref().map(is) {
            [true, false] => Ok(&options[0]),
            [false, true] => Ok(&options[1]),
            _ => Err(NoAnswer::Untold),
        }
    }

    /// Whether all objects of a group, or the one of a step and the one of another, have the same attribute of a type.
    fn are_same(self, of: &[&Found<'a>], kind: &str) -> Result<bool, NoAnswer> {
        let all = match of {
            [group] => objects(Some(group))?.to_vec(),
            two => two.iter().map(|found| objects(Some(found)).and_then(only)).collect::<Result<_, _>>()?,
        };
        if all.len() < 2 {
            return Err(NoAnswer::Nothing);
        }
        let values = all.iter().map(|id| self.value(id, kind)).collect::<Result<BTreeSet<_>, _>>()?;
        Ok(values.len() == 1)
    }

    fn common(self, of: &[&Found<'a>]) -> Result<&'a str, NoAnswer> {
        let mut kinds = self.types.keys().filter(|kind| self.are_same(of, kind) == Ok(true));
        // "The …" that fits none or several is that error, not one of attributes.
        of.iter().try_for_each(|found| objects(Some(found)).and_then(only).map(|_| ()))?;
        match (kinds.next(), kinds.next()) {
            (Some(kind), None) => Ok(kind),
            _ => Err(NoAnswer::Untold),
        }
    }
}

fn objects<'b, 'a>(found: Option<&'b Found<'a>>) -> Result<&'b [&'a str], NoAnswer> {
    match found {
        Some(Found::Objects(objects)) => Ok(objects),
        _ => Err(NoAnswer::Mistyped),
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
