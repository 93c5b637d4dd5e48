//! The `.npz` format: a zip archive of `.npy` arrays.

use crate::atomic::write_atomically;
use crate::error::{DataError, Result};
use crate::npy::{self, Header};
use crate::source::Source;
use crate::stored::{Stored, Target};
use perturb_graph::{Element, Tensor};
use std::fs::File;
use std::io::BufReader;
use std::path::Path;
use zip::result::ZipError;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

/// Reads every array of an archive, in its order. Integers of any width become `i64`, half precision becomes `f32`.
///
/// # Errors
/// [`DataError`] if the archive is damaged, or holds an array of an unsupported element type.
pub fn read_all(path: &Path) -> Result<Vec<(String, Tensor)>> {
    let mut archive = Archive::open(path)?;
    let names = archive.names()?;
    names.into_iter().map(|name| archive.array(&name, read_tensor).map(|tensor| (name, tensor))).collect()
}

/// Writes an archive that `numpy.load` reads. The file appears complete or not at all. Names may contain `/`.
///
/// # Errors
/// [`DataError::Write`]; [`DataError::Malformed`] if two arrays share a name.
pub fn write_all(path: &Path, arrays: &[(String, Tensor)]) -> Result<()> {
    if let Some((i, (name, _))) = arrays.iter().enumerate().find(|(i, a)| arrays[..*i].iter().any(|b| b.0 == a.0)) {
        return Err(DataError::malformed(path, format!("array {i} would be a second one named {name}; rename it")));
    }
    write_atomically(path, |out| {
        let mut writer = ZipWriter::new(out);
        for (name, tensor) in arrays {
            let bytes = tensor.count() as u64 * tensor.dtype().size() as u64;
            let options = SimpleFileOptions::default()
                .compression_method(CompressionMethod::Stored)
                .large_file(bytes > u64::from(u32::MAX) / 2);
            writer.start_file(format!("{name}.npy"), options)?;
            npy::write(tensor, &mut writer)?;
        }
        writer.finish()?;
        Ok(())
    })
}

/// An archive of which single arrays are read.
pub(crate) struct Archive<'a> {
    path: &'a Path,
    zip: ZipArchive<BufReader<File>>,
}

impl<'a> Archive<'a> {
    pub(crate) fn open(path: &'a Path) -> Result<Archive<'a>> {
        let file = File::open(path).map_err(DataError::read(path))?;
        let zip = ZipArchive::new(BufReader::new(file)).map_err(|e| damaged(path, e))?;
        Ok(Archive { path, zip })
    }

    /// Names of the arrays, without `.npy`.
    pub(crate) fn names(&self) -> Result<Vec<String>> {
        let mut names = Vec::new();
        for name in self.zip.file_names() {
            let name = name.map_err(|e| damaged(self.path, e))?;
            names.extend(name.strip_suffix(".npy").map(str::to_string));
        }
        Ok(names)
    }

    /// The first of the `wanted` names, best first, that the archive has; without regard to case.
    pub(crate) fn find(&self, wanted: &[&str]) -> Result<Option<String>> {
        let names = self.names()?;
        Ok(wanted.iter().find_map(|w| names.iter().find(|n| n.eq_ignore_ascii_case(w)).cloned()))
    }

    /// Hands the header and the bytes of an array to `read`.
    pub(crate) fn array<T>(
        &mut self,
        name: &str,
        read: impl FnOnce(&Header, &mut Source, &str) -> Result<T>,
    ) -> Result<T> {
        let entry = self.zip.by_name(&format!("{name}.npy")).map_err(|e| damaged(self.path, e))?;
        let (compressed, size) = (entry.compressed_size(), entry.size());
        let mut source = Source::entry(self.path, entry, compressed, size);
        let header = Header::read(&mut source, name)?;
        let value = read(&header, &mut source, name)?;
        // An archive knows the size of its entries, and a limit may have left the rest unread.
        source.finish(false)?;
        Ok(value)
    }
}

fn read_tensor(header: &Header, source: &mut Source, name: &str) -> Result<Tensor> {
    match header.stored {
        Stored::F16 | Stored::F32 => read_as::<f32>(header, source, name),
        Stored::F64 => read_as::<f64>(header, source, name),
        Stored::Bool => read_as::<bool>(header, source, name),
        Stored::U64 => {
            let integers = read_as::<i64>(header, source, name)?;
            if integers.as_slice::<i64>().iter().any(|&v| v < 0) {
                let reason = format!("array {name} holds an unsigned integer above {}, too large for i64", i64::MAX);
                return Err(DataError::malformed(source.path(), reason));
            }
            Ok(integers)
        }
        _ => read_as::<i64>(header, source, name),
    }
}

fn read_as<T: Target + Element>(header: &Header, source: &mut Source, name: &str) -> Result<Tensor> {
    let data = header.read_elements::<T>(source, name, None)?;
    tensor(source.path(), header.shape.clone(), data)
}

/// A tensor, with a mismatch of shape and data reported as the file's fault.
pub(crate) fn tensor<T: Element>(path: &Path, shape: Vec<usize>, data: Vec<T>) -> Result<Tensor> {
    Tensor::new(shape, data).map_err(|e| DataError::malformed(path, e.to_string()))
}

fn damaged(path: &Path, error: ZipError) -> DataError {
    match error {
        ZipError::Io(source) if source.kind() != std::io::ErrorKind::UnexpectedEof => {
            DataError::Read { path: path.to_path_buf(), source }
        }
        other => DataError::malformed(path, format!("damaged .npz archive ({other}); fetch or write it again")),
    }
}
