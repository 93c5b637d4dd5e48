//! `perturb verify` and `perturb check`: decides VNN-LIB properties of networks, and checks proofs.

mod answer;
mod cactus;
mod deadline;
mod instances;

use crate::CliError;
use answer::Answer;
use perturb::certify::verify::{Settings, Verdict};
use perturb::certify::{check, read_proof, write_proof};
use perturb::graph::{DType, Graph};
use perturb::onnx::vnnlib::{Property, VnnLibError};
use perturb::onnx::{ImportOptions, OnnxError, OnnxModel, import};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Options of `perturb verify`.
#[derive(clap::Args, Debug)]
pub struct VerifyArgs {
    /// The network, ONNX.
    #[arg(required_unless_present = "instances", requires = "property")]
    network: Option<PathBuf>,
    /// The property, VNN-LIB 1.0; may be compressed (.gz).
    property: Option<PathBuf>,
    /// Seconds after which to give up, loading included; with --instances the most for each, whatever its row says.
    #[arg(long, value_name = "S", value_parser = seconds)]
    timeout: Option<f64>,
    /// Write verdict and counterexample to a file, in the format of VNN-COMP.
    #[arg(long, alias = "result", value_name = "FILE", conflicts_with = "instances")]
    results_file: Option<PathBuf>,
    /// Write the proof of an `unsat` to a file, for `perturb check`.
    #[arg(long, value_name = "FILE", conflicts_with = "instances")]
    proof: Option<PathBuf>,
    /// Check the proof of every `unsat` of --instances, after its time was taken.
    #[arg(long, requires = "instances")]
    check_proofs: bool,
    /// Decide every row `network,property,seconds` of a CSV file, whose paths are relative to it.
    #[arg(long, value_name = "CSV", conflicts_with = "network")]
    instances: Option<PathBuf>,
    /// Folder for the table and the page of --instances; rows that are in its results.csv already are not run again.
    #[arg(long, value_name = "DIR", default_value = "verification", requires = "instances")]
    out: PathBuf,
    /// Verdicts to compare --instances with: a CSV file with columns net, property and verdict.
    #[arg(long, value_name = "CSV", requires = "instances")]
    published: Option<PathBuf>,
    /// Seed of the starting points of attacks.
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// Most working memory of one computation, in MiB.
    #[arg(long, value_name = "MIB", default_value_t = 2048, value_parser = clap::value_parser!(u64).range(1..1 << 40))]
    memory_limit: u64,
}

/// Options of `perturb check`.
#[derive(clap::Args, Debug)]
pub struct CheckArgs {
    /// The network, ONNX.
    network: PathBuf,
    /// The property, VNN-LIB 1.0; may be compressed (.gz).
    property: PathBuf,
    /// The proof that `perturb verify --proof` wrote.
    proof: PathBuf,
}

fn seconds(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(s) if (0.0..=1e9).contains(&s) => Ok(s),
        _ => Err("not a number of seconds from 0 to 1e9".into()),
    }
}

/// Decides, prints the verdict, and writes the results file and the proof.
///
/// # Errors
/// If a file cannot be used, or the network is not of a kind that can be bounded.
pub fn run(args: &VerifyArgs) -> Result<(), CliError> {
    let settings = Settings {
        timeout: Duration::from_secs_f64(args.timeout.unwrap_or(120.0)),
        memory_limit: args.memory_limit << 20,
        seed: args.seed,
        proof: args.proof.is_some() || args.check_proofs,
        ..Settings::default()
    };
    if let Some(list) = &args.instances {
        return instances::run(list, &args.out, args.published.as_deref(), args.timeout, settings);
    }
    let (Some(network), Some(property)) = (&args.network, &args.property) else {
        return Err(CliError::Usage("give a network and a property".into()));
    };
    let answer = deadline::decide(network, property, settings).0?;
    if let Some(path) = &args.results_file {
        std::fs::write(path, answer.to_string()).map_err(|e| crate::file("write", path, e))?;
    }
    if let (Some(path), Some(proof)) = (&args.proof, &answer.outcome.proof) {
        let (network, property) = (bytes(network)?, bytes(property)?);
        write_proof(path, &network, &property, proof).map_err(|e| CliError::Usage(e.to_string()))?;
    }
    print!("{}", answer.summary());
    Ok(())
}

/// Checks a proof.
///
/// # Errors
/// If a file cannot be used, or the proof does not show that the property holds.
pub fn run_check(args: &CheckArgs) -> Result<(), CliError> {
    let began = Instant::now();
    let (network, property) = (load_network(&args.network)?, load_property(&args.property)?);
    let usage = |e: &dyn std::fmt::Display| CliError::Usage(format!("{}: {e}", args.proof.display()));
    let proof = read_proof(&args.proof, &bytes(&args.network)?, &bytes(&args.property)?)
        .map_err(|e| CliError::Usage(e.to_string()))?;
    let found = check(&network, &property, &proof).map_err(|e| usage(&e))?;
    println!(
        "the proof is right: {} leaves, {} splits, {} refutations, smallest margin {:e}, {:.2} s",
        found.leaves,
        found.splits,
        found.refutations,
        found.margin,
        began.elapsed().as_secs_f64()
    );
    Ok(())
}

fn bytes(path: &Path) -> Result<Vec<u8>, CliError> {
    std::fs::read(path).map_err(|e| crate::file("read", path, e))
}

fn load_network(path: &Path) -> Result<Graph, CliError> {
    let name = path.display().to_string();
    let named = |error: OnnxError| {
        let message = error.to_string();
        CliError::Usage(if message.contains(&name) { message } else { format!("{name}: {message}") })
    };
    let model = OnnxModel::read(path).map_err(named)?;
    // A verdict is about the weights of the file.
    let dtype = if model.has_doubles() { DType::F64 } else { DType::F32 };
    import(&model, &ImportOptions { dtype, ..ImportOptions::default() }).map_err(named)
}

fn load_property(path: &Path) -> Result<Property, CliError> {
    let name = path.display().to_string();
    let named = |e: VnnLibError| {
        let message = e.to_string();
        CliError::Usage(if message.contains(&name) { message } else { format!("{name}: {message}") })
    };
    Property::read(path).map_err(named)
}
