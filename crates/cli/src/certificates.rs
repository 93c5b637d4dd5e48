//! Accuracy that certificates prove, by budget: what `audit` and `certify` have in common.

use crate::audit::{Certified, SmoothedBatch, Store, Subject, rate};
use crate::{CliError, progress};
use perturb::certify::{Certifier, Method, NoisyClassifier, Region, Settings, Smoothed};
use perturb::graph::Rounding;
use perturb::report::audit::{CertificateCurve, CertifiedClassifier, CurvePoint, Guarantee, Norm};

/// Examples in one batch of bounds.
const BATCH: usize = 16;
/// Noisy copies that are classified at once.
const NOISE_BATCH: usize = 64;

/// Class (none: abstained) and ℓ2 radius of an example.
pub type SmoothedExample = (Option<usize>, f64);

/// For each budget the examples that are proved, ascending.
pub type Proved = Vec<Vec<usize>>;

/// Bounds of the model by one method, for the first examples at ascending budgets.
pub struct Bounding<'a> {
    /// The method's name in reports, and in the run's file.
    pub name: &'a str,
    pub method: Method,
    pub norm: Norm,
    pub epsilons: &'a [f64],
    pub examples: usize,
    /// What methods that are never better have proved.
    pub proved: &'a [Proved],
}

impl Bounding<'_> {
    /// The curve, and what is proved. `correct` says which examples are classified correctly.
    ///
    /// # Errors
    /// If bounds cannot be computed, or the run's file fails.
    pub fn run(
        &self,
        subject: &Subject,
        correct: &[bool],
        store: &Store,
    ) -> Result<(CertificateCurve, Proved), CliError> {
        let &Bounding { name, examples, .. } = self;
        let batch = BATCH.min(examples.max(1));
        let norm = match self.norm {
            Norm::Linf => perturb::graph::Norm::Linf,
            Norm::L2 => perturb::graph::Norm::L2,
        };
        let settings = Settings { norm, rounding: Rounding::Outward, batch, ..Settings::default() };
        let certifier = Certifier::new(&subject.graph, self.method, settings)?;
        let bar = progress::bar(&format!("certifying: {name}"), examples * self.epsilons.len());
        // Proved at a budget means proved at every smaller one: only what is still proved is asked again.
        let mut standing: Vec<usize> = (0..examples).filter(|&i| correct[i]).collect();
        let (mut points, mut all) = (Vec::new(), Vec::new());
        for (k, &epsilon) in self.epsilons.iter().enumerate() {
            let is_known = |i: &usize| self.proved.iter().any(|by| by[k].binary_search(i).is_ok());
            let (mut proved, open): (Vec<usize>, Vec<usize>) = standing.iter().copied().partition(is_known);
            for (batch, chunk) in open.chunks(BATCH).enumerate() {
                let stage = format!("certify/{name}/{epsilon}");
                let result = store.batch(&stage, batch, || prove(subject, &certifier, chunk, epsilon))?;
                proved.extend(result.proved);
                bar.inc(chunk.len() as u64);
            }
            proved.sort_unstable();
            points.push(CurvePoint { epsilon, accuracy: rate(proved.len(), examples)? });
            standing = proved.clone();
            all.push(proved);
        }
        bar.finish();
        let curve = CertificateCurve {
            name: name.into(),
            guarantee: Guarantee::Deterministic,
            classifier: CertifiedClassifier::Model,
            norm: self.norm,
            examples,
            points,
            notes: "bounds of every score difference over the whole ball, rounded outward".into(),
        };
        Ok((curve, all))
    }
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

/// Randomized smoothing of the first examples.
pub struct Smoothing<'a> {
    pub smoothed: Smoothed,
    /// Euclidean radii, ascending.
    pub radii: &'a [f64],
    pub examples: usize,
}

impl Smoothing<'_> {
    /// The curve, and the certificate of each example.
    ///
    /// # Errors
    /// If the model cannot be sampled, or the run's file fails.
    pub fn run(&self, subject: &Subject, store: &Store) -> Result<(CertificateCurve, Vec<SmoothedExample>), CliError> {
        let &Smoothing { smoothed, examples, .. } = self;
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
        let held = |i: usize, radius: f64| certificates[i].0 == Some(subject.labels[i]) && certificates[i].1 >= radius;
        let points = self.radii.iter().map(|&epsilon| {
            let held = (0..examples).filter(|&i| held(i, epsilon)).count();
            Ok(CurvePoint { epsilon, accuracy: rate(held, examples)? })
        });
        let sigma = smoothed.sigma;
        let curve = CertificateCurve {
            name: "randomized smoothing".into(),
            guarantee: Guarantee::Probabilistic { confidence: 1.0 - smoothed.alpha },
            classifier: CertifiedClassifier::Smoothed { sigma },
            norm: Norm::L2,
            examples,
            points: points.collect::<Result<_, CliError>>()?,
            notes: format!(
                "of the classifier smoothed with Gaussian noise of σ = {sigma}, in ℓ₂; not of the model itself"
            ),
        };
        Ok((curve, certificates))
    }
}

/// Noise of about the middle budget in ℓ2: the ℓ2 ball that holds the ℓ∞ ball is far larger than any radius within reach.
pub fn sigma(subject: &Subject, norm: Norm, epsilons: &[f64]) -> f64 {
    let middle = epsilons[epsilons.len() / 2];
    let width = subject.graph.inputs[0].shape().count() as f64;
    let sigma = match norm {
        Norm::L2 => middle,
        Norm::Linf => middle * width.sqrt() / 2.0,
    };
    // Cohen et al. 2019 use 0.12 to 1 for pixels in [0, 1].
    (sigma.clamp(0.12, 1.0) * 100.0).round() / 100.0
}
