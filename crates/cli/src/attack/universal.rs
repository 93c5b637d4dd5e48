//! `perturb attack --universal`: one perturbation for all inputs, and whether it fools the model on others.

use super::AttackArgs;
use super::plan::budget;
use super::set::Subject;
use crate::pictures::Canvas;
use crate::{CliError, file, progress};
use perturb::attack::feature::rectified;
use perturb::attack::{Ball, Classifier, Criterion, GdUap, Norm, Prior, Seed, TPower, Uap, Universal};
use perturb::data::npz;
use perturb::graph::{Graph, Tensor};
use perturb::nn::recipe;
use serde::Serialize;
use std::path::{Path, PathBuf};

/// Draws of noise that the perturbation is compared with.
const DRAWS: u64 = 10;

/// How a perturbation for all inputs is found.
#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq)]
pub enum Fit {
    /// DeepFool on one input after another (Moosavi-Dezfooli et al. 2017).
    Uap,
    /// What excites all layers, given no more of the data than mean and deviation of its values; in ℓ∞ (GD-UAP, Mopuri et al. 2018).
    GdUap,
    /// The 5 % of pixels that excite one layer most; the layer that fools most on the inputs (Kuvshinova et al. 2024).
    Singular,
}

impl Fit {
    fn name(self) -> &'static str {
        match self {
            Fit::Uap => "UAP",
            Fit::GdUap => "GD-UAP",
            Fit::Singular => "sparse singular vector",
        }
    }

    fn run(
        self,
        subject: &Subject,
        inputs: &Tensor,
        criterion: &Criterion,
        ball: &Ball,
        seed: u64,
    ) -> Result<Universal, CliError> {
        let seed = &Seed::new(seed, 0);
        match self {
            // Examples are looked at one by one.
            Fit::Uap => Ok(Uap::default().fit(&Classifier::new(&subject.graph, 1)?, inputs, criterion, ball)?),
            Fit::GdUap => {
                let attack = GdUap { prior: range_of(inputs), ..GdUap::default() };
                Ok(attack.fit(&hidden_layers(&subject.graph)?, Some(&subject.model), ball, seed)?)
            }
            Fit::Singular => {
                let layers = hidden_layers(&subject.graph)?;
                let bar = progress::bar("layers", layers.outputs.len());
                let mut best: Option<(f64, Universal)> = None;
                for layer in &layers.outputs {
                    let layer = Graph::new(layers.inputs.clone(), vec![layer.clone()])?;
                    let found = TPower::default().fit(&layer, &subject.model, inputs, ball, seed)?;
                    let rate = found.success_rate(&subject.model, inputs, criterion)?;
                    if best.as_ref().is_none_or(|(most, _)| rate > *most) {
                        best = Some((rate, found));
                    }
                    bar.inc(1);
                }
                bar.finish_and_clear();
                best.map(|(_, found)| found).ok_or_else(|| CliError::Usage("the model has no hidden layer".into()))
            }
        }
    }
}

// What each rectifier lets through.
fn hidden_layers(graph: &Graph) -> Result<Graph, CliError> {
    rectified(graph)
        .map_err(|e| CliError::Usage(format!("{e}, whose outputs are the layers to excite; take --fit uap")))
}

// Mean and standard deviation of all values.
fn range_of(inputs: &Tensor) -> Prior {
    let values = inputs.to_f64_vec();
    let mean = values.iter().sum::<f64>() / values.len().max(1) as f64;
    let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / values.len().max(1) as f64;
    Prior::Range { mean, deviation: variance.sqrt() }
}

/// What the JSON says. A fooling rate is the share of inputs whose prediction changes.
#[derive(Serialize, Debug)]
struct Outcome {
    attack: &'static str,
    norm: &'static str,
    epsilon: f64,
    fitted_on: usize,
    held_out: usize,
    fooling_rate_fitted: f64,
    fooling_rate_held_out: f64,
    /// Mean over ten draws, each one noise for all inputs.
    fooling_rate_noise: f64,
    /// Largest of the ten.
    fooling_rate_noise_most: f64,
    linf: f64,
    l2: f64,
    l1: f64,
}

