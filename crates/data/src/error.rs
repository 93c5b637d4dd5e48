//! Errors of loading and saving data.

use std::io;
use std::path::{Path, PathBuf};

/// Why data cannot be loaded or saved: what, where, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// The operating system refused to read.
    #[error("cannot read {}: {source}", .path.display())]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The operating system refused to write.
    #[error("cannot write {}: {source}; check that the folder exists, is writable and has space left", .path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Nothing that can be loaded was recognised.
    #[error("{}: {found}; give a .npy or .npz file, an IDX file (.gz too), a CIFAR-10 .bin file (.gz too), a PNG or JPEG \
             image, or a folder of these", .path.display())]
    UnknownFormat {
        /// The file.
        path: PathBuf,
        /// What it looks like.
        found: String,
    },
    /// A folder or file holds no examples.
    #[error("{} holds no examples; expected {expected}", .path.display())]
    Empty {
        /// The file or folder.
        path: PathBuf,
        /// What should be there.
        expected: &'static str,
    },
    /// A file ends before the data that it declares.
    #[error("{}: {what} needs {expected} bytes, but only {actual} are there; the file is truncated or its header is \
             wrong: fetch or write it again", .path.display())]
    Truncated {
        /// The file.
        path: PathBuf,
        /// Which part of it.
        what: String,
        /// Bytes declared.
        expected: u128,
        /// Bytes present.
        actual: u64,
    },
    /// A file does not begin as its format demands.
    #[error("{} is not {expected}: it begins with the bytes {found}; check that the file is what its name says", .path.display())]
    Magic {
        /// The file.
        path: PathBuf,
        /// The format.
        expected: &'static str,
        /// The first bytes, hexadecimal.
        found: String,
    },
    /// A file breaks the rules of its format.
    #[error("{}: {reason}", .path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Which rule, where in the file.
        reason: String,
    },
    /// A line of a text file breaks the rules of its format.
    #[error("{}, line {line}: {reason}", .path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1, of the unpacked text.
        line: usize,
        /// Which rule, and what stands there.
        reason: String,
    },
    /// An input is NaN or infinite.
    #[error("{}: example {example} holds {value} at element {element} (counted from 0); remove or repair it", .path.display())]
    NonFinite {
        /// The file.
        path: PathBuf,
        /// Index of the first such example.
        example: usize,
        /// Index of the element in the example, row-major.
        element: usize,
        /// The value.
        value: f32,
    },
    /// There is not one label per example.
    #[error("{}: {labels} labels for {examples} examples; give exactly one label per example", .path.display())]
    LabelCount {
        /// Where the labels come from.
        path: PathBuf,
        /// Number of labels.
        labels: usize,
        /// Number of examples.
        examples: usize,
    },
    /// A label is not a class index.
    #[error("{}: label {index} (counted from 0) is {value}; {expected}", .path.display())]
    Label {
        /// Where the labels come from.
        path: PathBuf,
        /// Index of the first such label.
        index: usize,
        /// The label as it stands there.
        value: String,
        /// What a label must be.
        expected: String,
    },
    /// Elements of a type that cannot become a tensor.
    #[error("{}: array {array} has the unsupported element type {dtype}; store booleans, integers or real numbers", .path.display())]
    DType {
        /// The file.
        path: PathBuf,
        /// Name of the array.
        array: String,
        /// The type as the file spells it.
        dtype: String,
    },
    /// An archive lacks the array that is looked for.
    #[error("{} holds no array named {}; it holds: {}. Rename the one that is meant", .path.display(), .wanted.join(" or "), .found.join(", "))]
    MissingArray {
        /// The archive.
        path: PathBuf,
        /// Accepted names.
        wanted: Vec<&'static str>,
        /// Names present.
        found: Vec<String>,
    },
    /// The images of a folder differ in size or channels.
    #[error("{} is {size} but the images before it, from {} on, are {first_size} (channels×height×width); all must be of one size: \
             resize or remove it", .path.display(), .first.display())]
    ImageSize {
        /// The first image.
        first: PathBuf,
        /// Its size.
        first_size: String,
        /// The first image that differs.
        path: PathBuf,
        /// Its size.
        size: String,
    },
    /// Examples do not have the shape that the model takes.
    #[error("{}: one example has shape {found:?}, but {expected:?} is expected; reshape the data or choose the matching model", .path.display())]
    Shape {
        /// The file.
        path: PathBuf,
        /// Shape of one example in the file.
        found: Vec<usize>,
        /// Shape of one example that is expected.
        expected: Vec<usize>,
    },
    /// The data do not fit in memory.
    #[error("{}: {what} needs {bytes} bytes of memory, more than can be had; load fewer examples with a limit", .path.display())]
    Memory {
        /// The file.
        path: PathBuf,
        /// Which part of it.
        what: String,
        /// Bytes needed.
        bytes: u128,
    },
    /// What should be an image is none.
    #[error(
        "an image is f32 [C, H, W], a batch of them [N, C, H, W], with one or three channels and at least one pixel; \
             this is {found}"
    )]
    NotAnImage {
        /// Its type and shape.
        found: String,
    },
    /// Images that should come out alike do not.
    #[error("image {index} of the batch came out as {found}, but those before it as {expected}; augment to one size")]
    UnequalImages {
        /// Index of the first image that differs.
        index: usize,
        /// Its size.
        found: String,
        /// The size of the others.
        expected: String,
    },
    /// There is not one index per image.
    #[error("{indices} indices for a batch of {images} images; give exactly one per image")]
    IndexCount {
        /// Number of indices.
        indices: usize,
        /// Number of images.
        images: usize,
    },
    /// A severity out of range.
    #[error("severity {0} does not exist; corruptions have the severities 1 to 5")]
    Severity(u8),
    /// The registry has no data set of this name.
    #[error("there is no data set named {name:?}{suggestion}; `perturb data list` shows all")]
    UnknownSet {
        /// The name asked for.
        name: String,
        /// Names like it, as the end of a sentence, or nothing.
        suggestion: String,
    },
    /// A data set's files are not there.
    #[error("the data set {name} is not in {}: {missing} is missing. {remedy}", .root.display())]
    MissingSet {
        /// The data set.
        name: String,
        /// The folder of all data sets.
        root: PathBuf,
        /// The first missing file, and how many more.
        missing: String,
        /// How to get them.
        remedy: String,
    },
    /// A file cannot be fetched.
    #[error("cannot fetch {address}: {reason}")]
    Download {
        /// Where it was to come from.
        address: String,
        /// Why it did not, and what to do.
        reason: String,
    },
    /// A file is not the one that is known.
    #[error("{address} gave a file with the SHA-256 {actual}, but {expected} is expected; it was kept as {}. It was damaged \
             on the way or has been changed at its source: look at it, and fetch again to replace it", .kept.display())]
    Checksum {
        /// Where it came from.
        address: String,
        /// Where it lies now.
        kept: PathBuf,
        /// The known checksum, of the unpacked content for gzipped files.
        expected: String,
        /// The file's.
        actual: String,
    },
    /// Weights that no sampling is possible with.
    #[error(
        "examples cannot be drawn with these weights ({reason}); give weights that are not negative, one of them positive"
    )]
    Weights {
        /// What is wrong with them.
        reason: String,
    },
    /// A limit of no examples.
    #[error("a limit of 0 examples leaves nothing to load; give at least 1, or no limit")]
    Limit,
}

/// Result of loading or saving.
pub type Result<T, E = DataError> = std::result::Result<T, E>;

impl DataError {
    /// A [`DataError::Read`] at `path`, for `map_err`.
    pub(crate) fn read(path: &Path) -> impl FnOnce(io::Error) -> DataError {
        let path = path.to_path_buf();
        move |source| DataError::Read { path, source }
    }

    /// A [`DataError::Malformed`] at `path`.
    pub(crate) fn malformed(path: &Path, reason: impl Into<String>) -> DataError {
        DataError::Malformed { path: path.to_path_buf(), reason: reason.into() }
    }

    /// A [`DataError::Line`] at `path`.
    pub(crate) fn line(path: &Path, line: usize, reason: impl Into<String>) -> DataError {
        DataError::Line { path: path.to_path_buf(), line, reason: reason.into() }
    }
}
