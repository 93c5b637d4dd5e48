//! `perturb run`: values, gradients and bounds of a model on arrays, for scripts.

use crate::{CliError, model};
use perturb::certify::{Certifier, Method, Region, Settings};
use perturb::data::npz;
use perturb::engine::{Executable, Options};
use perturb::graph::{Expr, Graph, Norm, Rounding, Tensor, vjp};
use perturb::onnx::ImportOptions;
use std::path::PathBuf;

/// Options of `perturb run`.
#[derive(clap::Args, Debug)]
pub struct RunArgs {
    /// The model.
    model: PathBuf,
    /// Arrays, one for each input of the model, by name; the first axis counts examples.
    #[arg(long, value_name = "X.npz")]
    input: PathBuf,
    /// Where the results go.
    #[arg(long, value_name = "Y.npz")]
    out: PathBuf,
    /// Add `grad/<input>`: the gradient of one component of an output, such as `logits:3` or `y:0,2`.
    #[arg(long, value_name = "OUTPUT:INDEX")]
    grad: Option<String>,
    /// Add `lower/<output>` and `upper/<output>`: bounds over the ball around each example.
    #[arg(long, value_name = "METHOD", requires = "epsilon")]
    bounds: Option<BoundsMethod>,
    /// Radius of the ball.
    #[arg(long, value_name = "E", requires = "bounds", value_parser = crate::parse::epsilon)]
    epsilon: Option<f64>,
    /// Norm of the ball.
    #[arg(long, default_value = "linf", requires = "bounds")]
    norm: crate::parse::BallNorm,
    /// Bounds as computed, not widened by the error of the arithmetic: not sound, for comparison with other tools.
    #[arg(long, requires = "bounds")]
    round_to_nearest: bool,
    /// Size of a symbolic dimension of the model, such as `sequence=19` (default 1).
    #[arg(long, value_name = "NAME=SIZE", value_parser = crate::parse::dimension)]
    dim: Vec<(String, usize)>,
}

/// How bounds are computed.
#[derive(clap::ValueEnum, Clone, Copy, Debug)]
pub enum BoundsMethod {
    /// Interval propagation.
    Interval,
    /// Backward walks from every nonlinearity.
    Crown,
}

/// Examples that are computed at once.
const BATCH: usize = 32;

/// Runs the model.
///
/// # Errors
/// If the model, the arrays or the options do not fit each other.
pub fn run(args: &RunArgs) -> Result<(), CliError> {
    let options = ImportOptions { dims: args.dim.iter().cloned().collect(), ..ImportOptions::default() };
    let graph = model::load(&args.model, &options)?;
    let arrays = npz::read_all(&args.input)?;
    let feeds = feeds(&graph, &arrays)?;
    let mut exprs = graph.output_exprs();
    let mut names: Vec<String> = graph.outputs.iter().map(|(name, _)| name.clone()).collect();
    if let Some(component) = &args.grad {
        exprs.extend(component_gradient(&graph, component)?);
        names.extend(graph.inputs.iter().map(|i| format!("grad/{}", i.name().unwrap_or("input"))));
    }
    let shapes: Vec<Vec<usize>> = exprs.iter().map(|e| without_unit_axis(e.shape())).collect();
    let outputs = names.iter().cloned().zip(exprs).collect();
    let values = by_batches(&Graph::new(graph.inputs.clone(), outputs)?, &feeds)?;
    let rows = feeds.first().map_or(1, |f| f.shape()[0]);
    let mut results = Vec::new();
    for ((name, value), shape) in names.into_iter().zip(values).zip(shapes) {
        let shape: Vec<usize> = std::iter::once(rows).chain(shape).collect();
        results.push((name, value.reshape(shape)?));
    }
    if let (Some(method), Some(epsilon)) = (args.bounds, args.epsilon) {
        results.extend(bounds(args, &graph, &feeds, method, epsilon)?);
    }
    npz::write_all(&args.out, &results)?;
    Ok(())
}

fn without_unit_axis(shape: &[usize]) -> Vec<usize> {
    if shape.first() == Some(&1) { shape[1..].to_vec() } else { shape.to_vec() }
}

/// One array for each input, `[rows, …shape of the input]`.
fn feeds(graph: &Graph, arrays: &[(String, Tensor)]) -> Result<Vec<Tensor>, CliError> {
    let mut feeds = Vec::new();
    for input in &graph.inputs {
        let name = input.name().unwrap_or("input");
        let found = arrays.iter().find(|(n, _)| n == name);
        // With one input and one array there is no doubt which is meant.
        let only = (graph.inputs.len() == 1 && arrays.len() == 1).then(|| &arrays[0]);
        let Some((_, array)) = found.or(only) else {
            let names: Vec<&str> = arrays.iter().map(|(n, _)| n.as_str()).collect();
            return Err(CliError::Usage(format!(
                "the model's input '{name}' {} has no array; the file holds: {}",
                input.shape(),
                names.join(", ")
            )));
        };
        feeds.push(rows_of(input, &array.to_dtype(input.dtype()))?);
    }
    let rows = feeds.first().map_or(1, |f| f.shape()[0]);
    match feeds.iter().zip(&graph.inputs).find(|(f, _)| f.shape()[0] != rows) {
        Some((f, input)) => Err(CliError::Usage(format!(
            "input '{}' has {} examples, the first input has {rows}",
            input.name().unwrap_or("input"),
            f.shape()[0]
        ))),
        None => Ok(feeds),
    }
}

