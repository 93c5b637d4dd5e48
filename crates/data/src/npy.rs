//! The `.npy` format: one array behind a header that is a Python dictionary literal (NumPy NEP 1).

use crate::error::{DataError, Result};
use crate::source::{Source, hexadecimal};
use crate::stored::{Stored, Target};
use perturb_graph::{Data, Tensor};
use std::io::{self, Write};

pub(crate) const MAGIC: &[u8; 6] = b"\x93NUMPY";

/// NumPy itself writes a few hundred bytes; more is a damaged length field.
const MAX_HEADER: usize = 1 << 16;

/// What the header of an array says.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Header {
    pub(crate) stored: Stored,
    pub(crate) big_endian: bool,
    pub(crate) fortran_order: bool,
    pub(crate) shape: Vec<usize>,
}

impl Header {
    /// Reads the header of the array called `array` in messages.
    pub(crate) fn read(source: &mut Source, array: &str) -> Result<Header> {
        let mut start = [0; 8];
        source.read_exact(&mut start, "the .npy magic number")?;
        if &start[..6] != MAGIC {
            let (path, found) = (source.path().to_path_buf(), hexadecimal(&start));
            return Err(DataError::Magic { path, expected: "a NumPy array", found });
        }
        let mut length = [0; 4];
        let width = if start[6] == 1 { 2 } else { 4 };
        source.read_exact(&mut length[..width], "the .npy header length")?;
        let length = u32::from_le_bytes(length) as usize;
        if length > MAX_HEADER {
            return Err(DataError::malformed(
                source.path(),
                format!("array {array} declares a header of {length} bytes"),
            ));
        }
        let mut text = vec![0; length];
        source.read_exact(&mut text, "the .npy header")?;
        let text = String::from_utf8_lossy(&text);
        let fields = Fields::parse(&text).ok_or_else(|| {
            DataError::malformed(
                source.path(),
                format!("array {array} has a header that cannot be understood: {}", text.trim()),
            )
        })?;
        let (stored, big_endian) = parse_dtype(&fields.descr).ok_or_else(|| DataError::DType {
            path: source.path().to_path_buf(),
            array: array.to_string(),
            dtype: fields.descr,
        })?;
        Ok(Header { stored, big_endian, fortran_order: fields.fortran_order, shape: fields.shape })
    }

    /// Reads the elements in row-major order: all of them, or the first `rows` along the first axis.
    pub(crate) fn read_elements<T: Target>(
        &self,
        source: &mut Source,
        array: &str,
        rows: Option<usize>,
    ) -> Result<Vec<T>> {
        let what = format!("array {array} of shape {:?}", self.shape);
        let mut wanted = self.shape.clone();
        if let (Some(first), Some(rows)) = (wanted.first_mut(), rows) {
            *first = (*first).min(rows);
        }
        let too_large = || DataError::malformed(source.path(), format!("{what} has more elements than can be counted"));
        let total = count(&self.shape).ok_or_else(too_large)?;
        let part = count(&wanted).ok_or_else(too_large)?;
        if !self.fortran_order || self.shape.len() < 2 {
            return source.decode(self.stored, self.big_endian, part, &what);
        }
        let columns: Vec<T> = source.decode(self.stored, self.big_endian, total, &what)?;
        Ok(row_major(&columns, &self.shape, &wanted, part))
    }
}

fn count(shape: &[usize]) -> Option<usize> {
    shape.iter().try_fold(1usize, |n, &d| n.checked_mul(d))
}

/// The leading `wanted` block of a column-major array of `shape`, row-major.
fn row_major<T: Copy>(columns: &[T], shape: &[usize], wanted: &[usize], count: usize) -> Vec<T> {
    let strides: Vec<usize> = (0..shape.len()).map(|axis| shape[..axis].iter().product()).collect();
    let mut index = vec![0; shape.len()];
    let mut out = Vec::with_capacity(count);
    for _ in 0..count {
        out.push(columns[index.iter().zip(&strides).map(|(i, s)| i * s).sum::<usize>()]);
        for axis in (0..index.len()).rev() {
            index[axis] += 1;
            if index[axis] < wanted[axis] {
                break;
            }
            index[axis] = 0;
        }
    }
    out
}

/// The three entries of the header's dictionary. A structured `descr` is kept as its text.
struct Fields {
    descr: String,
    fortran_order: bool,
    shape: Vec<usize>,
}

impl Fields {
    fn parse(text: &str) -> Option<Fields> {
        let body = text.trim().strip_prefix('{')?.strip_suffix('}')?;
        let value = |key: &str| {
            let start =
                [format!("'{key}'"), format!("\"{key}\"")].iter().find_map(|k| Some(body.find(k)? + k.len()))?;
            Some(body[start..].trim_start().strip_prefix(':')?.trim_start())
        };
        let descr = value("descr")?;
        let descr = match descr.chars().next()? {
            quote @ ('\'' | '"') => descr[1..].split(quote).next()?.to_string(),
            _ => descr.split("fortran_order").next()?.trim_end_matches(['\'', '"', ' ', ',']).to_string(),
        };
        let order = value("fortran_order")?;
        let fortran_order = order.starts_with("True");
        if !fortran_order && !order.starts_with("False") {
            return None;
        }
        let sizes = value("shape")?.strip_prefix('(')?.split(')').next()?;
        let sizes = sizes.split(',').map(|s| s.trim().trim_end_matches('L')).filter(|s| !s.is_empty());
        Some(Fields { descr, fortran_order, shape: sizes.map(|s| s.parse().ok()).collect::<Option<_>>()? })
    }
}

