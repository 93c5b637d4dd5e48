//! Folders of PNG and JPEG images.

use crate::error::{DataError, Result};
use crate::load::{LoadOptions, Loaded};
use crate::picture::{self, has_image_name};
use crate::{Format, labels};
use perturb_graph::Tensor;
use std::fs;
use std::path::{Path, PathBuf};

const FILE_NAMES: [&str; 9] = ["file", "filename", "file_name", "image", "path", "name", "img", "image_path", "id"];

/// What a folder may hold, for messages.
const EXPECTED: &str =
    "PNG or JPEG images (with a CSV of file,label, or in one sub-folder per class), IDX or CIFAR-10 .bin files";

/// The entries of a folder in the order of their names, without hidden ones.
pub(crate) fn entries(path: &Path) -> Result<Vec<PathBuf>> {
    let mut entries = Vec::new();
    for entry in fs::read_dir(path).map_err(DataError::read(path))? {
        let entry = entry.map_err(DataError::read(path))?;
        if !entry.file_name().to_string_lossy().starts_with('.') {
            entries.push(entry.path());
        }
    }
    entries.sort_unstable();
    Ok(entries)
}

/// Loads the images of a folder with the given entries.
pub(crate) fn load(path: &Path, entries: &[PathBuf], options: &LoadOptions) -> Result<Loaded> {
    let images: Vec<PathBuf> = entries.iter().filter(|p| p.is_file() && has_image_name(p)).cloned().collect();
    let tables: Vec<&PathBuf> = entries.iter().filter(|p| p.is_file() && is_table(p)).collect();
    let table = match (&options.labels, &tables[..]) {
        (Some(table), _) if is_table(table) => Some(table),
        (Some(file), _) => return load_with_plain_labels(&images, file, path, options),
        (None, [table]) => Some(*table),
        (None, []) => None,
        (None, _) => tables.iter().find(|p| p.file_stem().is_some_and(|s| s == "labels")).copied(),
    };
    if let Some(table) = table {
        return load_table(path, table, options);
    }
    if images.is_empty() {
        return load_classes(path, entries, options);
    }
    load_files(&images, options)
}

/// Loads images of one size, without labels.
pub(crate) fn load_files(files: &[PathBuf], options: &LoadOptions) -> Result<Loaded> {
    let count = files.len().min(options.limit.unwrap_or(files.len()));
    let first = picture::read(&files[0], expected_channels(options))?;
    let (channels, height, width) = (first.channels(), first.height(), first.width());
    let (first_size, mut inputs) = (first.size(), first.into_values());
    let more = (count - 1).saturating_mul(inputs.len());
    inputs.try_reserve_exact(more).map_err(|_| DataError::Memory {
        path: files[0].clone(),
        what: format!("{count} images of {first_size}"),
        bytes: count as u128 * inputs.len() as u128 * 4,
    })?;
    // Grey images among coloured ones are common (an optimizer stores them so) and lose nothing as three planes;
    // coloured ones among grey ones would.
    let asked = expected_channels(options).or((channels == 3).then_some(3));
    for path in &files[1..count] {
        let next = picture::read(path, asked)?;
        if (next.channels(), next.height(), next.width()) != (channels, height, width) {
            let (first, path, size) = (files[0].clone(), path.clone(), next.size());
            return Err(DataError::ImageSize { first, first_size, path, size });
        }
        inputs.extend_from_slice(next.values());
    }
    let shape = vec![count, channels, height, width];
    let total = Some(files.len());
    Ok(Loaded { inputs, shape, total, labels: None, class_names: None, format: Format::ImageFolder, bytes: true })
}

/// The number of channels that the model's input shape asks for, if it tells.
fn expected_channels(options: &LoadOptions) -> Option<usize> {
    let sizes: Vec<usize> = options.expected_shape.as_ref()?.iter().copied().skip_while(|&d| d == 1).collect();
    match sizes[..] {
        [_, _] => Some(1),
        [3, _, _] | [_, _, 3] => Some(3),
        [_, _, 1] => Some(1),
        _ => None,
    }
}

