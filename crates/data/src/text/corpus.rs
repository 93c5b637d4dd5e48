//! Whole texts.

use crate::error::{DataError, Result};
use crate::lines::Lines;
use std::path::Path;

/// A work of a collection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Book {
    /// Author and title, as the list has them.
    pub title: String,
    /// The text.
    pub text: String,
}

/// Loads a whole text, gzipped or not, with `\n` at the end of every line.
///
/// # Errors
/// [`DataError`], with the line where the text is not UTF-8.
pub fn load_text(path: &Path) -> Result<String> {
    let mut lines = Lines::open(path)?;
    let mut text = String::new();
    while let Some(line) = lines.next_line()? {
        text.push_str(line.text);
        text.push('\n');
    }
    if text.is_empty() {
        return Err(DataError::Empty { path: lines.path().to_path_buf(), expected: "text" });
    }
    Ok(text)
}

/// Loads a text that holds several works with blank lines between them, `books.txt`, with `books.list.txt` beside it, which gives
/// title and length in bytes of each, a tab between.
///
/// # Errors
/// [`DataError`], with the line for malformed rows, and if the lengths do not add up to the text.
pub fn load_books(folder: &Path) -> Result<Vec<Book>> {
    let text = load_text(&folder.join("books.txt"))?;
    let mut books = Vec::new();
    let mut start = 0usize;
    Lines::open(&folder.join("books.list.txt"))?.for_each(|line| {
        let [title, bytes] = line.fields('\t')?;
        let bytes: usize = line.number(bytes, "the length in bytes")?;
        let part = start.checked_add(bytes).and_then(|end| text.get(start..end));
        let part =
            part.ok_or_else(|| line.error(format!("{title} does not end inside the text, or not between characters")))?;
        books.push(Book { title: title.to_string(), text: part.to_string() });
        start += bytes;
        start += text[start..].bytes().take_while(|&b| b == b'\n').count();
        Ok(())
    })?;
    if start != text.len() {
        let reason = format!("the works listed end at byte {start}, but the text has {}", text.len());
        return Err(DataError::malformed(&folder.join("books.list.txt"), reason));
    }
    Ok(books)
}
