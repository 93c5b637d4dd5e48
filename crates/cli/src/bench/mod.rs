//! `perturb bench`: fixed workloads under the names, weights and check values of the peers' benchmark.

mod workloads;

use crate::CliError;
use serde::Serialize;
use std::time::Instant;
pub use workloads::WORKLOADS;

/// Options of `perturb bench`.
#[derive(clap::Args, Debug)]
pub struct BenchArgs {
    /// Run only these workloads.
    #[arg(long, num_args = 1.., value_name = "NAME")]
    only: Vec<String>,
    /// Print one JSON object a line instead of a table.
    #[arg(long)]
    json: bool,
    /// Timed runs of each workload, after two that are not counted.
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..))]
    repeats: u32,
}

/// One line of `--json`, with the keys of the peers' script.
#[derive(Debug, Serialize)]
struct Line {
    workload: &'static str,
    peer: &'static str,
    version: &'static str,
    median_ms: f64,
    min_ms: f64,
    check: Option<f64>,
}

/// Runs the workloads and prints their times.
///
/// # Errors
/// If a name is unknown (the nearest one is suggested), or a workload cannot be compiled.
pub fn run(args: &BenchArgs) -> Result<(), CliError> {
    if let Some(unknown) = args.only.iter().find(|n| WORKLOADS.iter().all(|w| w.name != n.as_str())) {
        let names: Vec<&str> = WORKLOADS.iter().map(|w| w.name).collect();
        return Err(CliError::Usage(format!("no workload '{unknown}'; there are: {}", names.join(", "))));
    }
    if !args.json {
        println!("{:<44} {:>12} {:>12}  check", "workload", "median ms", "min ms");
    }
    for workload in WORKLOADS.iter().filter(|w| args.only.is_empty() || args.only.iter().any(|n| n == w.name)) {
        let mut work = (workload.build)()?;
        let check = work()?;
        work()?;
        let mut times = Vec::new();
        for _ in 0..args.repeats {
            let start = Instant::now();
            work()?;
            times.push(start.elapsed().as_secs_f64() * 1e3);
        }
        times.sort_by(f64::total_cmp);
        let middle = times.len() / 2;
        let median = if times.len() % 2 == 1 { times[middle] } else { (times[middle - 1] + times[middle]) / 2.0 };
        let line = Line {
            workload: workload.name,
            peer: "perturb",
            version: env!("CARGO_PKG_VERSION"),
            median_ms: (median * 1e3).round() / 1e3,
            min_ms: (times[0] * 1e3).round() / 1e3,
            check: check.is_finite().then_some(check),
        };
        if args.json {
            println!("{}", serde_json::to_string(&line).map_err(|e| CliError::Usage(e.to_string()))?);
        } else {
            let check = line.check.map_or("-".to_string(), |c| format!("{c:.5}"));
            println!("{:<44} {:>12.3} {:>12.3}  {check}", line.workload, line.median_ms, line.min_ms);
        }
    }
    Ok(())
}
