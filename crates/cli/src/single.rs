//! One model and one image, for the commands that look at a single example.

use crate::audit::classifier_input;
use crate::pictures::{Canvas, image_shape};
use crate::preprocessing::PreprocessingArgs;
use crate::{CliError, model};
use perturb::data::load_image;
use perturb::graph::{Graph, Tensor};
use perturb::onnx::ImportOptions;
use std::path::Path;

/// A classifier in pixel units, and an image of its input's shape.
pub struct Single {
    /// The classifier, preprocessing included.
    pub graph: Graph,
    /// The image, `[1, …example]` with values in [0, 1].
    pub image: Tensor,
    /// How the image is drawn.
    pub canvas: Canvas,
}

impl Single {
    /// Loads both.
    ///
    /// # Errors
    /// If the model is not a classifier of images, or the image is of another size.
    pub fn load(path: &Path, image: &Path, preprocessing: &PreprocessingArgs) -> Result<Single, CliError> {
        let mut raw = model::load(path, &ImportOptions::default())?;
        let shape = classifier_input(&raw)?;
        raw.outputs.truncate(1);
        let Some([channels, height, width]) = image_shape(&shape[1..]) else {
            return Err(CliError::Usage(format!("the model's input {} is not an image", raw.inputs[0].shape())));
        };
        let pixels = load_image(image, Some(channels))?;
        if pixels.shape()[1..] != [channels, height, width] {
            return Err(CliError::Usage(format!(
                "{} is {} × {} pixels, the model takes {height} × {width}: resize the image",
                image.display(),
                pixels.shape()[2],
                pixels.shape()[3]
            )));
        }
        let graph = match preprocessing.given()? {
            Some(p) => p.prepend(&raw)?,
            None => raw,
        };
        let canvas = Canvas::of(&graph, Some((0.0, 1.0)));
        let canvas = canvas.ok_or_else(|| CliError::Usage("the model's input is not an image".into()))?;
        Ok(Single { graph, image: pixels.reshape(shape)?, canvas })
    }
}

/// Checks a class given on the command line.
///
/// # Errors
/// If the model has no such class.
pub fn check_class(option: &str, class: usize, classes: usize) -> Result<usize, CliError> {
    if class < classes {
        return Ok(class);
    }
    Err(CliError::Usage(format!("{option} {class}: the model has {classes} classes, 0 to {}", classes - 1)))
}
