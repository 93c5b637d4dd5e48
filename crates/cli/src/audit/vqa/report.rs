//! What the model made of the questions and their contrasts, as `report.json`.

use super::model::{List, Model};
use super::quiz::Quiz;
use super::{AuditArgs, places};
use crate::CliError;
use crate::audit::rate;
use crate::pictures::Canvas;
use perturb::attack::contrast::{AtomKind, consistency};
use perturb::metrics::bootstrap::paired_difference;
use perturb::report::audit::Accuracy;
use perturb::report::format::percent;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Version of the format of `report.json`.
pub const SCHEMA_VERSION: u32 = 1;
/// Questions that are shown with their images.
const SHOWN: usize = 6;

/// Everything that one audit found. Only questions with contrasts count.
#[derive(Serialize, Debug)]
pub struct QuestionReport {
    pub schema_version: u32,
    pub perturb_version: String,
    pub model: String,
    pub weights_sha256: String,
    pub source: String,
    pub seed: u64,
    pub original: Accuracy,
    /// Of each question the share of its contrasts that are answered rightly, on average.
    pub contrast: f64,
    /// The contrasts' accuracy minus that of the questions, and a 95 % interval over resampled questions.
    pub difference: (f64, [f64; 2]),
    /// Share of the questions that are answered rightly with all their contrasts.
    pub consistency: f64,
    pub contrasts: usize,
    /// Accuracy on contrasts by what was replaced.
    pub by_atom: Vec<(&'static str, Accuracy)>,
    /// Accuracy by the right answer: yes, no, others.
    pub by_answer: Vec<ByAnswer>,
    /// The questions, and the contrasts, those of a question weighing as much as it does.
    pub sets: [Balance; 2],
    /// Questions that were left out, by reason.
    pub skipped: BTreeMap<String, usize>,
    /// Contrasts of other questions that were left out, by reason.
    pub skipped_contrasts: BTreeMap<String, usize>,
    pub shown: Vec<Shown>,
}

/// How often the answer is yes or no.
#[derive(Serialize, Debug)]
pub struct Balance {
    pub name: &'static str,
    pub questions: usize,
    /// Shares of the right answers that are yes, and no.
    pub right: [f64; 2],
    /// Shares of the model's answers.
    pub given: [f64; 2],
    /// What always giving the most frequent right answer would get.
    pub constant: f64,
}

/// Accuracy where one answer is right.
#[derive(Serialize, Debug)]
pub struct ByAnswer {
    pub answer: &'static str,
    /// Nothing where no question has this answer.
    pub original: Option<Accuracy>,
    pub contrasts: Option<Accuracy>,
}

/// A question with its image.
#[derive(Serialize, Debug)]
pub struct Shown {
    pub png_base64: Option<String>,
    /// The question first: text, right answer, the model's.
    pub asked: Vec<[String; 3]>,
}

/// Puts the report together.
///
/// # Errors
/// If a picture or an interval cannot be made.
pub fn report(
    args: &AuditArgs,
    model: &Model,
    quiz: &Quiz,
    answers: &List,
    found: &[usize],
    (path, weights): (&Path, String),
) -> Result<QuestionReport, CliError> {
    let said = |row: usize| answers.name(found[row]);
    let right = |row: usize, answer: &str| said(row) == answer.to_lowercase();
    let mut judged: Vec<(bool, Vec<bool>)> = Vec::new();
    let mut by_atom: BTreeMap<usize, Vec<bool>> = BTreeMap::new();
    for (asked, (own, others)) in quiz.asked.iter().zip(places(&quiz.asked)) {
        let set: Vec<bool> = others.zip(&asked.contrasts).map(|(row, (_, answer, _))| right(row, answer)).collect();
        for (&right, (.., atom)) in set.iter().zip(&asked.contrasts) {
            by_atom.entry(KINDS.iter().position(|(kind, _)| kind == atom).unwrap_or(0)).or_default().push(right);
        }
        judged.push((right(own, &asked.answer), set));
    }
    let count = |all: &[bool]| all.iter().filter(|r| **r).count();
    let own: Vec<f64> = judged.iter().map(|(own, _)| f64::from(u8::from(*own))).collect();
    let shares: Vec<f64> = judged.iter().map(|(_, set)| count(set) as f64 / set.len() as f64).collect();
    let difference = paired_difference(&shares, &own, 0.05, args.seed)?;
    let rows = || quiz.asked.iter().zip(places(&quiz.asked));
    let questions: Vec<Reply> = rows().map(|(asked, (own, _))| reply(&asked.answer, said(own), 1)).collect();
    let contrasts = rows().flat_map(|(asked, (_, others))| {
        let number = asked.contrasts.len();
        others.zip(&asked.contrasts).map(move |(row, (_, answer, _))| reply(answer, said(row), number))
    });
    let contrasts: Vec<Reply> = contrasts.collect();
    Ok(QuestionReport {
        schema_version: SCHEMA_VERSION,
        perturb_version: env!("CARGO_PKG_VERSION").into(),
        model: path.display().to_string(),
        weights_sha256: weights,
        source: quiz.source.clone(),
        seed: args.seed,
        original: rate(judged.iter().filter(|(own, _)| *own).count(), judged.len())?,
        contrast: shares.iter().sum::<f64>() / shares.len() as f64,
        difference: (difference.mean, [difference.interval.lower, difference.interval.upper]),
        consistency: consistency(&judged).unwrap_or(0.0),
        contrasts: judged.iter().map(|(_, set)| set.len()).sum(),
        by_atom: by_atom
            .into_iter()
            .map(|(kind, all)| Ok((KINDS[kind].1, rate(count(&all), all.len())?)))
            .collect::<Result<_, CliError>>()?,
        by_answer: by_answer(&questions, &contrasts)?,
        sets: [Balance::of("questions", &questions), Balance::of("contrasts", &contrasts)],
        skipped: quiz.skipped.clone(),
        skipped_contrasts: quiz.skipped_contrasts.clone(),
        shown: shown(model, quiz, &said)?,
    })
}

const KINDS: [(AtomKind, &str); 3] =
    [(AtomKind::Object, "an object's name"), (AtomKind::Attribute, "an attribute"), (AtomKind::Relation, "a relation")];

/// The right answer and the model's, in lower case, and how much that counts.
struct Reply {
    right: String,
    given: String,
    weight: f64,
}

// One of so many contrasts of a question.
fn reply(right: &str, given: &str, of: usize) -> Reply {
    Reply { right: right.to_lowercase(), given: given.to_lowercase(), weight: 1.0 / of as f64 }
}

impl Balance {
    fn of(name: &'static str, replies: &[Reply]) -> Balance {
        let total: f64 = replies.iter().map(|r| r.weight).sum();
        let share = |is: &dyn Fn(&Reply) -> bool| {
            replies.iter().filter(|r| is(r)).map(|r| r.weight).sum::<f64>() / total.max(f64::MIN_POSITIVE)
        };
        let answers: BTreeSet<&str> = replies.iter().map(|r| r.right.as_str()).collect();
        Balance {
            name,
            questions: replies.len(),
            right: ["yes", "no"].map(|word| share(&|r| r.right == word)),
            given: ["yes", "no"].map(|word| share(&|r| r.given == word)),
            constant: answers.into_iter().map(|answer| share(&|r| r.right == answer)).fold(0.0, f64::max),
        }
    }
}

fn by_answer(questions: &[Reply], contrasts: &[Reply]) -> Result<Vec<ByAnswer>, CliError> {
    let class = |right: &str| ["yes", "no"].iter().position(|word| *word == right).unwrap_or(2);
    let accuracy = |replies: &[Reply], k: usize| {
        let of: Vec<&Reply> = replies.iter().filter(|r| class(&r.right) == k).collect();
        let right = of.iter().filter(|r| r.right == r.given).count();
        if of.is_empty() { Ok(None) } else { rate(right, of.len()).map(Some) }
    };
    let row = |(k, answer): (usize, &'static str)| -> Result<ByAnswer, CliError> {
        Ok(ByAnswer { answer, original: accuracy(questions, k)?, contrasts: accuracy(contrasts, k)? })
    };
    ["yes", "no", "another"].into_iter().enumerate().map(row).collect()
}

fn shown<'a>(model: &Model, quiz: &Quiz, said: &dyn Fn(usize) -> &'a str) -> Result<Vec<Shown>, CliError> {
    let scale = (112 / model.shape[1].max(model.shape[2]).max(1)).max(1);
    let canvas = Canvas { shape: model.shape, limits: (0.0, 1.0), scale };
    let mut all = Vec::new();
    for (asked, (own, others)) in quiz.asked.iter().zip(places(&quiz.asked)).take(SHOWN) {
        let first = [asked.text.clone(), asked.answer.clone(), said(own).to_string()];
        let rest = others
            .zip(&asked.contrasts)
            .map(|(row, (text, answer, _))| [text.clone(), answer.clone(), said(row).to_string()]);
        let drawable = [1, 3].contains(&model.shape[0]);
        let pixels = quiz.images.values(asked.image, model.shape)?;
        let png_base64 = if drawable { Some(canvas.image(&pixels)?) } else { None };
        all.push(Shown { png_base64, asked: std::iter::once(first).chain(rest).collect() });
    }
    Ok(all)
}

impl QuestionReport {
    /// What was found, in a sentence.
    pub fn sentence(&self) -> String {
        let (difference, [low, high]) = self.difference;
        let points = |v: f64| format!("{:+.1}", 100.0 * v).replace('-', "−");
        format!(
            "{} of {} questions are answered rightly, and {} of those that differ in one word and in their answer: {} points \
             [{}, {}]. A whole set is answered rightly for {}.",
            percent(self.original.value),
            self.original.total,
            percent(self.contrast),
            points(difference),
            points(low),
            points(high),
            percent(self.consistency)
        )
    }

    /// Whether the right answers of both sets are so different that a difference of accuracies says little.
    pub fn is_unbalanced(&self) -> bool {
        let [a, b] = &self.sets;
        a.right.iter().zip(b.right).any(|(a, b)| (a - b).abs() > 0.1)
    }

    /// The report for a terminal.
    pub fn text(&self) -> String {
        let skipped: usize = self.skipped.values().sum();
        let left = if skipped > 0 {
            format!("{skipped} questions were left out; report.json says why\n")
        } else {
            String::new()
        };
        self.sentence() + "\n" + &left
    }
}
