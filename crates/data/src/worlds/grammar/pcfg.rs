//! Probabilistic context-free grammars.

use super::inside::Chart;
use faer::Mat;
use faer::prelude::Solve;
use std::collections::HashMap;
use std::str::FromStr;

/// A probabilistic context-free grammar whose derivations end with probability 1.
///
/// Written as NLTK writes it: one head per line, `S -> NP VP [0.7] | 'yes' [0.3]`, words in quotes, probabilities in
/// brackets; the first head is the start. Lines without text and lines that begin with `#` are skipped.
#[derive(Clone, Debug)]
pub struct Pcfg {
    pub(super) symbols: Vec<String>,
    pub(super) words: Vec<String>,
    /// Rules by head.
    pub(super) rules: Vec<Vec<Rule>>,
    word_index: HashMap<String, usize>,
    chart: Chart,
    expected_length: f64,
}

/// One way to expand a symbol.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Rule {
    pub(super) body: Vec<Item>,
    pub(super) probability: f64,
}

/// A part of a rule's body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Item {
    Symbol(usize),
    Word(usize),
}

/// A text that is no grammar.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum GrammarError {
    /// A line that cannot be read.
    #[error("line {line} of the grammar: {reason}")]
    Line {
        /// Number of the line, from 1 on.
        line: usize,
        /// What is wrong, and how it should be.
        reason: String,
    },
    /// A symbol whose rules do not make a law.
    #[error("symbol {symbol} of the grammar: {reason}")]
    Symbol {
        /// The symbol.
        symbol: String,
        /// What is wrong, and how it should be.
        reason: String,
    },
}

impl Pcfg {
    /// Names of the symbols; the start is the first.
    pub fn symbols(&self) -> &[String] {
        &self.symbols
    }

    /// All words, in the order of their first occurrence.
    pub fn vocabulary(&self) -> &[String] {
        &self.words
    }

    /// Expected number of words of a sentence, exactly.
    pub fn expected_length(&self) -> f64 {
        self.expected_length
    }

    /// log P(sentence) in nats: the sum over all its trees. −∞ for texts that are not in the language.
    pub fn log_prob(&self, words: &[&str]) -> f64 {
        let indices: Option<Vec<usize>> = words.iter().map(|word| self.word_index.get(*word).copied()).collect();
        indices.map_or(f64::NEG_INFINITY, |indices| self.chart.log_prob(&indices))
    }

    /// Probability of the rule that expands `head` to `body`, 0 if there is none.
    pub(super) fn rule_probability(&self, head: usize, body: &[Item]) -> f64 {
        self.rules[head].iter().find(|rule| rule.body == body).map_or(0.0, |rule| rule.probability)
    }

    fn build(symbols: Vec<String>, words: Vec<String>, rules: Vec<Vec<Rule>>) -> Result<Pcfg, GrammarError> {
        for (symbol, rules) in symbols.iter().zip(&rules) {
            let fail = |reason: String| Err(GrammarError::Symbol { symbol: symbol.clone(), reason });
            if rules.is_empty() {
                return fail("it has no rules; add a line, or put words in quotes".to_string());
            }
            let total: f64 = rules.iter().map(|rule| rule.probability).sum();
            if (total - 1.0).abs() > 1e-9 {
                return fail(format!("the probabilities of its rules sum to {total}, not to 1"));
            }
        }
        let expected_length = expected_length(&symbols, &rules)?;
        let chart = Chart::new(&rules, words.len());
        let word_index = words.iter().cloned().enumerate().map(|(i, word)| (word, i)).collect();
        Ok(Pcfg { symbols, words, rules, word_index, chart, expected_length })
    }
}

