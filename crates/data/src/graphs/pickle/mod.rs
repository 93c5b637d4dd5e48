//! The part of Python's pickle format (protocol 2) that scientific data sets of the 2010s are stored in: NumPy arrays,
//! SciPy's sparse rows, dictionaries of lists. Nothing is executed: classes are names.

mod machine;

use self::machine::{Id, Object, Reader};
use super::SparseMatrix;
use crate::error::{DataError, Result};
use crate::source::Source;
use crate::stored::{Stored, Target};
use std::path::{Path, PathBuf};

/// No pickle that is loaded is longer than this many bytes.
const MAX_PICKLE: usize = 1 << 24;

/// The objects of a file.
pub(super) struct Pickle {
    path: PathBuf,
    objects: Vec<Object>,
    root: Id,
}

/// An array of NumPy's.
pub(super) struct Array<T> {
    pub(super) shape: Vec<usize>,
    pub(super) values: Vec<T>,
}

impl Pickle {
    pub(super) fn load(path: &Path) -> Result<Pickle> {
        let mut source = Source::open(path)?;
        let mut bytes = Vec::new();
        let mut buffer = vec![0; 1 << 16];
        loop {
            match source.read_up_to(&mut buffer)? {
                0 => break,
                n => bytes.extend_from_slice(&buffer[..n]),
            }
            if bytes.len() > MAX_PICKLE {
                return Err(DataError::malformed(path, format!("it has more than {MAX_PICKLE} bytes")));
            }
        }
        let mut reader = Reader::new(&bytes);
        match reader.run() {
            Some(root) => Ok(Pickle { path: path.to_path_buf(), objects: reader.objects, root }),
            None => {
                let reason = format!(
                    "not a pickle of arrays, or cut off: reading stopped at byte {} of {}",
                    reader.at,
                    bytes.len()
                );
                Err(DataError::malformed(path, reason))
            }
        }
    }

    fn unexpected(&self, what: &str) -> DataError {
        DataError::malformed(&self.path, format!("the pickle does not hold {what}"))
    }

    /// The file's array.
    pub(super) fn array<T: Target>(&self) -> Result<Array<T>> {
        self.array_at(self.root).ok_or_else(|| self.unexpected("a NumPy array of numbers"))
    }

    /// The file's sparse matrix.
    pub(super) fn sparse(&self) -> Result<SparseMatrix> {
        self.sparse_at(self.root).ok_or_else(|| self.unexpected("a SciPy matrix of sparse rows"))
    }

    /// The file's dictionary of lists of whole numbers.
    pub(super) fn adjacency(&self) -> Result<Vec<(usize, Vec<usize>)>> {
        let (Object::Dict(items) | Object::Instance { items, .. }) = &self.objects[self.root] else {
            return Err(self.unexpected("a dictionary"));
        };
        let entry = |&(key, value): &(Id, Id)| match &self.objects[value] {
            Object::List(list) => {
                Some((self.index(key)?, list.iter().map(|&id| self.index(id)).collect::<Option<_>>()?))
            }
            _ => None,
        };
        items.iter().map(entry).collect::<Option<_>>().ok_or_else(|| self.unexpected("lists of nodes by node"))
    }

    fn index(&self, id: Id) -> Option<usize> {
        match self.objects[id] {
            Object::Int(value) => usize::try_from(value).ok(),
            _ => None,
        }
    }

    fn bytes(&self, id: Id) -> Option<&[u8]> {
        match &self.objects[id] {
            Object::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }

    fn tuple(&self, id: Id) -> Option<&[Id]> {
        match &self.objects[id] {
            Object::Tuple(ids) => Some(ids),
            _ => None,
        }
    }

    /// Class, arguments and state of an instance.
    fn instance(&self, id: Id) -> Option<(&str, &[Id], Option<Id>)> {
        let Object::Instance { class, arguments, state, .. } = &self.objects[id] else { return None };
        let Object::Global(class) = &self.objects[*class] else { return None };
        Some((class, self.tuple(*arguments)?, *state))
    }

    fn array_at<T: Target>(&self, id: Id) -> Option<Array<T>> {
        let (class, _, state) = self.instance(id)?;
        let &[_version, shape, dtype, _order, data] = self.tuple(state?)? else { return None };
        let (_, dtype_arguments, dtype_state) = self.instance(dtype)?;
        let stored = match self.bytes(*dtype_arguments.first()?)? {
            b"i4" => Stored::I32,
            b"i8" => Stored::I64,
            b"f4" => Stored::F32,
            b"f8" => Stored::F64,
            _ => return None,
        };
        let big_endian = self.bytes(*self.tuple(dtype_state?)?.get(1)?)? == b">";
        let shape: Vec<usize> = self.tuple(shape)?.iter().map(|&id| self.index(id)).collect::<Option<_>>()?;
        let count = shape.iter().try_fold(stored.size(), |n, &d| n.checked_mul(d))?;
        let data = self.bytes(data)?;
        if !class.ends_with("_reconstruct") || data.len() != count {
            return None;
        }
        let mut values = Vec::new();
        stored.decode(big_endian, data, &mut values);
        Some(Array { shape, values })
    }

    fn sparse_at(&self, id: Id) -> Option<SparseMatrix> {
        let (class, _, state) = self.instance(id)?;
        let Object::Dict(state) = &self.objects[state?] else { return None };
        let field = |name: &str| state.iter().find(|(key, _)| self.bytes(*key) == Some(name.as_bytes())).map(|f| f.1);
        let &[rows, columns] = self.tuple(field("_shape")?)? else { return None };
        let (rows, columns) = (self.index(rows)?, self.index(columns)?);
        let offsets: Vec<i64> = self.array_at(field("indptr")?)?.values;
        let indices: Vec<i64> = self.array_at(field("indices")?)?.values;
        let values: Vec<f32> = self.array_at(field("data")?)?.values;
        if !class.ends_with("csr_matrix") || offsets.len() != rows.checked_add(1)? || indices.len() != values.len() {
            return None;
        }
        let mut entries = Vec::with_capacity(values.len());
        for (row, range) in offsets.windows(2).enumerate() {
            let range = usize::try_from(range[0]).ok()?..usize::try_from(range[1]).ok()?;
            for (column, &value) in indices.get(range.clone())?.iter().zip(&values[range]) {
                entries.push((row, usize::try_from(*column).ok().filter(|&c| c < columns)?, value));
            }
            // Rows that share entries would make more of them than the file holds.
            if entries.len() > values.len() {
                return None;
            }
        }
        Some(SparseMatrix::from_entries(rows, columns, entries))
    }
}
