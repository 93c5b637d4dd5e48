//! An invented language: other words in another order.

use super::english::English;
use super::tree::Tree;

impl English {
    /// The sentence in an invented language, exactly: every English word has one word there and the reverse. The verb
    /// comes last ("the guest the soup loved"), with its auxiliary and "not" behind it, and adjectives follow their
    /// nouns.
    pub fn translate(&self, sentence: &Tree) -> Vec<String> {
        let mut words = Vec::new();
        self.translate_into(sentence, &mut words);
        words
    }

    fn translate_into(&self, tree: &Tree, words: &mut Vec<String>) {
        match tree {
            Tree::Word(word) => {
                let index = self.pcfg().vocabulary().iter().position(|w| w == word);
                words.push(index.map_or_else(|| word.clone(), invented));
            }
            Tree::Node(symbol, children) => {
                let mut order: Vec<usize> = (0..children.len()).collect();
                if symbol.starts_with("VP.") || symbol.starts_with("IS.") {
                    order.reverse();
                } else if symbol.starts_with("NP.") && children.len() == 3 {
                    order.swap(1, 2);
                }
                order.into_iter().for_each(|i| self.translate_into(&children[i], words));
            }
        }
    }
}

/// A word for each index: the index in base 60, its digits as syllables.
fn invented(index: usize) -> String {
    const CONSONANTS: [&str; 12] = ["b", "d", "f", "g", "k", "l", "m", "n", "p", "r", "s", "t"];
    const VOWELS: [&str; 5] = ["a", "e", "i", "o", "u"];
    let syllable = |digit: usize| format!("{}{}", CONSONANTS[digit / 5 % 12], VOWELS[digit % 5]);
    // A step that has no factor in common with 3600 spreads neighbours over the alphabet.
    let spread = index * 1_007 % 3_600;
    syllable(spread / 60) + &syllable(spread % 60)
}
