//! The `perturb` command.

mod attack;
mod audit;
mod bench;
mod certificates;
mod certify;
mod data;
mod error;
mod explain;
mod export;
mod model;
mod papers;
mod parse;
mod pictures;
mod preprocessing;
mod progress;
mod reproduce;
mod run;
mod single;
mod verify;

use clap::{Parser, Subcommand};
pub use error::{CliError, file};
use std::process::ExitCode;

/// What happens to a learned model when something is nudged?
#[derive(Parser, Debug)]
#[command(version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    /// Threads to use (default: all processors).
    #[arg(long, global = true, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    threads: Option<u16>,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Attack, certify and explain a classifier, and write one report.
    Audit(Box<audit::AuditArgs>),
    /// Attack one image and write the adversarial one.
    Attack(attack::AttackArgs),
    /// Measure for how much of a data set no perturbation within a budget changes the right answer.
    Certify(Box<certify::CertifyArgs>),
    /// Decide whether a property of a network holds, or find a counterexample.
    Verify(verify::VerifyArgs),
    /// Check a proof that a property holds, independently of the search that found it.
    Check(verify::CheckArgs),
    /// Explain a model's answer to one image as a heat map.
    Explain(explain::ExplainArgs),
    /// Run a model on arrays: values, gradients, bounds.
    Run(run::RunArgs),
    /// Write a model with its gradients or bounds as an ONNX file.
    Export(export::ExportArgs),
    /// List the published systems that perturb covers, or write the table of measured results.
    Papers(papers::PapersArgs),
    /// Measure what papers claim.
    Reproduce(reproduce::ReproduceArgs),
    /// Time fixed workloads that the peers are timed on too.
    Bench(bench::BenchArgs),
    /// List known data sets, fetch them, and find them.
    Data(data::DataArgs),
}

fn main() -> ExitCode {
    // `perturb data list | head` ends quietly, as other commands do.
    sigpipe::reset();
    let cli = Cli::parse();
    if let Some(threads) = cli.threads {
        // Fails only if a pool exists already, and none does before this.
        let _ = perturb::engine::set_threads(usize::from(threads));
    }
    let result = match &cli.command {
        Command::Audit(args) => audit::run(args),
        Command::Certify(args) => certify::run(args),
        Command::Verify(args) => verify::run(args),
        Command::Check(args) => verify::run_check(args),
        Command::Attack(args) => attack::run(args),
        Command::Explain(args) => explain::run(args),
        Command::Run(args) => run::run(args),
        Command::Export(args) => export::run(args),
        Command::Papers(args) => papers::run(args),
        Command::Reproduce(args) => reproduce::run(args),
        Command::Bench(args) => bench::run(args),
        Command::Data(args) => data::run(args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}
