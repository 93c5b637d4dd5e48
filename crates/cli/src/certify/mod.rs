//! `perturb certify`: how much of a data set is proved robust, by method and budget.

mod args;
mod page;
mod report;

use crate::CliError;
use crate::audit::{self, Source, Store, Subject, check_writable, data_info, publish, rate};
use crate::certificates::{Bounding, Proved, SmoothedExample, Smoothing, sigma};
pub use args::CertifyArgs;
use args::CertifyMethod;
use perturb::attack::Classifier;
use perturb::certify::Smoothed;
use perturb::report::audit::MethodSetting;
use report::{CertifyReport, Example, SCHEMA_VERSION, SmoothingSummary};
use std::collections::BTreeMap;

/// Certifies, and writes `report.html` and `report.json`.
///
/// # Errors
/// If model, data or options do not fit, or the folder cannot be written.
pub fn run(args: &CertifyArgs) -> Result<(), CliError> {
    let smoothed = check(args)?;
    check_writable(&args.out)?;
    let subject = Subject::from_files(&Source {
        model: &args.model,
        weights: None,
        data: &args.data,
        labels: args.labels.as_deref(),
        limit: Some(args.limit),
        pixel_range: args.pixel_range,
        preprocessing: &args.preprocessing,
    })?;
    let sigma = args.sigma.unwrap_or_else(|| sigma(&subject, args.report_norm(), &args.epsilons()));
    let smoothed = Smoothed { sigma, ..smoothed };
    let store = Store::open(&args.out, &settings(args, &subject, &smoothed), args.resume)?;
    let report = certify(args, &subject, smoothed, &store)?;
    publish(&args.out, &report, &page::page(&report), &report.text())
}

// What can be refused before anything is read.
fn check(args: &CertifyArgs) -> Result<Smoothed, CliError> {
    if args.sigma == Some(0.0) {
        return Err(CliError::Usage("--sigma must be above 0: without noise nothing is smoothed".into()));
    }
    if !(args.alpha > 0.0 && args.alpha < 1.0) {
        return Err(CliError::Usage(format!("--alpha must lie between 0 and 1, not be {}", args.alpha)));
    }
    // The limit for a class that wins every draw is alpha^(1/n), which must exceed one half.
    if args.alpha.powf(1.0 / args.draws as f64) <= 0.5 {
        let needed = (args.alpha.log2().abs()).floor() as usize + 1;
        return Err(CliError::Usage(format!(
            "--draws {} can certify nothing at --alpha {}: even a class that always wins needs {needed}",
            args.draws, args.alpha
        )));
    }
    Ok(Smoothed { n: args.draws as u64, alpha: args.alpha, seed: args.seed, ..Smoothed::default() })
}

// Everything that determines the results, as the run's file remembers it.
fn settings(args: &CertifyArgs, subject: &Subject, smoothed: &Smoothed) -> String {
    format!(
        "perturb {} certify; {}; methods {:?}; norm {:?}; budgets {:?}; {} steps; {smoothed:?}; radii {:?}; preprocessing \
         {:?}; limits {:?}; examples {}",
        env!("CARGO_PKG_VERSION"),
        subject.fingerprint,
        args.ordered_methods(),
        args.norm,
        args.epsilons(),
        args.steps,
        args.radii(smoothed.sigma),
        subject.preprocessing,
        subject.limits,
        subject.labels.len()
    )
}

fn certify(
    args: &CertifyArgs,
    subject: &Subject,
    smoothed: Smoothed,
    store: &Store,
) -> Result<CertifyReport, CliError> {
    let model = Classifier::new(&subject.graph, audit::BATCH)?;
    let clean = audit::clean(subject, &model, store)?;
    let examples = subject.labels.len();
    let (norm, epsilons) = (args.report_norm(), args.epsilons());
    let mut report = CertifyReport {
        schema_version: SCHEMA_VERSION,
        perturb_version: env!("CARGO_PKG_VERSION").into(),
        model: subject.info.clone(),
        data: data_info(subject),
        norm,
        seed: args.seed,
        methods: Vec::new(),
        clean: rate(clean.correct.iter().filter(|c| **c).count(), examples)?,
        certificates: Vec::new(),
        smoothing: None,
        examples: Vec::new(),
        seconds: BTreeMap::new(),
    };
    let example = |index: usize| {
        let (label, prediction) = (subject.labels[index], clean.predictions[index]);
        Example { index, label, prediction, proved: BTreeMap::new(), smoothed: None }
    };
    report.examples = (0..examples).map(example).collect();
    let mut proved: Vec<Proved> = Vec::new();
    for method in args.ordered_methods() {
        let Some((name, method)) = method.bounds(args.steps) else { continue };
        let bounding = Bounding { name, method, norm, epsilons: &epsilons, examples, proved: &proved };
        let (curve, own) = bounding.run(subject, &clean.correct, store)?;
        report.add_bounds(curve, &own, args.steps);
        proved.push(own);
    }
    if args.ordered_methods().contains(&CertifyMethod::Smoothing) {
        let radii = args.radii(smoothed.sigma);
        let (curve, certificates) = Smoothing { smoothed, radii: &radii, examples }.run(subject, store)?;
        report.certificates.push(curve);
        report.add_smoothing(&smoothed, &certificates);
    }
    for (stage, seconds) in store.seconds()? {
        let method = stage.split('/').nth(1).unwrap_or(&stage).to_string();
        *report.seconds.entry(method).or_default() += seconds;
    }
    Ok(report)
}

impl CertifyReport {
    fn add_bounds(&mut self, curve: perturb::report::audit::CertificateCurve, proved: &Proved, steps: usize) {
        for (index, example) in self.examples.iter_mut().enumerate() {
            let mut points = curve.points.iter().zip(proved).rev();
            let largest = points.find(|(_, list)| list.binary_search(&index).is_ok()).map(|(p, _)| p.epsilon);
            example.proved.insert(curve.name.clone(), largest);
        }
        let how = "bounds of every score difference over the whole ball, rounded outward";
        let how =
            if curve.name == "α-CROWN" { format!("{how}; {steps} steps of ascent on slopes") } else { how.into() };
        self.methods.push(MethodSetting { name: curve.name.clone(), hyperparameters: how });
        self.certificates.push(curve);
    }

    fn add_smoothing(&mut self, smoothed: &Smoothed, certificates: &[SmoothedExample]) {
        let Smoothed { sigma, n0, n, alpha, .. } = *smoothed;
        let mut sum = 0.0;
        for (example, &(class, radius)) in self.examples.iter_mut().zip(certificates) {
            sum += if class == Some(example.label) { radius } else { 0.0 };
            example.smoothed = Some(report::Smoothed { class, radius });
        }
        self.smoothing = Some(SmoothingSummary {
            sigma,
            draws: n,
            alpha,
            abstained: certificates.iter().filter(|c| c.0.is_none()).count(),
            average_certified_radius: sum / certificates.len().max(1) as f64,
        });
        let how = format!(
            "σ = {sigma}, {n0} draws choose the class, {n} fresh ones count it; Clopper–Pearson at α = {alpha}"
        );
        self.methods.push(MethodSetting { name: "randomized smoothing".into(), hyperparameters: how });
    }
}
