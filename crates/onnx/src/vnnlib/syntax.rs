//! S-expressions with their places in the text.

use super::error::{Result, VnnLibError};

/// A word or a list, and where it begins.
#[derive(Clone, Debug)]
pub(super) struct Term<'a> {
    pub line: usize,
    pub column: usize,
    pub kind: Kind<'a>,
}

#[derive(Clone, Debug)]
pub(super) enum Kind<'a> {
    Word(&'a str),
    List(Vec<Term<'a>>),
}

impl<'a> Term<'a> {
    pub fn error<T>(&self, message: impl Into<String>) -> Result<T> {
        Err(VnnLibError::Syntax { line: self.line, column: self.column, message: message.into() })
    }

    pub fn word(&self) -> Option<&'a str> {
        if let Kind::Word(word) = self.kind { Some(word) } else { None }
    }

    /// The first word of a list and the terms behind it.
    pub fn call(&self) -> Result<(&'a str, &[Term<'a>])> {
        let Kind::List(terms) = &self.kind else { return self.error("expected '('") };
        match terms.split_first() {
            Some((first, rest)) => match first.word() {
                Some(word) => Ok((word, rest)),
                None => first.error("expected an operator"),
            },
            None => self.error("an empty list"),
        }
    }
}

/// Deepest nesting of lists; real files have fewer than ten.
const MAX_DEPTH: usize = 200;

/// All top-level terms of a text; `;` starts a comment.
pub(super) fn read(text: &str) -> Result<Vec<Term<'_>>> {
    // Lists that are open: the outermost is the file itself.
    let mut open = vec![Term { line: 1, column: 1, kind: Kind::List(Vec::new()) }];
    let (mut line, mut start_of_line) = (1, 0);
    let mut at = 0;
    let bytes = text.as_bytes();
    while at < bytes.len() {
        let column = |at: usize| text.get(start_of_line..at).map_or(at - start_of_line, |s| s.chars().count()) + 1;
        match bytes[at] {
            b'\n' => {
                at += 1;
                (line, start_of_line) = (line + 1, at);
            }
            b if b.is_ascii_whitespace() => at += 1,
            b';' => at += bytes[at..].iter().position(|&b| b == b'\n').unwrap_or(bytes.len() - at),
            b'(' => {
                open.push(Term { line, column: column(at), kind: Kind::List(Vec::new()) });
                if open.len() > MAX_DEPTH {
                    return open[open.len() - 1].error(format!("lists are nested more than {MAX_DEPTH} deep"));
                }
                at += 1;
            }
            b')' => {
                let done = open.pop().filter(|_| !open.is_empty());
                let Some(done) = done else {
                    return Err(VnnLibError::Syntax { line, column: column(at), message: "')' closes nothing".into() });
                };
                append(&mut open, done);
                at += 1;
            }
            _ => {
                let ends = |b: &u8| b.is_ascii_whitespace() || matches!(b, b'(' | b')' | b';');
                let end = at + bytes[at..].iter().position(ends).unwrap_or(bytes.len() - at);
                append(&mut open, Term { line, column: column(at), kind: Kind::Word(&text[at..end]) });
                at = end;
            }
        }
    }
    if open.len() > 1 {
        return open[open.len() - 1].error("'(' is never closed");
    }
    match open.remove(0).kind {
        Kind::List(terms) => Ok(terms),
        Kind::Word(_) => Ok(Vec::new()),
    }
}

fn append<'a>(open: &mut [Term<'a>], term: Term<'a>) {
    if let Some(Term { kind: Kind::List(terms), .. }) = open.last_mut() {
        terms.push(term);
    }
}
