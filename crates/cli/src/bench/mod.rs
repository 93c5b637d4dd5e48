//! `perturb bench`: fixed workloads under the names, weights and check values of the peers' benchmark.

mod peak;
mod workloads;

use crate::CliError;
use peak::{Peak, ResidentPeak};
use serde::Serialize;
use std::time::Instant;
pub use workloads::WORKLOADS;
use workloads::{Effort, Workload};

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

/// One line of `--json`: the keys of the peers' script, and what only perturb knows.
#[derive(Debug, Serialize)]
struct Line {
    workload: &'static str,
    peer: &'static str,
    version: &'static str,
    median_ms: f64,
    min_ms: f64,
    check: Option<f64>,
    /// Of matrix products and convolutions, at the median time.
    gflops: Option<f64>,
    /// What kernels read and write, at the median time.
    gigabytes_per_second: Option<f64>,
    /// The larger of both as a share of what a plain product and a plain copy reach in this run; more than 1 where data
    /// stay in the caches, which the copy's do not.
    share_of_peak: Option<f64>,
    /// Most memory that the process held while the workload was prepared and run.
    peak_megabytes: Option<f64>,
    compile_ms: f64,
}

/// Runs the workloads and prints their times.
///
/// # Errors
/// If a name is unknown (all are listed), or a workload cannot be compiled.
pub fn run(args: &BenchArgs) -> Result<(), CliError> {
    if let Some(unknown) = args.only.iter().find(|n| WORKLOADS.iter().all(|w| w.name != n.as_str())) {
        let names: Vec<&str> = WORKLOADS.iter().map(|w| w.name).collect();
        return Err(CliError::Usage(format!("no workload '{unknown}'; there are: {}", names.join(", "))));
    }
    let peak = Peak::measure()?;
    if !args.json {
        println!("peak: {:.0} GFLOP/s (a product), {:.1} GB/s (a copy)", peak.gflops, peak.gigabytes_per_second);
        println!(
            "{:<40} {:>10} {:>10} {:>8} {:>7} {:>6} {:>8} {:>10}  check",
            "workload", "median ms", "min ms", "GFLOP/s", "GB/s", "peak", "MB", "compile ms"
        );
    }
    for workload in WORKLOADS.iter().filter(|w| args.only.is_empty() || args.only.iter().any(|n| n == w.name)) {
        let line = time(workload, args.repeats, &peak)?;
        if args.json {
            println!("{}", serde_json::to_string(&line).map_err(|e| CliError::Usage(e.to_string()))?);
        } else {
            print(&line);
        }
    }
    Ok(())
}

fn time(workload: &Workload, repeats: u32, peak: &Peak) -> Result<Line, CliError> {
    let resident = ResidentPeak::start();
    let mut effort = Effort::default();
    let mut work = (workload.build)(&mut effort)?;
    let check = work()?;
    work()?;
    let mut times = Vec::new();
    for _ in 0..repeats {
        let start = Instant::now();
        work()?;
        times.push(start.elapsed().as_secs_f64() * 1e3);
    }
    times.sort_by(f64::total_cmp);
    let middle = times.len() / 2;
    let median = if times.len() % 2 == 1 { times[middle] } else { (times[middle - 1] + times[middle]) / 2.0 };
    let rate = |amount: u64| (amount > 0).then(|| amount as f64 / median / 1e6);
    let (gflops, gigabytes_per_second) = (rate(effort.flops), rate(effort.bytes));
    let of = |rate: Option<f64>, peak: f64| rate.map_or(0.0, |r| r / peak);
    let share = of(gflops, peak.gflops).max(of(gigabytes_per_second, peak.gigabytes_per_second));
    Ok(Line {
        workload: workload.name,
        peer: "perturb",
        version: env!("CARGO_PKG_VERSION"),
        median_ms: (median * 1e3).round() / 1e3,
        min_ms: (times[0] * 1e3).round() / 1e3,
        check: check.is_finite().then_some(check),
        gflops,
        gigabytes_per_second,
        share_of_peak: (share > 0.0).then_some(share),
        peak_megabytes: resident.megabytes(),
        compile_ms: effort.compile_ms,
    })
}

fn print(line: &Line) {
    let number = |v: Option<f64>, digits: usize| v.map_or("-".to_string(), |v| format!("{v:.digits$}"));
    let share = line.share_of_peak.map_or("-".to_string(), |s| format!("{:.0} %", 100.0 * s));
    println!(
        "{:<40} {:>10.3} {:>10.3} {:>8} {:>7} {:>6} {:>8} {:>10.1}  {}",
        line.workload,
        line.median_ms,
        line.min_ms,
        number(line.gflops, 0),
        number(line.gigabytes_per_second, 1),
        share,
        number(line.peak_megabytes, 0),
        line.compile_ms,
        number(line.check, 5),
    );
}
