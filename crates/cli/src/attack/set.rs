//! A data set: how many of its examples withstand an attack.

use super::AttackArgs;
use super::plan::{Method, budget, plan};
use crate::audit::classifier_input;
use crate::single::check_class;
use crate::{CliError, file, model, progress};
use perturb::attack::{Attack, Ball, Classifier, Criterion, Norm, Seed, Uap};
use perturb::data::{Dataset, LoadOptions, load, npz};
use perturb::graph::{Graph, Tensor};
use perturb::onnx::ImportOptions;
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Examples that are attacked at once: enough to keep batches full while examples fall.
pub const CHUNK: usize = 1024;

/// What the JSON says.
#[derive(Serialize, Debug)]
struct Outcome {
    attack: &'static str,
    norm: &'static str,
    epsilon: Option<f64>,
    target: Option<usize>,
    examples: usize,
    clean_accuracy: f64,
    /// Share of examples that are classified correctly and withstood the attack; for a target, that did not reach it.
    robust_accuracy: f64,
    /// Of the examples that fell.
    median_distance: Option<f64>,
    mean_queries: f64,
    seconds: f64,
    success: Vec<bool>,
    distances: Vec<f64>,
    queries: Vec<u64>,
}

/// The examples, what the model should say of them, and the model.
pub struct Subject {
    pub graph: Graph,
    pub model: Classifier,
    pub inputs: Tensor,
    pub predictions: Vec<Option<usize>>,
    pub criterion: Criterion,
    clean_accuracy: f64,
    pub range: (f64, f64),
}

/// What was found for all examples.
#[derive(Default)]
pub struct Found {
    pub inputs: Vec<f32>,
    pub success: Vec<bool>,
    distances: Vec<f64>,
    queries: Vec<u64>,
}

/// Attacks, and writes the adversarial examples and JSON.
///
/// # Errors
/// If the model or the data cannot be used, or a file cannot be written.
pub fn run(args: &AttackArgs, model: &Path, data: &Path) -> Result<(), CliError> {
    let subject = Subject::load(args, model, data)?;
    let start = Instant::now();
    let (name, norm, epsilon, found) = match args.method()? {
        Method::Universal => {
            let norm = args.norm.map_or(Norm::Linf, Norm::from);
            let epsilon = budget(args.epsilon, norm, subject.range, subject.width());
            let found = subject.universal(&Ball::new(norm, epsilon, subject.range)?)?;
            ("UAP", norm, Some(epsilon), found)
        }
        method => {
            let entry = method.each("a data set needs an attack on each example")?;
            let plan = plan(args, entry, subject.range, subject.width())?;
            let found = subject.attack(plan.attack.as_ref(), &plan.ball, args.seed)?;
            (plan.attack.name(), plan.ball.norm(), plan.epsilon, found)
        }
    };
    let seconds = start.elapsed().as_secs_f64();
    let count = found.success.len();
    let mut fallen: Vec<f64> = (0..count).filter(|&i| found.success[i]).map(|i| found.distances[i]).collect();
    fallen.sort_by(f64::total_cmp);
    let robust = found.success.iter().filter(|&&s| !s).count() as f64 / count as f64;
    let out = args.out.clone().unwrap_or_else(|| PathBuf::from("adversarial.npz"));
    let outcome = Outcome {
        attack: name,
        norm: norm.name(),
        epsilon,
        target: args.target,
        examples: count,
        clean_accuracy: subject.clean_accuracy,
        robust_accuracy: robust,
        median_distance: fallen.get(fallen.len() / 2).copied(),
        mean_queries: found.queries.iter().sum::<u64>() as f64 / count as f64,
        seconds,
        success: found.success,
        distances: found.distances,
        queries: found.queries,
    };
    subject.write(&out, found.inputs, &outcome)?;
    println!(
        "{name} in {}: {} examples, accuracy {:.2} % before and {:.2} % after the attack; {:.0} queries each, {seconds:.1} s; \
         {}",
        epsilon.map_or(norm.name().to_string(), |e| format!("{} ≤ {e:.5}", norm.name())),
        count,
        100.0 * outcome.clean_accuracy,
        100.0 * robust,
        outcome.mean_queries,
        out.display()
    );
    Ok(())
}

