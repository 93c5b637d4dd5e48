//! Programs of questions.

use crate::contrast::AtomKind;
use serde::Deserialize;

/// A step as GQA stores it.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct RawStep {
    operation: String,
    #[serde(default)]
    dependencies: Vec<usize>,
    #[serde(default)]
    argument: String,
}

/// The steps that answer a question; each uses results of earlier ones, the last gives the answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    pub(super) steps: Vec<(Step, Vec<usize>)>,
}

/// Which end of a relation an object that is named in the program has; the other one is an earlier step's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// "the *apple* on the table"
    Subject,
    /// "the table that the *apple* is on"
    Object,
}

/// One step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// All objects of a name.
    Select(String),
    /// Those with an attribute.
    Filter {
        /// The attribute's type; empty if the program has none.
        kind: String,
        /// The attribute.
        value: String,
        /// Whether they must not have it.
        negated: bool,
    },
    /// The objects of a name (any, if it is none) in a relation to the one object of an earlier step.
    Relate {
        /// The name.
        name: Option<String>,
        /// The relation.
        relation: String,
        /// The end that the named objects have.
        role: Role,
    },
    /// Whether there is an object.
    Exist,
    /// Whether the one object of an earlier step has an attribute.
    Verify {
        /// The attribute's type; empty if the program has none.
        kind: String,
        /// The attribute.
        value: String,
    },
    /// Whether the one object of an earlier step stands in a relation to one of a name.
    VerifyRelation {
        /// The name.
        name: String,
        /// The relation.
        relation: String,
        /// The end that the named object has.
        role: Role,
    },
    /// The attribute of a type that the one object has; `name` asks what it is.
    Query(String),
    /// Which of two attributes, or names if the type is `name`, the one object has.
    Choose {
        /// Their type.
        kind: String,
        /// Both.
        options: [String; 2],
    },
    /// Whether all objects of one or two earlier steps have the same attribute of a type.
    Same {
        /// The type; `type` compares names.
        kind: String,
        /// Whether the question is if they differ.
        negated: bool,
    },
    /// The only type of which the objects of two steps have the same attribute.
    Common,
    /// Whether both are so.
    And,
    /// Whether one of both is so.
    Or,
}

/// A word of a step that another one can stand for.
pub(super) struct Atom<'a> {
    pub of: AtomKind,
    /// An attribute's type; empty if the program has none.
    pub kind: &'a str,
    pub word: &'a str,
}

impl Program {
    /// The program, or why it is none that is known here.
    pub(super) fn parse(raw: &[RawStep]) -> Result<Program, String> {
        let step = |(at, raw): (usize, &RawStep)| {
            let step =
                Step::parse(raw).ok_or_else(|| format!("the operation '{}' is not known", raw.short_operation()))?;
            let fits = step.operands().contains(&raw.dependencies.len()) && raw.dependencies.iter().all(|&d| d < at);
            if !fits {
                return Err("a step of its program has other operands than its operation takes".to_string());
            }
            Ok((step, raw.dependencies.clone()))
        };
        let steps = raw.iter().enumerate().map(step).collect::<Result<Vec<_>, String>>()?;
        if steps.is_empty() { Err("its program is empty".into()) } else { Ok(Program { steps }) }
    }

    /// All words that the program says of objects.
    pub(super) fn words(&self) -> Vec<&str> {
        self.steps.iter().flat_map(|(step, _)| step.words()).collect()
    }
}

impl RawStep {
    /// The operation as counts of those that are not known name it: with the argument where that makes the difference.
    fn short_operation(&self) -> String {
        let argument = without_numbers(&self.argument);
        match (self.operation.as_str(), argument.split(',').nth(1)) {
            ("select", _) => format!("select {}", if argument.is_empty() { "nothing" } else { argument }),
            ("query", _) => format!("query {argument}"),
            ("relate", Some(relation)) if relation.starts_with("same ") => format!("relate {relation}"),
            (operation, _) => operation.to_string(),
        }
    }

    /// A name that the step says, and the numbers of the objects that the data set means by it.
    pub fn named(&self) -> Option<(&str, impl Iterator<Item = &str>)> {
        let words = without_numbers(&self.argument);
        let name = match self.operation.as_str() {
            "select" => words,
            "relate" | "verify rel" => words.split(',').next().filter(|name| *name != "_")?,
            _ => return None,
        };
        let numbers = self.argument.trim()[words.len()..].trim().trim_start_matches('(').trim_end_matches(')');
        Some((name, numbers.split(',').map(str::trim).filter(|n| !n.is_empty() && *n != "-")))
    }

    /// The type of the attribute that the step asks for.
    pub fn asked(&self) -> Option<&str> {
        let argument = without_numbers(&self.argument);
        (self.operation == "query" && argument != "name").then_some(argument)
    }
}

/// What needs more than the graph's attributes: where in the image an object is, and what the whole scene is.
const OF_IMAGES: [&str; 6] = ["hposition", "vposition", "location", "weather", "place", "room"];

