//! Reads an ONNX file into its messages and checks what can be checked without looking at nodes.

use crate::declared::element_types;
use crate::decode::Code;
use crate::error::{OnnxError, Result};
use crate::proto::ModelProto;
use prost::Message;
use prost::bytes::Bytes;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Largest model message in bytes: protobuf's own limit.
pub const MAX_MODEL_BYTES: u64 = (1 << 31) - 1;

/// Versions of the standard operator set that the importer understands.
pub const OPSETS: std::ops::RangeInclusive<i64> = 8..=21;

/// Versions of the file format that the importer understands.
const IR_VERSIONS: std::ops::RangeInclusive<i64> = 3..=14;

/// A model file in memory, not yet a graph.
#[derive(Clone, Debug)]
pub struct OnnxModel {
    pub(crate) proto: ModelProto,
    pub(crate) opset: i64,
    pub(crate) folder: Option<PathBuf>,
}

impl OnnxModel {
    /// Whether an input, a weight or a constant is in `f64`, which reading it as `f32` would round.
    pub fn has_doubles(&self) -> bool {
        let graph = self.proto.graph.as_ref();
        graph.is_some_and(|graph| element_types(graph).values().any(|code| *code == Code::F64))
    }

    /// Reads `path`; a name that ends in `.gz` is decompressed.
    ///
    /// # Errors
    /// If the file cannot be read, is larger than 2 GiB (decompressed), is not an ONNX model, or is of an
    /// unsupported version.
    pub fn read(path: impl AsRef<Path>) -> Result<OnnxModel> {
        let path = path.as_ref();
        let io = |source| OnnxError::Io { path: path.to_path_buf(), source };
        let file = File::open(path).map_err(io)?;
        if file.metadata().map_err(io)?.is_dir() {
            return Err(io(std::io::Error::other("it is a folder, not a file")));
        }
        let mut bytes = Vec::new();
        let compressed = path.extension().is_some_and(|e| e.eq_ignore_ascii_case("gz"));
        let reader: Box<dyn Read> =
            if compressed { Box::new(flate2::read::MultiGzDecoder::new(file)) } else { Box::new(file) };
        reader.take(MAX_MODEL_BYTES + 1).read_to_end(&mut bytes).map_err(io)?;
        let mut model = Self::parse(bytes.into(), &path.display().to_string())?;
        model.folder = Some(path.parent().map(Path::to_path_buf).unwrap_or_default());
        Ok(model)
    }

    /// Reads a model from memory. It cannot refer to external data.
    ///
    /// # Errors
    /// If the bytes are not an ONNX model or are of an unsupported version.
    pub fn from_bytes(bytes: impl Into<Bytes>) -> Result<OnnxModel> {
        Self::parse(bytes.into(), "the model")
    }

    /// Wraps messages that were built in memory.
    ///
    /// # Errors
    /// If the message has no graph or is of an unsupported version.
    pub fn from_proto(proto: ModelProto) -> Result<OnnxModel> {
        let opset = check_versions(&proto)?;
        Ok(OnnxModel { proto, opset, folder: None })
    }

    fn parse(bytes: Bytes, what: &str) -> Result<OnnxModel> {
        if bytes.is_empty() {
            return Err(OnnxError::NotOnnx { reason: format!("{what} is empty"), hint: "" });
        }
        if bytes.len() as u64 > MAX_MODEL_BYTES {
            return Err(OnnxError::FileTooLarge { what: what.to_string(), limit: MAX_MODEL_BYTES });
        }
        let hint = appearance(&bytes);
        let size = bytes.len();
        let proto = ModelProto::decode(bytes)
            .map_err(|e| OnnxError::NotOnnx { reason: format!("{what} ({size} bytes) does not parse: {e}"), hint })?;
        if proto.graph.is_none() {
            return Err(OnnxError::NotOnnx { reason: format!("{what} ({size} bytes) holds no graph"), hint });
        }
        Self::from_proto(proto)
    }

    /// Version of the standard operator set that the model is written in.
    pub fn opset(&self) -> i64 {
        self.opset
    }

    /// The messages as they are in the file.
    pub fn proto(&self) -> &ModelProto {
        &self.proto
    }
}

/// Whether a domain is the standard's own.
pub(crate) fn is_standard(domain: &str) -> bool {
    matches!(domain, "" | "ai.onnx")
}

fn check_versions(proto: &ModelProto) -> Result<i64> {
    if proto.graph.is_none() {
        return Err(OnnxError::NotOnnx { reason: "the model holds no graph".to_string(), hint: "" });
    }
    let version = |what, found, range: std::ops::RangeInclusive<i64>, advice| {
        if range.contains(&found) {
            Ok(found)
        } else {
            Err(OnnxError::Version { what, found, min: *range.start(), max: *range.end(), advice })
        }
    };
    version("IR version", proto.ir_version, IR_VERSIONS, "")?;
    let opset = proto.opset_import.iter().find(|o| is_standard(&o.domain)).map_or(1, |o| o.version);
    let advice = ": export the model again with another opset_version, or convert it with onnx.version_converter";
    version("operator set version", opset, OPSETS, advice)
}

/// What bytes that do not parse look like to a person.
fn appearance(bytes: &[u8]) -> &'static str {
    let head = &bytes[..bytes.len().min(256)];
    if head.starts_with(b"version https://git-lfs") {
        "; it is a Git LFS pointer: fetch the real file with `git lfs pull`"
    } else if head.starts_with(&[0x1f, 0x8b]) {
        "; it is gzip data: give it a name that ends in .gz"
    } else if head.starts_with(b"PK\x03\x04") {
        "; it is a zip archive, as torch.save writes: export the model with torch.onnx.export"
    } else if head.iter().all(|&b| b >= 0x20 || matches!(b, b'\t' | b'\n' | b'\r')) {
        "; its first bytes look like text"
    } else {
        "; it may be truncated or damaged: compare its size or checksum with the source's"
    }
}
