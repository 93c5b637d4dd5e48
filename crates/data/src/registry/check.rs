//! Whether files are the known ones.

use super::{Entry, File};
use crate::error::{DataError, Result};
use crate::lines::plain_or_gzipped;
use crate::source::Source;
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};

/// What a file of a data set is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Check {
    /// The published one, perhaps packed otherwise.
    Published,
    /// A known conversion that loads alike.
    Recoded,
    /// There, but there is no checksum to compare.
    Unknown,
    /// Something else.
    Differs {
        /// SHA-256 of its unpacked content.
        actual: String,
    },
    /// Not there.
    Missing,
}

impl Entry {
    /// What each of the files of [`files_at`](Entry::files_at) is, with its place.
    ///
    /// # Errors
    /// [`DataError::Read`], [`DataError::Malformed`] if a file cannot be read or unpacked.
    pub fn check(&self, root: &Path) -> Result<Vec<(PathBuf, Check)>> {
        let check = |file: &File| {
            let path = plain_or_gzipped(&root.join(&file.path));
            let check = if path.is_file() { compare(file, &path)? } else { Check::Missing };
            Ok((path, check))
        };
        self.files_at(root).iter().map(check).collect()
    }
}

/// What the file at `path` is.
pub(super) fn compare(file: &File, path: &Path) -> Result<Check> {
    if file.sha256.is_none() {
        return Ok(Check::Unknown);
    }
    let actual = unpacked_sha256(path, file.bytes)?;
    Ok(match &actual {
        _ if file.sha256.as_ref() == Some(&actual) => Check::Published,
        _ if file.recoded.as_ref() == Some(&actual) => Check::Recoded,
        _ => Check::Differs { actual },
    })
}

/// SHA-256 of the unpacked content. Much more content than expected differs anyway, so not all of it is read.
fn unpacked_sha256(path: &Path, expected: u64) -> Result<String> {
    let mut source = Source::open(path)?;
    let (mut hash, mut read) = (Sha256::new(), 0);
    let mut buffer = vec![0; 1 << 16];
    while read <= expected.saturating_mul(2) {
        match source.read_up_to(&mut buffer)? {
            0 => break,
            n => {
                hash.update(&buffer[..n]);
                read += n as u64;
            }
        }
    }
    Ok(hexadecimal(&hash.finalize()))
}

/// SHA-256 of the file as it lies there.
pub(super) fn packed_sha256(path: &Path) -> Result<String> {
    let mut file = std::fs::File::open(path).map_err(DataError::read(path))?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        match std::io::Read::read(&mut file, &mut buffer).map_err(DataError::read(path))? {
            0 => return Ok(hexadecimal(&hash.finalize())),
            n => hash.update(&buffer[..n]),
        }
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}
