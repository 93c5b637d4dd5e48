//! The attack stages: every attack at every budget, and the nearest adversarial example of every input.

use super::args::AuditArgs;
use super::results::{Attacked, Broken, Clean, Minimal, rate};
use super::store::Store;
use super::subject::Subject;
use crate::{CliError, progress};
use perturb::attack::registry::Entry as Known;
use perturb::attack::{Attack, Ball, Classifier, Criterion, Loss, Seed};
use perturb::graph::Norm;
use perturb::report::audit::{AttackCurve, CurvePoint};
use perturb::threat::distance;

/// Examples in one batch: a unit of work that survives a kill.
pub const BATCH: usize = 64;
/// Adversarial examples of the first inputs are kept for the gallery.
pub const KEPT: usize = 16;
/// Clean predictions of all examples.
pub struct CleanResults {
    /// Predicted classes.
    pub predictions: Vec<usize>,
    /// Softmax probabilities of the predictions.
    pub confidences: Vec<f64>,
    /// Score of the label minus the largest other.
    pub margins: Vec<f64>,
    /// Whether the prediction is the label.
    pub correct: Vec<bool>,
}

/// Predicts every example.
///
/// # Errors
/// If the model answers NaN, or the run's file fails.
pub fn clean(subject: &Subject, model: &Classifier, store: &Store) -> Result<CleanResults, CliError> {
    let n = subject.labels.len();
    let bar = progress::bar("clean predictions", n);
    let mut all = CleanResults { predictions: vec![], confidences: vec![], margins: vec![], correct: vec![] };
    let indices: Vec<usize> = (0..n).collect();
    for (batch, chunk) in indices.chunks(BATCH).enumerate() {
        let found = store.batch("clean", batch, || clean_batch(subject, model, chunk))?;
        all.predictions.extend(found.predictions);
        all.confidences.extend(found.confidences);
        all.margins.extend(found.margins);
        bar.inc(chunk.len() as u64);
    }
    bar.finish();
    all.correct = all.predictions.iter().zip(&subject.labels).map(|(p, l)| p == l).collect();
    Ok(all)
}

fn clean_batch(subject: &Subject, model: &Classifier, chunk: &[usize]) -> Result<Clean, CliError> {
    let logits = model.logits(&subject.examples(chunk)?)?;
    let mut result = Clean { predictions: vec![], confidences: vec![], margins: vec![] };
    for (row, &index) in logits.as_slice::<f32>().chunks_exact(model.classes()).zip(chunk) {
        if let Some(bad) = row.iter().find(|z| !z.is_finite()) {
            return Err(CliError::Usage(format!(
                "the model's scores for example {index} hold {bad}: it cannot be audited"
            )));
        }
        let (prediction, confidence) = confidence(row);
        let label = subject.labels[index];
        let other = row
            .iter()
            .enumerate()
            .filter(|&(k, _)| k != label)
            .map(|(_, &z)| f64::from(z))
            .fold(f64::NEG_INFINITY, f64::max);
        result.predictions.push(prediction);
        result.confidences.push(confidence);
        result.margins.push(f64::from(row[label]) - other);
    }
    Ok(result)
}

/// The class with the largest score (the first of equals), and its softmax probability.
fn confidence(logits: &[f32]) -> (usize, f64) {
    let best = (0..logits.len()).fold(0, |b, k| if logits[k] > logits[b] { k } else { b });
    let total: f64 = logits.iter().map(|&z| (f64::from(z) - f64::from(logits[best])).exp()).sum();
    (best, 1.0 / total)
}

/// What an attack found first against an input.
#[derive(Clone, Debug)]
pub struct Fall {
    /// Smallest budget at which any attack succeeded.
    pub epsilon: f64,
    /// The attack.
    pub attack: String,
    /// What it found.
    pub broken: Broken,
}

/// All attack stages together.
pub struct AttackResults {
    /// One curve for each attack.
    pub curves: Vec<AttackCurve>,
    /// Accuracy when every input meets the attack that is worst for it.
    pub worst_case: Vec<CurvePoint>,
    /// For every input, what made it fall first.
    pub falls: Vec<Option<Fall>>,
    /// Inputs whose loss gradient was exactly zero, of how many.
    pub zero_gradients: (usize, usize),
}

