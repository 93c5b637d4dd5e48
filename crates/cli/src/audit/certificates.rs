//! The certificate stage: which examples are proved at which budget.

use super::args::AuditArgs;
use super::attacks::Fall;
use super::store::Store;
use super::subject::Subject;
use crate::CliError;
use crate::certificates::{Bounding, Smoothing, sigma};
use perturb::certify::{Method, Smoothed};
use perturb::report::audit::{CertificateCurve, MethodSetting};

/// Examples that are bounded when every example is costly (convolutional networks), and that are smoothed.
const COSTLY_EXAMPLES: usize = 256;
const SMOOTHED_EXAMPLES: usize = 50;

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
    let (norm, epsilons) = (args.report_norm(), args.epsilons());
    for (name, method) in [("IBP", Method::Ibp), ("CROWN", Method::Crown)] {
        let examples = bounded_examples(subject, method);
        let bounding = Bounding { name, method, norm, epsilons: &epsilons, examples, proved: &[] };
        let (curve, proved) = bounding.run(subject, correct, store)?;
        for (&epsilon, index) in epsilons.iter().zip(&proved).flat_map(|(e, list)| list.iter().map(move |&i| (e, i))) {
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
    let examples = subject.labels.len().min(SMOOTHED_EXAMPLES);
    let smoothed = Smoothed { sigma: sigma(subject, norm, &epsilons), seed: args.seed, ..Smoothed::default() };
    all.curves.push(Smoothing { smoothed, radii: &epsilons, examples }.run(subject, store)?.0);
    let Smoothed { sigma, n, alpha, .. } = smoothed;
    all.settings.push(MethodSetting {
        name: "randomized smoothing".into(),
        hyperparameters: format!("first {examples} examples, σ = {sigma}, {n} draws, α = {alpha}"),
    });
    Ok(all)
}

// Interval bounds are cheap; linear bounds of convolutional networks are not.
fn bounded_examples(subject: &Subject, method: Method) -> usize {
    let convolutional = subject.graph.operators().contains_key("conv");
    let n = subject.labels.len();
    if convolutional && !matches!(method, Method::Ibp) { n.min(COSTLY_EXAMPLES) } else { n }
}
