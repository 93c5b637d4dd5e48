//! Text files line by line, with the line numbers that error messages need.

use crate::error::{DataError, Result};
use crate::source::Source;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// No text that is loaded is longer than this many bytes when unpacked; a small hostile file could unpack to more.
const MAX_TEXT: u64 = 1 << 30;

/// A line longer than this is not text; the longest lines of the known sets, long series, have less than 2^20 bytes.
const MAX_LINE: u64 = 1 << 26;

/// How bytes become characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// UTF-8; anything else is an error.
    Utf8,
    /// UTF-8 where a line is, else Windows-1252, in which several older corpora are published.
    Utf8OrWindows1252,
}

/// The lines of a text file, gzipped or not, without their ends.
pub(crate) struct Lines {
    source: Source<'static>,
    encoding: Encoding,
    bytes: Vec<u8>,
    text: String,
    number: usize,
    total: u64,
}

/// One line.
#[derive(Clone, Copy)]
pub(crate) struct Line<'a> {
    pub(crate) text: &'a str,
    /// Counted from 1.
    pub(crate) number: usize,
    path: &'a Path,
}

impl Lines {
    /// Opens `path`, or `path` with `.gz` added, whichever exists.
    pub(crate) fn open(path: &Path) -> Result<Lines> {
        Lines::open_encoded(path, Encoding::Utf8)
    }

    pub(crate) fn open_encoded(path: &Path, encoding: Encoding) -> Result<Lines> {
        let source = Source::open(&plain_or_gzipped(path))?;
        Ok(Lines { source, encoding, bytes: Vec::new(), text: String::new(), number: 0, total: 0 })
    }

    pub(crate) fn path(&self) -> &Path {
        self.source.path()
    }

    /// How many lines have been read.
    pub(crate) fn number(&self) -> usize {
        self.number
    }

    /// The next line.
    ///
    /// # Errors
    /// [`DataError::Read`]; [`DataError::Malformed`] for damaged compression and for more text than any data set has;
    /// [`DataError::Line`] for a line that is too long or not text.
    pub(crate) fn next_line(&mut self) -> Result<Option<Line<'_>>> {
        self.bytes.clear();
        let read = self.source.read_line(MAX_LINE, &mut self.bytes)? as u64;
        if read == 0 {
            return Ok(None);
        }
        self.number += 1;
        self.total += read;
        if read == MAX_LINE {
            return Err(
                self.error(format!("the line is longer than {MAX_LINE} bytes, so this is not the text expected"))
            );
        }
        if self.total > MAX_TEXT {
            let reason = format!("it unpacks to more than {MAX_TEXT} bytes, more than any data set of this kind has");
            return Err(DataError::malformed(self.source.path(), reason));
        }
        while let Some(b'\n' | b'\r') = self.bytes.last() {
            self.bytes.pop();
        }
        let decoded = match (std::str::from_utf8(&self.bytes), self.encoding) {
            (Ok(text), _) => text.to_string(),
            (Err(_), Encoding::Utf8OrWindows1252) => self.bytes.iter().map(|&b| windows_1252(b)).collect(),
            (Err(e), Encoding::Utf8) => {
                return Err(self.error(format!("byte {} of the line is not UTF-8 text", e.valid_up_to() + 1)));
            }
        };
        // A byte order mark belongs to the encoding, not to the text.
        self.text = if self.number == 1 { decoded.trim_start_matches('\u{feff}').to_string() } else { decoded };
        Ok(Some(Line { text: &self.text, number: self.number, path: self.source.path() }))
    }

    /// Calls `visit` on every remaining line that is not blank.
    pub(crate) fn for_each(mut self, mut visit: impl FnMut(Line<'_>) -> Result<()>) -> Result<()> {
        while let Some(line) = self.next_line()? {
            if !line.text.trim().is_empty() {
                visit(line)?;
            }
        }
        Ok(())
    }

    /// An error at the line read last.
    pub(crate) fn error(&self, reason: impl Into<String>) -> DataError {
        DataError::line(self.source.path(), self.number, reason)
    }
}

