//! Tensors whose elements lie in a file beside the model.

use crate::proto::StringStringEntryProto;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Component, Path};

/// Reads the `size` bytes that `entries` point at, from a file inside `folder`.
pub(crate) fn read(entries: &[StringStringEntryProto], folder: Option<&Path>, size: usize) -> Result<Vec<u8>, String> {
    let entry = |key: &str| entries.iter().find(|e| e.key == key).map(|e| e.value.as_str());
    let number = |key: &str| match entry(key) {
        None => Ok(None),
        Some(text) => {
            text.parse::<u64>().map(Some).map_err(|_| format!("external data: {key} {text:?} is not a number"))
        }
    };
    let location = entry("location").ok_or("external data: no location is given")?;
    let Some(folder) = folder else {
        return Err(format!("its data are in the file {location:?}, which a model read from memory cannot refer to"));
    };
    let mut file = open_inside(folder, location)?;
    let (offset, length) = (number("offset")?.unwrap_or(0), number("length")?);
    if length.is_some_and(|l| l != size as u64) {
        return Err(format!("external data: length is {}, but the shape needs {size} bytes", length.unwrap_or(0)));
    }
    let io = |e: std::io::Error| format!("external data {location:?}: {e}");
    let available = file.metadata().map_err(io)?.len();
    if offset.checked_add(size as u64).is_none_or(|end| end > available) {
        return Err(format!(
            "external data {location:?} holds {available} bytes, but {size} from byte {offset} are needed"
        ));
    }
    file.seek(SeekFrom::Start(offset)).map_err(io)?;
    let mut bytes = vec![0; size];
    file.read_exact(&mut bytes).map_err(io)?;
    Ok(bytes)
}

/// Opens `location` only if it is, links resolved, inside `folder`.
fn open_inside(folder: &Path, location: &str) -> Result<File, String> {
    let relative = Path::new(location);
    let escapes = || format!("external data {location:?} lies outside the model's folder; move it there");
    if !relative.components().all(|c| matches!(c, Component::Normal(_) | Component::CurDir)) {
        return Err(escapes());
    }
    let io = |e: std::io::Error| format!("external data {location:?}: {e}; it must lie beside the model");
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let root = folder.canonicalize().map_err(io)?;
    let path = root.join(relative).canonicalize().map_err(io)?;
    if !path.starts_with(&root) {
        return Err(escapes());
    }
    if !path.is_file() {
        return Err(format!("external data {location:?} is not a file"));
    }
    File::open(path).map_err(io)
}
