//! Text from outside in HTML.

/// `text` as it may stand in HTML text and in quoted attributes. Control characters, which HTML forbids, become �.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            '\n' | '\t' => escaped.push(c),
            c if c.is_control() => escaped.push('\u{fffd}'),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::escape;

    #[test]
    fn markup_and_control_characters_lose_their_meaning() {
        assert_eq!(escape("<a href='x\"'>&\0é"), "&lt;a href=&#39;x&quot;&#39;&gt;&amp;\u{fffd}é");
    }
}
