//! The report, from what the stages found.

use super::args::AuditArgs;
use super::attacks::{AttackResults, CleanResults, KEPT};
use super::attributions::{self, Explained, quality};
use super::certificates::Certificates;
use super::results::rate;
use super::roster;
use super::store::Store;
use super::subject::Subject;
use crate::CliError;
use crate::pictures::Canvas;
use perturb::report::audit::{
    AuditReport, Check, CheckName, DataInfo, GalleryItem, MinimalPerturbation, NamedImage, Norm, Normalization,
    Rounding, SCHEMA_VERSION, Settings, StageTime, Timings, WeakInput,
};
use perturb::report::{checks, findings};

/// Examples in the gallery, and inputs in the list of the weakest.
const GALLERY: usize = 6;
const WEAKEST: usize = 10;
/// Who looked for the nearest adversarial examples.
const NEAREST: &str = "The best of DeepFool and the attacks";

/// What all stages found.
pub struct Found {
    pub clean: CleanResults,
    pub attacked: AttackResults,
    pub distances: Vec<Option<f64>>,
    pub certified: Certificates,
    pub explained: Explained,
}

/// Puts the report together.
///
/// # Errors
/// If a picture or an interval cannot be made.
pub fn report(
    subject: &Subject,
    args: &AuditArgs,
    found: Found,
    store: &Store,
    seconds: f64,
) -> Result<AuditReport, CliError> {
    let n = subject.labels.len();
    let correct = found.clean.correct.iter().filter(|&&c| c).count();
    let canvas = Canvas::of(&subject.graph, subject.limits);
    let nearest = nearest(args, &found);
    let of_correct: Vec<Option<f64>> = (0..n).filter(|&i| found.clean.correct[i]).map(|i| nearest[i]).collect();
    let mut report = AuditReport {
        schema_version: SCHEMA_VERSION,
        perturb_version: env!("CARGO_PKG_VERSION").into(),
        model: subject.info.clone(),
        data: data_info(subject),
        settings: Settings {
            norm: args.report_norm(),
            epsilons: args.epsilons(),
            seed: args.seed,
            limit: args.limit,
            attacks: roster::settings(args)?,
            certificates: found.certified.settings.clone(),
            attributions: attributions::settings(),
            rounding: Rounding::Outward,
        },
        clean: rate(correct, n)?,
        attacks: found.attacked.curves.clone(),
        worst_case: found.attacked.worst_case.clone(),
        certificates: found.certified.curves.clone(),
        minimal_perturbation: Some(MinimalPerturbation::from_distances(NEAREST, args.report_norm(), &of_correct)),
        gallery: gallery(subject, &found, canvas)?,
        attributions: quality(&found.explained, args.seed)?,
        weakest: weakest(subject, args, &found, canvas)?,
        findings: vec![],
        checks: vec![],
        timings: timings(store, seconds)?,
    };
    report.checks = checks(&report, Some(found.attacked.zero_gradients));
    // Inputs that fell stay fallen at larger budgets here, so accuracy cannot rise: a check that cannot fail says nothing.
    report.checks.retain(|c| c.name != CheckName::AccuracyRisesWithEpsilon);
    // Example by example is stronger than the comparison of counts that the report alone allows.
    if let Some(first) = found.certified.contradictions.first() {
        report.checks.retain(|c| c.name != CheckName::CertificateContradicted);
        let detail = format!("{first}: a fault of this program, please report it");
        report.checks.push(Check { name: CheckName::CertificateContradicted, passed: false, detail });
    }
    report.findings = findings(&report);
    Ok(report)
}

// Distance of each input to the nearest adversarial example that anything found.
fn nearest(args: &AuditArgs, found: &Found) -> Vec<Option<f64>> {
    let by_attack = |i: usize| {
        let fall = found.attacked.falls[i].as_ref()?;
        Some(if args.report_norm() == Norm::Linf { fall.broken.linf } else { fall.broken.l2 })
    };
    let smaller = |a: Option<f64>, b: Option<f64>| match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    };
    found.distances.iter().enumerate().map(|(i, &d)| smaller(d, by_attack(i))).collect()
}

