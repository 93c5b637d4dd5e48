//! The data sets that are known by name: what they are, where they come from, where they lie.
//!
//! All lie below one folder, [`root`], each at its own place in it; a folder that is laid out so can be copied to a
//! machine without network. With the feature `download`, `Entry::download` fetches a set from its published address.
//!
//! ```
//! use perturb_data::registry;
//! let cora = registry::find("cora")?;
//! assert_eq!((cora.path.as_str(), cora.files.len()), ("graphs/planetoid/cora", 8));
//! match registry::locate("cora") {
//!     Ok(folder) => println!("{}", folder.display()),
//!     Err(error) => println!("{error}"), // says how to get it
//! }
//! # Ok::<(), perturb_data::DataError>(())
//! ```

#[cfg(feature = "download")]
mod check;
#[cfg(feature = "download")]
mod download;
mod entry;
#[cfg(feature = "download")]
mod transfer;

#[cfg(feature = "download")]
pub use check::Check;
#[cfg(feature = "download")]
pub use download::Progress;
pub use entry::{Archive, Entry, File};

use crate::error::{DataError, Result};
use std::path::PathBuf;
use std::sync::LazyLock;

static CATALOGUE: LazyLock<Vec<Entry>> = LazyLock::new(|| {
    serde_json::from_str(include_str!("catalogue.json")).expect("the catalogue is part of the program, and tested")
});

/// All data sets, related ones together.
pub fn entries() -> &'static [Entry] {
    &CATALOGUE
}

/// The data set of this name.
///
/// # Errors
/// [`DataError::UnknownSet`], with names like it.
pub fn find(name: &str) -> Result<&'static Entry> {
    entries().iter().find(|entry| entry.name == name).ok_or_else(|| {
        let wanted = name.to_lowercase();
        let alike = |entry: &&Entry| {
            entry.name == wanted || entry.name.contains(&wanted) || (!wanted.is_empty() && wanted.contains(&entry.name))
        };
        let names: Vec<&str> = entries().iter().filter(alike).take(5).map(|entry| entry.name.as_str()).collect();
        let suggestion = if names.is_empty() { String::new() } else { format!(", but {}", names.join(", ")) };
        DataError::UnknownSet { name: name.to_string(), suggestion }
    })
}

/// The folder below which all data sets lie: the environment variable `PERTURB_DATA`, else `perturb/data` in the
/// platform's cache (`~/.cache` on Linux), else `perturb-data` in the working directory.
pub fn root() -> PathBuf {
    match std::env::var_os("PERTURB_DATA").filter(|value| !value.is_empty()) {
        Some(root) => PathBuf::from(root),
        None => dirs::cache_dir().map_or("perturb-data".into(), |cache| cache.join("perturb").join("data")),
    }
}

/// Where the data set of this name lies: the folder or file that its loader takes.
///
/// # Errors
/// [`DataError::UnknownSet`]; [`DataError::MissingSet`], which says how to get it.
pub fn locate(name: &str) -> Result<PathBuf> {
    find(name)?.locate(&root())
}
