//! The `grammar` world: sentences with their parse trees and exact probabilities.
//!
//! ![A parse tree and statistics of sentences](https://raw.githubusercontent.com/perturb-rs/perturb/main/docs/worlds/grammar.png)
//!
//! A [`Pcfg`] is a probabilistic context-free grammar (a regular grammar is one whose rules have the form A → w B or
//! A → w). A sample is a [`Tree`]; the log-probability of the tree is the sum over its rules, that of the sentence the
//! sum over *all* its trees, by the inside algorithm.
//!
//! [`English`] is a grammar of opinions on four topics with a vocabulary of 148 words, number and tense with agreement,
//! parts of speech, groups of synonyms that can be exchanged without changing anything else, a sentiment that follows
//! from the words by a rule that includes negation, and an exact translation into another word order.
//!
//! ```
//! use perturb_data::worlds::grammar::{English, Pcfg};
//! let toy: Pcfg = "S -> S S [0.3] | 'a' [0.7]".parse()?;
//! // "a a a" has two trees of probability 0.3² · 0.7³.
//! let exact = (2.0 * 0.3f64.powi(2) * 0.7f64.powi(3)).ln();
//! assert!((toy.log_prob(&["a", "a", "a"]) - exact).abs() < 1e-12);
//! let english = English::new();
//! let sentence = english.sample(7, 0);
//! println!("{} ({:?})", sentence.words().join(" "), english.sentiment(&sentence));
//! # Ok::<(), perturb_data::worlds::grammar::GrammarError>(())
//! ```

mod english;
mod inside;
mod pcfg;
mod translation;
mod tree;

pub use english::{English, Number, Sentiment, Tense, Topic};
pub use pcfg::{GrammarError, Pcfg};
pub use tree::Tree;
