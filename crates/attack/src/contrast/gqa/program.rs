//! Programs of questions.

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
    /// The objects of a name.
    Select(String),
    /// Those of the objects with an attribute, of a type such as "color", or without it.
    Filter {
        /// The attribute's type, if the program has one.
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
        /// The attribute's type, if the program has one.
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
    /// The name of the one object.
    QueryName,
    /// Whether both are so.
    And,
    /// Whether one of both is so.
    Or,
}

impl Program {
    /// The program, or why it is none that is known here.
    pub(super) fn parse(raw: &[RawStep]) -> Result<Program, String> {
        let step = |(at, raw): (usize, &RawStep)| {
            let step = Step::parse(raw).ok_or_else(|| format!("the operation '{}' is not known", raw.operation))?;
            let wants = step.operands();
            if raw.dependencies.len() != wants || raw.dependencies.iter().any(|&d| d >= at) {
                return Err("a step of its program has other operands than its operation takes".to_string());
            }
            Ok((step, raw.dependencies.clone()))
        };
        let steps = raw.iter().enumerate().map(step).collect::<Result<Vec<_>, String>>()?;
        if steps.is_empty() { Err("its program is empty".into()) } else { Ok(Program { steps }) }
    }
}

impl Step {
    fn parse(raw: &RawStep) -> Option<Step> {
        let argument = without_numbers(&raw.argument);
        let (operation, kind) = raw.operation.split_once(' ').unwrap_or((raw.operation.as_str(), ""));
        let kind = kind.to_string();
        Some(match (operation, kind.as_str()) {
            // The whole scene has no object.
            ("select", "") if argument != "scene" && !argument.is_empty() => Step::Select(argument.into()),
            ("filter", "hposition" | "vposition") => return None,
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
            ("verify", "hposition" | "vposition" | "location" | "weather" | "place" | "room") => return None,
            ("verify", _) => Step::Verify { kind, value: argument.into() },
            // What else is asked for has types that the graph does not tell.
            ("query", "") if argument == "name" => Step::QueryName,
            ("and", "") => Step::And,
            ("or", "") => Step::Or,
            _ => return None,
        })
    }

    fn operands(&self) -> usize {
        match self {
            Step::Select(_) => 0,
            Step::And | Step::Or => 2,
            _ => 1,
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

// Arguments end with the numbers of the objects that they mean, "water (447019)", or with "(-)" if there is none. They
// are not needed: what is meant is what the words say.
fn without_numbers(argument: &str) -> &str {
    let numbers = |text: &str| text.chars().all(|c| c.is_ascii_digit() || matches!(c, ',' | ' ' | '-'));
    match argument.trim().strip_suffix(')').and_then(|a| a.rsplit_once(" (")) {
        Some((words, inside)) if numbers(inside) => words.trim(),
        _ => argument.trim(),
    }
}
