//! `perturb audit --against`: two sets of weights of one network, compared value by value and by what they do.

mod change;
mod page;
mod report;

use super::attacks::{self, BATCH, CleanResults};
use super::results::rate;
use super::store::Store;
use super::subject::Subject;
use super::{AuditArgs, check_writable, data_info, publish, roster, settings};
use crate::attack::known;
use crate::{CliError, model};
use perturb::attack::Classifier;
use perturb::graph::Norm;
use perturb::metrics::bootstrap::paired_difference;
use perturb::nn::Parameters;
use perturb::report::audit::MethodSetting;
use report::{Difference, Effect, SCHEMA_VERSION, Variant, WeightsReport};
use std::path::Path;

/// Compares, and writes `report.html` and `report.json`.
///
/// # Errors
/// If model, weights, data or options do not fit, or the folder cannot be written.
pub fn run(args: &AuditArgs, against: &Path) -> Result<(), CliError> {
    check_writable(&args.out)?;
    args.attacks.entries(args.graph_norm().into())?;
    let mut subject = Subject::load(args)?;
    if subject.unlabelled {
        let message = "comparing weights needs labels: the two would be judged by each other's answers; give --labels";
        return Err(CliError::Usage(message.into()));
    }
    let before = Parameters::of(&subject.graph);
    let after = model::weights(against, &subject.graph)?;
    let all = settings(args, &subject)? + &format!("; against {}", super::subject::hash_of(&after));
    let store = Store::open(&args.out, &all, args.resume)?;
    let random = change::control(&before, &after, args.seed)?;
    let original = subject.graph.clone();
    let first = Measured::new(args, &subject, &store.of("weights"))?;
    let mut others = Vec::new();
    for (name, parameters) in [("against", &after), ("control", &random)] {
        subject.graph = parameters.bind(&original)?;
        others.push(Measured::new(args, &subject, &store.of(name))?);
    }
    subject.graph = original;
    let changes = change::changes(&before, &after);
    let report = report(args, against, &subject, changes, [&first, &others[0], &others[1]], &store)?;
    publish(&args.out, &report, &page::page(&report), &report.text())
}

/// What one set of weights does.
struct Measured {
    clean: CleanResults,
    attacked: attacks::AttackResults,
    distances: Vec<Option<f64>>,
}

impl Measured {
    fn new(args: &AuditArgs, subject: &Subject, store: &Store) -> Result<Measured, CliError> {
        let model = Classifier::new(&subject.graph, BATCH)?;
        let clean = attacks::clean(subject, &model, store)?;
        let attacked = attacks::run(subject, args, &model, &clean.correct, store)?;
        let ddn = known("ddn").map_err(CliError::Usage)?;
        let of = (subject, args.seed);
        let distances = attacks::nearest(ddn, Norm::L2, of, &model, &clean.correct, store)?;
        Ok(Measured { clean, attacked, distances })
    }

    /// 1 for each example that is classified right and withstands all attacks at ε.
    fn standing(&self, epsilon: f64) -> Vec<f64> {
        let stands = |(correct, fall): (&bool, &Option<attacks::Fall>)| {
            *correct && fall.as_ref().is_none_or(|fall| fall.epsilon > epsilon)
        };
        self.clean.correct.iter().zip(&self.attacked.falls).map(|pair| f64::from(u8::from(stands(pair)))).collect()
    }

    fn variant(&self, name: &str) -> Result<Variant, CliError> {
        let correct = self.clean.correct.iter().filter(|c| **c).count();
        let of_correct = self.distances.iter().zip(&self.clean.correct).filter(|(_, correct)| **correct);
        let found: Vec<f64> = of_correct.filter_map(|(distance, _)| *distance).collect();
        let mean = found.iter().sum::<f64>() / found.len() as f64;
        Ok(Variant {
            name: name.into(),
            clean: rate(correct, self.clean.correct.len())?,
            worst_case: self.attacked.worst_case.clone(),
            mean_distance: (!found.is_empty()).then_some(mean),
        })
    }

    /// What these weights do, compared with others. Intervals hold for all budgets together.
    fn effect(&self, before: &Measured, epsilons: &[f64], seed: u64) -> Result<Effect, CliError> {
        let alpha = 0.05 / (epsilons.len() + 1) as f64;
        let difference = |a: &[f64], b: &[f64]| -> Result<Difference, CliError> {
            let found = paired_difference(a, b, alpha, seed)?;
            Ok(Difference::new(found.mean, found.interval))
        };
        let right = |m: &Measured| m.clean.correct.iter().map(|&c| f64::from(u8::from(c))).collect::<Vec<f64>>();
        let robust = |&e: &f64| Ok((e, difference(&self.standing(e), &before.standing(e))?));
        Ok(Effect {
            clean: difference(&right(self), &right(before))?,
            robust: epsilons.iter().map(robust).collect::<Result<_, CliError>>()?,
        })
    }
}

fn report(
    args: &AuditArgs,
    against: &Path,
    subject: &Subject,
    changes: Vec<change::Change>,
    [first, other, control]: [&Measured; 3],
    store: &Store,
) -> Result<WeightsReport, CliError> {
    let same = first.clean.predictions.iter().zip(&other.clean.predictions).filter(|(a, b)| a == b).count();
    let epsilons = args.epsilons();
    let file = |path: &Path| path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    let own = args.weights.as_deref().or(args.model.as_deref()).map_or_else(String::new, file);
    Ok(WeightsReport {
        schema_version: SCHEMA_VERSION,
        perturb_version: env!("CARGO_PKG_VERSION").into(),
        model: subject.info.clone(),
        against: against.display().to_string(),
        data: data_info(subject),
        norm: args.report_norm(),
        seed: args.seed,
        attacks: attacks_used(args)?,
        changes,
        variants: vec![
            first.variant(&own)?,
            other.variant(&file(against))?,
            control.variant("random changes of the same size")?,
        ],
        agreement: same as f64 / subject.labels.len() as f64,
        effects: [other.effect(first, &epsilons, args.seed)?, control.effect(first, &epsilons, args.seed)?],
        seconds: store.seconds()?,
    })
}

// What the audit of a classifier runs, but that DDN looks for the nearest examples.
fn attacks_used(args: &AuditArgs) -> Result<Vec<MethodSetting>, CliError> {
    let mut all = roster::settings(args)?;
    all.retain(|setting| !setting.name.starts_with("nearest"));
    let ddn = known("ddn").map_err(CliError::Usage)?;
    all.push(MethodSetting {
        name: "nearest: DDN".into(),
        hyperparameters: format!("{}; in ℓ₂, no budget", ddn.title),
    });
    Ok(all)
}
