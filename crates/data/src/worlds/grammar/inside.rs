//! The inside algorithm (Baker 1979) for rules of any length.

use super::pcfg::{Item, Rule};
use faer::Mat;
use faer::prelude::Solve;

/// A grammar made binary: the parts of long rules get symbols of their own.
#[derive(Clone, Debug)]
pub(super) struct Chart {
    symbols: usize,
    /// Symbols that a word can be directly, with probabilities, by word.
    lexical: Vec<Vec<(usize, f64)>>,
    /// head → left right, with probability.
    binary: Vec<([usize; 3], f64)>,
    /// What is not 0 of (I − U)⁻¹: the sum over all chains of unary rules from one symbol to another.
    chains: Vec<([usize; 2], f64)>,
}

impl Chart {
    pub(super) fn new(rules: &[Vec<Rule>], words: usize) -> Chart {
        let mut chart =
            Chart { symbols: rules.len(), lexical: vec![Vec::new(); words], binary: Vec::new(), chains: Vec::new() };
        let mut unary = Vec::new();
        for (head, rules) in rules.iter().enumerate() {
            for Rule { body, probability } in rules {
                match body[..] {
                    [Item::Word(word)] => chart.lexical[word].push((head, *probability)),
                    [Item::Symbol(symbol)] => unary.push((head, symbol, *probability)),
                    _ => chart.add_long(head, body, *probability),
                }
            }
        }
        let n = chart.symbols;
        let mut matrix = Mat::<f64>::identity(n, n);
        for (head, symbol, probability) in unary {
            matrix[(head, symbol)] -= probability;
        }
        let inverse = matrix.partial_piv_lu().solve(Mat::<f64>::identity(n, n));
        let entries = (0..n * n).map(|i| ([i / n, i % n], inverse[(i / n, i % n)]));
        chart.chains = entries.filter(|entry| entry.1 != 0.0).collect();
        chart
    }

    /// A → b c d becomes A → b A', A' → c d, words becoming symbols.
    fn add_long(&mut self, head: usize, body: &[Item], probability: f64) {
        let (mut head, mut probability) = (head, probability);
        for (i, &item) in body[..body.len() - 1].iter().enumerate() {
            let left = self.symbol(item);
            let last = i + 2 == body.len();
            let right = if last { self.symbol(body[i + 1]) } else { self.fresh() };
            self.binary.push(([head, left, right], probability));
            (head, probability) = (right, 1.0);
        }
    }

    fn symbol(&mut self, item: Item) -> usize {
        match item {
            Item::Symbol(symbol) => symbol,
            Item::Word(word) => {
                let symbol = self.fresh();
                self.lexical[word].push((symbol, 1.0));
                symbol
            }
        }
    }

    fn fresh(&mut self) -> usize {
        self.symbols += 1;
        self.symbols - 1
    }

    /// Log of the start symbol's inside probability over the whole sentence.
    pub(super) fn log_prob(&self, words: &[usize]) -> f64 {
        let (n, m) = (words.len(), self.symbols);
        if n == 0 {
            return f64::NEG_INFINITY;
        }
        // inside[(i, j)][A] = P(A ⇒ words i..j) / Π of the words' scales, so that long sentences do not underflow.
        let mut inside = vec![0.0; n * (n + 1) * m];
        let cell = |i: usize, j: usize| (i * (n + 1) + j) * m;
        let mut log_scale = 0.0;
        for (i, &word) in words.iter().enumerate() {
            let scale = self.lexical[word].iter().fold(0.0f64, |max, l| max.max(l.1));
            log_scale += scale.ln();
            let mut direct = vec![0.0; m];
            self.lexical[word].iter().for_each(|(symbol, p)| direct[*symbol] += p / scale);
            self.close(&direct, &mut inside[cell(i, i + 1)..][..m]);
        }
        for width in 2..=n {
            for i in 0..=n - width {
                let mut direct = vec![0.0; m];
                for split in i + 1..i + width {
                    let (left, right) = (cell(i, split), cell(split, i + width));
                    for &([head, l, r], p) in &self.binary {
                        direct[head] += p * inside[left + l] * inside[right + r];
                    }
                }
                self.close(&direct, &mut inside[cell(i, i + width)..][..m]);
            }
        }
        inside[cell(0, n)].ln() + log_scale
    }

    /// Adds what chains of unary rules make of the direct probabilities.
    fn close(&self, direct: &[f64], inside: &mut [f64]) {
        for &([head, symbol], weight) in &self.chains {
            inside[head] += weight * direct[symbol];
        }
    }
}