fn rows_of(input: &Expr, array: &Tensor) -> Result<Tensor, CliError> {
    let (declared, got) = (input.shape(), array.shape());
    let tail = without_unit_axis(declared);
    // Axes of size 1 carry nothing: [20, 784] serves a model that takes [1, 784, 1].
    let long = |sizes: &[usize]| sizes.iter().copied().filter(|&d| d != 1).collect::<Vec<_>>();
    let fits = !got.is_empty() && long(&got[1..]) == long(&tail);
    if !(fits || got == declared) {
        return Err(CliError::Usage(format!(
            "input '{}' takes {declared} for one example, so the array must be [examples, {}]; it is {got}",
            input.name().unwrap_or("input"),
            tail.iter().map(usize::to_string).collect::<Vec<_>>().join(", ")
        )));
    }
    let rows = if got == declared && !fits { 1 } else { got[0] };
    Ok(array.reshape(declared.prepend(rows))?)
}

/// Runs a single-example graph on all rows, in batches of a fixed size whose last one is padded with its first row.
fn by_batches(graph: &Graph, feeds: &[Tensor]) -> Result<Vec<Tensor>, CliError> {
    let rows = feeds.first().map_or(1, |f| f.shape()[0]);
    let batch = rows.clamp(1, BATCH);
    let exe = Executable::of(&graph.vmap(batch)?, &Options::default())?;
    let mut collected: Vec<Vec<f64>> = vec![Vec::new(); graph.outputs.len()];
    for start in (0..rows).step_by(batch) {
        let end = (start + batch).min(rows);
        let part: Vec<Tensor> = feeds.iter().map(|f| padded(f, start, end, batch)).collect::<Result<_, _>>()?;
        let results = exe.run(&part.iter().collect::<Vec<_>>())?;
        for (all, result) in collected.iter_mut().zip(&results) {
            all.extend(result.rows(0, end - start).to_f64_vec());
        }
    }
    let shaped = collected.into_iter().zip(&graph.outputs);
    shaped.map(|(v, (_, e))| Ok(Tensor::from_f64(e.shape().prepend(rows), e.dtype(), v)?)).collect()
}

fn padded(feed: &Tensor, start: usize, end: usize, batch: usize) -> Result<Tensor, CliError> {
    let mut values = feed.rows(start, end).to_f64_vec();
    let width = feed.count() / feed.shape()[0].max(1);
    let first: Vec<f64> = values[..width].to_vec();
    (end - start..batch).for_each(|_| values.extend_from_slice(&first));
    let shape: Vec<usize> = std::iter::once(batch).chain(feed.shape()[1..].iter().copied()).collect();
    Ok(Tensor::from_f64(shape, feed.dtype(), values)?)
}

/// The gradient with respect to every input of the component of an output that `OUTPUT:INDEX` names.
pub fn component_gradient(graph: &Graph, component: &str) -> Result<Vec<Expr>, CliError> {
    let names = || graph.outputs.iter().map(|(n, e)| format!("{n} {}", e.shape())).collect::<Vec<_>>().join(", ");
    let wrong = |what: &str| CliError::Usage(format!("--grad {component}: {what}; the outputs are: {}", names()));
    // Names may hold colons; the index does not.
    let (name, index) = component.rsplit_once(':').ok_or_else(|| wrong("expected OUTPUT:INDEX"))?;
    let (_, output) = graph.outputs.iter().find(|(n, _)| n == name).ok_or_else(|| wrong("there is no such output"))?;
    let shape = without_unit_axis(output.shape());
    let index: Vec<usize> = index
        .split(',')
        .map(|i| i.trim().parse())
        .collect::<Result<_, _>>()
        .map_err(|_| wrong("the index is not a number"))?;
    let flat = match index.len() {
        1 if shape.len() != 1 => index[0],
        n if n == shape.len() && index.iter().zip(&shape).all(|(i, s)| i < s) => {
            index.iter().zip(&shape).fold(0, |flat, (i, s)| flat * s + i)
        }
        _ => return Err(wrong("the index does not fit the output's shape")),
    };
    if flat >= output.shape().count() {
        return Err(wrong("the index does not fit the output's shape"));
    }
    let mut seed = vec![0.0; output.shape().count()];
    seed[flat] = 1.0;
    let seed = Expr::constant(Tensor::from_f64(output.shape().clone(), output.dtype(), seed)?);
    Ok(vjp(std::slice::from_ref(output), &graph.inputs, &[seed])?)
}

fn bounds(
    args: &RunArgs,
    graph: &Graph,
    feeds: &[Tensor],
    method: BoundsMethod,
    epsilon: f64,
) -> Result<Vec<(String, Tensor)>, CliError> {
    let method = match method {
        BoundsMethod::Interval => Method::Ibp,
        BoundsMethod::Crown => Method::Crown,
    };
    let rounding = if args.round_to_nearest { Rounding::Nearest } else { Rounding::Outward };
    let norm: Norm = args.norm.into();
    let mut results = Vec::new();
    for (name, output) in &graph.outputs {
        let single = Graph::new(graph.inputs.clone(), vec![(name.clone(), output.clone())])?;
        let [feed] = feeds else {
            return Err(CliError::Usage(format!(
                "--bounds needs a model with one input; this one has {}",
                feeds.len()
            )));
        };
        let batch = feed.shape()[0].clamp(1, BATCH);
        let certifier = Certifier::new(&single, method, Settings { norm, rounding, batch, ..Settings::default() })?;
        let bounds = certifier.bounds(feed, &Region::from(epsilon))?;
        let shape: Vec<usize> = std::iter::once(feed.shape()[0]).chain(without_unit_axis(output.shape())).collect();
        results.push((format!("lower/{name}"), bounds.lower.reshape(shape.clone())?));
        results.push((format!("upper/{name}"), bounds.upper.reshape(shape)?));
    }
    Ok(results)
}
