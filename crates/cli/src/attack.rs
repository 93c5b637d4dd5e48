//! `perturb attack`: one image, and the adversarial one next to it.

use crate::CliError;
use crate::parse;
use crate::preprocessing::PreprocessingArgs;
use crate::single::{Single, check_class};
use perturb::attack::{Attack, Ball, Classifier, Criterion, DeepFool, Fgsm, Pgd, Seed, Square};
use perturb::data::{load_image, save_png};
use perturb::graph::{Norm, Tensor};
use perturb::threat::distance;
use serde::Serialize;
use std::path::PathBuf;

/// Options of `perturb attack`.
#[derive(clap::Args, Debug)]
pub struct AttackArgs {
    /// The model.
    model: PathBuf,
    /// The image, PNG or JPEG, of the model's input size.
    image: PathBuf,
    /// Which attack.
    #[arg(long, default_value = "pgd")]
    attack: Kind,
    /// Budget in units of the pixel range [0, 1]; DeepFool looks for the nearest example and needs none.
    #[arg(long, value_name = "E", default_value = "8/255", value_parser = parse::epsilon)]
    epsilon: f64,
    /// Norm of the budget.
    #[arg(long, default_value = "linf")]
    norm: parse::BallNorm,
    /// The true class (default: the predicted one).
    #[arg(long, value_name = "CLASS")]
    label: Option<usize>,
    /// The class to reach (default: any other).
    #[arg(long, value_name = "CLASS", conflicts_with = "label")]
    target: Option<usize>,
    /// The adversarial image; a .json with norms and predictions goes beside it.
    #[arg(long, value_name = "PNG", default_value = "adversarial.png")]
    out: PathBuf,
    /// Seed of everything random.
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    #[command(flatten)]
    preprocessing: PreprocessingArgs,
}

#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq)]
enum Kind {
    Fgsm,
    Pgd,
    #[value(name = "deepfool")]
    DeepFool,
    Square,
}

impl Kind {
    fn attack(self) -> Box<dyn Attack> {
        match self {
            Kind::Fgsm => Box::new(Fgsm),
            Kind::Pgd => Box::new(Pgd::default()),
            Kind::DeepFool => Box::new(DeepFool::default()),
            Kind::Square => Box::new(Square::default()),
        }
    }
}

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
pub fn run(args: &AttackArgs) -> Result<(), CliError> {
    let single = Single::load(&args.model, &args.image, &args.preprocessing)?;
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
    let attack = args.attack.attack();
    let free = attack.minimizes_distance();
    let ball = Ball::new(args.norm.into(), if free { f64::INFINITY } else { args.epsilon }, (0.0, 1.0))?;
    let found = attack.run(&model, &single.image, &criterion, &ball, &Seed::new(args.seed, 0))?;
    let (before, after) = (single.image.as_slice::<f32>(), found.inputs.as_slice::<f32>());
    let image = found.inputs.reshape(single.canvas.shape)?;
    save_png(&args.out, &image)?;
    let written = load_image(&args.out, Some(single.canvas.shape[0]))?.reshape(single.image.shape().clone())?;
    let outcome = Outcome {
        attack: attack.name(),
        success: found.success[0],
        label: if args.target.is_none() { Some(criterion.classes()[0]) } else { None },
        target: args.target,
        clean_prediction: clean,
        adversarial_prediction: prediction(&model, &found.inputs)?,
        png_prediction: prediction(&model, &written)?,
        clean_logits: model.logits(&single.image)?.as_slice::<f32>().to_vec(),
        adversarial_logits: model.logits(&found.inputs)?.as_slice::<f32>().to_vec(),
        epsilon: (!free).then_some(args.epsilon),
        linf: distance(Norm::Linf, before, after),
        l2: distance(Norm::L2, before, after),
        l1: distance(Norm::L1, before, after),
        queries: found.queries[0],
    };
    let json = serde_json::to_string_pretty(&outcome).map_err(|e| CliError::Usage(e.to_string()))? + "\n";
    let path = args.out.with_extension("json");
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
        args.out.display(),
        path.display()
    );
    Ok(())
}

fn prediction(model: &Classifier, image: &Tensor) -> Result<Option<usize>, CliError> {
    Ok(model.predictions(image)?.first().copied().flatten())
}
