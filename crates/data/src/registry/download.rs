//! Fetching data sets from their published addresses.

use super::check::{self, Check};
use super::transfer::{Transfer, create_folder};
use super::{Archive, Entry, File};
use crate::atomic::write_atomically;
use crate::error::{DataError, Result};
use flate2::read::GzDecoder;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// How far a file has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress<'a> {
    /// The file, below the root.
    pub file: &'a str,
    /// Bytes that are here, also from an earlier, interrupted attempt.
    pub done: u64,
    /// Bytes in all, if the server says.
    pub total: Option<u64>,
}

impl Entry {
    /// Fetches what is missing below `root` and returns the place that the set's loader takes.
    ///
    /// Files come under the name `NAME.part`, continue there after an interruption, and get their name once their
    /// checksum is right; otherwise they are kept as `NAME.mismatch`.
    ///
    /// # Errors
    /// [`DataError::MissingSet`] if the set cannot be fetched; [`DataError::Download`], [`DataError::Checksum`],
    /// [`DataError::Write`], and [`DataError::Malformed`] for archives without the expected files.
    pub fn download(&self, root: &Path, progress: &mut dyn FnMut(Progress<'_>)) -> Result<PathBuf> {
        if self.is_present(root) || !self.is_published() {
            return self.locate(root);
        }
        match &self.archive {
            Some(archive) => self.fetch_archive(archive, root, progress)?,
            None => {
                for file in self.missing(root) {
                    self.fetch_file(file, root, progress)?;
                }
            }
        }
        self.locate(root)
    }

    fn fetch_file(&self, file: &File, root: &Path, progress: &mut dyn FnMut(Progress<'_>)) -> Result<()> {
        let address = self.address(file).unwrap_or_default();
        let packed = address.ends_with(".gz");
        // Packing can lengthen a file, but never by much.
        let limit = file.bytes + if packed { file.bytes / 100 + 65536 } else { 0 };
        let target = root.join(if packed { format!("{}.gz", file.path) } else { file.path.clone() });
        let transfer = Transfer { address: &address, target: &target, limit };
        let mut partial = transfer.fetch(&mut |done, total| progress(Progress { file: &file.path, done, total }))?;
        // What cannot be unpacked is damaged; what it is then is told by its packed checksum.
        let check = check::compare(file, partial.path())
            .or_else(|_| Ok(Check::Differs { actual: check::packed_sha256(partial.path())? }))?;
        match check {
            Check::Differs { actual } => {
                let expected = file.sha256.clone().unwrap_or_default();
                Err(DataError::Checksum { address, kept: partial.set_aside()?, expected, actual })
            }
            _ => partial.finish(),
        }
    }

    fn fetch_archive(&self, archive: &Archive, root: &Path, progress: &mut dyn FnMut(Progress<'_>)) -> Result<()> {
        let address = &archive.address;
        let name = address.rsplit('/').next().unwrap_or("archive.tar.gz");
        let target = root.join(name);
        let transfer = Transfer { address, target: &target, limit: archive.bytes };
        let mut partial = transfer.fetch(&mut |done, total| progress(Progress { file: name, done, total }))?;
        let actual = check::packed_sha256(partial.path())?;
        if actual != archive.sha256 {
            let (address, expected) = (address.clone(), archive.sha256.clone());
            return Err(DataError::Checksum { address, kept: partial.set_aside()?, expected, actual });
        }
        self.unpack(partial.path(), root)?;
        partial.remove()
    }

    fn unpack(&self, archive: &Path, root: &Path) -> Result<()> {
        let malformed = |e: io::Error| DataError::malformed(archive, format!("not a readable tar archive ({e})"));
        let mut tar = tar::Archive::new(GzDecoder::new(fs::File::open(archive).map_err(DataError::read(archive))?));
        for member in tar.entries().map_err(malformed)? {
            let mut member = member.map_err(malformed)?;
            let name = member.path().map_err(malformed)?.to_string_lossy().into_owned();
            let Some(file) = self.files.iter().find(|file| file.from.as_ref() == Some(&name)) else { continue };
            let target = root.join(&file.path);
            create_folder(&target)?;
            write_atomically(&target, |out| {
                io::copy(&mut member.by_ref().take(file.bytes.max(1 << 20)), out).map(drop)
            })?;
        }
        match self.missing(root).first() {
            None => Ok(()),
            Some(file) => {
                let name = file.from.as_deref().unwrap_or_default();
                Err(DataError::malformed(archive, format!("the archive has no file {name}")))
            }
        }
    }
}
