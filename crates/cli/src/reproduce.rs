//! `perturb reproduce`: measures what papers claim.

use crate::papers::RESULTS;
use crate::{CliError, file};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use perturb::papers::catalogue::{System, nearest, system};
use perturb::papers::registry::reproduction;
use perturb::papers::{Build, Progress, Reproduction, RunError, Store, Tier, reproduce, write_page};
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};

/// Options of `perturb reproduce`.
#[derive(clap::Args, Debug)]
pub struct ReproduceArgs {
    /// The systems, as `perturb papers` lists them.
    #[arg(required = true, value_name = "SLUG")]
    slugs: Vec<String>,
    /// How much work to do.
    #[arg(long, default_value = "quick")]
    tier: TierArg,
    /// How many seeds (default: as many as the system's claim asks for; at least 2).
    #[arg(long, value_name = "N")]
    seeds: Option<usize>,
    /// The first seed. A verdict for `RESULTS.md` comes from seeds 0, 1, …; others show whether it depends on them.
    #[arg(long, value_name = "N", default_value_t = 0)]
    first_seed: u64,
    /// Where results, pages and pictures go. Seeds that are there already, from this very program, are not run again.
    #[arg(long, value_name = "DIR", default_value = RESULTS)]
    out: PathBuf,
}

/// How much work to do.
#[derive(clap::ValueEnum, Clone, Copy, Debug)]
pub enum TierArg {
    /// At most about a minute for each system.
    Quick,
    /// As much as the verdict needs.
    Full,
}

/// The steps of a progress bar.
const STEPS: u64 = 1000;

/// Runs the systems one after the other, each on all threads; one that fails does not keep the others from running.
///
/// # Errors
/// Before anything runs, if a name is unknown or not built yet; after all ran, if one of them failed.
pub fn run(args: &ReproduceArgs) -> Result<(), CliError> {
    let chosen = args.slugs.iter().map(|slug| choose(slug)).collect::<Result<Vec<_>, _>>()?;
    let store = Store::open(&args.out)?;
    let build = build()?;
    let lines = MultiProgress::new();
    let bars: Vec<ProgressBar> = chosen.iter().map(|(system, _)| lines.add(bar(system.slug))).collect();
    let mut failed = Vec::new();
    for ((system, reproduction), bar) in chosen.iter().zip(&bars) {
        match one(args, system, *reproduction, &build, &store, bar) {
            Ok(line) => {
                bar.finish_and_clear();
                lines.suspend(|| println!("{line}"));
            }
            Err(error) => {
                bar.abandon_with_message("failed");
                lines.suspend(|| eprintln!("{}: {error}", system.slug));
                failed.push(system.slug);
            }
        }
    }
    match failed.is_empty() {
        true => Ok(()),
        false => Err(CliError::Usage(format!("{} of {} failed: {}", failed.len(), chosen.len(), failed.join(", ")))),
    }
}

fn choose(slug: &str) -> Result<(&'static System, &'static dyn Reproduction), CliError> {
    let Some(system) = system(slug) else {
        let near = nearest(slug).join(", ");
        let hint = if near.is_empty() { "`perturb papers` lists all".into() } else { format!("did you mean {near}?") };
        return Err(CliError::Usage(format!("there is no system '{slug}': {hint}")));
    };
    let planned = || {
        CliError::Usage(format!(
            "{slug} is planned, not built yet: its method will be {} ('{}'); `perturb papers --status built` lists what runs",
            system.module, system.title
        ))
    };
    Ok((system, reproduction(slug).ok_or_else(planned)?))
}

fn one(
    args: &ReproduceArgs,
    system: &System,
    reproduction: &dyn Reproduction,
    build: &Build,
    store: &Store,
    bar: &ProgressBar,
) -> Result<String, RunError> {
    let tier = match args.tier {
        TierArg::Quick => Tier::Quick,
        TierArg::Full => Tier::Full,
    };
    let progress = |p: Progress| {
        bar.set_position((p.share * STEPS as f64) as u64);
        bar.set_message(p.note.to_string());
    };
    let (report, seeds) = reproduce(reproduction, tier, (args.first_seed, args.seeds), build, store, &progress)?;
    let page = write_page(&args.out.join(system.slug), system, &report, &seeds, &reproduction.figures(&seeds))?;
    let effect = report
        .headline()
        .map(|f| format!("{} = {:.3} [{:.3}, {:.3}]", f.estimated, f.value, f.interval[0], f.interval[1]));
    Ok(format!(
        "{}: {} ({tier}, {} seeds{}, {:.0} s)\n  {}\n  {}",
        system.slug,
        report.verdict,
        report.seeds,
        if args.first_seed == 0 { String::new() } else { format!(" from {} on", args.first_seed) },
        report.seconds,
        effect.unwrap_or_default(),
        page.display()
    ))
}

fn bar(slug: &str) -> ProgressBar {
    let bar = ProgressBar::new(STEPS);
    let style = ProgressStyle::with_template("{prefix:<28} {bar:30} {percent:>3}% {elapsed:>4} left {eta:>4} {msg}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar.set_prefix(slug.to_string());
    bar.set_message("waiting");
    bar.tick();
    bar
}

/// This program: the commit it was built from, and a hash of its file, so that seeds of different programs are never
/// put together.
fn build() -> Result<Build, CliError> {
    let path = std::env::current_exe().map_err(|e| file("find", Path::new("this program"), e))?;
    let bytes = std::fs::read(&path).map_err(|e| file("read", &path, e))?;
    let hash = Sha256::digest(&bytes);
    let fingerprint = hash.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    Ok(Build { commit: env!("PERTURB_COMMIT").into(), fingerprint })
}
