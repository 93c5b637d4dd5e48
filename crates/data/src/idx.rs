//! The IDX format of MNIST: `0 0 type rank`, the sizes as big-endian u32, then the elements, big-endian.

use crate::error::{DataError, Result};
use crate::load::{LoadOptions, Loaded};
use crate::source::{Source, hexadecimal};
use crate::stored::Stored;
use crate::{Format, labels};
use std::path::{Path, PathBuf};

/// Whether a (gunzipped) file that begins with these bytes can be IDX.
pub(crate) fn is_magic(start: &[u8]) -> bool {
    matches!(start, [0, 0, 0x08 | 0x09 | 0x0b..=0x0e, 1..=8, ..])
}

/// Loads images `[N, H, W]` as `[N, 1, H, W]`, other arrays as they are, with the labels that lie beside them unless
/// others are given.
pub(crate) fn load(path: &Path, options: &LoadOptions) -> Result<Loaded> {
    let mut source = Source::open(path)?;
    let (stored, mut shape) = read_header(&mut source)?;
    let total = shape[0];
    if shape.len() == 1 {
        let reason = "this IDX file holds one number per example, so labels; give the images file and pass this one as the labels";
        return Err(DataError::malformed(path, reason));
    }
    shape[0] = total.min(options.limit.unwrap_or(total));
    let mut inputs: Vec<f32> =
        source.decode(stored, true, count(path, &shape)?, &format!("IDX data of shape {shape:?}"))?;
    source.finish(shape[0] == total)?;
    if shape.len() == 3 {
        shape.insert(1, 1);
    }
    let bytes = stored == Stored::U8;
    if bytes {
        inputs.iter_mut().for_each(|v| *v /= 255.0);
    }
    let beside = if options.labels.is_none() { labels_beside(path) } else { None };
    let labels = match beside {
        Some(labels_path) => Some(labels::in_idx(&labels_path)?.checked(&labels_path, total, shape[0])?),
        None => None,
    };
    Ok(Loaded { inputs, shape, total: Some(total), labels, class_names: None, format: Format::Idx, bytes })
}

/// Reads a vector of labels.
pub(crate) fn read_vector(path: &Path) -> Result<Vec<i64>> {
    let mut source = Source::open(path)?;
    let (stored, shape) = read_header(&mut source)?;
    if shape.len() != 1 || stored.is_float() {
        let reason =
            format!("labels must be a vector of integers, but this IDX file holds {stored:?} of shape {shape:?}");
        return Err(DataError::malformed(path, reason));
    }
    let labels = source.decode(stored, true, shape[0], &format!("{} labels", shape[0]))?;
    source.finish(true)?;
    Ok(labels)
}

fn read_header(source: &mut Source) -> Result<(Stored, Vec<usize>)> {
    let mut magic = [0; 4];
    source.read_exact(&mut magic, "the IDX magic number")?;
    if !is_magic(&magic) {
        let (path, found) = (source.path().to_path_buf(), hexadecimal(&magic));
        return Err(DataError::Magic { path, expected: "an IDX file (00 00, type, rank)", found });
    }
    let stored = match magic[2] {
        0x08 => Stored::U8,
        0x09 => Stored::I8,
        0x0b => Stored::I16,
        0x0c => Stored::I32,
        0x0d => Stored::F32,
        _ => Stored::F64,
    };
    let mut sizes = vec![0; 4 * usize::from(magic[3])];
    source.read_exact(&mut sizes, "the IDX sizes")?;
    Ok((stored, sizes.as_chunks::<4>().0.iter().map(|&b| u32::from_be_bytes(b) as usize).collect()))
}

fn count(path: &Path, shape: &[usize]) -> Result<usize> {
    let count = shape.iter().try_fold(1usize, |n, &d| n.checked_mul(d));
    count
        .ok_or_else(|| DataError::malformed(path, format!("IDX shape {shape:?} has more elements than can be counted")))
}

/// The labels file that MNIST's naming convention puts beside an images file, if it exists, gzipped or not.
fn labels_beside(images: &Path) -> Option<PathBuf> {
    let name = images.file_name()?.to_str()?;
    let name = name.replace("images", "labels").replace("idx3", "idx1");
    if !name.contains("labels") {
        return None;
    }
    let plain = name.strip_suffix(".gz").unwrap_or(&name).to_string();
    [name.clone(), plain.clone(), format!("{plain}.gz")]
        .into_iter()
        .map(|name| images.with_file_name(name))
        .find(|path| path != images && path.is_file())
}
