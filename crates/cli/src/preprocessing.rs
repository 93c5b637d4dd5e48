//! What stands between pixels and the model's input: given, or found by trying the usual ones.

use crate::CliError;
use perturb::attack::Classifier;
use perturb::graph::{Expr, Graph, Shape, Tensor, substitute};
use perturb::report::audit::Candidate;

/// Options that say what stands between pixels and the model.
#[derive(clap::Args, Debug, Clone, Default)]
pub struct PreprocessingArgs {
    /// Subtracted from pixels, one value or one for each channel.
    #[arg(long, value_name = "LIST", value_delimiter = ',', allow_hyphen_values = true)]
    pub mean: Option<Vec<f64>>,
    /// Divides what is left, one value or one for each channel.
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub std: Option<Vec<f64>>,
    /// The model takes pixels as they are: detect nothing.
    #[arg(long, conflicts_with_all = ["mean", "std"])]
    pub no_normalization: bool,
}

impl PreprocessingArgs {
    /// What `--mean` and `--std` give, if any of them is there.
    ///
    /// # Errors
    /// If a value is not finite or a deviation is 0.
    pub fn given(&self) -> Result<Option<Preprocessing>, CliError> {
        if self.mean.is_none() && self.std.is_none() {
            return Ok(None);
        }
        let mean = self.mean.clone().unwrap_or_else(|| vec![0.0]);
        let std = self.std.clone().unwrap_or_else(|| vec![1.0]);
        if std.iter().any(|&s| s == 0.0 || !s.is_finite()) || mean.iter().any(|m| !m.is_finite()) {
            return Err(CliError::Usage("--mean and --std must be finite, and --std not 0".into()));
        }
        Ok(Some(Preprocessing { name: "given".into(), mean, std }))
    }
}

/// `input = (pixel − mean)/std` for every channel; one value serves all channels.
#[derive(Clone, Debug, PartialEq)]
pub struct Preprocessing {
    /// Name in the report.
    pub name: String,
    /// Subtracted.
    pub mean: Vec<f64>,
    /// Divided by.
    pub std: Vec<f64>,
}

/// A preprocessing, and how it was found.
pub struct Chosen {
    pub preprocessing: Preprocessing,
    pub reason: String,
    pub candidates: Vec<Candidate>,
}

/// Examples on which candidates are tried.
const TRIAL: usize = 256;
const BATCH: usize = 64;

impl Preprocessing {
    /// Pixels as they are.
    pub fn identity() -> Preprocessing {
        Preprocessing::named("none", &[0.0], &[1.0])
    }

    fn named(name: &str, mean: &[f64], std: &[f64]) -> Preprocessing {
        Preprocessing { name: name.into(), mean: mean.to_vec(), std: std.to_vec() }
    }

    /// The usual ones for a number of channels, pixels as they are first.
    fn usual(channels: usize) -> Vec<Preprocessing> {
        let mut all = vec![
            Preprocessing::identity(),
            Preprocessing::named("[−1, 1]", &[0.5], &[0.5]),
            Preprocessing::named("[0, 255]", &[0.0], &[1.0 / 255.0]),
        ];
        match channels {
            1 => all.extend([
                Preprocessing::named("MNIST mean and deviation", &[0.1307], &[0.3081]),
                Preprocessing::named("Fashion-MNIST mean and deviation", &[0.2860], &[0.3530]),
            ]),
            3 => all.extend([
                Preprocessing::named(
                    "CIFAR-10 mean and deviation",
                    &[0.4914, 0.4822, 0.4465],
                    &[0.2471, 0.2435, 0.2616],
                ),
                Preprocessing::named("ImageNet mean and deviation", &[0.485, 0.456, 0.406], &[0.229, 0.224, 0.225]),
            ]),
            _ => {}
        }
        all
    }

