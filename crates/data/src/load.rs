//! Finding out what lies at a path, and loading it.

use crate::error::{DataError, Result};
use crate::npy::{self, Header};
use crate::npz::{self, Archive};
use crate::source::{Source, hexadecimal};
use crate::stored::Stored;
use crate::{Dataset, Format, PixelEncoding, cifar, folder, idx, labels, layout, picture};
use std::path::{Path, PathBuf};

/// What to load, and for which model.
#[derive(Clone, Debug, Default)]
pub struct LoadOptions {
    /// A file of labels (`.npy`, `.npz`, IDX, CSV or text), if they are not with the examples. For a folder of images,
    /// a CSV of `file,label` rows, which then also says which images to load, in which order.
    pub labels: Option<PathBuf>,
    /// Load at most this many examples, the first ones.
    pub limit: Option<usize>,
    /// Shape of one example as the model takes it, such as `[1, 3, 32, 32]` or `[3, 32, 32]`: inputs become
    /// `[N, …expected_shape]`. Channels are moved, flat examples reshaped; anything else that differs is an error.
    pub expected_shape: Option<Vec<usize>>,
}

/// What a loader hands back before the common checks.
pub(crate) struct Loaded {
    pub(crate) inputs: Vec<f32>,
    /// With the batch axis.
    pub(crate) shape: Vec<usize>,
    /// How many examples the source holds, where a limit does not hide it.
    pub(crate) total: Option<usize>,
    pub(crate) labels: Option<Vec<usize>>,
    pub(crate) class_names: Option<Vec<String>>,
    pub(crate) format: Format,
    /// Whether the inputs were unsigned integers scaled to [0, 1].
    pub(crate) bytes: bool,
}

/// Names under which archives keep inputs, most telling first.
const INPUT_NAMES: [&str; 8] = ["x", "images", "data", "input", "inputs", "x_test", "test_images", "arr_0"];

/// Loads a data set, finding out its format from its content and name.
///
/// - `.npy`: the array, its first axis counting examples; `.npz`: the array named `x`, `images`, `data`, `input`, … and
///   labels `y`, `labels`, `target`, …. `uint8` is divided by 255, other types are taken as stored.
/// - IDX (`train-images-idx3-ubyte.gz`): with the labels file beside it.
/// - CIFAR-10 binary: rows of 3073 bytes; class names from `batches.meta.txt`.
/// - A folder: of IDX or CIFAR-10 files, where test sets go before training sets; of images with one CSV of
///   `file,label`; of one sub-folder of images per class (taken in turn, so that a limit keeps the classes
///   balanced); or of images without labels. Also a single image.
///
/// # Errors
/// [`DataError`], which says what, where and what to do.
pub fn load(path: &Path, options: &LoadOptions) -> Result<Dataset> {
    if options.limit == Some(0) {
        return Err(DataError::Limit);
    }
    let mut loaded = if path.is_dir() { load_folder(path, options)? } else { load_file(path, options)? };
    // A folder of images has read its own table.
    let done = path.is_dir() && loaded.format == Format::ImageFolder;
    if let (Some(file), false) = (&options.labels, done) {
        let labels = labels::read(file)?;
        loaded.class_names = labels.class_names.clone().or(loaded.class_names);
        let total = loaded.total.unwrap_or(labels.indices.len().max(loaded.shape[0]));
        loaded.labels = Some(labels.checked(file, total, loaded.shape[0])?);
    }
    finish(path, loaded, options.expected_shape.as_deref())
}

fn finish(path: &Path, mut loaded: Loaded, expected: Option<&[usize]>) -> Result<Dataset> {
    let (count, example) = (loaded.shape[0], loaded.shape[1..].to_vec());
    if loaded.inputs.is_empty() {
        return Err(DataError::Empty {
            path: path.to_path_buf(),
            expected: "at least one example of at least one value",
        });
    }
    let width = loaded.inputs.len() / count;
    if let Some(index) = loaded.inputs.iter().position(|v| !v.is_finite()) {
        let (example, element, value) = (index / width, index % width, loaded.inputs[index]);
        return Err(DataError::NonFinite { path: path.to_path_buf(), example, element, value });
    }
    if let Some(expected) = expected {
        if !layout::fit(&mut loaded.inputs, &example, expected) {
            return Err(DataError::Shape { path: path.to_path_buf(), found: example, expected: expected.to_vec() });
        }
        loaded.shape = std::iter::once(count).chain(expected.iter().copied()).collect();
    }
    let pixel = if loaded.bytes {
        PixelEncoding::Bytes
    } else {
        let range = |(min, max): (f32, f32), &v: &f32| (min.min(v), max.max(v));
        let (min, max) = loaded.inputs.iter().fold((f32::INFINITY, f32::NEG_INFINITY), range);
        PixelEncoding::Stored { min, max }
    };
    Ok(Dataset {
        inputs: npz::tensor(path, loaded.shape, loaded.inputs)?,
        labels: loaded.labels,
        class_names: loaded.class_names,
        source: path.display().to_string(),
        format: loaded.format,
        pixel,
    })
}