/// Solves L = M L + w for the expected number of words under each symbol, M the expected numbers of symbols.
///
/// Derivations end with probability 1 and finite expectation exactly if the solution is finite and positive (M has
/// spectral radius below 1).
fn expected_length(symbols: &[String], rules: &[Vec<Rule>]) -> Result<f64, GrammarError> {
    let n = symbols.len();
    let mut matrix = Mat::<f64>::identity(n, n);
    let mut words = Mat::<f64>::zeros(n, 1);
    for (head, rules) in rules.iter().enumerate() {
        for rule in rules {
            for item in &rule.body {
                match *item {
                    Item::Symbol(symbol) => matrix[(head, symbol)] -= rule.probability,
                    Item::Word(_) => words[(head, 0)] += rule.probability,
                }
            }
        }
    }
    let lengths = matrix.partial_piv_lu().solve(&words);
    match (0..n).find(|&i| !(lengths[(i, 0)] > 0.0 && lengths[(i, 0)] < 1e6)) {
        None => Ok(lengths[(0, 0)]),
        Some(i) => {
            let reason = "sentences have no finite expected length (or none at all): give more probability to rules \
                          that end";
            Err(GrammarError::Symbol { symbol: symbols[i].clone(), reason: reason.to_string() })
        }
    }
}

/// Names in the order of their first occurrence.
#[derive(Default)]
struct Names {
    names: Vec<String>,
    index: HashMap<String, usize>,
}

impl Names {
    fn get(&mut self, name: &str) -> usize {
        *self.index.entry(name.to_string()).or_insert_with(|| {
            self.names.push(name.to_string());
            self.names.len() - 1
        })
    }
}

impl FromStr for Pcfg {
    type Err = GrammarError;

    fn from_str(text: &str) -> Result<Pcfg, GrammarError> {
        let (mut symbols, mut words) = (Names::default(), Names::default());
        let mut rules: Vec<(usize, Rule)> = Vec::new();
        let lines = text.lines().map(str::trim).enumerate();
        for (number, line) in lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#')) {
            let fail = |reason: &str| GrammarError::Line { line: number + 1, reason: reason.to_string() };
            let (head, bodies) = line.split_once("->").ok_or_else(|| fail("it has no \"->\""))?;
            let head = head.trim();
            if head.is_empty() || head.contains(char::is_whitespace) {
                return Err(fail("before \"->\" there must be one symbol"));
            }
            let head = symbols.get(head);
            for body in bodies.split('|') {
                let body = body.trim();
                let (items, probability) = body
                    .strip_suffix(']')
                    .and_then(|b| b.rsplit_once('['))
                    .ok_or_else(|| fail("each body must end with its probability in brackets, as in \"[0.5]\""))?;
                let probability: f64 = probability.trim().parse().map_err(|_| fail("a probability is not a number"))?;
                if !(probability > 0.0 && probability <= 1.0) {
                    return Err(fail("a probability must lie above 0 and not above 1"));
                }
                let item = |token: &str| match token.strip_prefix('\'') {
                    None => Ok(Item::Symbol(symbols.get(token))),
                    Some(rest) => match rest.strip_suffix('\'') {
                        Some(word) if !word.is_empty() => Ok(Item::Word(words.get(word))),
                        _ => Err(fail("a word must stand between single quotes, without spaces")),
                    },
                };
                let body: Vec<Item> = items.split_whitespace().map(item).collect::<Result<_, _>>()?;
                if body.is_empty() {
                    return Err(fail("empty bodies are not allowed; rewrite the rules that use the symbol"));
                }
                if rules.iter().any(|(h, r)| *h == head && r.body == body) {
                    return Err(fail("the same rule stands twice; add up its probabilities"));
                }
                rules.push((head, Rule { body, probability }));
            }
        }
        if symbols.names.is_empty() {
            return Err(GrammarError::Line { line: 1, reason: "the grammar has no rules".to_string() });
        }
        let mut by_head = vec![Vec::new(); symbols.names.len()];
        rules.into_iter().for_each(|(head, rule)| by_head[head].push(rule));
        Pcfg::build(symbols.names, words.names, by_head)
    }
}
