//! Weights in a file beside the model.

use super::error::ExportError;
use crate::proto::{ModelProto, StringStringEntryProto};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

/// Tensors of fewer bytes stay in the model.
const SMALL: usize = 1024;

/// Where readers may map a tensor into memory: at multiples of a page.
const PAGE: u64 = 4096;

/// Moves the elements of large tensors to the file that is named as the model at `path` with `.data` after it.
pub(super) fn split(model: &mut ModelProto, path: &Path) -> Result<(), ExportError> {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(".data");
    let data_path = path.with_file_name(&name);
    let location = name.to_string_lossy().into_owned();
    let io = |source| ExportError::Io { path: data_path.clone(), source };
    let mut file = BufWriter::new(File::create(&data_path).map_err(io)?);
    let mut at = 0u64;
    for tensor in model.graph.iter_mut().flat_map(|g| &mut g.initializer) {
        if tensor.raw_data.len() < SMALL {
            continue;
        }
        let gap = at.next_multiple_of(PAGE) - at;
        file.write_all(&vec![0; gap as usize]).map_err(io)?;
        file.write_all(&tensor.raw_data).map_err(io)?;
        let entry = |key: &str, value: String| StringStringEntryProto { key: key.to_string(), value };
        tensor.external_data = vec![
            entry("location", location.clone()),
            entry("offset", (at + gap).to_string()),
            entry("length", tensor.raw_data.len().to_string()),
        ];
        tensor.data_location = 1;
        at += gap + tensor.raw_data.len() as u64;
        tensor.raw_data.clear();
    }
    file.flush().map_err(io)
}