impl<'a> Line<'a> {
    /// An error at this line.
    pub(crate) fn error(&self, reason: impl Into<String>) -> DataError {
        DataError::line(self.path, self.number, reason)
    }

    /// Exactly `N` fields between `separator`.
    pub(crate) fn fields<const N: usize>(&self, separator: char) -> Result<[&'a str; N]> {
        let mut fields = [""; N];
        let mut found = 0;
        for field in self.text.split(separator) {
            if found < N {
                fields[found] = field.trim();
            }
            found += 1;
        }
        if found == N { Ok(fields) } else { Err(self.error(format!("{found} fields where {N} are expected"))) }
    }

    /// Exactly `N` fields between blanks.
    pub(crate) fn words<const N: usize>(&self) -> Result<[&'a str; N]> {
        let mut fields = [""; N];
        let mut found = 0;
        for field in self.text.split_whitespace() {
            if found < N {
                fields[found] = field;
            }
            found += 1;
        }
        if found == N { Ok(fields) } else { Err(self.error(format!("{found} fields where {N} are expected"))) }
    }

    /// A field as a number.
    pub(crate) fn number<T: FromStr>(&self, field: &str, what: &str) -> Result<T> {
        field.parse().map_err(|_| self.error(format!("{what} must be a {}, not {field:?}", kind::<T>())))
    }

    /// A field as a finite real number.
    pub(crate) fn real(&self, field: &str, what: &str) -> Result<f64> {
        let value: f64 = self.number(field, what)?;
        if value.is_finite() { Ok(value) } else { Err(self.error(format!("{what} is {value}, which is not finite"))) }
    }

    /// A field as an index below `count`.
    pub(crate) fn index(&self, field: &str, count: usize, what: &str) -> Result<usize> {
        let value: usize = self.number(field, what)?;
        if value < count {
            Ok(value)
        } else {
            Err(self.error(format!("{what} is {value}, but there are only {count}")))
        }
    }
}

/// Numbers are few kinds to a reader of an error message.
fn kind<T>() -> &'static str {
    if std::any::type_name::<T>().starts_with('f') { "number" } else { "whole number" }
}

/// `path` if it exists, else `path.gz` if that does, else `path`, whose absence opening it will report.
pub(crate) fn plain_or_gzipped(path: &Path) -> PathBuf {
    let mut gzipped = path.as_os_str().to_owned();
    gzipped.push(".gz");
    let gzipped = PathBuf::from(gzipped);
    if !path.exists() && gzipped.exists() { gzipped } else { path.to_path_buf() }
}

/// The character of a byte in Windows-1252; the five unassigned bytes are control characters, as in HTML.
fn windows_1252(byte: u8) -> char {
    const HIGH: [char; 32] = [
        '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž', '\u{8f}', '\u{90}', '‘',
        '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9d}', 'ž', 'Ÿ',
    ];
    if (0x80..0xa0).contains(&byte) { HIGH[usize::from(byte - 0x80)] } else { char::from(byte) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn lines(bytes: &[u8], encoding: Encoding) -> Result<Vec<(usize, String)>> {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(bytes).unwrap();
        let mut found = Vec::new();
        Lines::open_encoded(file.path(), encoding)?.for_each(|line| {
            found.push((line.number, line.text.to_string()));
            Ok(())
        })?;
        Ok(found)
    }

    #[test]
    fn ends_marks_and_encodings() {
        let found = lines(b"\xef\xbb\xbfa\r\n\n b\nlast", Encoding::Utf8).unwrap();
        assert_eq!(found, [(1, "a".into()), (3, " b".into()), (4, "last".into())]);
        let found = lines(b"caf\xe9 \x96 ol\xc3\xa9\n\xc3\xa9\n", Encoding::Utf8OrWindows1252).unwrap();
        assert_eq!(found, [(1, "café – olÃ©".into()), (2, "é".into())]);
        let error = lines(b"ok\ncaf\xe9\n", Encoding::Utf8).unwrap_err();
        assert!(error.to_string().contains("line 2: byte 4"), "{error}");
    }
}