/// Element type and byte order of a type string such as `<f4`.
fn parse_dtype(descr: &str) -> Option<(Stored, bool)> {
    let big_endian = match descr.chars().next()? {
        '<' | '|' => false,
        '>' => true,
        '=' => cfg!(target_endian = "big"),
        _ => return None,
    };
    let stored = match &descr[1..] {
        "b1" | "?" => Stored::Bool,
        "u1" => Stored::U8,
        "i1" => Stored::I8,
        "u2" => Stored::U16,
        "i2" => Stored::I16,
        "u4" => Stored::U32,
        "i4" => Stored::I32,
        "u8" => Stored::U64,
        "i8" => Stored::I64,
        "f2" => Stored::F16,
        "f4" => Stored::F32,
        "f8" => Stored::F64,
        _ => return None,
    };
    Some((stored, big_endian))
}

/// Writes a tensor as a version 1.0 array, little-endian and row-major.
pub(crate) fn write(tensor: &Tensor, out: &mut impl Write) -> io::Result<()> {
    let descr = match tensor.data() {
        Data::F32(_) => "<f4",
        Data::F64(_) => "<f8",
        Data::I64(_) => "<i8",
        Data::Bool(_) => "|b1",
    };
    let sizes: String = tensor.shape().iter().map(|d| format!("{d}, ")).collect();
    let mut header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({}), }}", sizes.trim_end());
    // Magic, version, length and header together are a multiple of 64 bytes and end in a newline.
    let padding = 63 - (10 + header.len()) % 64;
    header.extend(std::iter::repeat_n(' ', padding));
    header.push('\n');
    out.write_all(MAGIC)?;
    out.write_all(&[1, 0])?;
    out.write_all(&(header.len() as u16).to_le_bytes())?;
    out.write_all(header.as_bytes())?;
    match tensor.data() {
        Data::F32(d) => write_elements(d, out, f32::to_le_bytes),
        Data::F64(d) => write_elements(d, out, f64::to_le_bytes),
        Data::I64(d) => write_elements(d, out, i64::to_le_bytes),
        Data::Bool(d) => write_elements(d, out, |v| [u8::from(v)]),
    }
}

fn write_elements<T: Copy, const N: usize>(
    data: &[T],
    out: &mut impl Write,
    bytes: impl Fn(T) -> [u8; N],
) -> io::Result<()> {
    let mut buffer = Vec::with_capacity(N << 12);
    for chunk in data.chunks(1 << 12) {
        buffer.clear();
        chunk.iter().for_each(|&v| buffer.extend_from_slice(&bytes(v)));
        out.write_all(&buffer)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(text: &str) -> Option<(String, bool, Vec<usize>)> {
        Fields::parse(text).map(|f| (f.descr, f.fortran_order, f.shape))
    }

    #[test]
    fn headers_as_numpy_writes_them() {
        let plain = "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }   \n";
        assert_eq!(fields(plain), Some(("<f4".into(), false, vec![3, 4])));
        let vector = "{'descr': '>i8', 'fortran_order': True, 'shape': (7,), }";
        assert_eq!(fields(vector), Some((">i8".into(), true, vec![7])));
        let scalar = "{\"shape\": (), \"descr\": \"|u1\", \"fortran_order\": False}";
        assert_eq!(fields(scalar), Some(("|u1".into(), false, vec![])));
        let python2 = "{'descr': '<f8', 'fortran_order': False, 'shape': (2L, 5L), }";
        assert_eq!(fields(python2), Some(("<f8".into(), false, vec![2, 5])));
        let record = "{'descr': [('a', '<f4'), ('b', '<i8')], 'fortran_order': False, 'shape': (3,), }";
        assert_eq!(fields(record).unwrap().0, "[('a', '<f4'), ('b', '<i8')]");
    }

    #[test]
    fn headers_that_make_no_sense() {
        for text in [
            "",
            "{}",
            "{'descr': '<f4', 'fortran_order': False}",
            "{'descr': '<f4', 'fortran_order': Maybe, 'shape': (3,)}",
            "{'descr': '<f4', 'fortran_order': False, 'shape': (-3,)}",
            "{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999999,)}",
            "{'descr': , 'fortran_order': False, 'shape': 3}",
        ] {
            assert_eq!(fields(text), None, "{text}");
        }
        for descr in ["", "f4", "<U5", "|O", "<c16", "<f3", "é4"] {
            assert_eq!(parse_dtype(descr), None, "{descr}");
        }
    }

    /// Column-major data of shape [2, 3, 2] by their index formula.
    #[test]
    fn fortran_order_by_index_formula() {
        let columns: Vec<usize> = (0..12).collect();
        let rows = row_major(&columns, &[2, 3, 2], &[2, 3, 2], 12);
        for i in 0..2 {
            for j in 0..3 {
                for k in 0..2 {
                    assert_eq!(rows[(i * 3 + j) * 2 + k], i + 2 * j + 6 * k);
                }
            }
        }
        assert_eq!(row_major(&columns, &[2, 3, 2], &[1, 3, 2], 6), rows[..6]);
    }
}