fn load_file(path: &Path, options: &LoadOptions) -> Result<Loaded> {
    let start = first_bytes(path)?;
    let name = path.file_name().map(|n| n.to_string_lossy().to_lowercase()).unwrap_or_default();
    let plain = name.strip_suffix(".gz").unwrap_or(&name);
    let wrong_magic = |expected| DataError::Magic { path: path.to_path_buf(), expected, found: hexadecimal(&start) };
    if start.is_empty() {
        return Err(DataError::Empty { path: path.to_path_buf(), expected: "a file with content" });
    }
    if start.starts_with(npy::MAGIC) {
        return load_npy(path, options);
    }
    if start.starts_with(b"PK\x03\x04") || start.starts_with(b"PK\x05\x06") {
        return load_npz(path, options);
    }
    if picture::is_magic(&start) {
        return folder::load_files(&[path.to_path_buf()], options);
    }
    match plain {
        _ if plain.ends_with(".npy") => Err(wrong_magic("a NumPy array")),
        _ if plain.ends_with(".npz") => Err(wrong_magic("a zip archive of NumPy arrays")),
        _ if picture::has_image_name(path) => Err(wrong_magic("a PNG or JPEG image")),
        // Before IDX, because a black first pixel after label 0 looks like its magic number.
        _ if plain.ends_with(".bin") => cifar::load(&[path.to_path_buf()], options.limit),
        _ if idx::is_magic(&start) => idx::load(path, options),
        _ if is_idx_images(plain) => Err(wrong_magic("an IDX file (00 00, type, rank)")),
        _ => {
            let found = format!("not a known format, it begins with the bytes {}", hexadecimal(&start));
            Err(DataError::UnknownFormat { path: path.to_path_buf(), found })
        }
    }
}

/// The first bytes of a file, at most 8, of its unpacked content if it is gzipped.
pub(crate) fn first_bytes(path: &Path) -> Result<Vec<u8>> {
    let mut start = vec![0; 8];
    let read = Source::open(path)?.read_up_to(&mut start)?;
    start.truncate(read);
    Ok(start)
}

fn load_folder(path: &Path, options: &LoadOptions) -> Result<Loaded> {
    let files = folder::entries(path)?;
    let named = |test: fn(&str) -> bool| -> Vec<PathBuf> {
        let name = |p: &PathBuf| p.file_name().map(|n| n.to_string_lossy().to_lowercase()).unwrap_or_default();
        files.iter().filter(|p| p.is_file() && test(name(p).trim_end_matches(".gz"))).cloned().collect()
    };
    if let Some(images) = tests_first(named(is_idx_images)).first() {
        return idx::load(images, options);
    }
    let batches = tests_first(named(|name| name.ends_with(".bin")));
    if let Some(first) = batches.first() {
        let tests = batches.iter().take_while(|p| is_test(p)).count();
        let chosen = if is_test(first) { &batches[..tests] } else { &batches[..] };
        return cifar::load(chosen, options.limit);
    }
    folder::load(path, &files, options)
}

fn is_idx_images(name: &str) -> bool {
    name.contains("images") && name.contains("idx")
}

fn is_test(path: &Path) -> bool {
    let name = path.file_name().map(|n| n.to_string_lossy().to_lowercase()).unwrap_or_default();
    name.starts_with("t10k") || name.starts_with("test")
}

fn tests_first(mut files: Vec<PathBuf>) -> Vec<PathBuf> {
    files.sort_by_key(|p| !is_test(p));
    files
}

fn load_npy(path: &Path, options: &LoadOptions) -> Result<Loaded> {
    let mut source = Source::open(path)?;
    let header = Header::read(&mut source, "inputs")?;
    let loaded = read_inputs(&header, &mut source, "inputs", options, Format::Npy)?;
    source.finish(options.limit.is_none())?;
    Ok(loaded)
}

fn load_npz(path: &Path, options: &LoadOptions) -> Result<Loaded> {
    let mut archive = Archive::open(path)?;
    let names = archive.names()?;
    let inputs = match archive.find(&INPUT_NAMES)? {
        Some(name) => name,
        None if names.len() == 1 => names[0].clone(),
        None => {
            return Err(DataError::MissingArray {
                path: path.to_path_buf(),
                wanted: INPUT_NAMES.to_vec(),
                found: names,
            });
        }
    };
    let read =
        |header: &Header, source: &mut Source, name: &str| read_inputs(header, source, name, options, Format::Npz);
    let mut loaded = archive.array(&inputs, read)?;
    if let (Some(name), None) = (archive.find(&labels::NAMES)?, &options.labels) {
        let total = loaded.total.unwrap_or(loaded.shape[0]);
        loaded.labels = Some(archive.array(&name, labels::in_array)?.checked(path, total, loaded.shape[0])?);
    }
    Ok(loaded)
}

fn read_inputs(
    header: &Header,
    source: &mut Source,
    name: &str,
    options: &LoadOptions,
    format: Format,
) -> Result<Loaded> {
    let mut shape = layout::with_batch_axis(&header.shape, options.expected_shape.as_deref());
    let total = shape[0];
    shape[0] = total.min(options.limit.unwrap_or(total));
    let unbatched = shape.len() > header.shape.len();
    let rows = if unbatched { None } else { Some(shape[0]) };
    let mut inputs: Vec<f32> = header.read_elements(source, name, rows)?;
    let bytes = header.stored == Stored::U8;
    if bytes {
        inputs.iter_mut().for_each(|v| *v /= 255.0);
    }
    Ok(Loaded { inputs, shape, total: Some(total), labels: None, class_names: None, format, bytes })
}
