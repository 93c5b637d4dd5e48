//! One image, and the adversarial one next to it.

use super::AttackArgs;
use super::plan::plan;
use crate::CliError;
use crate::single::{Single, check_class};
use perturb::attack::{Classifier, Criterion, Norm, Seed};
use perturb::data::{load_image, save_png};
use perturb::graph::Tensor;
use perturb::threat::distance;
use serde::Serialize;
use std::path::{Path, PathBuf};

/// What the JSON says.
#[derive(Serialize, Debug)]
struct Outcome {
    attack: &'static str,
    success: bool,
    label: Option<usize>,
    target: Option<usize>,
    clean_prediction: Option<usize>,
    adversarial_prediction: Option<usize>,
    /// Prediction for the PNG as written: eight bits a channel can undo a small perturbation.
    png_prediction: Option<usize>,
    clean_logits: Vec<f32>,
    adversarial_logits: Vec<f32>,
    epsilon: Option<f64>,
    linf: f64,
    l2: f64,
    l1: f64,
    queries: u64,
}

/// Attacks, and writes image and JSON.
///
/// # Errors
/// If the model or the image cannot be used, or a file cannot be written.
pub fn run(args: &AttackArgs, model: &Path, image: &Path) -> Result<(), CliError> {
    let entry = args.method()?.each("one image needs an attack on each example")?;
    let single = Single::load(model, image, &args.preprocessing)?;
    let model = Classifier::new(&single.graph, 1)?;
    let clean = prediction(&model, &single.image)?;
    let criterion = match args.target {
        Some(target) => Criterion::Targeted { classes: vec![check_class("--target", target, model.classes())?] },
        None => {
            let label = args
                .label
                .or(clean)
                .ok_or_else(|| CliError::Usage("the model's scores for this image hold NaN".into()))?;
            Criterion::Misclassify { labels: vec![check_class("--label", label, model.classes())?] }
        }
    };
    let plan = plan(args, entry, (0.0, 1.0), single.image.count())?;
    let found = plan.attack.run(&model, &single.image, &criterion, &plan.ball, &Seed::new(args.seed, 0))?;
    let out = args.out.clone().unwrap_or_else(|| PathBuf::from("adversarial.png"));
    let (before, after) = (single.image.as_slice::<f32>(), found.inputs.as_slice::<f32>());
    let image = found.inputs.reshape(single.canvas.shape)?;
    save_png(&out, &image)?;
    let written = load_image(&out, Some(single.canvas.shape[0]))?.reshape(single.image.shape().clone())?;
    let outcome = Outcome {
        attack: plan.attack.name(),
        success: found.success[0],
        label: if args.target.is_none() { Some(criterion.classes()[0]) } else { None },
        target: args.target,
        clean_prediction: clean,
        adversarial_prediction: prediction(&model, &found.inputs)?,
        png_prediction: prediction(&model, &written)?,
        clean_logits: model.logits(&single.image)?.as_slice::<f32>().to_vec(),
        adversarial_logits: model.logits(&found.inputs)?.as_slice::<f32>().to_vec(),
        epsilon: plan.epsilon,
        linf: distance(Norm::Linf, before, after),
        l2: distance(Norm::L2, before, after),
        l1: distance(Norm::L1, before, after),
        queries: found.queries[0],
    };
    let json = serde_json::to_string_pretty(&outcome).map_err(|e| CliError::Usage(e.to_string()))? + "\n";
    let path = out.with_extension("json");
    std::fs::write(&path, json).map_err(|source| CliError::File {
        action: "write",
        path: path.display().to_string(),
        source,
    })?;
    let show = |class: Option<usize>| class.map_or("none".to_string(), |c| c.to_string());
    println!(
        "{}: class {} became {} ({} as PNG); ℓ∞ {:.5}, ℓ2 {:.4}; {} and {}",
        if outcome.success { "success" } else { "no adversarial example found" },
        show(outcome.clean_prediction),
        show(outcome.adversarial_prediction),
        show(outcome.png_prediction),
        outcome.linf,
        outcome.l2,
        out.display(),
        path.display()
    );
    Ok(())
}

fn prediction(model: &Classifier, image: &Tensor) -> Result<Option<usize>, CliError> {
    Ok(model.predictions(image)?.first().copied().flatten())
}
