//! `perturb bench`: fixed workloads under the names, weights and check values of the peers' benchmark.

mod peak;
mod workloads;

use crate::CliError;
use peak::{Peak, ResidentPeak};
use perturb::engine::profile::{self, Entry};
use serde::Serialize;
use std::time::Instant;
pub use workloads::WORKLOADS;
use workloads::{Effort, Work, Workload};

/// Options of `perturb bench`.
#[derive(clap::Args, Debug)]
pub struct BenchArgs {
    /// Run only these workloads.
    #[arg(long, num_args = 1.., value_name = "NAME")]
    only: Vec<String>,
    /// Print one JSON object a line instead of a table.
    #[arg(long)]
    json: bool,
    /// After each workload, print its steps by the time that they take.
    #[arg(long, conflicts_with = "json")]
    profile: bool,
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
        let mut work = Prepared::new(workload)?;
        let line = work.time(args.repeats, &peak)?;
        if args.json {
            println!("{}", serde_json::to_string(&line).map_err(|e| CliError::Usage(e.to_string()))?);
        } else {
            print(&line);
        }
        if args.profile {
            work.profile(args.repeats)?;
        }
    }
    Ok(())
}

/// A workload that is ready to run.
struct Prepared {
    name: &'static str,
    work: Work,
    effort: Effort,
    resident: ResidentPeak,
}

impl Prepared {
    fn new(workload: &Workload) -> Result<Prepared, CliError> {
        let resident = ResidentPeak::start();
        let mut effort = Effort::default();
        let work = (workload.build)(&mut effort)?;
        Ok(Prepared { name: workload.name, work, effort, resident })
    }

    fn time(&mut self, repeats: u32, peak: &Peak) -> Result<Line, CliError> {
        let check = (self.work)()?;
        (self.work)()?;
        let mut times = Vec::new();
        for _ in 0..repeats {
            let start = Instant::now();
            (self.work)()?;
            times.push(start.elapsed().as_secs_f64() * 1e3);
        }
        times.sort_by(f64::total_cmp);
        let middle = times.len() / 2;
        let median = if times.len() % 2 == 1 { times[middle] } else { (times[middle - 1] + times[middle]) / 2.0 };
        let rate = |amount: u64| (amount > 0).then(|| amount as f64 / median / 1e6);
        let (gflops, gigabytes_per_second) = (rate(self.effort.flops), rate(self.effort.bytes));
        let of = |rate: Option<f64>, peak: f64| rate.map_or(0.0, |r| r / peak);
        let share = of(gflops, peak.gflops).max(of(gigabytes_per_second, peak.gigabytes_per_second));
        Ok(Line {
            workload: self.name,
            peer: "perturb",
            version: env!("CARGO_PKG_VERSION"),
            median_ms: (median * 1e3).round() / 1e3,
            min_ms: (times[0] * 1e3).round() / 1e3,
            check: check.is_finite().then_some(check),
            gflops,
            gigabytes_per_second,
            share_of_peak: (share > 0.0).then_some(share),
            peak_megabytes: self.resident.megabytes(),
            compile_ms: self.effort.compile_ms,
        })
    }

    // Prints where the time of `repeats` runs goes, in milliseconds of one run: all in all, and if every step took as long
    // as its fastest.
    fn profile(&mut self, repeats: u32) -> Result<(), CliError> {
        profile::start();
        let start = Instant::now();
        for _ in 0..repeats {
            (self.work)()?;
        }
        let wall = start.elapsed().as_secs_f64() * 1e3 / f64::from(repeats);
        let entries = profile::finish();
        let per_run = |e: &Entry| e.time.as_secs_f64() * 1e3 / f64::from(repeats);
        let rate = |amount: u64, e: &Entry| amount as f64 / e.time.as_secs_f64().max(1e-12) / 1e9;
        println!("{:>10} {:>10} {:>7} {:>8} {:>7}  step", "ms", "least ms", "runs", "GFLOP/s", "GB/s");
        for e in &entries {
            let runs = e.runs as f64 / f64::from(repeats);
            let (gflops, gigabytes) = (rate(e.flops, e), rate(e.bytes, e));
            let least = e.fastest.as_secs_f64() * 1e3 * runs;
            let (ms, step) = (per_run(e), &e.step);
            println!("{ms:>10.4} {least:>10.4} {runs:>7.0} {gflops:>8.0} {gigabytes:>7.1}  {step}");
        }
        let steps: f64 = entries.iter().map(per_run).sum();
        println!("{steps:>10.4} in steps, {wall:.4} ms in all");
        Ok(())
    }
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
