//! Windows of a long sequence of tokens, for language models.

use crate::seed::stream;
use perturb_graph::Tensor;
use rand::RngExt;

/// One long sequence of tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenStream {
    tokens: Vec<i64>,
}

/// Tokens and, at each place, the token that follows.
#[derive(Clone, Debug, PartialEq)]
pub struct TokenBatch {
    /// i64 `[B, T]`.
    pub inputs: Tensor,
    /// i64 `[B, T]`, the inputs one place on.
    pub targets: Tensor,
}

impl TokenStream {
    /// The sequence of these tokens.
    pub fn new(tokens: Vec<i64>) -> TokenStream {
        TokenStream { tokens }
    }

    /// The tokens.
    pub fn tokens(&self) -> &[i64] {
        &self.tokens
    }

    /// The first ⌊`fraction`·n⌋ tokens and the others, such as 0.9 for training and the rest for validation.
    pub fn split(&self, fraction: f64) -> (TokenStream, TokenStream) {
        let at = (self.tokens.len() as f64 * fraction.clamp(0.0, 1.0)) as usize;
        let (head, tail) = self.tokens.split_at(at.min(self.tokens.len()));
        (TokenStream::new(head.to_vec()), TokenStream::new(tail.to_vec()))
    }

    /// The sequence cut into `batch` rows of equal length, read `length` tokens at a time: row b of one batch goes on
    /// where row b of the batch before ended, so that recurrent states may be carried over. Tokens that fill no whole
    /// window are left out.
    pub fn contiguous_batches(&self, batch: usize, length: usize) -> ContiguousBatches<'_> {
        let row = self.tokens.len().saturating_sub(1) / batch.max(1);
        ContiguousBatches { stream: self, batch, length, row, windows: row.checked_div(length).unwrap_or(0), next: 0 }
    }

    /// Batch number `index` of `seed`: `batch` windows of `length` tokens that begin at places drawn uniformly and
    /// independently. `None` if the sequence is not longer than `length`.
    pub fn random_batch(&self, batch: usize, length: usize, seed: u64, index: u64) -> Option<TokenBatch> {
        let starts = self.tokens.len().checked_sub(length).filter(|&n| n > 0)?;
        let mut rng = stream(seed, index);
        let starts: Vec<usize> = (0..batch).map(|_| rng.random_range(0..starts)).collect();
        Some(self.windows(&starts, length))
    }

    fn windows(&self, starts: &[usize], length: usize) -> TokenBatch {
        let gather = |shift: usize| {
            let tokens = starts.iter().flat_map(|&s| &self.tokens[s + shift..s + shift + length]).copied();
            Tensor::new([starts.len(), length], tokens.collect::<Vec<i64>>()).expect("one row per start")
        };
        TokenBatch { inputs: gather(0), targets: gather(1) }
    }
}

/// See [`TokenStream::contiguous_batches`].
#[derive(Clone, Debug)]
pub struct ContiguousBatches<'a> {
    stream: &'a TokenStream,
    batch: usize,
    length: usize,
    row: usize,
    windows: usize,
    next: usize,
}

impl Iterator for ContiguousBatches<'_> {
    type Item = TokenBatch;

    fn next(&mut self) -> Option<TokenBatch> {
        if self.next == self.windows {
            return None;
        }
        let starts: Vec<usize> = (0..self.batch).map(|b| b * self.row + self.next * self.length).collect();
        self.next += 1;
        Some(self.stream.windows(&starts, self.length))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.windows - self.next, Some(self.windows - self.next))
    }
}

impl ExactSizeIterator for ContiguousBatches<'_> {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_go_on() {
        let stream = TokenStream::new((0..14).collect());
        let batches: Vec<TokenBatch> = stream.contiguous_batches(2, 3).collect();
        let inputs: Vec<&[i64]> = batches.iter().map(|b| b.inputs.as_slice()).collect();
        assert_eq!(inputs, [[0, 1, 2, 6, 7, 8], [3, 4, 5, 9, 10, 11]]);
        assert_eq!(batches[1].targets.as_slice::<i64>(), [4, 5, 6, 10, 11, 12]);
        assert_eq!(TokenStream::new(vec![1]).contiguous_batches(1, 1).len(), 0);
        assert_eq!(TokenStream::new(vec![1, 2, 3]).contiguous_batches(1, 0).len(), 0);
        assert_eq!(TokenStream::new(vec![1, 2, 3]).contiguous_batches(0, 1).next().unwrap().inputs.count(), 0);
    }

    #[test]
    fn random_windows() {
        let stream = TokenStream::new((0..10).collect());
        let batch = stream.random_batch(200, 4, 1, 5).unwrap();
        assert_eq!(batch, stream.random_batch(200, 4, 1, 5).unwrap());
        assert_ne!(batch, stream.random_batch(200, 4, 1, 6).unwrap());
        let mut starts = [0; 6];
        for (x, y) in batch.inputs.as_slice::<i64>().chunks(4).zip(batch.targets.as_slice::<i64>().chunks(4)) {
            assert!((0..4).all(|t| x[t] == x[0] + t as i64 && y[t] == x[t] + 1));
            starts[x[0] as usize] += 1;
        }
        // Every start occurs; each expects 200/6 ± 5.3, and 4 deviations allow 12 to 54.
        assert!(starts.iter().all(|n| (12..55).contains(n)), "{starts:?}");
        assert_eq!(stream.random_batch(1, 10, 0, 0), None);
    }

    #[test]
    fn splits() {
        let (train, validation) = TokenStream::new((0..10).collect()).split(0.9);
        assert_eq!((train.tokens().len(), validation.tokens()), (9, &[9][..]));
    }
}
