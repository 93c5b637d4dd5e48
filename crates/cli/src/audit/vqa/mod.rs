//! `perturb audit --task vqa`: does a model that answers questions about images answer those that differ in one word and in
//! their answer?

mod args;
mod model;
mod page;
mod quiz;
mod report;

use super::subject::{hash_of, hex};
use super::{AuditArgs, Store, check_writable, publish};
use crate::{CliError, progress};
pub use args::QuestionArgs;
use model::{List, Model};
use perturb::nn::Parameters;
use perturb::onnx::ImportOptions;
use quiz::{Asked, Images, Quiz};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

/// Questions in one batch: a unit of work that survives a kill.
const BATCH: usize = 64;

/// Asks the model questions and their contrasts, and writes `report.html` and `report.json`.
///
/// # Errors
/// If model, data or options do not fit, or the folder cannot be written.
pub fn run(args: &AuditArgs) -> Result<(), CliError> {
    let Some(path) = &args.model else {
        let message =
            "--task vqa needs a model: perturb audit MODEL.onnx --task vqa --scenes … --vocabulary … --answers …";
        return Err(CliError::Usage(message.into()));
    };
    refuse_foreign(args)?;
    check_writable(&args.out)?;
    let model = Model::new(crate::model::load(path, &ImportOptions::default())?, args.preprocessing.given()?)?;
    let options = &args.questions;
    let words = List::read("--vocabulary", options.vocabulary.as_deref())?;
    let answers = List::read("--answers", options.answers.as_deref())?;
    if answers.len() != model.answers {
        let message = format!("--answers has {} lines, the model gives {} scores", answers.len(), model.answers);
        return Err(CliError::Usage(message));
    }
    let mut quiz = Quiz::load(args, model.shape)?;
    let rows = rows(&mut quiz, &model, options, (&words, &answers));
    if quiz.asked.len() < 2 {
        let reasons: Vec<String> = quiz.skipped.iter().map(|(reason, n)| format!("{n}: {reason}")).collect();
        return Err(CliError::Usage(format!(
            "of {} {} question{} with contrasts can be asked; left out: {}",
            quiz.source,
            quiz.asked.len(),
            if quiz.asked.len() == 1 { "" } else { "s" },
            reasons.join("; ")
        )));
    }
    let weights = hash_of(&Parameters::of(&model.graph));
    let store = Store::open(&args.out, &settings(args, &quiz, &rows, &weights), args.resume)?;
    let found = ask(&quiz, &model, &rows, &store)?;
    let report = report::report(args, &model, &quiz, &answers, &found, (path, weights))?;
    publish(&args.out, &report, &page::page(&report), &report.text())
}

// Options of other audits, which would be without effect.
fn refuse_foreign(args: &AuditArgs) -> Result<(), CliError> {
    let given = [
        ("--labels", args.labels.is_some()),
        ("--epsilon", !args.epsilon.is_empty()),
        ("--weights", args.weights.is_some()),
        ("--against", args.against.is_some()),
        ("--pixel-range", args.pixel_range.is_some()),
    ];
    match given.iter().find(|(_, given)| *given) {
        Some((option, _)) => {
            Err(CliError::Usage(format!("{option} says nothing to --task vqa, which perturbs questions: leave it out")))
        }
        None => Ok(()),
    }
}

/// A question as the model takes it: which image, and which tokens.
struct Row {
    image: usize,
    tokens: Vec<i64>,
}

// Each question and then its contrasts. Those with words or answers that the model does not know are left out of the quiz.
fn rows(quiz: &mut Quiz, model: &Model, options: &QuestionArgs, (words, answers): (&List, &List)) -> Vec<Row> {
    let (mut kept, mut rows) = (Vec::new(), Vec::new());
    for mut asked in std::mem::take(&mut quiz.asked) {
        let known = |text: &str, answer: &str| {
            answers.number(answer).ok_or("an answer is not among the model's")?;
            words.tokens(text, model.length, options.padding)
        };
        let own = known(&asked.text, &asked.answer);
        let mut others = Vec::new();
        asked.contrasts.retain(|(text, answer, _)| match (known(text, answer), &own) {
            (Ok(tokens), _) => {
                others.push(tokens);
                true
            }
            (Err(reason), Ok(_)) => {
                *quiz.skipped_contrasts.entry(reason).or_default() += 1;
                false
            }
            // Left out with its question.
            (Err(_), Err(_)) => false,
        });
        let reason = match own {
            Ok(_) if asked.contrasts.is_empty() => {
                "all its contrasts have words or answers that the model does not know".into()
            }
            Ok(own) => {
                let row = |tokens| Row { image: asked.image, tokens };
                rows.extend(std::iter::once(own).chain(others).map(row));
                kept.push(asked);
                continue;
            }
            Err(reason) => reason,
        };
        *quiz.skipped.entry(reason).or_default() += 1;
    }
    quiz.asked = kept;
    rows
}

// Everything that determines the results, as the run's file remembers it.
fn settings(args: &AuditArgs, quiz: &Quiz, rows: &[Row], weights: &str) -> String {
    let mut hasher = Sha256::new();
    for asked in &quiz.asked {
        hasher.update(format!("{asked:?}"));
    }
    if let Images::Files(files) = &quiz.images {
        hasher.update(format!("{files:?}"));
    }
    rows.iter().flat_map(|row| &row.tokens).for_each(|t| hasher.update(t.to_le_bytes()));
    format!(
        "perturb {} vqa; {weights}; questions {}; seed {}; preprocessing {:?}",
        env!("CARGO_PKG_VERSION"),
        hex(&hasher.finalize()),
        args.seed,
        args.preprocessing
    )
}

// The number of the model's answer to each row.
fn ask(quiz: &Quiz, model: &Model, rows: &[Row], store: &Store) -> Result<Vec<usize>, CliError> {
    let bar = progress::bar("questions", rows.len());
    let mut all = Vec::with_capacity(rows.len());
    for (batch, chunk) in rows.chunks(BATCH).enumerate() {
        all.extend(store.batch::<Vec<usize>>("answers", batch, || {
            let mut seen: BTreeMap<usize, Vec<f32>> = BTreeMap::new();
            let (mut pixels, mut tokens) = (Vec::new(), Vec::new());
            for row in chunk {
                let image = match seen.entry(row.image) {
                    Entry::Occupied(known) => known.into_mut(),
                    Entry::Vacant(new) => new.insert(quiz.images.values(row.image, model.shape)?),
                };
                pixels.extend_from_slice(image);
                tokens.extend_from_slice(&row.tokens);
            }
            model.answer(pixels, tokens)
        })?);
        bar.inc(chunk.len() as u64);
    }
    bar.finish();
    Ok(all)
}

/// The rows of a question: its own, and those of its contrasts.
fn places(asked: &[Asked]) -> impl Iterator<Item = (usize, std::ops::Range<usize>)> {
    let counts = asked.iter().map(|a| a.contrasts.len());
    counts.scan(0, |next, count| {
        let own = *next;
        *next += 1 + count;
        Some((own, own + 1..*next))
    })
}