/// Fits, judges and writes.
///
/// # Errors
/// If the model or the data cannot be used, there are fewer than two examples, or a file cannot be written.
pub fn run(args: &AttackArgs, model: &Path, data: &Path) -> Result<(), CliError> {
    let subject = Subject::load(args, model, data)?;
    let count = subject.predictions.len();
    if count < 2 {
        let message = format!("{} holds one example: one is needed to fit on and one to judge by", data.display());
        return Err(CliError::Usage(message));
    }
    let norm = args.norm.map_or(Norm::Linf, Norm::from);
    let epsilon = budget(args.epsilon, norm, subject.range, subject.width());
    let ball = Ball::new(norm, epsilon, subject.range)?;
    let half = count / 2;
    let labels: Vec<usize> = subject.predictions.iter().map(|p| p.unwrap_or(0)).collect();
    let part = |from: usize, to: usize| {
        (subject.inputs.rows(from, to), Criterion::Misclassify { labels: labels[from..to].to_vec() })
    };
    let ((seen, seen_criterion), (unseen, unseen_criterion)) = (part(0, half), part(half, count));
    let mut universal = args.fit.run(&subject, &seen, &seen_criterion, &ball, args.seed)?;
    let fitted = universal.success_rate(&subject.model, &seen, &seen_criterion)?;
    let held_out = universal.success_rate(&subject.model, &unseen, &unseen_criterion)?;
    let delta = universal.delta.as_slice::<f32>().to_vec();
    let mut noise = Vec::new();
    for draw in 0..DRAWS {
        universal.delta = Tensor::new(universal.delta.shape().clone(), sphere(&ball, args.seed, draw, delta.len()))?;
        noise.push(universal.success_rate(&subject.model, &unseen, &unseen_criterion)?);
    }
    let zero = vec![0.0; delta.len()];
    let size = |norm| perturb::threat::distance(norm, &zero, &delta);
    let outcome = Outcome {
        attack: args.fit.name(),
        norm: norm.name(),
        epsilon,
        fitted_on: half,
        held_out: count - half,
        fooling_rate_fitted: fitted,
        fooling_rate_held_out: held_out,
        fooling_rate_noise: noise.iter().sum::<f64>() / noise.len() as f64,
        fooling_rate_noise_most: noise.iter().fold(0.0, |m, &r| f64::max(m, r)),
        linf: size(Norm::Linf),
        l2: size(Norm::L2),
        l1: size(Norm::L1),
    };
    let out = args.out.clone().unwrap_or_else(|| PathBuf::from("universal.npz"));
    let picture = write(&out, &subject.graph, delta, &outcome)?;
    println!(
        "{} in {} ≤ {epsilon:.5}: fools {:.1} % of the {half} inputs it was fitted on and {:.1} % of {} others; noise of \
         this size {:.1} %; {}{}",
        args.fit.name(),
        norm.name(),
        100.0 * fitted,
        100.0 * held_out,
        count - half,
        100.0 * outcome.fooling_rate_noise,
        out.display(),
        picture.map_or(String::new(), |p| format!(", {}", p.display()))
    );
    Ok(())
}

// Noise of norm ε: random signs in ℓ∞, random coordinates moved to their limits in ℓ0, else a uniform vector, scaled.
fn sphere(ball: &Ball, seed: u64, draw: u64, width: usize) -> Vec<f32> {
    let uniform = recipe(seed.wrapping_mul(DRAWS).wrapping_add(draw), [width], 1.0);
    let uniform = uniform.as_slice::<f32>();
    let zero = vec![0.0; width];
    let (low, high) = ball.bounds();
    match ball.norm() {
        Norm::Linf => uniform.iter().map(|v| ball.epsilon() as f32 * v.signum()).collect(),
        Norm::L0 => {
            let mut order: Vec<usize> = (0..width).collect();
            order.sort_by(|&a, &b| uniform[a].abs().total_cmp(&uniform[b].abs()));
            let mut delta = zero;
            for &i in order.iter().take(ball.epsilon() as usize) {
                delta[i] = ((high - low) as f32) * uniform[i].signum();
            }
            delta
        }
        norm => {
            let scale = ball.epsilon() / perturb::threat::distance(norm, &zero, uniform).max(f64::MIN_POSITIVE);
            uniform.iter().map(|v| (scale * f64::from(*v)) as f32).collect()
        }
    }
}

// The picture, if the input is an image.
fn write(out: &Path, graph: &Graph, delta: Vec<f32>, outcome: &Outcome) -> Result<Option<PathBuf>, CliError> {
    let picture = match Canvas::of(graph, Some((0.0, 1.0))) {
        Some(canvas) => {
            let path = out.with_extension("png");
            std::fs::write(&path, canvas.heatmap_png(&delta)?).map_err(|source| file("write", &path, source))?;
            Some(path)
        }
        None => None,
    };
    npz::write_all(out, &[("delta".into(), Tensor::new(graph.inputs[0].shape().clone(), delta)?)])?;
    let json = serde_json::to_string_pretty(outcome).map_err(|e| CliError::Usage(e.to_string()))? + "\n";
    let path = out.with_extension("json");
    std::fs::write(&path, json).map_err(|source| file("write", &path, source))?;
    Ok(picture)
}
