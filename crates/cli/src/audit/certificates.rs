//! The certificate stage: which examples are proved at which budget.

use super::args::{AuditArgs, AuditNorm};
use super::attacks::Fall;
use super::results::{Certified, SmoothedBatch, rate};
use super::store::Store;
use super::subject::Subject;
use crate::{CliError, progress};
use perturb::certify::{Certifier, Method, NoisyClassifier, Region, Settings, Smoothed};
use perturb::graph::Rounding;
use perturb::report::audit::{
    CertificateCurve, CertifiedClassifier, CurvePoint, Guarantee, MethodSetting, Norm as ReportNorm,
};

/// Examples in one batch of bounds.
const BATCH: usize = 16;
/// Examples that are bounded when every example is costly (convolutional networks), and that are smoothed.
const COSTLY_EXAMPLES: usize = 256;
const SMOOTHED_EXAMPLES: usize = 50;
const SMOOTHING_DRAWS: u64 = 1000;
/// Noisy copies that are classified at once.
const NOISE_BATCH: usize = 64;
const SMOOTHING_ALPHA: f64 = 0.001;

/// The curves, and what the settings of the report say of them.
pub struct Certificates {
    pub curves: Vec<CertificateCurve>,
    pub settings: Vec<MethodSetting>,
    /// Inputs that a certificate calls safe at a budget at which an attack broke them: a fault of this program.
    pub contradictions: Vec<String>,
}

/// Runs the stage. `correct` says which examples are classified correctly, `falls` what broke them.
///
/// # Errors
/// If bounds cannot be computed, or the run's file fails.
pub fn run(
    subject: &Subject,
    args: &AuditArgs,
    correct: &[bool],
    falls: &[Option<Fall>],
    store: &Store,
) -> Result<Certificates, CliError> {
    let mut all = Certificates { curves: vec![], settings: vec![], contradictions: vec![] };
    for (name, method) in [("IBP", Method::Ibp), ("CROWN", Method::Crown)] {
        let examples = bounded_examples(subject, method);
        let (curve, proved) = bounds_curve(subject, args, correct, store, name, method, examples)?;
        for (epsilon, index) in proved {
            if let Some(fall) = falls[index].as_ref().filter(|f| f.epsilon <= epsilon) {
                let (attack, at) = (&fall.attack, fall.epsilon);
                all.contradictions
                    .push(format!("{name} proves example {index} at {epsilon}, {attack} broke it at {at}"));
            }
        }
        all.settings.push(MethodSetting {
            name: name.into(),
            hyperparameters: format!(
                "first {examples} examples, rounded outward: holds for the f32 arithmetic that is run"
            ),
        });
        all.curves.push(curve);
    }
    let sigma = sigma(subject, args);
    all.curves.push(smoothing_curve(subject, args, store, sigma)?);
    all.settings.push(MethodSetting {
        name: "randomized smoothing".into(),
        hyperparameters: format!(
            "first {} examples, σ = {sigma}, {SMOOTHING_DRAWS} draws, α = {SMOOTHING_ALPHA}",
            subject.labels.len().min(SMOOTHED_EXAMPLES)
        ),
    });
    Ok(all)
}

// Interval bounds are cheap; linear bounds of convolutional networks are not.
fn bounded_examples(subject: &Subject, method: Method) -> usize {
    let convolutional = subject.graph.operators().contains_key("conv");
    let n = subject.labels.len();
    if convolutional && !matches!(method, Method::Ibp) { n.min(COSTLY_EXAMPLES) } else { n }
}

