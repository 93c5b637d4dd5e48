//! What is audited: the model, the data, and how pixels become the model's input.

use super::AuditArgs;
use super::builtin;
use crate::preprocessing::{self, Preprocessing, PreprocessingArgs};
use crate::{CliError, model};
use perturb::data::{Dataset, LoadOptions, PixelEncoding, load};
use perturb::graph::{Graph, Tensor};
use perturb::nn::Parameters;
use perturb::onnx::ImportOptions;
use perturb::report::audit::{Candidate, ModelInfo, OperatorCount};
use sha2::{Digest, Sha256};
use std::path::Path;

/// A model and the data that it is audited on.
pub struct Subject {
    /// Classifier of one example in pixel units, preprocessing included.
    pub graph: Graph,
    /// The model as the report names it.
    pub info: ModelInfo,
    /// Examples in pixel units, `[N, 1, …]`.
    pub inputs: Tensor,
    /// Labels; the model's own predictions if there were none.
    pub labels: Vec<usize>,
    /// Whether `labels` are predictions.
    pub unlabelled: bool,
    /// Where the data come from.
    pub source: String,
    /// How they were stored.
    pub format: String,
    /// Names of the classes, maybe none.
    pub label_names: Vec<String>,
    /// Smallest and largest allowed value of an element, if there are limits.
    pub limits: Option<(f64, f64)>,
    /// What stands between pixels and the model.
    pub preprocessing: Preprocessing,
    /// Why that was chosen.
    pub how_chosen: String,
    /// What was tried, with accuracies.
    pub candidates: Vec<Candidate>,
    /// Ground-truth masks of the objects, `[N, 1, H, W]`, where the data know them.
    pub masks: Option<Tensor>,
    /// SHA-256 of the model's file and of the data as loaded, for resuming.
    pub fingerprint: String,
}

/// Files that a subject comes from, and how to read them.
pub struct Source<'a> {
    pub model: &'a Path,
    /// Weights in place of the model's own.
    pub weights: Option<&'a Path>,
    pub data: &'a Path,
    pub labels: Option<&'a Path>,
    pub limit: Option<usize>,
    pub pixel_range: Option<(f64, f64)>,
    pub preprocessing: &'a PreprocessingArgs,
}

/// Examples of the built-in audit unless `--limit` says otherwise.
const BUILTIN_EXAMPLES: usize = 128;

impl Subject {
    /// Loads what the arguments name, or the built-in model and world.
    ///
    /// # Errors
    /// If model or data cannot be used, or do not fit each other.
    pub fn load(args: &AuditArgs) -> Result<Subject, CliError> {
        match (&args.model, &args.data) {
            (None, None) => Subject::builtin(args),
            (None, Some(_)) => Err(CliError::Usage("--data needs a model: perturb audit MODEL.onnx --data PATH".into())),
            (Some(_), None) => Err(CliError::Usage(
                "a model needs data to be audited on: perturb audit MODEL.onnx --data PATH (.npz, .npy, IDX, CIFAR-10 binary, or a folder of images)".into(),
            )),
            (Some(model), Some(data)) => Subject::from_files(&Source {
                model,
                weights: args.weights.as_deref(),
                data,
                labels: args.labels.as_deref(),
                limit: args.limit,
                pixel_range: args.pixel_range,
                preprocessing: &args.preprocessing,
            }),
        }
    }

    fn builtin(args: &AuditArgs) -> Result<Subject, CliError> {
        let set = builtin::test_set(args.limit.unwrap_or(BUILTIN_EXAMPLES));
        let graph = builtin::train()?;
        let inputs = builtin::examples(&set)?;
        let masks = set.masks.clone();
        let dataset = set.to_dataset();
        let hash = hash_of(&Parameters::of(&graph));
        let fingerprint = format!("{hash}/{}", data_hash(&inputs, &dataset.labels));
        Ok(Subject {
            info: model_info(&graph, "built-in shapes classifier".into(), "built in".into(), hash)?,
            graph,
            labels: dataset.labels.clone().unwrap_or_default(),
            unlabelled: false,
            inputs,
            source: "the procedural world `shapes`".into(),
            format: format!("{:?}", dataset.format),
            label_names: dataset.class_names.clone().unwrap_or_default(),
            limits: Some((0.0, 1.0)),
            preprocessing: Preprocessing::identity(),
            how_chosen: "the built-in model takes pixels in [0, 1]".into(),
            candidates: vec![],
            masks: Some(masks),
            fingerprint,
        })
    }

