//! Proofs as files.
//!
//! A file is a line that names format and version, the SHA-256 digests of the network's and the property's bytes, the proof
//! in [postcard](https://postcard.jamesmunns.com/wire-format) form, and the SHA-256 digest of all that.

use crate::proof::Proof;
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// The first line.
const HEADER: &[u8] = b"perturb proof 1\n";

/// Length of a digest.
const DIGEST: usize = 32;

/// Largest proof file that is read or written (1 GiB).
pub const MAX_PROOF_BYTES: u64 = 1 << 30;

/// Why a proof cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProofFileError {
    /// The file cannot be read or written.
    #[error("{}: {source}", .path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The file is larger than [`MAX_PROOF_BYTES`].
    #[error("{}: a proof of more than {MAX_PROOF_BYTES} bytes", .0.display())]
    TooLarge(PathBuf),
    /// The file does not start like a proof of this version.
    #[error("{}: not a proof file of version 1: it does not start with \"perturb proof 1\"", .0.display())]
    Format(PathBuf),
    /// The file was changed or cut off after it had been written.
    #[error("{}: damaged: the digest at its end does not fit what precedes it; write the proof again", .0.display())]
    Damaged(PathBuf),
    /// The proof is about something else.
    #[error("{}: the proof is about another {what} than the one given: their SHA-256 digests differ", .path.display())]
    Other {
        /// Which file.
        path: PathBuf,
        /// Network or property.
        what: &'static str,
    },
    /// What stands between the digests is no proof.
    #[error("{}: not a proof: {reason}", .path.display())]
    Content {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
}

fn digest(bytes: &[u8]) -> [u8; DIGEST] {
    Sha256::digest(bytes).into()
}

/// Writes a proof about the network and the property with these bytes. The file appears at once when it is complete.
///
/// # Errors
/// If the file cannot be written, or would be larger than [`MAX_PROOF_BYTES`].
pub fn write_proof(
    path: impl AsRef<Path>,
    network_bytes: &[u8],
    property_bytes: &[u8],
    proof: &Proof,
) -> Result<(), ProofFileError> {
    let path = path.as_ref();
    let content = postcard::to_allocvec(proof)
        .map_err(|e| ProofFileError::Content { path: path.to_path_buf(), reason: e.to_string() })?;
    let mut bytes = [HEADER, &digest(network_bytes), &digest(property_bytes), &content].concat();
    bytes.extend_from_slice(&digest(&bytes));
    if bytes.len() as u64 > MAX_PROOF_BYTES {
        return Err(ProofFileError::TooLarge(path.to_path_buf()));
    }
    // Process and counter keep concurrent writers of one file apart.
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    let unique = COUNTER.fetch_add(1, Ordering::Relaxed);
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let partial = path.with_file_name(format!(".{name}.{}.{unique}.partial", std::process::id()));
    let written = File::create_new(&partial)
        .and_then(|mut file| file.write_all(&bytes).and_then(|()| file.sync_all()))
        .and_then(|()| std::fs::rename(&partial, path));
    written.map_err(|source| {
        // The first failure is the one to report; the partial file may not even exist.
        _ = std::fs::remove_file(&partial);
        ProofFileError::File { path: path.to_path_buf(), source }
    })
}

/// Reads a proof about the network and the property with these bytes. Whether it is right is for
/// [`check`](crate::check()) to say.
///
/// # Errors
/// If the file cannot be read, is no proof, was changed since it was written, or is about another network or property.
pub fn read_proof(
    path: impl AsRef<Path>,
    network_bytes: &[u8],
    property_bytes: &[u8],
) -> Result<Proof, ProofFileError> {
    let path = path.as_ref();
    let bytes = read(path)?;
    let owned = || path.to_path_buf();
    let Some(rest) = bytes.strip_prefix(HEADER) else { return Err(ProofFileError::Format(owned())) };
    let Some(content_end) = rest.len().checked_sub(DIGEST).filter(|&end| end >= 2 * DIGEST) else {
        return Err(ProofFileError::Damaged(owned()));
    };
    if digest(&bytes[..HEADER.len() + content_end]) != rest[content_end..] {
        return Err(ProofFileError::Damaged(owned()));
    }
    for (position, (what, about)) in [("network", network_bytes), ("property", property_bytes)].iter().enumerate() {
        if digest(about) != rest[position * DIGEST..(position + 1) * DIGEST] {
            return Err(ProofFileError::Other { path: owned(), what });
        }
    }
    let failed = |reason: String| ProofFileError::Content { path: owned(), reason };
    match postcard::take_from_bytes(&rest[2 * DIGEST..content_end]) {
        Ok((proof, [])) => Ok(proof),
        Ok((_, left)) => Err(failed(format!("{} bytes are left at its end", left.len()))),
        Err(error) => Err(failed(error.to_string())),
    }
}

fn read(path: &Path) -> Result<Vec<u8>, ProofFileError> {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(MAX_PROOF_BYTES + 1).read_to_end(&mut bytes));
    read.map_err(|source| ProofFileError::File { path: path.to_path_buf(), source })?;
    if bytes.len() as u64 > MAX_PROOF_BYTES {
        return Err(ProofFileError::TooLarge(path.to_path_buf()));
    }
    Ok(bytes)
}