fn bounds_curve(
    subject: &Subject,
    args: &AuditArgs,
    correct: &[bool],
    store: &Store,
    name: &str,
    method: Method,
    examples: usize,
) -> Result<(CertificateCurve, Vec<(f64, usize)>), CliError> {
    let epsilons = args.epsilons();
    let batch = BATCH.min(examples.max(1));
    let settings = Settings { norm: args.graph_norm(), rounding: Rounding::Outward, batch, ..Settings::default() };
    let certifier = Certifier::new(&subject.graph, method, settings)?;
    let bar = progress::bar(&format!("certifying: {name}"), examples * epsilons.len());
    // Proved at a budget means proved at every smaller one: only what is still proved is asked again.
    let mut standing: Vec<usize> = (0..examples).filter(|&i| correct[i]).collect();
    let (mut points, mut all_proved) = (Vec::new(), Vec::new());
    for &epsilon in &epsilons {
        let mut proved = Vec::new();
        for (batch, chunk) in standing.chunks(BATCH).enumerate() {
            let stage = format!("certify/{name}/{epsilon}");
            let result = store.batch(&stage, batch, || prove(subject, &certifier, chunk, epsilon))?;
            proved.extend(result.proved);
            bar.inc(chunk.len() as u64);
        }
        points.push(CurvePoint { epsilon, accuracy: rate(proved.len(), examples)? });
        all_proved.extend(proved.iter().map(|&i| (epsilon, i)));
        standing = proved;
    }
    bar.finish();
    let curve = CertificateCurve {
        name: name.into(),
        guarantee: Guarantee::Deterministic,
        classifier: CertifiedClassifier::Model,
        norm: args.report_norm(),
        examples,
        points,
        notes: "bounds of every score difference over the whole ball, rounded outward".into(),
    };
    Ok((curve, all_proved))
}

fn prove(subject: &Subject, certifier: &Certifier, chunk: &[usize], epsilon: f64) -> Result<Certified, CliError> {
    let centers = subject.examples(chunk)?;
    let labels: Vec<usize> = chunk.iter().map(|&i| subject.labels[i]).collect();
    let mut region = Region::from(epsilon);
    if let Some((low, high)) = subject.limits {
        region = region.within(low as f32, high as f32);
    }
    let margins = certifier.margins(&centers, &labels, &region)?;
    Ok(Certified { proved: chunk.iter().zip(margins).filter(|(_, m)| *m > 0.0).map(|(&i, _)| i).collect() })
}

// Noise of about the middle budget in ℓ2: the ℓ2 ball that holds the ℓ∞ ball is far larger than any radius within reach.
fn sigma(subject: &Subject, args: &AuditArgs) -> f64 {
    let epsilons = args.epsilons();
    let middle = epsilons[epsilons.len() / 2];
    let width = subject.graph.inputs[0].shape().count() as f64;
    let sigma = match args.norm {
        AuditNorm::L2 => middle,
        AuditNorm::Linf => middle * width.sqrt() / 2.0,
    };
    // Cohen et al. 2019 use 0.12 to 1 for pixels in [0, 1].
    (sigma.clamp(0.12, 1.0) * 100.0).round() / 100.0
}

fn smoothing_curve(
    subject: &Subject,
    args: &AuditArgs,
    store: &Store,
    sigma: f64,
) -> Result<CertificateCurve, CliError> {
    let examples = subject.labels.len().min(SMOOTHED_EXAMPLES);
    let smoothed =
        Smoothed { sigma, n: SMOOTHING_DRAWS, alpha: SMOOTHING_ALPHA, seed: args.seed, ..Smoothed::default() };
    let model = NoisyClassifier::new(&subject.graph, NOISE_BATCH)?;
    let bar = progress::bar("certifying: smoothing", examples);
    let mut certificates = Vec::new();
    let indices: Vec<usize> = (0..examples).collect();
    for (batch, chunk) in indices.chunks(BATCH).enumerate() {
        let result = store.batch("certify/smoothing", batch, || {
            let one = |&i: &usize| {
                let found = smoothed.certify(&model, &subject.examples(&[i])?, i as u64)?;
                Ok((found.class, found.radius))
            };
            Ok(SmoothedBatch { certificates: chunk.iter().map(one).collect::<Result<_, CliError>>()? })
        })?;
        certificates.extend(result.certificates);
        bar.inc(chunk.len() as u64);
    }
    bar.finish();
    let right = |i: usize, radius: f64, epsilon: f64| radius >= epsilon && certificates[i].0 == Some(subject.labels[i]);
    let points = args.epsilons().into_iter().map(|epsilon| {
        let held = (0..examples).filter(|&i| right(i, certificates[i].1, epsilon)).count();
        Ok(CurvePoint { epsilon, accuracy: rate(held, examples)? })
    });
    Ok(CertificateCurve {
        name: "randomized smoothing".into(),
        guarantee: Guarantee::Probabilistic { confidence: 1.0 - SMOOTHING_ALPHA },
        classifier: CertifiedClassifier::Smoothed { sigma },
        norm: ReportNorm::L2,
        examples,
        points: points.collect::<Result<_, CliError>>()?,
        notes: format!("of the classifier smoothed with Gaussian noise of σ = {sigma}, in ℓ₂; not of the model itself"),
    })
}
