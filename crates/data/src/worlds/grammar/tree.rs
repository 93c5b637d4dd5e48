//! Parse trees.

use super::pcfg::{Item, Pcfg};
use crate::worlds::stream::stream;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use std::fmt::{self, Display, Formatter};

/// A parse tree. [`Display`] writes it in brackets: `(S (NP he) (VP (V sleeps)))`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Tree {
    /// A word.
    Word(String),
    /// A symbol and what it expands to.
    Node(String, Vec<Tree>),
}

impl Tree {
    /// The sentence.
    pub fn words(&self) -> Vec<&str> {
        self.tagged().into_iter().map(|(_, word)| word).collect()
    }

    /// The sentence's words, each with the symbol directly above it: its part of speech.
    pub fn tagged(&self) -> Vec<(&str, &str)> {
        let mut found = Vec::new();
        self.visit("", &mut |above, tree| {
            if let Tree::Word(word) = tree {
                found.push((above, word.as_str()));
            }
        });
        found
    }

    /// Number of symbols on the longest way from the root to a word.
    pub fn depth(&self) -> usize {
        match self {
            Tree::Word(_) => 0,
            Tree::Node(_, children) => 1 + children.iter().map(Tree::depth).max().unwrap_or(0),
        }
    }

    /// The symbols under the root: the sentence's top constituents.
    pub fn top_constituents(&self) -> Vec<&str> {
        match self {
            Tree::Word(_) => Vec::new(),
            Tree::Node(_, children) => children.iter().map(Tree::label).collect(),
        }
    }

    /// Every node whose symbol passes, outermost and leftmost first.
    pub fn find(&self, passes: impl Fn(&str) -> bool) -> Vec<&Tree> {
        let mut found = Vec::new();
        self.visit("", &mut |_, tree| {
            if let Tree::Node(symbol, _) = tree
                && passes(symbol)
            {
                found.push(tree);
            }
        });
        found
    }

    /// The symbol, or the word.
    pub fn label(&self) -> &str {
        match self {
            Tree::Word(label) | Tree::Node(label, _) => label,
        }
    }

    /// Calls `f` with every tree in this one and the symbol above it, parents first.
    fn visit<'a>(&'a self, above: &'a str, f: &mut impl FnMut(&'a str, &'a Tree)) {
        f(above, self);
        if let Tree::Node(symbol, children) = self {
            children.iter().for_each(|child| child.visit(symbol, f));
        }
    }
}

impl Display for Tree {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        match self {
            Tree::Word(word) => f.write_str(word),
            Tree::Node(symbol, children) => {
                write!(f, "({symbol}")?;
                children.iter().try_for_each(|child| write!(f, " {child}"))?;
                f.write_str(")")
            }
        }
    }
}

impl Pcfg {
    /// Tree `index` of `seed`, which depends on nothing else.
    pub fn sample(&self, seed: u64, index: u64) -> Tree {
        self.expand(0, &mut stream("grammar", seed, index))
    }

    fn expand(&self, head: usize, rng: &mut ChaCha8Rng) -> Tree {
        let rules = &self.rules[head];
        let mut rest: f64 = rng.random_range(0.0..1.0);
        let rule = rules.iter().find(|rule| {
            rest -= rule.probability;
            rest < 0.0
        });
        // Rounding can leave a rest after the last rule.
        let rule = rule.unwrap_or_else(|| rules.last().expect("every symbol has a rule"));
        let child = |item: &Item| match *item {
            Item::Symbol(symbol) => self.expand(symbol, rng),
            Item::Word(word) => Tree::Word(self.words[word].clone()),
        };
        Tree::Node(self.symbols[head].clone(), rule.body.iter().map(child).collect())
    }

    /// log P(tree) in nats, the sum of its rules' log-probabilities; −∞ for trees that the grammar does not make.
    pub fn tree_log_prob(&self, tree: &Tree) -> f64 {
        let Tree::Node(symbol, children) = tree else { return 0.0 };
        let symbol_index = |name: &str| self.symbols.iter().position(|s| s == name);
        let item = |child: &Tree| match child {
            Tree::Word(word) => self.words.iter().position(|w| w == word).map(Item::Word),
            Tree::Node(symbol, _) => symbol_index(symbol).map(Item::Symbol),
        };
        let body: Option<Vec<Item>> = children.iter().map(item).collect();
        let (Some(head), Some(body)) = (symbol_index(symbol), body) else { return f64::NEG_INFINITY };
        let below: f64 = children.iter().map(|child| self.tree_log_prob(child)).sum();
        self.rule_probability(head, &body).ln() + below
    }
}
