//! `perturb export`: a model together with its gradients or bounds, as an ONNX file that runs anywhere.

use crate::run::{BoundsMethod, component_gradient};
use crate::{CliError, model};
use perturb::graph::{Domain, Expr, Graph, Intermediate, LinearBoundsOptions, Norm, Rounding, interval, linear_bounds};
use perturb::onnx::{ExportOptions, ImportOptions, save};
use std::path::PathBuf;

/// Options of `perturb export`.
#[derive(clap::Args, Debug)]
pub struct ExportArgs {
    /// The model.
    model: PathBuf,
    /// The file to write.
    #[arg(long, value_name = "FILE.onnx")]
    out: PathBuf,
    /// Add `grad/<input>`: the gradient of one component of an output, such as `logits:3` or `y:0,2`.
    #[arg(long, value_name = "OUTPUT:INDEX")]
    grad: Option<String>,
    /// Add `lower/<output>` and `upper/<output>`: bounds over the ball around the input whose radius is a new input
    /// `epsilon`. They are as sound as the arithmetic of the runtime that runs the file: not widened for rounding.
    #[arg(long, value_name = "METHOD")]
    bounds: Option<BoundsMethod>,
    /// Norm of the ball.
    #[arg(long, default_value = "linf", requires = "bounds")]
    norm: crate::parse::BallNorm,
    /// Examples at once: the first axis of inputs and outputs.
    #[arg(long, value_name = "N", value_parser = crate::parse::count)]
    batch: Option<usize>,
    /// Size of a symbolic dimension of the model, such as `sequence=19` (default 1).
    #[arg(long, value_name = "NAME=SIZE", value_parser = crate::parse::dimension)]
    dim: Vec<(String, usize)>,
}

/// Writes the file.
///
/// # Errors
/// If the model cannot be read, an option does not fit it, or the file cannot be written.
pub fn run(args: &ExportArgs) -> Result<(), CliError> {
    let options = ImportOptions { dims: args.dim.iter().cloned().collect(), ..ImportOptions::default() };
    let model = model::load(&args.model, &options)?;
    let (mut inputs, mut outputs) = (model.inputs.clone(), model.outputs.clone());
    if let Some(component) = &args.grad {
        let gradients = component_gradient(&model, component)?;
        let names = model.inputs.iter().map(|i| format!("grad/{}", i.name().unwrap_or("input")));
        outputs.extend(names.zip(gradients));
    }
    if let Some(method) = args.bounds {
        let (radius, bounds) = bounds(&model, method, args.norm.into())?;
        inputs.push(radius);
        outputs.extend(bounds);
    }
    let mut graph = Graph::new(inputs, outputs)?;
    if let Some(batch) = args.batch {
        graph = graph.vmap(batch)?;
    }
    let name = args.model.file_stem().map_or("model".to_string(), |n| n.to_string_lossy().into_owned());
    let description = format!("made by perturb {} from {name}", env!("CARGO_PKG_VERSION"));
    save(&graph, &ExportOptions { name, description, ..ExportOptions::default() }, &args.out)?;
    println!("{}", args.out.display());
    for input in &graph.inputs {
        println!("  input  {} {}{}", input.name().unwrap_or("input"), input.dtype(), input.shape());
    }
    for (name, output) in &graph.outputs {
        println!("  output {name} {}{}", output.dtype(), output.shape());
    }
    Ok(())
}

type Named = Vec<(String, Expr)>;

// Bounds of every output over the ball around the (only) input, and the input that is the radius.
fn bounds(model: &Graph, method: BoundsMethod, norm: Norm) -> Result<(Expr, Named), CliError> {
    let [x] = model.inputs.as_slice() else {
        return Err(CliError::Usage(format!(
            "--bounds needs a model with one input; this one has {}",
            model.inputs.len()
        )));
    };
    let radius = Expr::input("epsilon", [1], x.dtype());
    let ball = Domain::Ball { center: x.clone(), radius: radius.clone(), norm, within: None };
    let exprs = model.output_exprs();
    let found = match method {
        BoundsMethod::Interval => {
            interval(&exprs, &[(x.clone(), ball.bounding_box(Rounding::Nearest))], Rounding::Nearest)
        }
        BoundsMethod::Crown => {
            let options = LinearBoundsOptions { rounding: Rounding::Nearest, intermediate: Intermediate::Backward };
            linear_bounds(&exprs, &[(x.clone(), ball)], options)?
        }
    };
    let named =
        model.outputs.iter().zip(found).flat_map(|((name, _), bounds)| {
            [(format!("lower/{name}"), bounds.lo), (format!("upper/{name}"), bounds.hi)]
        });
    Ok((radius, named.collect()))
}
