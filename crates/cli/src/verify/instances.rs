//! A list of instances, decided one after the other; what is decided survives a kill.

use super::deadline::{Rest, decide};
use super::{Answer, Settings, cactus, load_network, load_property};
use crate::{CliError, file, progress};
use perturb::certify::check;
use perturb::certify::proof::Proof;
use std::collections::{BTreeMap, HashMap};
use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

const HEAD: &str = "network,property,timeout_s,verdict,seconds,subdomains,published,proof";

/// One row of the list.
struct Instance {
    network: String,
    property: String,
    timeout: f64,
}

/// One row of the results.
pub struct Decided {
    pub verdict: String,
    pub seconds: f64,
    published: String,
    proof: String,
}

/// Decides all instances that are not in `out/results.csv` yet, and writes the page.
///
/// # Errors
/// If the list is malformed (with its line) or a file cannot be written. An instance that fails becomes a row `error`.
pub fn run(
    list: &Path,
    out: &Path,
    published: Option<&Path>,
    most: Option<f64>,
    settings: Settings,
) -> Result<(), CliError> {
    let instances = read(list)?;
    let consensus = published.map(read_published).transpose()?.unwrap_or_default();
    std::fs::create_dir_all(out).map_err(|e| file("create", out, e))?;
    let table = out.join("results.csv");
    let done = finished(&table)?;
    let written = std::fs::read(&table).unwrap_or_default();
    let mut rows = OpenOptions::new().create(true).append(true).open(&table).map_err(|e| file("open", &table, e))?;
    let start = match written.last() {
        None => format!("{HEAD}\n"),
        Some(b'\n') => String::new(),
        // A kill cut the last line off.
        Some(_) => "\n".to_string(),
    };
    write!(rows, "{start}").map_err(|e| file("write", &table, e))?;
    let folder = list.parent().unwrap_or(Path::new("."));
    let bar = progress::bar("instances", instances.len());
    for instance in &instances {
        if !done.contains_key(&key(&instance.network, &instance.property)) {
            let timeout = most.map_or(instance.timeout, |m| m.min(instance.timeout));
            let settings = Settings { timeout: Duration::from_secs_f64(timeout), ..settings };
            let (network, property) = (folder.join(&instance.network), existing(&folder.join(&instance.property)));
            let (found, rest) = decide(&network, &property, settings);
            let proof = found.as_ref().ok().and_then(|answer| answer.outcome.proof.as_ref());
            let checked = proof.map(|proof| check_again(&network, &property, proof));
            let row = row(instance, timeout, &found, &consensus, checked.as_ref().map(Result::is_ok));
            writeln!(rows, "{row}").and_then(|()| rows.flush()).map_err(|e| file("write", &table, e))?;
            bar.println(&row);
            let errors = found.as_ref().err().into_iter().chain(checked.as_ref().and_then(|c| c.as_ref().err()));
            errors.for_each(|error| bar.println(format!("error: {error}")));
            rest.into_iter().for_each(Rest::wait);
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    let all = finished(&table)?;
    let page = out.join("index.html");
    let title = list.file_stem().map_or("instances".into(), |s| s.to_string_lossy().replace("_instances", ""));
    std::fs::write(&page, cactus::page(&title, &all)).map_err(|e| file("write", &page, e))?;
    print!("{}", summary(&all));
    println!("{} and {}", table.display(), page.display());
    Ok(())
}

fn row(
    instance: &Instance,
    timeout: f64,
    found: &Result<Answer, CliError>,
    consensus: &HashMap<String, String>,
    checked: Option<bool>,
) -> String {
    let (verdict, seconds, subdomains) = match found {
        Ok(answer) => (answer.word(), answer.seconds, answer.outcome.subdomains),
        Err(_) => ("error", 0.0, 0),
    };
    let published = consensus.get(&name_key(&instance.network, &instance.property)).map_or("", String::as_str);
    let proof = checked.map_or("", |right| if right { "right" } else { "wrong" });
    let Instance { network, property, .. } = instance;
    format!("{network},{property},{timeout},{verdict},{seconds:.3},{subdomains},{published},{proof}")
}

// As `perturb check` does, from the files.
fn check_again(network: &Path, property: &Path, proof: &Proof) -> Result<(), CliError> {
    let (graph, parsed) = (load_network(network)?, load_property(property)?);
    let wrong = |e| CliError::Usage(format!("the proof for {} is wrong: {e}", property.display()));
    check(&graph, &parsed, proof).map(|_| ()).map_err(wrong)
}

fn key(network: &str, property: &str) -> String {
    format!("{network},{property}")
}

// Published tables name files without their folders.
fn name_key(network: &str, property: &str) -> String {
    let name = |path: &str| path.rsplit('/').next().unwrap_or(path).trim_end_matches(".gz").to_string();
    key(&name(network), &name(property))
}

// A property that is stored compressed.
fn existing(path: &Path) -> PathBuf {
    let compressed = PathBuf::from(format!("{}.gz", path.display()));
    if !path.exists() && compressed.exists() { compressed } else { path.to_path_buf() }
}

fn read(list: &Path) -> Result<Vec<Instance>, CliError> {
    let text = std::fs::read_to_string(list).map_err(|e| file("read", list, e))?;
    let mut instances = Vec::new();
    for (line, row) in text.lines().enumerate().filter(|(_, r)| !r.trim().is_empty()) {
        let cells: Vec<&str> = row.split(',').map(str::trim).collect();
        let seconds = cells.get(2).and_then(|s| super::seconds(s).ok());
        let (&[network, property, _], Some(timeout)) = (cells.as_slice(), seconds) else {
            let what = "expected network,property,seconds";
            return Err(CliError::Usage(format!("{}, line {}: {what}, found {row:?}", list.display(), line + 1)));
        };
        instances.push(Instance { network: network.into(), property: property.into(), timeout });
    }
    Ok(instances)
}

fn read_published(path: &Path) -> Result<HashMap<String, String>, CliError> {
    let text = std::fs::read_to_string(path).map_err(|e| file("read", path, e))?;
    let head: Vec<&str> = text.lines().next().unwrap_or_default().split(',').collect();
    let column = |name: &str| {
        let missing = || CliError::Usage(format!("{}: there is no column {name} in its first line", path.display()));
        head.iter().position(|h| *h == name).ok_or_else(missing)
    };
    let (net, property, verdict) = (column("net")?, column("property")?, column("verdict")?);
    let rows = text.lines().skip(1).map(|row| row.split(',').collect::<Vec<_>>());
    let whole = rows.filter(|cells| cells.len() == head.len());
    Ok(whole.map(|cells| (name_key(cells[net], cells[property]), cells[verdict].to_string())).collect())
}

/// What a table of results holds, by network and property. A last line that a kill cut off does not count.
fn finished(table: &Path) -> Result<BTreeMap<String, Decided>, CliError> {
    if !table.exists() {
        return Ok(BTreeMap::new());
    }
    let text = std::fs::read_to_string(table).map_err(|e| file("read", table, e))?;
    if text.lines().next().is_some_and(|head| head != HEAD) {
        return Err(CliError::Usage(format!("{} is another table: choose another --out", table.display())));
    }
    let mut all = BTreeMap::new();
    for row in text.lines().skip(1) {
        if let &[network, property, _, verdict, seconds, _, published, proof] =
            row.split(',').collect::<Vec<_>>().as_slice()
            && let Ok(seconds) = seconds.parse()
        {
            let decided =
                Decided { verdict: verdict.into(), seconds, published: published.into(), proof: proof.into() };
            all.insert(key(network, property), decided);
        }
    }
    Ok(all)
}

fn summary(all: &BTreeMap<String, Decided>) -> String {
    let count = |verdict: &str| all.values().filter(|d| d.verdict == verdict).count();
    let solved: Vec<&Decided> = all.values().filter(|d| ["sat", "unsat"].contains(&d.verdict.as_str())).collect();
    let opposite = |d: &&&Decided| ["sat", "unsat"].contains(&d.published.as_str()) && d.published != d.verdict;
    let against = solved.iter().filter(opposite).count();
    let mut times: Vec<f64> = solved.iter().map(|d| d.seconds).collect();
    times.sort_unstable_by(f64::total_cmp);
    let median = times.get(times.len() / 2).copied().unwrap_or(f64::NAN);
    let (unsat, sat, timeout) = (count("unsat"), count("sat"), count("timeout"));
    let other = all.len() - solved.len() - timeout;
    let proofs = |state: &str| all.values().filter(|d| d.proof == state).count();
    let (right, wrong) = (proofs("right"), proofs("wrong"));
    let checked = if right + wrong > 0 { format!("; {right} proofs right, {wrong} wrong") } else { String::new() };
    format!(
        "{} of {} solved: {unsat} unsat, {sat} sat; {timeout} timeouts, {other} unknown or failed; median {median:.2} s; \
         {against} against the published verdict{checked}\n",
        solved.len(),
        all.len()
    )
}
