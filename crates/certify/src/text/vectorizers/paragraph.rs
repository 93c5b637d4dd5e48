//! Paragraph vectors.

use super::{HammingRobust, ROUNDING, WordVectors, check};
use crate::{CertifyError, Result};
use perturb_engine::{Executable, Options};
use perturb_graph::{DType, Expr, Tensor, grad, jvp, vmap};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

/// Length of the gradient at which inference ends.
const TOLERANCE: f64 = 1e-9;
/// Newton steps and halvings of a step that inference may take; strong convexity needs far fewer.
const ITERATIONS: usize = 200;

/// The vector q of a document by doc2vec (Le & Mikolov 2014) with fixed word vectors: what minimises the mean over its T
/// words of `−log softmax(P·h_t)[w_t]`, plus `λ/2·‖q‖²`. In the distributed bag of words `h_t = q`; in the distributed
/// memory h_t is the mean of q and the context vectors of the words around place t.
///
/// The objective is λ-strongly convex, and a replaced word changes its gradient by at most `diam(P)/T`: its own term by
/// what the word's vector changes, and in the distributed memory each of the 2k+1 terms that see it by another mean of
/// the rows of P, all of them divided by 2k+1. So h replacements move the minimiser by at most `diam(P)·h/(λT)`, to which the
/// bound adds what inference leaves undone.
pub struct ParagraphVector {
    words: WordVectors,
    memory: Option<Memory>,
    lambda: f64,
    // For each number of different logits that terms may have, one Newton step.
    steps: Mutex<BTreeMap<usize, Arc<Executable>>>,
}

struct Memory {
    contexts: WordVectors,
    window: usize,
}

impl ParagraphVector {
    /// The distributed bag of words over the output vectors P.
    ///
    /// # Errors
    /// If λ is not a finite number above 0.
    pub fn bag_of_words(words: WordVectors, lambda: f64) -> Result<ParagraphVector> {
        if !(lambda.is_finite() && lambda > 0.0) {
            return Err(CertifyError::Parameter { name: "lambda", range: "a finite number above 0", value: lambda });
        }
        Ok(ParagraphVector { words, memory: None, lambda, steps: Mutex::default() })
    }

    /// The distributed memory over the output vectors P and context vectors of the same shape, with `window` words on each
    /// side; places beyond the ends count as zeros.
    ///
    /// # Errors
    /// If λ is not a finite number above 0, or the two tables differ in shape.
    pub fn memory(words: WordVectors, contexts: WordVectors, window: usize, lambda: f64) -> Result<ParagraphVector> {
        if (words.words(), words.width()) != (contexts.words(), contexts.width()) {
            return CertifyError::unfit("context vectors", "their table differs in shape from that of output vectors");
        }
        let memory = Some(Memory { contexts, window });
        Ok(ParagraphVector { memory, ..ParagraphVector::bag_of_words(words, lambda)? })
    }

    // How many vectors a hidden state is the mean of.
    fn parts(&self) -> f64 {
        self.memory.as_ref().map_or(1.0, |m| (2 * m.window + 1) as f64)
    }

    // The part of each different hidden state that does not depend on q, `[states, width]`.
    fn states(&self, document: &[usize]) -> Result<Tensor> {
        let width = self.words.width();
        let Some(Memory { contexts, window }) = &self.memory else {
            return Ok(Tensor::full([1, width], 0.0));
        };
        let mut states = vec![0.0; document.len() * width];
        for (t, state) in states.chunks_exact_mut(width).enumerate() {
            let around = t.saturating_sub(*window)..(t + window + 1).min(document.len());
            for place in around.filter(|&place| place != t) {
                let context = contexts.vector(document[place]);
                state.iter_mut().zip(context).for_each(|(s, c)| *s += c / self.parts());
            }
        }
        Ok(Tensor::new([document.len(), width], states)?)
    }

