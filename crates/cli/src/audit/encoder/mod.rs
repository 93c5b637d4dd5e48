//! `perturb audit --encoder`: how far perturbations of images carry their embeddings.

mod embeddings;
mod page;
mod report;
mod stages;

use super::subject::{data_hash, hex, in_pixel_units};
use super::{AuditArgs, Store, check_writable, publish};
use crate::pictures::Canvas;
use crate::preprocessing::Preprocessing;
use crate::{CliError, file, model};
use embeddings::Encoder;
use perturb::data::{LoadOptions, load};
use perturb::graph::Tensor;
use perturb::onnx::ImportOptions;
use perturb::report::audit::ModelInfo;
use sha2::{Digest, Sha256};
use std::path::Path;

/// Measures, and writes `report.html` and `report.json`.
///
/// # Errors
/// If model, data or options do not fit, or the folder cannot be written.
pub fn run(args: &AuditArgs, path: &Path) -> Result<(), CliError> {
    check_writable(&args.out)?;
    let subject = Subject::load(args, path)?;
    let store = Store::open(&args.out, &settings(args, &subject), args.resume)?;
    let found = stages::run(&subject, args, &store)?;
    let report = report::report(&subject, args, &found, &store)?;
    publish(&args.out, &report, &page::page(&report), &report.text())
}

/// An encoder, and the images that it is audited on.
pub struct Subject {
    encoder: Encoder,
    info: ModelInfo,
    /// `[N, C, H, W]`, in pixel units.
    images: Tensor,
    /// Smallest and largest value of a pixel.
    limits: (f64, f64),
    source: String,
    preprocessing: Preprocessing,
    canvas: Option<Canvas>,
    fingerprint: String,
}

impl Subject {
    fn load(args: &AuditArgs, path: &Path) -> Result<Subject, CliError> {
        let Some(data) = &args.data else {
            let message = "an encoder needs images to be audited on: perturb audit --encoder MODEL.onnx --data PATH";
            return Err(CliError::Usage(message.into()));
        };
        let bytes = std::fs::read(path).map_err(|source| file("read", path, source))?;
        let mut raw = model::load(path, &ImportOptions::default())?;
        raw.outputs.truncate(1);
        let shape = embeddings::image_shape(&raw)?;
        let options = LoadOptions { labels: None, limit: args.limit, expected_shape: Some(shape.to_vec()) };
        let dataset = load(data, &options)?;
        let (inputs, limits) = in_pixel_units(&dataset, args.pixel_range)?;
        let limits = limits.ok_or_else(|| {
            CliError::Usage(format!("{} holds no pixels in a known range: give --pixel-range LOW:HIGH", data.display()))
        })?;
        let count = inputs.shape()[0];
        if count < 2 {
            let message = format!("{} holds one image: embeddings are told from those of others", data.display());
            return Err(CliError::Usage(message));
        }
        let preprocessing = args.preprocessing.given()?.unwrap_or_else(Preprocessing::identity);
        let graph = preprocessing.prepend(&raw)?;
        let hash = hex(&Sha256::digest(&bytes));
        let name = path.file_stem().map_or_else(|| "encoder".into(), |s| s.to_string_lossy().into_owned());
        Ok(Subject {
            info: super::subject::model_info(&graph, name, path.display().to_string(), hash.clone())?,
            canvas: Canvas::of(&graph, Some(limits)),
            encoder: Encoder::new(graph)?,
            fingerprint: format!("{hash}/{}", data_hash(&inputs, &None)),
            images: inputs.reshape([count, shape[1], shape[2], shape[3]])?,
            limits,
            source: dataset.source.clone(),
            preprocessing,
        })
    }

    fn count(&self) -> usize {
        self.images.shape()[0]
    }

    /// The image whose embedding another one is carried towards: half the data away, since neighbours are often alike.
    fn target(&self, index: usize) -> usize {
        (index + self.count() / 2) % self.count()
    }
}

// Everything that determines the results, as the run's file remembers it.
fn settings(args: &AuditArgs, subject: &Subject) -> String {
    format!(
        "perturb {} encoder; {}; {:?}; norm {:?}; budgets {:?}; seed {}; preprocessing {:?}; limits {:?}; images {}",
        env!("CARGO_PKG_VERSION"),
        subject.fingerprint,
        perturb::attack::feature::GrayBox::default(),
        args.norm,
        args.epsilons(),
        args.seed,
        subject.preprocessing,
        subject.limits,
        subject.count()
    )
}
