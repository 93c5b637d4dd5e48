//! Hidden Markov models with finitely many observations.

use super::chain::Chain;
use super::{check_rows, draw, random_law};
use crate::worlds::error::WorldError;
use crate::worlds::stream::stream;

/// A chain of hidden states, each of which emits a symbol.
#[derive(Clone, Debug, PartialEq)]
pub struct Hmm {
    initial: Vec<f64>,
    chain: Chain,
    symbols: usize,
    emissions: Vec<f64>,
}

impl Hmm {
    /// A model from the law of the first state, the chain, and P(symbol | state), row-major `[states, symbols]`.
    ///
    /// # Errors
    /// [`WorldError::Parameter`] for lengths that do not agree and rows that are no laws.
    pub fn new(initial: Vec<f64>, chain: Chain, symbols: usize, emissions: Vec<f64>) -> Result<Hmm, WorldError> {
        let n = chain.states();
        if initial.len() != n || symbols == 0 || emissions.len() != n * symbols {
            let value = format!("{} and {} values", initial.len(), emissions.len());
            let expected = format!("{n} states and {symbols} symbols (at least one) need {n} and {n}×{symbols}");
            return Err(WorldError::parameter("markov", "initial law and emissions", value, expected));
        }
        check_rows("initial law", &initial, n)?;
        check_rows("emissions", &emissions, symbols)?;
        Ok(Hmm { initial, chain, symbols, emissions })
    }

    /// A random model: all laws uniform, those of the emissions sharpened (values cubed), so that symbols tell states.
    pub fn random(states: usize, symbols: usize, seed: u64) -> Hmm {
        let mut rng = stream("markov hmm", seed, 0);
        let (chain, symbols) = (Chain::random(states, seed), symbols.max(1));
        let initial = random_law(chain.states(), 1.0, &mut rng);
        let emissions = (0..chain.states()).flat_map(|_| random_law(symbols, 3.0, &mut rng)).collect();
        Hmm { initial, chain, symbols, emissions }
    }

    /// Law of the first state.
    pub fn initial(&self) -> &[f64] {
        &self.initial
    }

    /// The hidden chain.
    pub fn chain(&self) -> &Chain {
        &self.chain
    }

    /// P(symbol | state).
    pub fn emission(&self, state: usize, symbol: usize) -> f64 {
        self.emissions[state * self.symbols + symbol]
    }

    /// Sequence `index` of `seed`, which depends on nothing else: states and symbols.
    pub fn sample(&self, length: usize, seed: u64, index: u64) -> (Vec<usize>, Vec<usize>) {
        let mut rng = stream("markov symbols", seed, index);
        let (mut states, mut symbols) = (Vec::with_capacity(length), Vec::with_capacity(length));
        for t in 0..length {
            let law = if t == 0 { &self.initial } else { self.chain.row(states[t - 1]) };
            let state = draw(law, &mut rng);
            states.push(state);
            symbols.push(draw(&self.emissions[state * self.symbols..][..self.symbols], &mut rng));
        }
        (states, symbols)
    }

    /// P(state_t | symbols up to t), `[T, states]`, and log P(symbols) in nats, by the forward algorithm with
    /// normalization at every step.
    ///
    /// # Errors
    /// [`WorldError::Parameter`] for symbols that do not exist.
    pub fn filter(&self, observed: &[usize]) -> Result<(Vec<f64>, f64), WorldError> {
        if let Some(symbol) = observed.iter().find(|&&s| s >= self.symbols) {
            let expected = format!("symbols are 0 to {} (exclusive)", self.symbols);
            return Err(WorldError::parameter("markov", "symbol", symbol, expected));
        }
        let n = self.chain.states();
        let (mut filtered, mut log_likelihood) = (Vec::with_capacity(observed.len() * n), 0.0);
        for (t, &symbol) in observed.iter().enumerate() {
            let predicted = if t == 0 { self.initial.clone() } else { self.chain.step(&filtered[(t - 1) * n..]) };
            let joint: Vec<f64> = predicted.iter().enumerate().map(|(i, p)| p * self.emission(i, symbol)).collect();
            let total: f64 = joint.iter().sum();
            log_likelihood += total.ln();
            // Impossible observations leave the law as predicted: their likelihood is 0 whatever follows.
            filtered.extend(if total > 0.0 { joint.into_iter().map(|p| p / total).collect() } else { predicted });
        }
        Ok((filtered, log_likelihood))
    }

    /// log P(symbols) in nats.
    ///
    /// # Errors
    /// As [`Hmm::filter`].
    pub fn log_likelihood(&self, observed: &[usize]) -> Result<f64, WorldError> {
        Ok(self.filter(observed)?.1)
    }

    /// P(state_t | all symbols), `[T, states]`, by the forward–backward algorithm.
    ///
    /// # Errors
    /// As [`Hmm::filter`].
    pub fn smooth(&self, observed: &[usize]) -> Result<Vec<f64>, WorldError> {
        let n = self.chain.states();
        let (mut smoothed, _) = self.filter(observed)?;
        let mut later = vec![1.0; n];
        for t in (0..observed.len()).rev() {
            let law = &mut smoothed[t * n..][..n];
            law.iter_mut().zip(&later).for_each(|(p, l)| *p *= l);
            let total: f64 = law.iter().sum();
            law.iter_mut().for_each(|p| *p /= total);
            let seen: Vec<f64> = later.iter().enumerate().map(|(j, l)| l * self.emission(j, observed[t])).collect();
            let back = |i: usize| self.chain.row(i).iter().zip(&seen).map(|(p, s)| p * s).sum::<f64>();
            later = (0..n).map(back).collect();
            let scale = later.iter().fold(f64::MIN_POSITIVE, |max, l| max.max(*l));
            later.iter_mut().for_each(|l| *l /= scale);
        }
        Ok(smoothed)
    }
}
