//! The program that a pickle is, run without executing anything.

/// Place of an object in the list of all.
pub(super) type Id = usize;

#[derive(Clone, Debug)]
pub(super) enum Object {
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

/// The machine that a pickle is a program of. Every step makes at most one object, so that memory grows with the file.
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    /// Where reading is, or stopped.
    pub(super) at: usize,
    pub(super) objects: Vec<Object>,
    stack: Vec<Id>,
    /// Heights of the stack.
    marks: Vec<usize>,
    memo: Vec<(u32, Id)>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Reader<'a> {
        let (objects, stack, marks, memo) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        Reader { bytes, at: 0, objects, stack, marks, memo }
    }

    /// The object that the file is about; `None` for anything unknown or cut off.
    pub(super) fn run(&mut self) -> Option<Id> {
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
