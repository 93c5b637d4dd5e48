//! Bytes of a file, gunzipped on the way, read without believing how many there are.

use crate::error::{DataError, Result};
use crate::stored::{Stored, Target};
use flate2::read::MultiGzDecoder;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

/// Deflate cannot expand data by more than this factor (a match of 258 bytes takes at least two bits).
const MAX_DEFLATE_RATIO: u64 = 1032;

/// A stream of bytes with an upper bound of its length.
pub(crate) struct Source<'a> {
    path: PathBuf,
    reader: Box<dyn BufRead + 'a>,
    /// No more bytes than this can come; allocations are bounded by it.
    capacity: u64,
}

impl<'a> Source<'a> {
    /// Opens a file, unpacking it if it is gzipped.
    pub(crate) fn open(path: &Path) -> Result<Source<'static>> {
        let file = File::open(path).map_err(DataError::read(path))?;
        let length = file.metadata().map_err(DataError::read(path))?.len();
        let mut reader = BufReader::with_capacity(1 << 16, file);
        let mut start = [0; 2];
        let gzipped =
            read_available(&mut reader, &mut start).map_err(DataError::read(path))? == 2 && start == [0x1f, 0x8b];
        reader.seek_relative(-(length.min(2) as i64)).map_err(DataError::read(path))?;
        let reader: Box<dyn BufRead> =
            if gzipped { Box::new(BufReader::new(MultiGzDecoder::new(reader))) } else { Box::new(reader) };
        let capacity = if gzipped { expanded(length) } else { length };
        Ok(Source { path: path.to_path_buf(), reader, capacity })
    }

    /// An entry of an archive, `compressed` bytes that should unpack to `size`.
    pub(crate) fn entry(path: &Path, reader: impl Read + 'a, compressed: u64, size: u64) -> Source<'a> {
        Source {
            path: path.to_path_buf(),
            reader: Box::new(BufReader::new(reader)),
            capacity: size.min(expanded(compressed)),
        }
    }

    /// The file, for error messages.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Reads until `buffer` is full or the bytes end, and returns how many were read. A gzip stream that is cut off
    /// counts as ended.
    pub(crate) fn read_up_to(&mut self, buffer: &mut [u8]) -> Result<usize> {
        read_available(&mut self.reader, buffer).map_err(|e| match e.kind() {
            io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData => damaged(&self.path, &e),
            _ => DataError::Read { path: self.path.clone(), source: e },
        })
    }

    /// Fills `buffer`.
    ///
    /// # Errors
    /// [`DataError::Truncated`] naming `what`.
    pub(crate) fn read_exact(&mut self, buffer: &mut [u8], what: &str) -> Result<()> {
        let actual = self.read_up_to(buffer)?;
        if actual == buffer.len() { Ok(()) } else { Err(self.truncated(what, buffer.len() as u128, actual as u64)) }
    }

    /// Reads `count` elements.
    ///
    /// # Errors
    /// [`DataError::Truncated`], [`DataError::Memory`] naming `what`.
    pub(crate) fn decode<T: Target>(
        &mut self,
        stored: Stored,
        big_endian: bool,
        count: usize,
        what: &str,
    ) -> Result<Vec<T>> {
        let mut out = Vec::new();
        self.decode_into(stored, big_endian, count, what, &mut out)?;
        Ok(out)
    }

    /// Appends `count` elements to `out`. Memory grows with what the file can hold, not with what it declares.
    pub(crate) fn decode_into<T: Target>(
        &mut self,
        stored: Stored,
        big_endian: bool,
        count: usize,
        what: &str,
        out: &mut Vec<T>,
    ) -> Result<()> {
        let size = stored.size();
        let possible = usize::try_from(self.capacity / size as u64).unwrap_or(usize::MAX);
        out.try_reserve_exact(count.min(possible)).map_err(|_| DataError::Memory {
            path: self.path.clone(),
            what: what.to_string(),
            bytes: count as u128 * size_of::<T>() as u128,
        })?;
        let mut buffer = vec![0u8; (1 << 16).min(count.saturating_mul(size))];
        let mut done = 0;
        while done < count {
            let wanted = (count - done).saturating_mul(size).min(buffer.len());
            let read = self.read_up_to(&mut buffer[..wanted])?;
            if read < wanted {
                let actual = done as u64 * size as u64 + read as u64;
                return Err(self.truncated(what, count as u128 * size as u128, actual));
            }
            stored.decode(big_endian, &buffer[..read], out);
            done += read / size;
        }
        Ok(())
    }

    /// Appends bytes up to and with the next line feed, at most `limit` of them, and returns how many.
    pub(crate) fn read_line(&mut self, limit: u64, line: &mut Vec<u8>) -> Result<usize> {
        let read = (&mut self.reader).take(limit).read_until(b'\n', line);
        read.map_err(|e| match e.kind() {
            io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => {
                damaged(&self.path, &e)
            }
            _ => DataError::Read { path: self.path.clone(), source: e },
        })
    }

    /// Reads past the last element, so that the checksum of compressed data is compared.
    ///
    /// # Errors
    /// [`DataError::Malformed`] if the checksum differs, or if all was to be read (`complete`) and more follows.
    pub(crate) fn finish(mut self, complete: bool) -> Result<()> {
        if self.read_up_to(&mut [0])? == 1 && complete {
            let reason = "more data follow than its header declares; the file is damaged: fetch or write it again";
            return Err(DataError::malformed(&self.path, reason));
        }
        Ok(())
    }

    fn truncated(&self, what: &str, expected: u128, actual: u64) -> DataError {
        DataError::Truncated { path: self.path.clone(), what: what.to_string(), expected, actual }
    }
}

/// The bytes of a [`Source`] up to a limit, for readers that take any stream.
pub(crate) struct Limited {
    inner: io::Take<Box<dyn BufRead>>,
}

impl Source<'static> {
    /// The bytes, no more than `limit` of them.
    pub(crate) fn limited(self, limit: u64) -> Limited {
        Limited { inner: self.reader.take(limit) }
    }
}

impl Limited {
    /// Whether the limit was reached.
    pub(crate) fn at_limit(&self) -> bool {
        self.inner.limit() == 0
    }
}

impl Read for Limited {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.inner.read(buffer)
    }
}

fn damaged(path: &Path, error: &io::Error) -> DataError {
    DataError::malformed(
        path,
        format!("the compressed data are damaged or cut off ({error}); move the file away and fetch it again"),
    )
}

fn expanded(compressed: u64) -> u64 {
    compressed.saturating_mul(MAX_DEFLATE_RATIO)
}

fn read_available(reader: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match reader.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(n) => filled += n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => break,
            Err(e) => return Err(e),
        }
    }
    Ok(filled)
}

/// The bytes in hexadecimal, for error messages.
pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect::<Vec<_>>().join(" ")
}
