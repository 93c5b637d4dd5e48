//! `perturb audit`: attacks, certificates and explanations of one model, in one report.

mod args;
mod assemble;
mod attacks;
mod attributions;
mod builtin;
mod certificates;
mod encoder;
mod results;
mod roster;
mod store;
mod subject;
mod vqa;
mod weights;

use crate::CliError;
use crate::attack::known;
use args::Task;
pub use args::{AuditArgs, AuditNorm};
pub use assemble::data_info;
pub use attacks::{BATCH, clean};
use perturb::attack::Classifier;
use perturb::report::{audit::AuditReport, headline, render};
pub use results::{Certified, SmoothedBatch, rate};
use serde::Serialize;
use std::path::Path;
use std::time::Instant;
pub use store::Store;
pub use subject::{Source, Subject, classifier_input};

/// Runs an audit and writes `report.html` and `report.json`.
///
/// # Errors
/// If model, data or options do not fit, or the folder cannot be written.
pub fn run(args: &AuditArgs) -> Result<(), CliError> {
    match (args.task, &args.encoder, &args.against) {
        (Task::Vqa, ..) => vqa::run(args),
        (Task::Classify, Some(model), _) => encoder::run(args, model),
        (Task::Classify, None, Some(weights)) => weights::run(args, weights),
        (Task::Classify, None, None) => classifier(args),
    }
}

fn classifier(args: &AuditArgs) -> Result<(), CliError> {
    let start = Instant::now();
    check_writable(&args.out)?;
    let norm = args.graph_norm().into();
    args.attacks.entries(norm)?;
    let subject = Subject::load(args)?;
    if let Some(range) = subject.limits {
        let width = subject.inputs.count() / subject.labels.len().max(1);
        args.epsilon.iter().for_each(|&epsilon| crate::attack::warn_of_excess(epsilon, norm, range, width));
    }
    let store = Store::open(&args.out, &settings(args, &subject)?, args.resume)?;
    let model = Classifier::new(&subject.graph, attacks::BATCH)?;
    let clean = attacks::clean(&subject, &model, &store)?;
    let attacked = attacks::run(&subject, args, &model, &clean.correct, &store)?;
    let deepfool = known("deepfool").map_err(CliError::Usage)?;
    let of = (&subject, args.seed);
    let distances = attacks::nearest(deepfool, args.graph_norm(), of, &model, &clean.correct, &store)?;
    let certified = certificates::run(&subject, args, &clean.correct, &attacked.falls, &store)?;
    let explained = attributions::run(&subject, &clean.predictions, args.seed, &store)?;
    let found = assemble::Found { clean, attacked, distances, certified, explained };
    let report = assemble::report(&subject, args, found, &store, start.elapsed().as_secs_f64())?;
    write(&args.out.join("report.json"), &report.to_json()?)?;
    write(&args.out.join("report.html"), &render(&report))?;
    summary(args, &report);
    Ok(())
}

// Everything that determines the results, as the run's file remembers it.
fn settings(args: &AuditArgs, subject: &Subject) -> Result<String, CliError> {
    let attacks: Vec<String> =
        roster::settings(args)?.into_iter().map(|s| format!("{} ({})", s.name, s.hyperparameters)).collect();
    let attacks = attacks.join(", ");
    Ok(format!(
        "perturb {}; {}; attacks {}; norm {:?}; budgets {:?}; seed {}; preprocessing {:?}; limits {:?}; examples {}",
        env!("CARGO_PKG_VERSION"),
        subject.fingerprint,
        attacks,
        args.norm,
        args.epsilons(),
        args.seed,
        subject.preprocessing,
        subject.limits,
        subject.labels.len()
    ))
}

/// Whether a folder can be written to: found out before minutes of work, not after.
///
/// # Errors
/// If it cannot.
pub fn check_writable(folder: &Path) -> Result<(), CliError> {
    let failed = |source| CliError::File { action: "write to", path: folder.display().to_string(), source };
    std::fs::create_dir_all(folder).map_err(failed)?;
    let probe = folder.join(".perturb-write-test");
    std::fs::write(&probe, b"").map_err(failed)?;
    std::fs::remove_file(&probe).map_err(failed)
}

/// Writes beside and moves into place, so that a kill leaves the old report or the new one.
///
/// # Errors
/// If the file cannot be written.
fn write(path: &Path, text: &str) -> Result<(), CliError> {
    let failed = |source| CliError::File { action: "write", path: path.display().to_string(), source };
    let partial = path.with_extension("partial");
    std::fs::write(&partial, text).map_err(failed)?;
    std::fs::rename(&partial, path).map_err(failed)
}

/// Writes `report.json` and `report.html` into a folder, and prints what the report says in a few lines and where it is.
///
/// # Errors
/// If the report has no JSON or a file cannot be written.
pub fn publish(folder: &Path, report: &impl Serialize, page: &str, text: &str) -> Result<(), CliError> {
    let json = serde_json::to_string_pretty(report).map_err(|e| CliError::Usage(e.to_string()))? + "\n";
    write(&folder.join("report.json"), &json)?;
    write(&folder.join("report.html"), page)?;
    print!("{text}");
    println!("report: {}", folder.join("report.html").display());
    Ok(())
}

fn summary(args: &AuditArgs, report: &AuditReport) {
    let headline = headline(report);
    println!("{}: {}", headline.verdict.word(), headline.sentence);
    for finding in &report.findings {
        println!("- {}: {}", finding.title, finding.text);
    }
    println!("report: {}", args.out.join("report.html").display());
}