    // From `q`, the mean output vector of the words and the fixed parts of the hidden states: the objective less its
    // constant part, its gradient, and Newton's direction.
    fn step(&self, states: usize) -> Result<Arc<Executable>> {
        let mut steps = self.steps.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if let Some(known) = steps.get(&states) {
            return Ok(known.clone());
        }
        let (n, width) = (self.words.words(), self.words.width());
        let input = |name: &str, shape: &[usize]| Expr::try_input(name, shape, DType::F64);
        let (q, mean, fixed) = (input("q", &[width])?, input("mean", &[width])?, input("fixed", &[states, width])?);
        let table: Vec<f64> = (0..n).flat_map(|w| self.words.vector(w)).copied().collect();
        let outputs = Expr::constant(Tensor::new([n, width], table)?);
        let own = q.scale(1.0 / self.parts());
        let logits = fixed.add(&own).matmul(&outputs.transpose(&[1, 0]));
        let likelihood = own.mul(&mean).sum().sub(&logits.try_logsumexp(&[1], false)?.reduce_mean(&[0], false));
        let objective = q.square().sum().scale(self.lambda / 2.0).sub(&likelihood);
        let gradient = grad(&objective, std::slice::from_ref(&q))?.remove(0);
        let hessian = hessian(&gradient, &q)?;
        let direction = hessian.try_solve(&gradient.neg())?;
        let inputs = [q, mean, fixed];
        let step = Executable::compile(&[objective, gradient, direction], &inputs, &Options::default())?;
        Ok(steps.entry(states).or_insert(Arc::new(step)).clone())
    }
}

// All rows ∂gradient/∂q_i, which are also the columns.
fn hessian(gradient: &Expr, q: &Expr) -> Result<Expr> {
    let n = q.shape()[0];
    let direction = Expr::try_input("direction", [n], q.dtype())?;
    let moved = jvp(std::slice::from_ref(gradient), std::slice::from_ref(q), &[Some(direction.clone())]).remove(0);
    let moved = moved.unwrap_or_else(|| gradient.like(0.0));
    let identity = (0..n * n).map(|i| if i % (n + 1) == 0 { 1.0 } else { 0.0 }).collect();
    let identity = Expr::constant(Tensor::from_f64([n, n], q.dtype(), identity)?);
    Ok(vmap(&[moved], &[(direction, identity)], n)?.remove(0))
}

impl HammingRobust for ParagraphVector {
    /// # Errors
    /// If the document is empty or an index is none of the vocabulary; if inference does not end, because the word vectors
    /// are too large or λ too small for f64.
    fn transform(&self, document: &[usize]) -> Result<Vec<f64>> {
        check(document, self.words.words())?;
        let mut mean = vec![0.0; self.words.width()];
        for &word in document {
            mean.iter_mut().zip(self.words.vector(word)).for_each(|(m, v)| *m += v / document.len() as f64);
        }
        let (mean, states) = (Tensor::new([mean.len()], mean)?, self.states(document)?);
        let step = self.step(states.shape()[0])?;
        let at = |q: &[f64]| -> Result<[Vec<f64>; 3]> {
            let results = step.run(&[&Tensor::new([q.len()], q.to_vec())?, &mean, &states])?;
            Ok(std::array::from_fn(|i| results[i].to_f64_vec()))
        };
        let mut q = vec![0.0; self.words.width()];
        let [mut value, mut gradient, mut direction] = at(&q)?;
        let mut share = 1.0;
        for _ in 0..ITERATIONS {
            if norm(&gradient) <= TOLERANCE {
                return Ok(q);
            }
            let next: Vec<f64> = q.iter().zip(&direction).map(|(q, d)| q + share * d).collect();
            let found = at(&next)?;
            // Near the minimum the objective no longer tells points apart, but the gradient does.
            if found[0][0] < value[0] || norm(&found[1]) < norm(&gradient) {
                (q, [value, gradient, direction], share) = (next, found, 1.0);
            } else {
                share /= 2.0;
            }
        }
        CertifyError::unfit("a paragraph vector", format!("inference stops at a gradient of {:.1e}", norm(&gradient)))
    }

    fn bound(&self, document: &[usize], changes: usize) -> Result<f64> {
        check(document, self.words.words())?;
        let changes = changes.min(document.len()) as f64;
        // Either minimiser is known up to TOLERANCE/λ.
        let exact = self.words.diameter() * changes / (self.lambda * document.len() as f64);
        Ok((exact + 2.0 * TOLERANCE / self.lambda) * ROUNDING)
    }
}

fn norm(v: &[f64]) -> f64 {
    v.iter().map(|v| v * v).sum::<f64>().sqrt()
}