/// Data and preprocessing as reports name them.
pub fn data_info(subject: &Subject) -> DataInfo {
    let mut classes = subject.labels.clone();
    classes.sort_unstable();
    classes.dedup();
    let source = if subject.unlabelled {
        format!("{} (without labels: the model's own predictions stand for them)", subject.source)
    } else {
        subject.source.clone()
    };
    DataInfo {
        source,
        format: subject.format.clone(),
        examples: subject.labels.len(),
        classes: classes.len(),
        label_names: subject.label_names.clone(),
        pixel_range: subject.limits.map(|(low, high)| [low, high]),
        normalization: Normalization {
            mean: subject.preprocessing.mean.clone(),
            std: subject.preprocessing.std.clone(),
            how_chosen: subject.how_chosen.clone(),
            candidates: subject.candidates.clone(),
        },
    }
}

fn gallery(subject: &Subject, found: &Found, canvas: Option<Canvas>) -> Result<Vec<GalleryItem>, CliError> {
    let Some(canvas) = canvas else { return Ok(vec![]) };
    let mut items = Vec::new();
    for (index, fall) in found.attacked.falls.iter().enumerate().take(KEPT) {
        let Some((fall, adversarial)) = fall.as_ref().and_then(|f| Some((f, f.broken.example.as_ref()?))) else {
            continue;
        };
        let clean = subject.example(index);
        let (difference, factor) = canvas.difference(clean, adversarial)?;
        let image =
            |name: &str, png_base64: String, caption: String| NamedImage { name: name.into(), png_base64, caption };
        let mut images = vec![
            image("clean", canvas.image(clean)?, String::new()),
            image("perturbation", difference, format!("× {factor}")),
            image("adversarial", canvas.image(adversarial)?, String::new()),
        ];
        let position = found.explained.indices.iter().position(|&i| i == index);
        for (method, results) in &found.explained.methods {
            if let Some(result) = position.and_then(|p| results.get(p)) {
                images.push(image(method, canvas.heatmap(&result.values)?, String::new()));
            }
        }
        items.push(GalleryItem {
            index,
            label: subject.labels[index],
            clean_prediction: found.clean.predictions[index],
            clean_confidence: Some(found.clean.confidences[index]),
            adversarial_prediction: fall.broken.prediction,
            adversarial_confidence: Some(fall.broken.confidence),
            attack: fall.attack.clone(),
            epsilon: fall.epsilon,
            linf: fall.broken.linf,
            l2: fall.broken.l2,
            images,
        });
        if items.len() == GALLERY {
            break;
        }
    }
    Ok(items)
}

// The correctly classified inputs that need the least to fall.
fn weakest(
    subject: &Subject,
    args: &AuditArgs,
    found: &Found,
    canvas: Option<Canvas>,
) -> Result<Vec<WeakInput>, CliError> {
    let nearest = nearest(args, found);
    let reach = |i: usize| nearest[i].unwrap_or(f64::INFINITY);
    let mut order: Vec<usize> = (0..subject.labels.len()).filter(|&i| found.clean.correct[i]).collect();
    order.sort_by(|&a, &b| reach(a).total_cmp(&reach(b)).then(a.cmp(&b)));
    let mut list = Vec::new();
    for &index in order.iter().take(WEAKEST) {
        let smallest = reach(index);
        let by_deepfool = found.distances[index].is_some_and(|d| d <= smallest);
        let by_attack = found.attacked.falls[index].as_ref().map(|f| f.attack.clone());
        list.push(WeakInput {
            index,
            label: subject.labels[index],
            prediction: found.clean.predictions[index],
            margin: Some(found.clean.margins[index]),
            smallest_epsilon: smallest.is_finite().then_some(smallest),
            broken_by: if by_deepfool { Some("DeepFool".into()) } else { by_attack },
            png_base64: canvas.map(|c| c.image(subject.example(index))).transpose()?,
        });
    }
    Ok(list)
}

// Stages at different budgets count together.
fn timings(store: &Store, total_seconds: f64) -> Result<Timings, CliError> {
    let mut timings = Timings { total_seconds, ..Timings::default() };
    for (stage, seconds) in store.seconds()? {
        let name = match stage.rsplit_once('/') {
            Some((name, budget)) if budget.parse::<f64>().is_ok() => name,
            _ => &stage,
        };
        let (list, name) = match name.strip_prefix("explain/") {
            Some(method) => (&mut timings.attributions, method),
            None => (&mut timings.stages, name),
        };
        match list.iter_mut().find(|s| s.name == name) {
            Some(earlier) => earlier.seconds += seconds,
            None => list.push(StageTime { name: name.into(), seconds }),
        }
    }
    Ok(timings)
}
