//! The words of a question: where they stand, and others in their place.

/// Where words stand in a text, if they do so exactly once and as whole words.
pub(super) fn place(text: &str, words: &str) -> Option<usize> {
    let lower = text.to_ascii_lowercase();
    let mut places = places(&lower, words);
    places.next().filter(|_| places.next().is_none())
}

/// Whether words stand in a text as whole words.
pub(super) fn contains(text: &str, words: &str) -> bool {
    places(text, words).next().is_some()
}

fn places<'a>(text: &'a str, words: &'a str) -> impl Iterator<Item = usize> + 'a {
    let letter = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    let whole =
        move |at: usize| !letter(text[..at].chars().next_back()) && !letter(text[at + words.len()..].chars().next());
    text.match_indices(words).map(|(at, _)| at).filter(move |&at| !words.is_empty() && whole(at))
}

/// The words of a text that are not among those that its program says.
pub(super) fn others(text: &str, said: &[&str]) -> Vec<String> {
    let mut left = text.to_ascii_lowercase();
    // The longest first, so that "table" does not tear "table lamp" apart.
    let mut said = said.to_vec();
    said.sort_by_key(|words| std::cmp::Reverse(words.len()));
    for words in said {
        for at in places(&left.clone(), words).collect::<Vec<_>>() {
            left.replace_range(at..at + words.len(), &" ".repeat(words.len()));
        }
    }
    left.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).map(String::from).collect()
}

/// The text with other words at a place, and with the article before them that goes with the new ones.
pub(super) fn replaced(text: &str, place: usize, old: &str, new: &str) -> String {
    let (before, after) = (&text[..place], &text[place + old.len()..]);
    let start = before.trim_end().rfind(' ').map_or(0, |space| space + 1);
    match (before[start..].trim_end(), takes_an(new)) {
        ("a" | "an", an) => format!("{}{} {new}{after}", &before[..start], if an { "an" } else { "a" }),
        ("A" | "An", an) => format!("{}{} {new}{after}", &before[..start], if an { "An" } else { "A" }),
        _ => format!("{before}{new}{after}"),
    }
}

// By the first letter, but for the commonest words whose first sound is another.
fn takes_an(word: &str) -> bool {
    let begins = |beginnings: &[&str]| beginnings.iter().any(|b| word.starts_with(b));
    begins(&["hour", "honest"])
        || begins(&["a", "e", "i", "o", "u"]) && !begins(&["uni", "use", "ute", "uti", "euro", "one", "ewe"])
}

/// Whether both names are plurals, or none: verbs and articles agree with them. A plural ends with s, but not with ss, us
/// or is, or is one of a few others.
pub(super) fn same_number(old: &str, new: &str) -> bool {
    let plural = |name: &str| {
        let ends = |endings: &[&str]| endings.iter().any(|ending| name.ends_with(ending));
        ends(&["s"]) && !ends(&["ss", "us", "is"]) || ends(&["people", "men", "children", "feet", "teeth", "geese"])
    };
    plural(old) == plural(new)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_stand_once_and_whole() {
        assert_eq!(place("Is the Table round?", "table"), Some(7));
        assert_eq!(place("Is the table at a table?", "table"), None);
        assert_eq!(place("Are there tables?", "table"), None);
        assert_eq!(place("Is there a portable?", "table"), None);
        assert_eq!(place("Is there a table?", ""), None);
        assert_eq!(place("Ça, une table?", "table"), Some(9));
        assert!(contains("table lamp", "table") && !contains("tables", "table"));
    }

    #[test]
    fn articles_are_repaired() {
        let with = |text: &str, old: &str, new: &str| replaced(text, place(text, old).unwrap(), old, new);
        assert_eq!(with("Is there a cat?", "cat", "umbrella"), "Is there an umbrella?");
        assert_eq!(with("Is there an apple?", "apple", "cat"), "Is there a cat?");
        assert_eq!(with("Is there an apple?", "apple", "uniform"), "Is there a uniform?");
        assert_eq!(with("Is there an hour glass?", "hour glass", "owl"), "Is there an owl?");
        assert_eq!(with("A cat is what?", "cat", "owl"), "An owl is what?");
        assert_eq!(with("An owl is what?", "owl", "cat"), "A cat is what?");
        assert_eq!(with("Is the panda red?", "red", "orange"), "Is the panda orange?");
        assert_eq!(with("Is there a red apple?", "apple", "cat"), "Is there a red cat?");
        assert_eq!(with("Is there a red apple?", "red", "old"), "Is there an old apple?");
    }

    #[test]
    fn plurals_are_told_from_names() {
        assert!(same_number("apples", "people") && same_number("bus", "glass") && same_number("women", "cats"));
        assert!(!same_number("man", "men") && !same_number("bus", "cars") && !same_number("child", "children"));
    }

    #[test]
    fn what_a_program_does_not_say_is_left() {
        let left = others("Is the small table lamp on the table?", &["table", "table lamp", "on"]);
        assert_eq!(left, ["is", "the", "small", "the"]);
    }
}
