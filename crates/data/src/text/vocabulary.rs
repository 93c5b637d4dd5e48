//! Vocabularies of characters and words.

use std::collections::{BTreeSet, HashMap};

/// The token that stands for everything a vocabulary does not hold.
pub const UNKNOWN: &str = "<unk>";

/// A numbering of tokens.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Vocabulary {
    tokens: Vec<String>,
    indices: HashMap<String, usize>,
    unknown: Option<usize>,
}

impl Vocabulary {
    /// The characters of a text in the order of their code points.
    pub fn characters(text: &str) -> Vocabulary {
        let distinct: BTreeSet<char> = text.chars().collect();
        Vocabulary::from_tokens(distinct.into_iter().map(String::from))
    }

    /// [`UNKNOWN`] and the words that occur at least `min_count` times, at most `max_size` tokens in all: frequent
    /// words first, those of one frequency in alphabetic order.
    pub fn words<'a>(words: impl IntoIterator<Item = &'a str>, min_count: usize, max_size: usize) -> Vocabulary {
        let mut counts: HashMap<&str, usize> = HashMap::new();
        words.into_iter().for_each(|word| *counts.entry(word).or_default() += 1);
        let mut counts: Vec<(&str, usize)> =
            counts.into_iter().filter(|&(word, count)| count >= min_count && word != UNKNOWN).collect();
        counts.sort_unstable_by(|(a, m), (b, n)| n.cmp(m).then(a.cmp(b)));
        counts.truncate(max_size.saturating_sub(1));
        Vocabulary::from_tokens(std::iter::once(UNKNOWN).chain(counts.into_iter().map(|(word, _)| word)))
    }

    /// These tokens in this order; repetitions keep their first place. [`UNKNOWN`] among them becomes the token of
    /// everything else.
    pub fn from_tokens(tokens: impl IntoIterator<Item = impl Into<String>>) -> Vocabulary {
        let mut vocabulary = Vocabulary::default();
        for token in tokens {
            let token = token.into();
            if !vocabulary.indices.contains_key(&token) {
                vocabulary.indices.insert(token.clone(), vocabulary.tokens.len());
                vocabulary.tokens.push(token);
            }
        }
        vocabulary.unknown = vocabulary.indices.get(UNKNOWN).copied();
        vocabulary
    }

    /// Number of tokens.
    pub fn len(&self) -> usize {
        self.tokens.len()
    }

    /// Whether there are no tokens.
    pub fn is_empty(&self) -> bool {
        self.tokens.is_empty()
    }

    /// The tokens by index.
    pub fn tokens(&self) -> &[String] {
        &self.tokens
    }

    /// Index of a token, or that of [`UNKNOWN`], or `None` if the vocabulary has neither.
    pub fn index(&self, token: &str) -> Option<usize> {
        self.indices.get(token).copied().or(self.unknown)
    }

    /// Indices of tokens; those that have none are left out.
    pub fn encode<'a>(&self, tokens: impl IntoIterator<Item = &'a str>) -> Vec<i64> {
        tokens.into_iter().filter_map(|token| self.index(token)).map(|index| index as i64).collect()
    }

    /// Indices of the characters of a text; those that have none are left out.
    pub fn encode_characters(&self, text: &str) -> Vec<i64> {
        let mut buffer = [0; 4];
        text.chars().filter_map(|c| self.index(c.encode_utf8(&mut buffer))).map(|index| index as i64).collect()
    }

    /// The tokens of these indices with `separator` between them; indices out of range become [`UNKNOWN`].
    pub fn decode(&self, indices: &[i64], separator: &str) -> String {
        let token = |&index: &i64| usize::try_from(index).ok().and_then(|i| self.tokens.get(i)).map_or(UNKNOWN, |t| t);
        indices.iter().map(token).collect::<Vec<_>>().join(separator)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frequent_words_come_first() {
        let words = "b a c b a b d".split(' ');
        let vocabulary = Vocabulary::words(words.clone(), 1, 4);
        assert_eq!(vocabulary.tokens(), [UNKNOWN, "b", "a", "c"]);
        assert_eq!(vocabulary.encode(words), [1, 2, 3, 1, 2, 1, 0]);
        assert_eq!(Vocabulary::words("b a c b a b d".split(' '), 2, 100).tokens(), [UNKNOWN, "b", "a"]);
        assert_eq!(vocabulary.decode(&[1, 9, -1, 3], " "), "b <unk> <unk> c");
    }

    #[test]
    fn characters_without_unknown() {
        let vocabulary = Vocabulary::characters("hello");
        assert_eq!(vocabulary.tokens(), ["e", "h", "l", "o"]);
        assert_eq!(vocabulary.encode_characters("hallo"), [1, 2, 2, 3]);
        assert_eq!(vocabulary.index("a"), None);
    }
}
