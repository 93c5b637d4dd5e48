//! What is known of a data set.

use crate::error::{DataError, Result};
use crate::lines::plain_or_gzipped;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// A data set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its name, such as `cora`.
    pub name: String,
    /// What it is.
    pub title: String,
    /// How much of what.
    pub shapes: String,
    /// Who made it.
    pub publication: String,
    /// On what terms, as far as stated where it is published.
    pub licence: String,
    /// The folder or file that its loader takes, below the root.
    pub path: String,
    /// The function of this crate that loads it.
    pub loader: String,
    /// What the addresses of its files begin with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<String>,
    /// The archive that its files are packed in, where they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub archive: Option<Archive>,
    /// What differs from the published files; how to get it where it cannot be fetched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Its files.
    pub files: Vec<File>,
    /// The files of another form of it, which its loader takes as well.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub converted: Vec<File>,
}

/// A file of a data set. It may lie gzipped beside its place, with `.gz` added to its name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct File {
    /// Its place below the root.
    pub path: String,
    /// Its length, unpacked; an upper bound where no checksum is known.
    pub bytes: u64,
    /// SHA-256 of its unpacked content, where known. Files in an archive have none: the archive's counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// SHA-256 of the unpacked content of a known conversion that loads alike.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recoded: Option<String>,
    /// The rest of its address, or its name in the archive. Files without can only be copied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
}

/// A gzipped tar archive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Archive {
    /// Where it is published.
    pub address: String,
    /// Its length.
    pub bytes: u64,
    /// SHA-256 of the archive.
    pub sha256: String,
}

impl Entry {
    /// Whether it can be fetched: every file has an address or comes in the archive.
    pub fn is_published(&self) -> bool {
        let addressed = self.base.is_some() || self.archive.is_some();
        addressed && !self.files.is_empty() && self.files.iter().all(|file| file.from.is_some())
    }

    /// Where `file` is published.
    pub fn address(&self, file: &File) -> Option<String> {
        match (&self.archive, &self.base, &file.from) {
            (Some(archive), ..) => Some(archive.address.clone()),
            (None, Some(base), Some(from)) => Some(format!("{base}{from}")),
            _ => None,
        }
    }

    /// The files of the form that is below `root`: the published ones, unless only the converted ones are there.
    pub fn files_at(&self, root: &Path) -> &[File] {
        let there = |files: &[File]| files.iter().all(|file| plain_or_gzipped(&root.join(&file.path)).is_file());
        if !self.converted.is_empty() && there(&self.converted) && !there(&self.files) {
            &self.converted
        } else {
            &self.files
        }
    }

    /// The files that are not below `root`, neither plain nor gzipped.
    pub fn missing(&self, root: &Path) -> Vec<&File> {
        let files = self.files_at(root).iter();
        files.filter(|file| !plain_or_gzipped(&root.join(&file.path)).is_file()).collect()
    }

    /// Whether all of it is below `root`.
    pub fn is_present(&self, root: &Path) -> bool {
        self.missing(root).is_empty() && plain_or_gzipped(&root.join(&self.path)).exists()
    }

    /// The folder or file below `root` that its loader takes.
    ///
    /// # Errors
    /// [`DataError::MissingSet`], which says how to get it.
    pub fn locate(&self, root: &Path) -> Result<PathBuf> {
        if self.is_present(root) {
            return Ok(plain_or_gzipped(&root.join(&self.path)));
        }
        let missing = match &self.missing(root)[..] {
            [] => self.path.clone(),
            [only] => only.path.clone(),
            [first, others @ ..] => format!("{} (and {} more)", first.path, others.len()),
        };
        let (name, root) = (self.name.clone(), root.to_path_buf());
        Err(DataError::MissingSet { remedy: self.remedy(&root), name, root, missing })
    }

    /// How to get what is missing.
    fn remedy(&self, root: &Path) -> String {
        let elsewhere = "or point PERTURB_DATA to a folder that has it";
        let first = self.missing(root).first().and_then(|file| Some((self.address(file)?, root.join(&file.path))));
        match first {
            Some((address, place)) if self.is_published() => format!(
                "Run `perturb data get {}` where there is a network, or fetch {address} to {}{}, {elsewhere}",
                self.name,
                place.display(),
                if self.archive.is_some() { " and its neighbours from the archive" } else { "" },
            ),
            _ => format!("It cannot be fetched. {} {elsewhere}", self.note.as_deref().unwrap_or_default()),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::registry::entries;
    use std::collections::{BTreeMap, BTreeSet};

    #[test]
    fn the_catalogue_is_sound() {
        let names: BTreeSet<&str> = entries().iter().map(|e| e.name.as_str()).collect();
        assert_eq!(names.len(), entries().len());
        let mut digests = BTreeMap::new();
        for entry in entries() {
            assert!(entry.is_published() || entry.note.is_some(), "{}: how to get it?", entry.name);
            for file in entry.files.iter().chain(&entry.converted) {
                assert!(file.path.starts_with(entry.path.split('/').next().unwrap()), "{}", file.path);
                assert!(!file.path.contains("..") && !file.path.starts_with('/') && file.bytes > 0, "{}", file.path);
                let unknown = entry.archive.is_some() || file.path.ends_with("ind.pubmed.allx");
                assert!(file.sha256.is_some() || unknown, "{}", file.path);
                for digest in file.sha256.iter().chain(&file.recoded) {
                    assert!(digest.len() == 64 && digest.chars().all(|c| c.is_ascii_hexdigit()), "{}", file.path);
                }
                // Two sets may share a file, but not disagree about it.
                assert_eq!(digests.entry(&file.path).or_insert(&file.sha256), &&file.sha256, "{}", file.path);
            }
        }
    }
}
