//! `perturb data`: which data sets are known, where they lie, and fetching them.

use crate::CliError;
use indicatif::{ProgressBar, ProgressStyle};
use perturb::data::registry::{Check, Entry, Progress, entries, find, root};
use serde_json::{Map, Value, json};
use std::path::Path;

/// Options of `perturb data`.
#[derive(clap::Args, Debug)]
pub struct DataArgs {
    #[command(subcommand)]
    command: DataCommand,
}

#[derive(clap::Subcommand, Debug)]
enum DataCommand {
    /// List the known data sets: present, missing, or to be had by copying only.
    List {
        /// Print everything that is known as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Fetch data sets from their published addresses, or check those that are present.
    Get {
        /// Names, as `perturb data list` shows them.
        #[arg(required = true, value_name = "NAME")]
        names: Vec<String>,
    },
    /// Print where a data set lies.
    Path {
        /// Its name.
        #[arg(value_name = "NAME")]
        name: String,
    },
}

/// Runs the command.
///
/// # Errors
/// If a data set is unknown, missing, cannot be fetched, or is not what is known of it.
pub fn run(args: &DataArgs) -> Result<(), CliError> {
    let root = root();
    match &args.command {
        DataCommand::List { json: false } => list(&root),
        DataCommand::List { json: true } => println!("{:#}", catalogue(&root)),
        DataCommand::Path { name } => println!("{}", find(name)?.locate(&root)?.display()),
        DataCommand::Get { names } => {
            // A misspelt name is told before anything is fetched.
            let sets: Vec<&Entry> = names.iter().map(|name| find(name)).collect::<Result<_, _>>()?;
            for set in sets {
                get(set, &root)?;
            }
        }
    }
    Ok(())
}

fn status(entry: &Entry, root: &Path) -> &'static str {
    match (entry.is_present(root), entry.is_published()) {
        (true, _) => "present",
        (false, true) => "missing",
        (false, false) => "to copy",
    }
}

fn list(root: &Path) {
    let width = entries().iter().map(|entry| entry.name.len()).max().unwrap_or(0);
    for entry in entries() {
        println!("{:<width$}  {:<7}  {} ({})", entry.name, status(entry, root), entry.title, entry.shapes);
    }
    println!("\nThey lie in {}; the environment variable PERTURB_DATA names another folder.", root.display());
}

fn catalogue(root: &Path) -> Value {
    let describe = |entry: &Entry| {
        let mut object = match serde_json::to_value(entry) {
            Ok(Value::Object(object)) => object,
            _ => Map::new(),
        };
        object.insert("status".to_string(), json!(status(entry, root)));
        object.insert("bytes".to_string(), json!(entry.files.iter().map(|file| file.bytes).sum::<u64>()));
        let addresses = entry.files.iter().map(|file| entry.address(file));
        object.insert("addresses".to_string(), json!(addresses.collect::<Vec<_>>()));
        Value::Object(object)
    };
    json!({ "root": root, "sets": entries().iter().map(describe).collect::<Vec<_>>() })
}

fn get(entry: &Entry, root: &Path) -> Result<(), CliError> {
    if entry.is_present(root) {
        return check(entry, root);
    }
    let bar = ProgressBar::new(0);
    let style = ProgressStyle::with_template("{msg:<40} {wide_bar} {bytes:>10}/{total_bytes:<10} {bytes_per_sec:>12}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    let mut shown = String::new();
    let place = entry.download(root, &mut |progress: Progress<'_>| {
        if shown != progress.file {
            shown = progress.file.to_string();
            bar.reset();
            bar.set_message(shown.clone());
        }
        bar.set_length(progress.total.unwrap_or(progress.done));
        bar.set_position(progress.done);
    });
    bar.finish_and_clear();
    println!("{}: fetched to {}", entry.name, place?.display());
    println!("  licence: {}; {}", entry.licence, entry.publication);
    if let Some(note) = &entry.note {
        println!("  {note}");
    }
    Ok(())
}

/// Compares what is there with the known checksums.
fn check(entry: &Entry, root: &Path) -> Result<(), CliError> {
    let checks = entry.check(root)?;
    for (file, (path, check)) in entry.files_at(root).iter().zip(&checks) {
        if let Check::Differs { actual } = check {
            let known: Vec<&str> = [&file.sha256, &file.recoded].into_iter().flatten().map(String::as_str).collect();
            return Err(CliError::Usage(format!(
                "{} is not the known file: the SHA-256 of its content is {actual}, expected {}; move it away and run \
                 this command again to fetch it",
                path.display(),
                known.join(" or "),
            )));
        }
    }
    let known = if checks.iter().any(|(_, check)| *check == Check::Unknown) { "present" } else { "present and intact" };
    println!("{}: {known} in {}", entry.name, entry.locate(root)?.display());
    if checks.iter().any(|(_, check)| *check == Check::Recoded) {
        println!("  not the published files but a conversion of them. {}", entry.note.as_deref().unwrap_or_default());
    }
    Ok(())
}
