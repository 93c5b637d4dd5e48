//! The part of Python's pickle format (protocol 2) that scientific data sets of the 2010s are stored in: NumPy arrays,
//! SciPy's sparse rows, dictionaries of lists. Nothing is executed: classes are names.

use super::SparseMatrix;
use crate::error::{DataError, Result};
use crate::source::Source;
use crate::stored::{Stored, Target};
use std::path::{Path, PathBuf};

/// No pickle that is loaded is longer than this many bytes.
const MAX_PICKLE: usize = 1 << 24;

/// Place of an object in the list of all.
type Id = usize;

#[derive(Clone, Debug)]
enum Object {
    None,
    Bool,
    Int(i64),
    Bytes(Vec<u8>),
    Tuple(Vec<Id>),
    List(Vec<Id>),
    /// Keys and values; also what is set on an instance that acts as a dictionary.
    Dict(Vec<(Id, Id)>),
    /// Module and name.
    Global(String),
    /// A call of a class, what its state was set to, and its items.
    Instance {
        class: Id,
        arguments: Id,
        state: Option<Id>,
        items: Vec<(Id, Id)>,
    },
}

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
        let mut reader = Reader {
            bytes: &bytes,
            at: 0,
            objects: Vec::new(),
            stack: Vec::new(),
            marks: Vec::new(),
            memo: Vec::new(),
        };
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

/// The machine that a pickle is a program of. Every step makes at most one object, so that memory grows with the file.
struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    objects: Vec<Object>,
    stack: Vec<Id>,
    /// Heights of the stack.
    marks: Vec<usize>,
    memo: Vec<(u32, Id)>,
}

impl Reader<'_> {
    /// The object that the file is about; `None` for anything unknown or cut off.
    fn run(&mut self) -> Option<Id> {
        loop {
            match self.byte()? {
                0x80 => drop(self.byte()?),
                b'.' => return self.stack.pop(),
                b'(' => self.marks.push(self.stack.len()),
                b'N' => self.push(Object::None),
                0x88 | 0x89 => self.push(Object::Bool),
                b'K' => {
                    let value = i64::from(self.byte()?);
                    self.push(Object::Int(value));
                }
                b'M' => {
                    let value = i64::from(u16::from_le_bytes(self.take()?));
                    self.push(Object::Int(value));
                }
                b'J' => {
                    let value = i64::from(i32::from_le_bytes(self.take()?));
                    self.push(Object::Int(value));
                }
                b'U' => {
                    let length = usize::from(self.byte()?);
                    self.push_bytes(length)?;
                }
                b'T' | b'X' => {
                    let length = u32::from_le_bytes(self.take()?);
                    self.push_bytes(usize::try_from(length).ok()?)?;
                }
                b'c' => {
                    let name = format!("{} {}", self.line()?, self.line()?);
                    self.push(Object::Global(name));
                }
                b'q' => {
                    let key = u32::from(self.byte()?);
                    self.remember(key)?;
                }
                b'r' => {
                    let key = u32::from_le_bytes(self.take()?);
                    self.remember(key)?;
                }
                b'h' => {
                    let key = u32::from(self.byte()?);
                    self.recall(key)?;
                }
                b'j' => {
                    let key = u32::from_le_bytes(self.take()?);
                    self.recall(key)?;
                }
                b')' => self.push(Object::Tuple(Vec::new())),
                b']' => self.push(Object::List(Vec::new())),
                b'}' => self.push(Object::Dict(Vec::new())),
                code @ 0x85..=0x87 => {
                    let items = self.stack.split_off(self.stack.len().checked_sub(usize::from(code - 0x84))?);
                    self.push(Object::Tuple(items));
                }
                b't' => {
                    let items = self.marked()?;
                    self.push(Object::Tuple(items));
                }
                b'R' | 0x81 => {
                    let (arguments, class) = (self.stack.pop()?, self.stack.pop()?);
                    self.push(Object::Instance { class, arguments, state: None, items: Vec::new() });
                }
                b'b' => {
                    let new = self.stack.pop()?;
                    let Object::Instance { state, .. } = self.top()? else { return None };
                    *state = Some(new);
                }
                b'a' => {
                    let item = self.stack.pop()?;
                    self.append(vec![item])?;
                }
                b'e' => {
                    let items = self.marked()?;
                    self.append(items)?;
                }
                b's' => {
                    let (value, key) = (self.stack.pop()?, self.stack.pop()?);
                    self.set(&[key, value])?;
                }
                b'u' => {
                    let items = self.marked()?;
                    self.set(&items)?;
                }
                _ => return None,
            }
        }
    }

    fn byte(&mut self) -> Option<u8> {
        let byte = *self.bytes.get(self.at)?;
        self.at += 1;
        Some(byte)
    }

    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let taken = self.bytes.get(self.at..)?.first_chunk()?;
        self.at += N;
        Some(*taken)
    }

    fn push_bytes(&mut self, length: usize) -> Option<()> {
        let bytes = self.bytes.get(self.at..self.at.checked_add(length)?)?.to_vec();
        self.at += length;
        self.push(Object::Bytes(bytes));
        Some(())
    }

    fn line(&mut self) -> Option<String> {
        let rest = self.bytes.get(self.at..)?;
        let length = rest.iter().take(200).position(|&b| b == b'\n')?;
        self.at += length + 1;
        Some(String::from_utf8_lossy(&rest[..length]).into_owned())
    }

    fn push(&mut self, object: Object) {
        self.stack.push(self.objects.len());
        self.objects.push(object);
    }

    fn top(&mut self) -> Option<&mut Object> {
        let &id = self.stack.last()?;
        self.objects.get_mut(id)
    }

    /// What was pushed since the last mark.
    fn marked(&mut self) -> Option<Vec<Id>> {
        let height = self.marks.pop()?;
        (height <= self.stack.len()).then(|| self.stack.split_off(height))
    }

    fn append(&mut self, items: Vec<Id>) -> Option<()> {
        let Object::List(list) = self.top()? else { return None };
        list.extend(items);
        Some(())
    }

    fn set(&mut self, new: &[Id]) -> Option<()> {
        let (Object::Dict(items) | Object::Instance { items, .. }) = self.top()? else { return None };
        items.extend(new.chunks_exact(2).map(|pair| (pair[0], pair[1])));
        Some(())
    }

    fn remember(&mut self, key: u32) -> Option<()> {
        let id = *self.stack.last()?;
        // Python counts keys upwards, so the list is sorted but for hostile files, whose look-ups then fail.
        self.memo.push((key, id));
        Some(())
    }

    fn recall(&mut self, key: u32) -> Option<()> {
        let at = self.memo.binary_search_by_key(&key, |(k, _)| *k).ok()?;
        let id = self.memo[at].1;
        self.stack.push(id);
        Some(())
    }
}