    /// The graph with this in front, so that its input is in pixel units.
    ///
    /// # Errors
    /// If the number of channels does not fit the input.
    pub fn prepend(&self, graph: &Graph) -> Result<Graph, CliError> {
        if *self == Preprocessing::identity() || (self.mean == [0.0] && self.std == [1.0]) {
            return Ok(graph.clone());
        }
        let input = &graph.inputs[0];
        let pixels = Expr::try_input(input.name().unwrap_or("input"), input.shape(), input.dtype())?;
        let per_channel = |values: &[f64]| -> Result<Expr, CliError> {
            let mut shape = vec![1; input.rank()];
            if values.len() > 1 {
                let Some(axis) = input.shape().iter().position(|&d| d == values.len()).filter(|&a| a > 0) else {
                    return Err(CliError::Usage(format!(
                        "{} values for the mean or deviation do not fit the channels of the input {}",
                        values.len(),
                        input.shape()
                    )));
                };
                shape[axis] = values.len();
            }
            Ok(Expr::constant(Tensor::from_f64(Shape::from(shape), input.dtype(), values.to_vec())?))
        };
        let normalized = pixels.try_sub(&per_channel(&self.mean)?)?.try_div(&per_channel(&self.std)?)?;
        let outputs = substitute(&graph.output_exprs(), &[(input.clone(), normalized)])?;
        let names = graph.outputs.iter().map(|(name, _)| name.clone());
        Ok(Graph::new(vec![pixels], names.zip(outputs).collect())?)
    }
}

/// The preprocessing that the arguments give, or else the one with the best accuracy on the first examples.
///
/// # Errors
/// If given values make no sense, or a candidate cannot be run.
pub fn choose(
    args: &PreprocessingArgs,
    graph: &Graph,
    inputs: &Tensor,
    labels: Option<&[usize]>,
    limits: Option<(f64, f64)>,
) -> Result<Chosen, CliError> {
    let plain = |reason: &str| {
        Ok(Chosen { preprocessing: Preprocessing::identity(), reason: reason.into(), candidates: vec![] })
    };
    if let Some(preprocessing) = args.given()? {
        return Ok(Chosen { preprocessing, reason: "given by --mean and --std".into(), candidates: vec![] });
    }
    if args.no_normalization {
        return plain("none, as asked for by --no-normalization");
    }
    let Some(labels) = labels else { return plain("none: without labels there is nothing to choose by") };
    if limits != Some((0.0, 1.0)) {
        return plain("none: the data are not pixels in [0, 1]");
    }
    let channels = if graph.inputs[0].rank() >= 4 { graph.inputs[0].shape()[1] } else { 1 };
    let n = labels.len().min(TRIAL);
    let trial = inputs.rows(0, n);
    let mut best: Option<(f64, Preprocessing)> = None;
    let mut candidates = Vec::new();
    for candidate in Preprocessing::usual(channels) {
        let predicted = predict(&candidate.prepend(graph)?, &trial)?;
        let correct = predicted.iter().zip(labels).filter(|(p, l)| p == l).count();
        let accuracy = correct as f64 / n as f64;
        candidates.push(Candidate { name: candidate.name.clone(), accuracy });
        // A later candidate must be clearly better: at least one example in a hundred.
        if best.as_ref().is_none_or(|(a, _)| accuracy >= a + 0.01) {
            best = Some((accuracy, candidate));
        }
    }
    let Some((accuracy, preprocessing)) = best else { return plain("none: there are no examples") };
    let reason = format!(
        "best accuracy on the first {n} examples ({:.1} %) among {} usual ones; override with --mean and --std",
        accuracy * 100.0,
        candidates.len()
    );
    Ok(Chosen { preprocessing, reason, candidates })
}

/// Predicted classes of `inputs [N, …one example]`.
///
/// # Errors
/// If the graph cannot be run, or answers NaN.
pub fn predict(graph: &Graph, inputs: &Tensor) -> Result<Vec<usize>, CliError> {
    let classes = Classifier::new(graph, BATCH)?.predictions(inputs)?;
    let known = classes.into_iter().enumerate().map(|(i, class)| {
        class.ok_or_else(|| {
            CliError::Usage(format!("the model's scores for example {i} hold NaN: it cannot be audited"))
        })
    });
    known.collect()
}