    /// Loads a classifier and data.
    ///
    /// # Errors
    /// If model or data cannot be used, or do not fit each other.
    pub fn from_files(from: &Source<'_>) -> Result<Subject, CliError> {
        let &Source { model: path, data, .. } = from;
        let bytes = std::fs::read(path).map_err(|source| CliError::File {
            action: "read",
            path: path.display().to_string(),
            source,
        })?;
        let mut hash = hex(&Sha256::digest(&bytes));
        drop(bytes);
        let mut raw = model::load(path, &ImportOptions::default())?;
        if let Some(path) = from.weights {
            let weights = model::weights(path, &raw)?;
            hash = format!("{hash}+{}", hash_of(&weights));
            raw = weights.bind(&raw)?;
        }
        let example = classifier_input(&raw)?;
        // The scores; further outputs (such as probabilities beside logits) are not audited.
        raw.outputs.truncate(1);
        let options = LoadOptions {
            labels: from.labels.map(Path::to_path_buf),
            limit: from.limit,
            expected_shape: Some(example),
        };
        let dataset = load(data, &options)?;
        let classes = raw.outputs[0].1.shape().count();
        dataset.check_labels(classes)?;
        let (inputs, limits) = in_pixel_units(&dataset, from.pixel_range)?;
        let chosen = preprocessing::choose(from.preprocessing, &raw, &inputs, dataset.labels.as_deref(), limits)?;
        let graph = chosen.preprocessing.prepend(&raw)?;
        let name = path.file_stem().map_or_else(|| "model".into(), |s| s.to_string_lossy().into_owned());
        let info = model_info(&graph, name, path.display().to_string(), hash.clone())?;
        let fingerprint = format!("{hash}/{}", data_hash(&inputs, &dataset.labels));
        let unlabelled = dataset.labels.is_none();
        let labels = match &dataset.labels {
            Some(labels) => labels.clone(),
            None => preprocessing::predict(&graph, &inputs)?,
        };
        Ok(Subject {
            graph,
            info,
            inputs,
            labels,
            unlabelled,
            source: dataset.source.clone(),
            format: format!("{:?}", dataset.format),
            label_names: dataset.class_names.clone().unwrap_or_default(),
            limits,
            preprocessing: chosen.preprocessing,
            how_chosen: chosen.reason,
            candidates: chosen.candidates,
            masks: None,
            fingerprint,
        })
    }
}

impl Subject {
    /// Some of the examples, `[rows, 1, …]`.
    pub fn examples(&self, rows: &[usize]) -> Result<Tensor, CliError> {
        let width = self.inputs.count() / self.labels.len().max(1);
        let values = self.inputs.as_slice::<f32>();
        let chosen = rows.iter().flat_map(|&i| values[i * width..(i + 1) * width].iter().copied()).collect();
        Ok(Tensor::new::<f32>(self.graph.inputs[0].shape().prepend(rows.len()), chosen)?)
    }

    /// One example.
    pub fn example(&self, index: usize) -> &[f32] {
        let width = self.inputs.count() / self.labels.len().max(1);
        &self.inputs.as_slice::<f32>()[index * width..(index + 1) * width]
    }

    /// Limits of every element, infinite where there are none.
    pub fn bounds(&self) -> (f64, f64) {
        self.limits.unwrap_or((f64::NEG_INFINITY, f64::INFINITY))
    }
}

/// The shape of one example, `[1, …]`, of a graph that is a classifier.
pub fn classifier_input(graph: &Graph) -> Result<Vec<usize>, CliError> {
    let ([input], [(name, output), ..]) = (&graph.inputs[..], &graph.outputs[..]) else {
        let names: Vec<&str> = graph.inputs.iter().filter_map(|i| i.name()).collect();
        return Err(CliError::Usage(format!(
            "an audit needs a model with one input; this one has {}: {}",
            names.len(),
            names.join(", ")
        )));
    };
    if input.shape().first() != Some(&1) {
        return Err(CliError::Usage(format!(
            "the model's input '{}' is {}: its first axis must be the batch, of size 1 or symbolic",
            input.name().unwrap_or("input"),
            input.shape()
        )));
    }
    let classes = output.shape().count();
    if classes < 2 || output.shape().iter().filter(|&&d| d > 1).count() != 1 {
        return Err(CliError::Usage(format!(
            "an audit needs a classifier with one score for each class; the output '{name}' is {}",
            output.shape()
        )));
    }
    Ok(input.shape().to_vec())
}

