//! The attribution stage: five methods on a few examples, each judged by four measures (six where masks are known).

use super::results::Attributed;
use super::store::Store;
use super::subject::Subject;
use crate::pictures::image_shape;
use crate::{CliError, progress};
use perturb::explain::{
    Attribution, ChannelSum, Geometry, Gradient, Infidelity, InputTimesGradient, IntegratedGradients, MaxSensitivity,
    Model, Occlusion, RemovalCurve, Seed, SmoothGrad, localise,
};
use perturb::graph::{Shape, Tensor};
use perturb::metrics::bootstrap;
use perturb::report::audit::{AttributionQuality, AttributionRow, Estimate, MethodSetting};

/// Examples that are explained.
const EXAMPLES: usize = 16;
const BATCH: usize = 64;
const INFIDELITY_SAMPLES: usize = 200;
const SENSITIVITY_SAMPLES: usize = 10;
const CURVE_STEPS: usize = 28;
const RESAMPLES: usize = 2000;

/// Attributions and their judgements by method, then by explained example.
pub struct Explained {
    /// Positions of the explained examples in the set.
    pub indices: Vec<usize>,
    /// Methods in order, with what they gave for each explained example.
    pub methods: Vec<(String, Vec<Attributed>)>,
}

fn methods(model: &Model, seed: u64) -> Vec<Box<dyn Attribution>> {
    let seed = Seed { value: seed, first_index: 0 };
    vec![
        Box::new(Gradient),
        Box::new(InputTimesGradient),
        Box::new(IntegratedGradients::default()),
        Box::new(SmoothGrad { samples: 25, seed, ..SmoothGrad::default() }),
        Box::new(Occlusion::of(model.geometry())),
    ]
}

/// What the settings of the report say of the methods.
pub fn settings() -> Vec<MethodSetting> {
    let entry = |name: &str, text: &str| MethodSetting { name: name.into(), hyperparameters: text.into() };
    let judged = format!(
        "of the predicted class, on the first {EXAMPLES} examples; infidelity from {INFIDELITY_SAMPLES} samples (scaled), max-sensitivity from {SENSITIVITY_SAMPLES}, deletion and insertion in {CURVE_STEPS} steps; 95 % bootstrap intervals"
    );
    vec![
        entry("gradient", &judged),
        entry("input × gradient", "as above"),
        entry("integrated gradients", "50 Gauss–Legendre steps from zero"),
        entry("SmoothGrad", "25 samples, noise of 0.15 of the range"),
        entry("occlusion", "square windows replaced by zero"),
    ]
}

/// Runs the stage.
///
/// # Errors
/// If the model cannot be explained, or the run's file fails.
pub fn run(subject: &Subject, targets: &[usize], seed: u64, store: &Store) -> Result<Explained, CliError> {
    let n = subject.labels.len().min(EXAMPLES);
    let mut model = Model::compile(&subject.graph, BATCH)?;
    let canvas = image_shape(model.example_shape());
    if let Some([c, h, w]) = canvas {
        model = model.with_geometry(Geometry::new(c, vec![h, w])?)?;
    }
    let shape: Shape = std::iter::once(n).chain(model.example_shape().iter().copied()).collect();
    let inputs = subject.inputs.rows(0, n).reshape(shape)?;
    let masks = match &subject.masks {
        Some(masks) => {
            let spatial: Shape = std::iter::once(n).chain(model.geometry().spatial().iter().copied()).collect();
            Some(masks.rows(0, n).reshape(spatial)?)
        }
        None => None,
    };
    let all = methods(&model, seed);
    let bar = progress::bar("explaining", all.len());
    let mut found = Vec::new();
    for method in &all {
        let stage = format!("explain/{}", method.name());
        let results =
            store.batch(&stage, 0, || judge(&model, method.as_ref(), &inputs, &targets[..n], masks.as_ref(), seed))?;
        found.push((method.name().to_string(), results));
        bar.inc(1);
    }
    bar.finish();
    Ok(Explained { indices: (0..n).collect(), methods: found })
}

fn judge(
    model: &Model,
    method: &dyn Attribution,
    inputs: &Tensor,
    targets: &[usize],
    masks: Option<&Tensor>,
    seed: u64,
) -> Result<Vec<Attributed>, CliError> {
    let seed = Seed { value: seed, first_index: 0 };
    let maps = method.attribute(model, inputs, targets)?;
    let infidelity = Infidelity { samples: INFIDELITY_SAMPLES, seed, ..Infidelity::default() };
    let infidelity = infidelity.evaluate(model, inputs, &maps, targets)?.scaled;
    let sensitivity = MaxSensitivity { samples: SENSITIVITY_SAMPLES, seed, ..MaxSensitivity::default() };
    let sensitivity = sensitivity.evaluate(model, method, inputs, &maps, targets)?;
    let deletion = RemovalCurve { steps: CURVE_STEPS, ..RemovalCurve::deletion() };
    let deletion = deletion.evaluate(model, inputs, &maps, targets)?;
    let insertion = RemovalCurve { steps: CURVE_STEPS, ..RemovalCurve::insertion() };
    let insertion = insertion.evaluate(model, inputs, &maps, targets)?;
    let located = match masks {
        Some(masks) => Some(localise(&maps, masks, model.geometry(), ChannelSum::Absolute)?),
        None => None,
    };
    let width = maps.count() / targets.len().max(1);
    let rows = maps.as_slice::<f32>().chunks(width.max(1));
    Ok(rows
        .enumerate()
        .map(|(i, row)| Attributed {
            values: row.to_vec(),
            infidelity: infidelity[i],
            max_sensitivity: sensitivity[i].min(f64::MAX),
            deletion: deletion[i],
            insertion: insertion[i],
            pointing: located.as_ref().map(|l| l.pointing[i]),
            mask_iou: located.as_ref().map(|l| l.iou[i]),
        })
        .collect())
}

/// The table of the report.
///
/// # Errors
/// If an interval cannot be computed.
pub fn quality(explained: &Explained, seed: u64) -> Result<AttributionQuality, CliError> {
    let estimate = |values: Vec<f64>| -> Result<Option<Estimate>, CliError> {
        if values.is_empty() || values.iter().any(|v| !v.is_finite()) {
            return Ok(None);
        }
        let mean = |v: &[f64]| v.iter().sum::<f64>() / v.len() as f64;
        let interval = bootstrap(&values, mean, RESAMPLES, 0.05, seed)?;
        Ok(Estimate::new(mean(&values), interval.lower, interval.upper))
    };
    let mut rows = Vec::new();
    for (method, results) in &explained.methods {
        let of = |f: &dyn Fn(&Attributed) -> f64| estimate(results.iter().map(f).collect());
        let maybe = |f: &dyn Fn(&Attributed) -> Option<f64>| estimate(results.iter().filter_map(f).collect());
        rows.push(AttributionRow {
            method: method.clone(),
            infidelity: of(&|r| r.infidelity)?,
            max_sensitivity: of(&|r| r.max_sensitivity)?,
            deletion_auc: of(&|r| r.deletion)?,
            insertion_auc: of(&|r| r.insertion)?,
            pointing: maybe(&|r| r.pointing)?,
            mask_iou: maybe(&|r| r.mask_iou)?,
        });
    }
    Ok(AttributionQuality { examples: explained.indices.len(), rows })
}