impl Step {
    fn parse(raw: &RawStep) -> Option<Step> {
        let argument = without_numbers(&raw.argument);
        let (operation, kind) = raw.operation.split_once(' ').unwrap_or((raw.operation.as_str(), ""));
        if OF_IMAGES.contains(&kind) {
            return None;
        }
        let kind = kind.to_string();
        Some(match (operation, kind.as_str()) {
            // The whole scene is no object.
            ("select", "") if argument != "scene" && !argument.is_empty() => Step::Select(argument.into()),
            ("filter", _) => {
                let inner = argument.strip_prefix("not(").and_then(|a| a.strip_suffix(')'));
                Step::Filter { kind, value: inner.unwrap_or(argument).into(), negated: inner.is_some() }
            }
            ("relate", "") => {
                let (name, relation, role) = relation(argument)?;
                Step::Relate { name: (name != "_").then(|| name.into()), relation: relation.into(), role }
            }
            ("exist", "") => Step::Exist,
            ("verify", "rel") => {
                let (name, relation, role) = relation(argument)?;
                Step::VerifyRelation { name: name.into(), relation: relation.into(), role }
            }
            ("verify", _) => Step::Verify { kind, value: argument.into() },
            ("query", "") if !OF_IMAGES.contains(&argument) && !argument.is_empty() => Step::Query(argument.into()),
            // The argument of "choose rel" has commas; those of comparisons, such as "choose older", are empty.
            ("choose", _) if !argument.contains(',') => {
                let (a, b) = argument.split_once('|')?;
                Step::Choose { kind, options: [a.trim().into(), b.trim().into()] }
            }
            ("same" | "different", _) => {
                let kind = if kind.is_empty() { argument.to_string() } else { kind };
                if kind.is_empty() {
                    return None;
                }
                Step::Same { kind, negated: operation == "different" }
            }
            ("common", "") => Step::Common,
            ("and", "") => Step::And,
            ("or", "") => Step::Or,
            _ => return None,
        })
    }

    fn operands(&self) -> std::ops::RangeInclusive<usize> {
        match self {
            Step::Select(_) => 0..=0,
            Step::And | Step::Or | Step::Common => 2..=2,
            Step::Same { .. } => 1..=2,
            _ => 1..=1,
        }
    }

    /// The words that can be replaced.
    pub(super) fn atoms(&self) -> Vec<Atom<'_>> {
        let atom = |of, kind, word| Atom { of, kind, word };
        match self {
            Step::Select(name) => vec![atom(AtomKind::Object, "", name)],
            Step::Filter { kind, value, .. } | Step::Verify { kind, value } => {
                vec![atom(AtomKind::Attribute, kind, value)]
            }
            Step::Relate { name, relation, .. } => {
                let name = name.iter().map(|name| atom(AtomKind::Object, "", name));
                name.chain([atom(AtomKind::Relation, "", relation)]).collect()
            }
            Step::VerifyRelation { name, relation, .. } => {
                vec![atom(AtomKind::Object, "", name), atom(AtomKind::Relation, "", relation)]
            }
            _ => Vec::new(),
        }
    }

    /// The same words, in the same order, to be replaced.
    pub(super) fn atoms_mut(&mut self) -> Vec<&mut String> {
        match self {
            Step::Select(word) | Step::Filter { value: word, .. } | Step::Verify { value: word, .. } => vec![word],
            Step::Relate { name, relation, .. } => name.iter_mut().chain([relation]).collect(),
            Step::VerifyRelation { name, relation, .. } => vec![name, relation],
            _ => Vec::new(),
        }
    }

    /// Attributes with their types, where the step has both. An attribute without a type has no others like it.
    pub(super) fn typed(&self) -> Vec<(&str, &str)> {
        let kind = match self {
            Step::Filter { kind, .. } | Step::Verify { kind, .. } | Step::Choose { kind, .. } => kind.as_str(),
            _ => "",
        };
        if ["", "name"].contains(&kind) {
            return Vec::new();
        }
        self.words().into_iter().map(|word| (kind, word)).collect()
    }

    fn words(&self) -> Vec<&str> {
        match self {
            Step::Choose { options, .. } => options.iter().map(String::as_str).collect(),
            _ => self.atoms().into_iter().map(|atom| atom.word).collect(),
        }
    }
}

// "horse,on the edge of,s": the horse is on the edge of what an earlier step found.
fn relation(argument: &str) -> Option<(&str, &str, Role)> {
    let (rest, role) = argument.rsplit_once(',')?;
    let (name, relation) = rest.split_once(',')?;
    let role = match role.trim() {
        "s" => Role::Subject,
        "o" => Role::Object,
        _ => return None,
    };
    Some((name.trim(), relation.trim(), role))
}

// Arguments end with the numbers of the objects that they mean, "water (447019)", or with "(-)" if there is none.
fn without_numbers(argument: &str) -> &str {
    let numbers = |text: &str| text.chars().all(|c| c.is_ascii_digit() || matches!(c, ',' | ' ' | '-'));
    match argument.trim().strip_suffix(')').and_then(|a| a.rsplit_once(" (")) {
        Some((words, inside)) if numbers(inside) => words.trim(),
        _ => argument.trim(),
    }
}