/// The inputs with the limits of their values, where there are any: integer pixels stored as floats become [0, 1] like bytes
/// do; other values keep their units.
///
/// # Errors
/// If the range given does not fit.
pub fn in_pixel_units(dataset: &Dataset, range: Option<(f64, f64)>) -> Result<(Tensor, Option<(f64, f64)>), CliError> {
    let inputs = dataset.inputs.clone();
    match (range, &dataset.pixel) {
        (Some((0.0, 255.0)), PixelEncoding::Stored { .. }) => Ok((scaled(&inputs)?, Some((0.0, 1.0)))),
        (Some(range), PixelEncoding::Stored { min, max }) => {
            if f64::from(*min) < range.0 || f64::from(*max) > range.1 {
                return Err(CliError::Usage(format!(
                    "--pixel-range {}:{} does not hold the data, which reach from {min} to {max}",
                    range.0, range.1
                )));
            }
            Ok((inputs, Some(range)))
        }
        (Some(range), PixelEncoding::Bytes) if range != (0.0, 1.0) && range != (0.0, 255.0) => {
            Err(CliError::Usage("the data are bytes, which become [0, 1]: --pixel-range does not apply".into()))
        }
        (_, PixelEncoding::Bytes) => Ok((inputs, Some((0.0, 1.0)))),
        (None, PixelEncoding::Stored { min, max }) => {
            let image = dataset.example_shape().iter().filter(|&&d| d > 1).count() >= 2;
            let whole = inputs.as_slice::<f32>().iter().all(|v| v.fract() == 0.0);
            if *min >= 0.0 && *max <= 1.0 {
                Ok((inputs, Some((0.0, 1.0))))
            } else if image && whole && *min >= 0.0 && *max <= 255.0 {
                Ok((scaled(&inputs)?, Some((0.0, 1.0))))
            } else {
                Ok((inputs, None))
            }
        }
    }
}

fn scaled(inputs: &Tensor) -> Result<Tensor, CliError> {
    let values = inputs.as_slice::<f32>().iter().map(|v| v / 255.0).collect();
    Ok(Tensor::new::<f32>(inputs.shape().clone(), values)?)
}

/// The model as reports name it.
///
/// # Errors
/// None for graphs with an input and an output.
pub fn model_info(graph: &Graph, name: String, path: String, sha256: String) -> Result<ModelInfo, CliError> {
    let (output_name, output) = &graph.outputs[0];
    let operators = graph.operators().into_iter().map(|(op, count)| OperatorCount { op: op.to_string(), count });
    Ok(ModelInfo {
        name,
        path,
        sha256,
        parameters: graph.parameter_count() as u64,
        operators: operators.collect(),
        input_name: graph.inputs[0].name().unwrap_or("input").to_string(),
        input_shape: graph.inputs[0].shape().to_vec(),
        output_name: output_name.clone(),
        classes: output.shape().count(),
        dtype: graph.inputs[0].dtype().to_string(),
    })
}

/// SHA-256 of weights, whatever file they are from.
pub fn hash_of(weights: &Parameters) -> String {
    let mut hasher = Sha256::new();
    for (name, value) in weights.iter() {
        hasher.update(name);
        value.to_f64_vec().iter().for_each(|x| hasher.update(x.to_le_bytes()));
    }
    hex(&hasher.finalize())
}

/// SHA-256 of the data as loaded.
pub fn data_hash(inputs: &Tensor, labels: &Option<Vec<usize>>) -> String {
    let mut hasher = Sha256::new();
    inputs.as_slice::<f32>().iter().for_each(|v| hasher.update(v.to_le_bytes()));
    labels.iter().flatten().for_each(|l| hasher.update((*l as u64).to_le_bytes()));
    hex(&hasher.finalize())
}

/// Bytes in hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}
