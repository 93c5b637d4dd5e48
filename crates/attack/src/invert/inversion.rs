//! Guesses, corrected again and again.

use super::writer::Writer;
use super::{Embedder, normalize};
use crate::problem::require;
use crate::{AttackError, Seed};
use perturb_graph::Tensor;

/// A trained inversion of an embedder.
pub struct Inverter {
    pub(super) embedder: Embedder,
    pub(super) base: Writer,
    pub(super) corrector: Writer,
    /// Width of the embeddings.
    pub(super) size: usize,
}

/// A text for an embedding.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidate {
    /// Numbers of its words, filled up behind with 0.
    pub words: Vec<i64>,
    /// Cosine of its embedding with the one that was to be inverted.
    pub cosine: f64,
}

/// Embeddings this near are those of the text, but for rounding.
const FOUND: f64 = 1.0 - 1e-6;

impl Inverter {
    /// Embeddings `[N, D]` of texts `[N, T]`, of length 1.
    ///
    /// # Errors
    /// If the embedder cannot be run on them.
    pub fn embed(&self, texts: &Tensor) -> Result<Tensor, AttackError> {
        self.embedder.embed(texts)
    }

    /// Texts for `embeddings [N, D]` of any length: of each round, from the first guesses (round 0) on, the best candidate so
    /// far for each embedding. Each round corrects the `beam` nearest candidates, each in `beam` ways: by the likeliest
    /// words, and by words drawn at temperature 1.
    ///
    /// # Errors
    /// If the embeddings are not of the width that was trained on, or the beam is 0.
    pub fn invert(
        &self,
        embeddings: &Tensor,
        rounds: usize,
        beam: usize,
        seed: &Seed,
    ) -> Result<Vec<Vec<Candidate>>, AttackError> {
        let mut search = Search::start(self, embeddings, beam, seed)?;
        let mut found = vec![search.best()];
        for round in 1..=rounds {
            search.correct(round)?;
            found.push(search.best());
        }
        Ok(found)
    }

    /// The baseline without a corrector: the nearest of so many texts that the first network writes for each of
    /// `embeddings [N, D]`, the likeliest one among them.
    ///
    /// # Errors
    /// As for [`Inverter::invert`].
    pub fn guess(&self, embeddings: &Tensor, texts: usize, seed: &Seed) -> Result<Vec<Candidate>, AttackError> {
        Ok(Search::start(self, embeddings, texts, seed)?.best())
    }
}

struct Search<'a> {
    inverter: &'a Inverter,
    targets: Tensor,
    beam: usize,
    seed: &'a Seed,
    /// The nearest first.
    beams: Vec<Vec<Candidate>>,
}

impl<'a> Search<'a> {
    fn start(
        inverter: &'a Inverter,
        embeddings: &Tensor,
        beam: usize,
        seed: &'a Seed,
    ) -> Result<Search<'a>, AttackError> {
        require(beam > 0, "Vec2Text", "beam", 0.0, "1 or more")?;
        let fits = matches!(embeddings.shape()[..], [n, size] if n > 0 && size == inverter.size);
        if !fits || embeddings.try_as_slice::<f32>().is_none() {
            let (shape, width) = (embeddings.shape().clone(), inverter.size);
            return Err(AttackError::Embeddings { shape, width });
        }
        let mut targets = embeddings.clone();
        normalize(&mut targets);
        let n = targets.shape()[0];
        let mut search = Search { inverter, targets, beam, seed, beams: vec![Vec::new(); n] };
        let written = inverter.base.write(&search.targets, None, seed, &temperatures(beam))?;
        search.take(&(0..n).flat_map(|row| std::iter::repeat_n(row, beam)).collect::<Vec<_>>(), &written)?;
        Ok(search)
    }

    /// One round for all embeddings whose text is not found.
    fn correct(&mut self, round: usize) -> Result<(), AttackError> {
        let open = |row: &usize| self.beams[*row][0].cosine < FOUND;
        let rows: Vec<usize> = (0..self.beams.len())
            .filter(open)
            .flat_map(|row| std::iter::repeat_n(row, self.beams[row].len()))
            .collect();
        if rows.is_empty() {
            return Ok(());
        }
        let kept = (0..self.beams.len()).filter(open).flat_map(|row| &self.beams[row]);
        let words: Vec<i64> = kept.flat_map(|candidate| &candidate.words).copied().collect();
        let guesses = Tensor::new([rows.len(), words.len() / rows.len()], words)?;
        let targets = self.rows(&rows)?;
        let seen = self.inverter.embedder.embed(&guesses)?;
        let seed = self.seed.later(round as u64);
        let written =
            self.inverter.corrector.write(&targets, Some((&guesses, &seen)), &seed, &temperatures(self.beam))?;
        let rows: Vec<usize> = rows.into_iter().flat_map(|row| std::iter::repeat_n(row, self.beam)).collect();
        self.take(&rows, &written)
    }

    /// Texts join the candidates of these rows, of which the nearest are kept.
    fn take(&mut self, rows: &[usize], texts: &Tensor) -> Result<(), AttackError> {
        let embeddings = self.inverter.embedder.embed(texts)?;
        let width = self.inverter.size;
        let parts = embeddings.as_slice::<f32>().chunks_exact(width);
        for ((&row, words), e) in rows.iter().zip(texts.as_slice::<i64>().chunks_exact(texts.shape()[1])).zip(parts) {
            let target = &self.targets.as_slice::<f32>()[row * width..(row + 1) * width];
            let cosine = target.iter().zip(e).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
            let beam = &mut self.beams[row];
            if beam.iter().all(|known| known.words != words) {
                beam.push(Candidate { words: words.to_vec(), cosine });
            }
        }
        for beam in &mut self.beams {
            beam.sort_by(|a, b| b.cosine.total_cmp(&a.cosine));
            beam.truncate(self.beam);
        }
        Ok(())
    }

    fn rows(&self, rows: &[usize]) -> Result<Tensor, AttackError> {
        let width = self.inverter.size;
        let all = self.targets.as_slice::<f32>();
        let values = rows.iter().flat_map(|&row| &all[row * width..(row + 1) * width]).copied().collect();
        Ok(Tensor::new([rows.len(), width], values)?)
    }

    fn best(&self) -> Vec<Candidate> {
        self.beams.iter().map(|beam| beam[0].clone()).collect()
    }
}

/// The likeliest words, and words as likely as they are.
fn temperatures(beam: usize) -> Vec<f64> {
    (0..beam).map(|i| if i == 0 { 0.0 } else { 1.0 }).collect()
}