/// Images and labels as a CSV of `file,label` lists them; a header is optional, files are relative to the folder.
fn load_table(folder: &Path, table: &Path, options: &LoadOptions) -> Result<Loaded> {
    let mut rows = labels::read_table(table)?;
    let (mut file_column, mut label_column) = (0, 1);
    if let Some(header) = rows.first() {
        let named = labels::column(header, &FILE_NAMES).zip(labels::column(header, &labels::NAMES));
        (file_column, label_column) = named.unwrap_or((0, 1));
        if named.is_some() || !header.first().is_some_and(|cell| has_image_name(Path::new(cell))) {
            rows.remove(0);
        }
    }
    if rows.is_empty() {
        return Err(DataError::Empty { path: table.to_path_buf(), expected: "rows of file,label" });
    }
    let cell = |row: &Vec<String>, column: usize| row.get(column).cloned().unwrap_or_default();
    let files: Vec<PathBuf> = rows.iter().map(|row| folder.join(cell(row, file_column))).collect();
    if let Some((row, file)) = files.iter().enumerate().find(|(_, f)| !f.is_file()) {
        let reason = format!("row {row} of data (counted from 0) names {}, which does not exist", file.display());
        return Err(DataError::malformed(table, reason));
    }
    let cells: Vec<String> = rows.iter().map(|row| cell(row, label_column)).collect();
    attach(load_files(&files, options)?, labels::from_text(table, &cells)?, table)
}

/// Images in the order of their names, with a file of labels in that order.
fn load_with_plain_labels(images: &[PathBuf], file: &Path, folder: &Path, options: &LoadOptions) -> Result<Loaded> {
    if images.is_empty() {
        return Err(DataError::Empty { path: folder.to_path_buf(), expected: EXPECTED });
    }
    attach(load_files(images, options)?, labels::read(file)?, file)
}

/// Images in one sub-folder per class, whose names, sorted, are the classes.
fn load_classes(path: &Path, entries: &[PathBuf], options: &LoadOptions) -> Result<Loaded> {
    let (mut class_names, mut ranked) = (Vec::new(), Vec::new());
    for folder in entries.iter().filter(|p| p.is_dir()) {
        let images: Vec<PathBuf> =
            self::entries(folder)?.into_iter().filter(|p| p.is_file() && has_image_name(p)).collect();
        if images.is_empty() {
            continue;
        }
        let class = class_names.len();
        class_names.extend(folder.file_name().map(|n| n.to_string_lossy().into_owned()));
        ranked.extend(images.into_iter().enumerate().map(|(rank, image)| (rank, class, image)));
    }
    if ranked.is_empty() {
        return Err(DataError::Empty { path: path.to_path_buf(), expected: EXPECTED });
    }
    // One of each class in turn, so that a limit keeps the classes balanced.
    ranked.sort_unstable();
    let (indices, files): (Vec<usize>, Vec<PathBuf>) = ranked.into_iter().map(|(_, class, file)| (class, file)).unzip();
    attach(load_files(&files, options)?, labels::Labels { indices, class_names: Some(class_names) }, path)
}

fn attach(mut loaded: Loaded, labels: labels::Labels, path: &Path) -> Result<Loaded> {
    loaded.class_names = labels.class_names.clone();
    let total = loaded.total.unwrap_or(loaded.shape[0]);
    loaded.labels = Some(labels.checked(path, total, loaded.shape[0])?);
    Ok(loaded)
}

fn is_table(path: &Path) -> bool {
    path.extension().is_some_and(|e| e.eq_ignore_ascii_case("csv"))
}

/// A picture of a collection.
#[derive(Clone, Debug, PartialEq)]
pub struct NamedImage {
    /// The file's name without its ending.
    pub name: String,
    /// f32 `[C, H, W]` in [0, 1].
    pub image: Tensor,
}

/// Loads every PNG or JPEG image of a folder, in the order of their names, each at its own size: collections for
/// restoration such as Set5 and BSD68. `channels` as in [`load_image`](crate::load_image).
///
/// # Errors
/// [`DataError::Read`]; [`DataError::Empty`]; [`DataError::Malformed`] for damaged images.
pub fn load_images(folder: &Path, channels: Option<usize>) -> Result<Vec<NamedImage>> {
    let files = entries(folder)?.into_iter().filter(|p| p.is_file() && has_image_name(p));
    let load = |path: PathBuf| {
        let image = picture::read(&path, channels)?.into_tensor();
        let name = path.file_stem().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        Ok(NamedImage { name, image })
    };
    let images = files.map(load).collect::<Result<Vec<_>>>()?;
    if images.is_empty() {
        return Err(DataError::Empty { path: folder.to_path_buf(), expected: "PNG or JPEG images" });
    }
    Ok(images)
}