/// Runs every attack at every budget on the examples that were classified correctly and still stand.
///
/// # Errors
/// If an attack cannot be run, or the run's file fails.
pub fn run(
    subject: &Subject,
    args: &AuditArgs,
    model: &Classifier,
    correct: &[bool],
    store: &Store,
) -> Result<AttackResults, CliError> {
    let n = subject.labels.len();
    let epsilons = args.epsilons();
    let mut results =
        AttackResults { curves: vec![], worst_case: vec![], falls: vec![None; n], zero_gradients: (0, 0) };
    let mut fallen_at: Vec<Option<f64>> = vec![None; n];
    let entries = args.attacks.entries(args.graph_norm().into())?;
    for (position, entry) in entries.into_iter().enumerate() {
        let name = entry.name.as_str();
        // The first attack looks at every example that is classified correctly, so it counts gradients that vanish.
        let counting = position == 0;
        let bar = progress::bar(&format!("attacking: {name}"), n * epsilons.len());
        let mut standing = correct.to_vec();
        let mut points = Vec::new();
        for &epsilon in &epsilons {
            for (batch, first) in (0..n).step_by(BATCH).enumerate() {
                let end = (first + BATCH).min(n);
                let rows: Vec<usize> = (first..end).filter(|&i| standing[i]).collect();
                let stage = format!("attack/{name}/{epsilon}");
                let found = store.batch(&stage, batch, || {
                    let mut found = attack_batch(subject, args, model, entry.attack.as_ref(), epsilon, &rows)?;
                    if counting && epsilon == epsilons[0] {
                        count_zero_gradients(subject, model, &rows, &mut found)?;
                    }
                    Ok(found)
                })?;
                results.zero_gradients.0 += found.zero_gradients;
                results.zero_gradients.1 += found.gradients_seen;
                for broken in found.broken {
                    let index = broken.index;
                    standing[index] = false;
                    if fallen_at[index].is_none_or(|e| epsilon < e) {
                        fallen_at[index] = Some(epsilon);
                        results.falls[index] = Some(Fall { epsilon, attack: name.into(), broken });
                    }
                }
                bar.inc((end - first) as u64);
            }
            let left = standing.iter().filter(|&&s| s).count();
            points.push(CurvePoint { epsilon, accuracy: rate(left, n)? });
        }
        bar.finish();
        results.curves.push(AttackCurve { name: entry.name, kind: entry.kind, points });
    }
    for &epsilon in &epsilons {
        let left = (0..n).filter(|&i| correct[i] && fallen_at[i].is_none_or(|e| e > epsilon)).count();
        results.worst_case.push(CurvePoint { epsilon, accuracy: rate(left, n)? });
    }
    Ok(results)
}

fn attack_batch(
    subject: &Subject,
    args: &AuditArgs,
    model: &Classifier,
    attack: &dyn Attack,
    epsilon: f64,
    rows: &[usize],
) -> Result<Attacked, CliError> {
    let mut result = Attacked { broken: vec![], attacked: rows.len(), zero_gradients: 0, gradients_seen: 0 };
    let Some(&first) = rows.first() else { return Ok(result) };
    let inputs = subject.examples(rows)?;
    let labels: Vec<usize> = rows.iter().map(|&i| subject.labels[i]).collect();
    let ball = Ball::new(args.graph_norm(), epsilon, subject.bounds())?;
    let found =
        attack.run(model, &inputs, &Criterion::Misclassify { labels }, &ball, &Seed::new(args.seed, first as u64))?;
    let logits = model.logits(&found.inputs)?;
    let width = inputs.count() / rows.len();
    for (i, &index) in rows.iter().enumerate().filter(|&(i, _)| found.success[i]) {
        let range = i * width..(i + 1) * width;
        let (clean, adversarial) = (&inputs.as_slice::<f32>()[range.clone()], &found.inputs.as_slice::<f32>()[range]);
        let (prediction, confidence) =
            confidence(&logits.as_slice::<f32>()[i * model.classes()..(i + 1) * model.classes()]);
        result.broken.push(Broken {
            index,
            example: (index < KEPT).then(|| adversarial.to_vec()),
            linf: distance(Norm::Linf, clean, adversarial),
            l2: distance(Norm::L2, clean, adversarial),
            prediction,
            confidence,
        });
    }
    Ok(result)
}

fn count_zero_gradients(
    subject: &Subject,
    model: &Classifier,
    rows: &[usize],
    result: &mut Attacked,
) -> Result<(), CliError> {
    if rows.is_empty() {
        return Ok(());
    }
    let labels: Vec<usize> = rows.iter().map(|&i| subject.labels[i]).collect();
    let (_, gradients) = model.loss_gradient(Loss::CrossEntropy, &subject.examples(rows)?, &labels)?;
    let width = gradients.count() / rows.len();
    let zero = |g: &&[f32]| g.iter().all(|&v| v == 0.0);
    result.zero_gradients = gradients.as_slice::<f32>().chunks_exact(width).filter(zero).count();
    result.gradients_seen = rows.len();
    Ok(())
}

/// Distance in `norm` of every input to the nearest adversarial example that a known attack finds, with its usual
/// settings: `None` where it finds none, 0 for inputs that are misclassified as they are.
///
/// # Errors
/// If the attack cannot be run, or the run's file fails.
pub fn nearest(
    entry: &Known,
    norm: Norm,
    (subject, seed): (&Subject, u64),
    model: &Classifier,
    correct: &[bool],
    store: &Store,
) -> Result<Vec<Option<f64>>, CliError> {
    let n = subject.labels.len();
    let attack = entry.attack();
    let bar = progress::bar(&format!("nearest: {}", attack.name()), n);
    let mut distances = vec![Some(0.0); n];
    for (batch, first) in (0..n).step_by(BATCH).enumerate() {
        let rows: Vec<usize> = (first..(first + BATCH).min(n)).filter(|&i| correct[i]).collect();
        let found = store.batch(&format!("minimal/{}", attack.name()), batch, || {
            if rows.is_empty() {
                return Ok(Minimal { distances: vec![] });
            }
            let labels = rows.iter().map(|&i| subject.labels[i]).collect();
            let ball = Ball::unbounded(norm, subject.bounds())?;
            let seed = Seed::new(seed, first as u64);
            let criterion = Criterion::Misclassify { labels };
            let found = attack.run(model, &subject.examples(&rows)?, &criterion, &ball, &seed)?;
            let pairs = found.success.iter().zip(found.distances);
            Ok(Minimal { distances: pairs.map(|(&s, d)| s.then_some(d)).collect() })
        })?;
        rows.iter().zip(found.distances).for_each(|(&i, d)| distances[i] = d);
        bar.inc((n - first).min(BATCH) as u64);
    }
    bar.finish();
    Ok(distances)
}
