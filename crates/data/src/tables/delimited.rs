//! Cells of delimited text.

use crate::error::{DataError, Result};
use crate::source::Source;
use std::path::Path;

/// No table that is loaded is longer than this many bytes when unpacked.
const MAX_TABLE: u64 = 1 << 30;

/// The rows of a delimited text file, gzipped or not, each with the line where it begins. Rows may differ in length.
pub(crate) fn csv_rows(path: &Path, delimiter: u8) -> Result<Vec<(usize, Vec<String>)>> {
    let mut source = Source::open(path)?.limited(MAX_TABLE);
    let mut reader =
        csv::ReaderBuilder::new().has_headers(false).flexible(true).delimiter(delimiter).from_reader(&mut source);
    let mut rows = Vec::new();
    let mut record = csv::ByteRecord::new();
    loop {
        let line = reader.position().line() as usize;
        match reader.read_byte_record(&mut record) {
            Ok(false) => break,
            Ok(true) => {}
            Err(e) => return Err(DataError::line(path, line, format!("not a readable table ({e})"))),
        }
        let line = record.position().map_or(line, |p| p.line() as usize);
        let cells = record.iter().map(|cell| match std::str::from_utf8(cell) {
            Ok(text) => Ok(text.trim_start_matches('\u{feff}').to_string()),
            Err(_) => Err(DataError::line(path, line, "a field is not UTF-8 text")),
        });
        rows.push((line, cells.collect::<Result<Vec<String>>>()?));
    }
    if source.at_limit() {
        let reason = format!("it unpacks to more than {MAX_TABLE} bytes, more than any table of this kind has");
        return Err(DataError::malformed(path, reason));
    }
    Ok(rows)
}
