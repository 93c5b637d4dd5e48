//! Files that appear complete or not at all.

use crate::TrainError;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

/// Writes `bytes` to a new file beside `path`, then renames it to `path`. On failure nothing is left behind.
pub(crate) fn write_atomically(path: &Path, bytes: &[u8]) -> Result<(), TrainError> {
    let attempt = || {
        let name = path.file_name().ok_or_else(|| io::Error::other("this is not the name of a file"))?;
        let partial = path.with_file_name(format!(".{}.{}.partial", name.to_string_lossy(), std::process::id()));
        let result = fill(&partial, bytes).and_then(|()| fs::rename(&partial, path));
        if result.is_err() {
            // The first failure is the one to report; the partial file may not even exist.
            let _ = fs::remove_file(&partial);
        }
        result
    };
    attempt().map_err(|source| TrainError::Io { path: path.to_path_buf(), source })
}

fn fill(partial: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut out = File::create(partial)?;
    out.write_all(bytes)?;
    out.sync_all()
}
