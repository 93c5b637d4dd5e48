//! `perturb explain`: the answer to one image as a heat map.

use crate::CliError;
use crate::preprocessing::PreprocessingArgs;
use crate::single::{Single, check_class};
use perturb::attack::Classifier;
use perturb::explain::{
    Attribution, Geometry, Gradient, InputTimesGradient, IntegratedGradients, Model, Occlusion, SmoothGrad,
};
use perturb::graph::Shape;
use perturb::report::picture::Picture;
use std::path::PathBuf;

/// Options of `perturb explain`.
#[derive(clap::Args, Debug)]
pub struct ExplainArgs {
    /// The model.
    model: PathBuf,
    /// The image, PNG or JPEG, of the model's input size.
    image: PathBuf,
    /// How to explain.
    #[arg(long, default_value = "integrated-gradients")]
    method: Method,
    /// The class to explain (default: the predicted one).
    #[arg(long, value_name = "CLASS")]
    target: Option<usize>,
    /// The heat map.
    #[arg(long, value_name = "PNG", default_value = "explanation.png")]
    out: PathBuf,
    /// Draw the heat map over the image.
    #[arg(long)]
    overlay: bool,
    #[command(flatten)]
    preprocessing: PreprocessingArgs,
}

#[derive(clap::ValueEnum, Clone, Copy, Debug)]
enum Method {
    Gradient,
    InputTimesGradient,
    IntegratedGradients,
    SmoothGrad,
    Occlusion,
}

impl Method {
    fn attribution(self, model: &Model) -> Box<dyn Attribution> {
        match self {
            Method::Gradient => Box::new(Gradient),
            Method::InputTimesGradient => Box::new(InputTimesGradient),
            Method::IntegratedGradients => Box::new(IntegratedGradients::default()),
            Method::SmoothGrad => Box::new(SmoothGrad::default()),
            Method::Occlusion => Box::new(Occlusion::of(model.geometry())),
        }
    }
}

/// Explains, and writes the heat map.
///
/// # Errors
/// If the model or the image cannot be used, or the file cannot be written.
pub fn run(args: &ExplainArgs) -> Result<(), CliError> {
    let single = Single::load(&args.model, &args.image, &args.preprocessing)?;
    let classifier = Classifier::new(&single.graph, 1)?;
    let predicted = classifier.predictions(&single.image)?.first().copied().flatten();
    let predicted = predicted.ok_or_else(|| CliError::Usage("the model's scores for this image hold NaN".into()))?;
    let target = check_class("--target", args.target.unwrap_or(predicted), classifier.classes())?;
    let [c, h, w] = single.canvas.shape;
    let model = Model::compile(&single.graph, 32)?.with_geometry(Geometry::new(c, vec![h, w])?)?;
    let shape: Shape = std::iter::once(1).chain(model.example_shape().iter().copied()).collect();
    let image = single.image.reshape(shape)?;
    let map = args.method.attribution(&model).attribute(&model, &image, &[target])?;
    let picture = Picture::new(map.as_slice::<f32>(), single.canvas.shape)?;
    let png = if args.overlay {
        let below = Picture::new(single.image.as_slice::<f32>(), single.canvas.shape)?;
        picture.heatmap_overlay_png(&below, 0.6, single.canvas.scale)?
    } else {
        picture.heatmap_png(single.canvas.scale)?
    };
    let failed = |source| CliError::File { action: "write", path: args.out.display().to_string(), source };
    std::fs::write(&args.out, png).map_err(failed)?;
    println!("class {target} explained (predicted: {predicted}); heat map: {}", args.out.display());
    Ok(())
}
