//! `perturb verify`: decides VNN-LIB properties of networks.

mod answer;

use crate::{CliError, model};
use answer::Answer;
use perturb::certify::verify::{Progress, Settings, Verdict, verify};
use perturb::onnx::ImportOptions;
use perturb::onnx::vnnlib::Property;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Options of `perturb verify`.
#[derive(clap::Args, Debug)]
pub struct VerifyArgs {
    /// The network, ONNX.
    #[arg(required = true)]
    network: Option<PathBuf>,
    /// The property, VNN-LIB 1.0; may be compressed (.gz).
    #[arg(required = true)]
    property: Option<PathBuf>,
    /// Seconds after which to give up, loading included.
    #[arg(long, value_name = "S", default_value_t = 120.0, value_parser = seconds)]
    timeout: f64,
    /// Write verdict and counterexample to a file, in the format of VNN-COMP.
    #[arg(long, alias = "result", value_name = "FILE")]
    results_file: Option<PathBuf>,
    /// Seed of the starting points of attacks.
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// Most working memory of one computation, in MiB.
    #[arg(long, value_name = "MIB", default_value_t = 2048)]
    memory_limit: u64,
}

fn seconds(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(s) if s.is_finite() && s >= 0.0 => Ok(s),
        _ => Err("not a number of seconds, 0 or more".into()),
    }
}

/// Decides, prints the verdict, and writes the results file.
///
/// # Errors
/// If a file cannot be used, or the network is not of a kind that can be bounded.
pub fn run(args: &VerifyArgs) -> Result<(), CliError> {
    let (Some(network), Some(property)) = (&args.network, &args.property) else {
        return Err(CliError::Usage("give a network and a property".into()));
    };
    let settings = Settings {
        timeout: Duration::from_secs_f64(args.timeout),
        memory_limit: args.memory_limit << 20,
        seed: args.seed,
        ..Settings::default()
    };
    let spinner = indicatif::ProgressBar::new_spinner();
    let answer = decide(network, property, settings, &mut |p| {
        let bound = p.bound.map_or(String::new(), |b| format!(", lowest bound {b:.4}"));
        spinner.set_message(format!("{} subdomains bounded, {} open{bound}", p.subdomains, p.open));
        spinner.tick();
    })?;
    spinner.finish_and_clear();
    if let Some(path) = &args.results_file {
        std::fs::write(path, answer.to_string()).map_err(|e| crate::file("write", path, e))?;
    }
    print!("{}", answer.summary());
    Ok(())
}

fn decide(
    network: &Path,
    property: &Path,
    settings: Settings,
    report: &mut dyn FnMut(&Progress),
) -> Result<Answer, CliError> {
    let started = Instant::now();
    let graph = model::load(network, &ImportOptions::default())?;
    let named = |e: perturb::onnx::vnnlib::VnnLibError| {
        let (message, name) = (e.to_string(), property.display().to_string());
        CliError::Usage(if message.contains(&name) { message } else { format!("{name}: {message}") })
    };
    let property = Property::read(property).map_err(named)?;
    let left = settings.timeout.saturating_sub(started.elapsed());
    let outcome = verify(&graph, &property, &Settings { timeout: left, ..settings }, report)?;
    Ok(Answer { outcome, seconds: started.elapsed().as_secs_f64() })
}
