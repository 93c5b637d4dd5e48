//! The loaders on the published data sets, whose contents are known: by the literature, or by counting with Python's
//! standard library and NumPy. Skipped where the data are absent.

mod graphs;
mod images;
mod series;
mod tables;
mod text;

use std::path::PathBuf;

/// The folder of test data: `PERTURB_DATA`, or `shared/data` beside the repository.
fn data(name: &str) -> Option<PathBuf> {
    let root = std::env::var_os("PERTURB_DATA").map(PathBuf::from);
    let root = root.unwrap_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data"));
    let path = root.join(name);
    if !path.exists() {
        eprintln!("skipped: {} does not exist; set PERTURB_DATA", path.display());
        return None;
    }
    Some(path)
}

/// How often each label occurs.
fn counts(labels: impl IntoIterator<Item = usize>) -> Vec<usize> {
    labels.into_iter().fold(Vec::new(), |mut counts, label| {
        counts.resize(counts.len().max(label + 1), 0);
        counts[label] += 1;
        counts
    })
}
