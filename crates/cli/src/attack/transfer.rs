//! `perturb attack --transfer`: do examples made on one model fool others?

use super::AttackArgs;
use super::plan::plan;
use super::set::Subject;
use crate::{CliError, file};
use perturb::attack::Ball;
use perturb::metrics::interval::clopper_pearson;
use perturb::nn::recipe;
use perturb::report::transfer::{Rate, Source, Transfer};
use std::path::{Path, PathBuf};

/// Attacks each model, shows what was found to each, and writes page and JSON.
///
/// # Errors
/// If a model or the data cannot be used, models take the data in different layouts, or a file cannot be written.
pub fn run(args: &AttackArgs, model: &Path, data: &Path) -> Result<(), CliError> {
    let entry = args.method()?.each("--transfer is about attacks on each example")?;
    let paths: Vec<&Path> = std::iter::once(model).chain(args.transfer.iter().map(PathBuf::as_path)).collect();
    let subjects = paths.iter().map(|path| Subject::load(args, path, data)).collect::<Result<Vec<_>, _>>()?;
    for (subject, path) in subjects.iter().zip(&paths) {
        if subject.inputs.as_slice::<f32>() != subjects[0].inputs.as_slice::<f32>() {
            return Err(CliError::Usage(format!(
                "{} takes {}, {} takes {}: examples of one cannot be shown to the other",
                paths[0].display(),
                subjects[0].model.example_shape(),
                path.display(),
                subject.model.example_shape()
            )));
        }
    }
    let names = names(&paths);
    let first = &subjects[0];
    let plan = plan(args, entry, first.range, first.width())?;
    let mut sources = Vec::new();
    for (name, subject) in names.iter().zip(&subjects) {
        let found = subject.attack(plan.attack.as_ref(), &plan.ball, args.seed)?;
        sources.push(Source { name: name.clone(), rates: shown(&subjects, &names, &found.inputs)? });
    }
    if plan.epsilon.is_some() {
        let noise = noise(&plan.ball, first.inputs.as_slice::<f32>(), first.width(), args.seed);
        sources.push(Source { name: "noise of the same size".into(), rates: shown(&subjects, &names, &noise)? });
    }
    let report = Transfer {
        attack: plan.attack.name().into(),
        norm: plan.ball.norm().name().into(),
        epsilon: plan.epsilon,
        data: data.display().to_string(),
        examples: first.predictions.len(),
        models: names,
        sources,
        perturb_version: env!("CARGO_PKG_VERSION").into(),
    };
    let out = args.out.clone().unwrap_or_else(|| PathBuf::from("transfer.html"));
    let json = serde_json::to_string_pretty(&report).map_err(|e| CliError::Usage(e.to_string()))? + "\n";
    let path = out.with_extension("json");
    std::fs::write(&path, json).map_err(|source| file("write", &path, source))?;
    std::fs::write(&out, report.render()).map_err(|source| file("write", &out, source))?;
    for source in &report.sources {
        let rates: Vec<String> = source.rates.iter().map(|r| format!("{:5.1} %", 100.0 * r.value)).collect();
        println!("{:<28} {}", source.name, rates.join("  "));
    }
    println!("{}", out.display());
    Ok(())
}

// File names without ending, whole paths if two are the same.
fn names(paths: &[&Path]) -> Vec<String> {
    let stem = |path: &Path| path.file_stem().map_or_else(|| "model".into(), |s| s.to_string_lossy().into_owned());
    let stems: Vec<String> = paths.iter().map(|path| stem(path)).collect();
    let unique = |name: &String| stems.iter().filter(|other| *other == name).count() == 1;
    stems.iter().zip(paths).map(|(s, path)| if unique(s) { s.clone() } else { path.display().to_string() }).collect()
}

// How many of the examples that each model classifies correctly it misclassifies as they were changed.
fn shown(subjects: &[Subject], names: &[String], inputs: &[f32]) -> Result<Vec<Rate>, CliError> {
    let rate = |(subject, name): (&Subject, &String)| {
        let moved = perturb::graph::Tensor::new(subject.inputs.shape().clone(), inputs.to_vec())?;
        let predictions = subject.model.predictions(&moved)?;
        let (mut fooled, mut total) = (0, 0);
        for ((before, after), &label) in subject.predictions.iter().zip(predictions).zip(subject.criterion.classes()) {
            total += usize::from(*before == Some(label));
            fooled += usize::from(*before == Some(label) && after != Some(label));
        }
        if total == 0 {
            let message = format!("{name} classifies none of the examples correctly: check labels and --mean, --std");
            return Err(CliError::Usage(message));
        }
        let interval = clopper_pearson(fooled as u64, total as u64, 0.05)?;
        Ok(Rate { fooled, total, value: fooled as f64 / total as f64, interval: [interval.lower, interval.upper] })
    };
    subjects.iter().zip(names).map(rate).collect()
}

/// Every value moved by ε, up or down, and projected: in norms other than ℓ∞ scaled to the ball.
pub fn noise(ball: &Ball, inputs: &[f32], width: usize, seed: u64) -> Vec<f32> {
    let signs = recipe(seed, [inputs.len()], 1.0);
    let pairs = inputs.iter().zip(signs.as_slice::<f32>());
    let mut moved: Vec<f32> = pairs.map(|(x, s)| x + s.signum() * ball.epsilon() as f32).collect();
    moved.chunks_mut(width).zip(inputs.chunks(width)).for_each(|(x, center)| ball.project(center, x));
    moved
}