impl Subject {
    /// Loads model and data, and asks the model for its predictions.
    ///
    /// # Errors
    /// If they cannot be used, or do not fit each other or the options.
    pub fn load(args: &AttackArgs, path: &Path, data: &Path) -> Result<Subject, CliError> {
        let mut raw = model::load(path, &ImportOptions::default())?;
        let shape = classifier_input(&raw)?;
        raw.outputs.truncate(1);
        let options =
            LoadOptions { labels: args.labels.clone(), limit: args.limit, expected_shape: Some(shape.clone()) };
        let dataset = load(data, &options)?;
        check_range(&dataset, data, args.pixel_range)?;
        let graph = match args.preprocessing.given()? {
            Some(given) => given.prepend(&raw)?,
            None => raw,
        };
        let model = Classifier::new(&graph, args.batch)?;
        dataset.check_labels(model.classes())?;
        let predictions = model.predictions(&dataset.inputs)?;
        let labels = match (args.label, dataset.labels) {
            (Some(label), _) => vec![check_class("--label", label, model.classes())?; predictions.len()],
            (None, Some(labels)) => labels,
            (None, None) => predictions.iter().map(|p| p.unwrap_or(0)).collect(),
        };
        let correct = predictions.iter().zip(&labels).filter(|(p, l)| **p == Some(**l)).count();
        let clean_accuracy = correct as f64 / predictions.len() as f64;
        let criterion = match args.target {
            Some(target) => {
                let target = check_class("--target", target, model.classes())?;
                Criterion::Targeted { classes: vec![target; predictions.len()] }
            }
            None => Criterion::Misclassify { labels },
        };
        let (inputs, range) = (dataset.inputs, args.pixel_range);
        Ok(Subject { graph, model, inputs, predictions, criterion, clean_accuracy, range })
    }

    /// Number of values of an example.
    pub fn width(&self) -> usize {
        self.model.example_shape().count()
    }

    /// Attacks all examples.
    ///
    /// # Errors
    /// If the attack cannot be run.
    pub fn attack(&self, attack: &dyn Attack, ball: &Ball, seed: u64) -> Result<Found, CliError> {
        let count = self.criterion.classes().len();
        let bar = progress::bar(&format!("attacking: {}", attack.name()), count);
        let mut all = Found::default();
        for first in (0..count).step_by(CHUNK) {
            let end = (first + CHUNK).min(count);
            let classes = self.criterion.classes()[first..end].to_vec();
            let criterion = match self.criterion {
                Criterion::Targeted { .. } => Criterion::Targeted { classes },
                Criterion::Misclassify { .. } => Criterion::Misclassify { labels: classes },
            };
            let part = self.inputs.rows(first, end);
            let found = attack.run(&self.model, &part, &criterion, ball, &Seed::new(seed, first as u64))?;
            all.inputs.extend_from_slice(found.inputs.as_slice::<f32>());
            all.success.extend(found.success);
            all.distances.extend(found.distances);
            all.queries.extend(found.queries);
            bar.inc((end - first) as u64);
        }
        bar.finish();
        Ok(all)
    }

    fn universal(&self, ball: &Ball) -> Result<Found, CliError> {
        let universal = Uap::default().fit(&self.model, &self.inputs, &self.criterion, ball)?;
        let moved = universal.apply(&self.inputs)?;
        let logits = self.model.logits(&moved)?;
        let rows = logits.as_slice::<f32>().chunks_exact(self.model.classes()).enumerate();
        let success = rows.map(|(row, z)| self.criterion.is_adversarial(row, z)).collect();
        let width = self.width();
        let pairs = self.inputs.as_slice::<f32>().chunks_exact(width).zip(moved.as_slice::<f32>().chunks_exact(width));
        let distances: Vec<f64> = pairs.map(|(x, moved)| ball.distance(x, moved)).collect();
        let queries = vec![1; distances.len()];
        Ok(Found { inputs: moved.as_slice::<f32>().to_vec(), success, distances, queries })
    }

    fn write(&self, out: &Path, inputs: Vec<f32>, outcome: &Outcome) -> Result<(), CliError> {
        let x = Tensor::new(self.inputs.shape().clone(), inputs)?;
        let labels: Vec<i64> = self.criterion.classes().iter().map(|&c| c as i64).collect();
        let y = Tensor::new([labels.len()], labels)?;
        npz::write_all(out, &[("x".into(), x), ("labels".into(), y)])?;
        let json = serde_json::to_string_pretty(outcome).map_err(|e| CliError::Usage(e.to_string()))? + "\n";
        let path = out.with_extension("json");
        std::fs::write(&path, json).map_err(|source| file("write", &path, source))
    }
}

// The values must lie in the range that the budget is measured in.
fn check_range(dataset: &Dataset, path: &Path, (low, high): (f64, f64)) -> Result<(), CliError> {
    let values = dataset.inputs.as_slice::<f32>();
    let (least, most) = values.iter().fold((f32::INFINITY, f32::NEG_INFINITY), |(a, b), &v| (a.min(v), b.max(v)));
    if least >= low as f32 && most <= high as f32 {
        return Ok(());
    }
    Err(CliError::Usage(format!(
        "the values of {} reach from {least} to {most}, outside of the range {low}:{high}: give theirs as --pixel-range \
         LOW:HIGH, and --epsilon in the same units",
        path.display()
    )))
}
