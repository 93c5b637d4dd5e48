//! `perturb papers`: the catalogue, and the table of results.

use crate::{CliError, file};
use perturb::papers::catalogue::{FAMILIES, Status, System, systems};
use perturb::papers::{Store, results_page};
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::PathBuf;

/// Where `perturb reproduce` puts its results, and `perturb papers --write` looks for them.
pub const RESULTS: &str = "reproductions";

/// Options of `perturb papers`.
#[derive(clap::Args, Debug)]
pub struct PapersArgs {
    /// Only systems of this family.
    #[arg(long, value_name = "FAMILY", value_parser = clap::builder::PossibleValuesParser::new(FAMILIES))]
    family: Option<String>,
    /// Only systems of this status.
    #[arg(long, value_name = "STATUS")]
    status: Option<StatusFilter>,
    /// Print the catalogue as JSON.
    #[arg(long)]
    json: bool,
    /// Write the table of results from stored runs, by default as RESULTS.md, and say which systems lack a run; those keep
    /// their row if the file has one.
    #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = "RESULTS.md",
          conflicts_with_all = ["family", "status", "json"])]
    write: Option<PathBuf>,
    /// The folder that `perturb reproduce` wrote to.
    #[arg(long, value_name = "DIR", default_value = RESULTS, requires = "write")]
    results: PathBuf,
}

/// Which systems to list.
#[derive(clap::ValueEnum, Clone, Copy, Debug)]
pub enum StatusFilter {
    /// Without a reproduction so far.
    Planned,
    /// With one.
    Built,
}

/// Lists the catalogue or writes the table of results.
///
/// # Errors
/// If there are no results, or files cannot be read or written.
pub fn run(args: &PapersArgs) -> Result<(), CliError> {
    if let Some(path) = &args.write {
        return write(path, args);
    }
    let status = args.status.map(|s| match s {
        StatusFilter::Planned => Status::Planned,
        StatusFilter::Built => Status::Built,
    });
    let wanted = |s: &&System| {
        args.family.as_ref().is_none_or(|f| f == s.family) && status.is_none_or(|wanted| s.status() == wanted)
    };
    let chosen: Vec<&System> = systems().iter().filter(wanted).collect();
    let text = if args.json { json(&chosen) } else { list(&chosen) };
    // Whoever closes the pipe early has seen enough.
    let _ = std::io::stdout().write_all(text.as_bytes());
    Ok(())
}

fn json(systems: &[&System]) -> String {
    let with_status = |s: &&System| {
        let mut value = serde_json::json!(s);
        value["status"] = serde_json::json!(s.status());
        value
    };
    let rows: Vec<serde_json::Value> = systems.iter().map(with_status).collect();
    serde_json::Value::from(rows).to_string() + "\n"
}

fn list(chosen: &[&System]) -> String {
    let mut text = String::new();
    for group in chosen.chunk_by(|a, b| a.family == b.family) {
        let _ = writeln!(text, "{} ({})", group[0].family, group.len());
        for system in group {
            let year = system.year.map_or("    ".into(), |y| y.to_string());
            let _ = writeln!(text, "  {:<28} {:<7} {year}  {}", system.slug, system.status(), system.title);
        }
    }
    let built = chosen.iter().filter(|s| s.status() == Status::Built).count();
    let _ = writeln!(text, "{} systems: {built} built, {} planned", chosen.len(), chosen.len() - built);
    text
}

fn write(path: &PathBuf, args: &PapersArgs) -> Result<(), CliError> {
    if !args.results.join("results.sqlite").exists() {
        let folder = args.results.display();
        let message = format!("there are no results in {folder}: run `perturb reproduce SLUG --out {folder}` first");
        return Err(CliError::Usage(message));
    }
    let reports = Store::open(&args.results)?.reports()?;
    let earlier = match std::fs::read_to_string(path) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => String::new(),
        read => read.map_err(|e| file("read", path, e))?,
    };
    std::fs::write(path, results_page(&reports, &earlier)).map_err(|e| file("write", path, e))?;
    println!("{}: {} systems with a stored run", path.display(), reports.len());
    let lacks = |s: &&System| s.status() == Status::Built && !reports.iter().any(|r| r.slug == s.slug);
    for system in systems().iter().filter(lacks) {
        println!("no run of {}: perturb reproduce {}", system.slug, system.slug);
    }
    Ok(())
}
