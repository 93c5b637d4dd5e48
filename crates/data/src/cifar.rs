//! CIFAR-10's binary format: rows of one label byte and 3072 bytes of 32×32 planes, red, green, blue (Krizhevsky 2009).

use crate::Format;
use crate::error::{DataError, Result};
use crate::load::Loaded;
use crate::source::Source;
use std::fs;
use std::path::{Path, PathBuf};

const PIXELS: usize = 3 * 32 * 32;
pub(crate) const ROW: usize = 1 + PIXELS;

/// Loads at most `limit` images from the files in turn as `[N, 3, 32, 32]`.
pub(crate) fn load(paths: &[PathBuf], limit: Option<usize>) -> Result<Loaded> {
    let (mut inputs, mut labels) = (Vec::new(), Vec::new());
    let limit = limit.unwrap_or(usize::MAX);
    for path in paths {
        read_rows(path, limit, &mut inputs, &mut labels)?;
    }
    let shape = vec![labels.len(), 3, 32, 32];
    // Where a limit stopped the reading, how many more there are is unknown.
    let total = (labels.len() < limit).then_some(labels.len());
    let class_names = paths.first().and_then(|path| class_names_beside(path));
    Ok(Loaded { inputs, shape, total, labels: Some(labels), class_names, format: Format::Cifar10, bytes: true })
}

fn read_rows(path: &Path, limit: usize, inputs: &mut Vec<f32>, labels: &mut Vec<usize>) -> Result<()> {
    let mut source = Source::open(path)?;
    let mut row = vec![0; ROW];
    while labels.len() < limit {
        match source.read_up_to(&mut row)? {
            0 => break,
            ROW => {}
            read => {
                let what = format!("row {} of {ROW} bytes (a label and a 3×32×32 image)", labels.len());
                let (path, actual) = (path.to_path_buf(), read as u64);
                return Err(DataError::Truncated { path, what, expected: ROW as u128, actual });
            }
        }
        if row[0] > 9 {
            return Err(DataError::Label {
                path: path.to_path_buf(),
                index: labels.len(),
                value: row[0].to_string(),
                expected: "CIFAR-10 has the classes 0 to 9, so this is another format or a damaged file".to_string(),
            });
        }
        labels.push(usize::from(row[0]));
        inputs.extend(row[1..].iter().map(|&v| f32::from(v) / 255.0));
    }
    Ok(())
}

/// Class names from `batches.meta.txt`, one a line. A file that does not hold ten names is not about CIFAR-10.
fn class_names_beside(path: &Path) -> Option<Vec<String>> {
    let text = fs::read_to_string(path.with_file_name("batches.meta.txt")).ok()?;
    let names: Vec<String> = text.lines().map(str::trim).filter(|l| !l.is_empty()).map(str::to_string).collect();
    (names.len() == 10).then_some(names)
}
