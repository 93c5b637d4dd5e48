//! Files that appear complete or not at all.

use crate::error::{DataError, Result};
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

/// Lets `write` fill a new file beside `path`, then renames it to `path`. On failure nothing is left behind.
pub(crate) fn write_atomically(path: &Path, write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>) -> Result<()> {
    let attempt = || {
        let name = path.file_name().ok_or_else(|| io::Error::other("this is not the name of a file"))?;
        // Process and counter keep concurrent writers of one file apart.
        static COUNTER: AtomicU64 = AtomicU64::new(0);
        let unique = COUNTER.fetch_add(1, Ordering::Relaxed);
        let partial =
            path.with_file_name(format!(".{}.{}.{unique}.partial", name.to_string_lossy(), std::process::id()));
        let result = fill(&partial, write).and_then(|()| fs::rename(&partial, path));
        if result.is_err() {
            // The first failure is the one to report; the partial file may not even exist.
            let _ = fs::remove_file(&partial);
        }
        result
    };
    attempt().map_err(|source| DataError::Write { path: path.to_path_buf(), source })
}

fn fill(partial: &Path, write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>) -> io::Result<()> {
    let mut out = BufWriter::new(File::create_new(partial)?);
    write(&mut out)?;
    out.flush()?;
    out.get_ref().sync_all()
}
