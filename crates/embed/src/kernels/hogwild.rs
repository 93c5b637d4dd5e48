//! Stochastic gradient descent in which threads share the rows without locks.

use super::{Energy, NegativeSampler, RankLoss, RowStore};
use crate::Relations;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

/// Lock-free descent on the pairs of some relations (Niu et al. 2011).
///
/// With one thread a run is a function of the seed, to the last bit. With several, threads see each other's updates in
/// an order that the seed does not fix: each thread's pairs and negatives are determined, the rows are not.
pub struct Hogwild<'a, E> {
    sampler: NegativeSampler<'a>,
    rows: RowStore,
    order: Vec<[u32; 2]>,
    workers: Vec<Worker<E>>,
    seed: u64,
    epochs: u64,
}

/// What a thread needs for itself.
struct Worker<E> {
    loss: RankLoss<E>,
    candidates: Vec<u32>,
}

impl<'a, E: Energy + Clone> Hogwild<'a, E> {
    /// Prepares descent on `rows` by `threads` threads, with up to `negatives` negatives for each pair.
    pub fn new(
        space: &E,
        relations: &'a Relations,
        sampler: NegativeSampler<'a>,
        rows: RowStore,
        negatives: usize,
        threads: usize,
        seed: u64,
    ) -> Hogwild<'a, E> {
        let worker = || Worker {
            loss: RankLoss::new(space.clone(), negatives + 1),
            candidates: Vec::with_capacity(negatives + 1),
        };
        let workers = (0..threads.max(1)).map(|_| worker()).collect();
        Hogwild { sampler, rows, order: relations.pairs().to_vec(), workers, seed, epochs: 0 }
    }

    /// Visits every pair once, in a new random order. Returns the mean loss.
    pub fn epoch(&mut self, learning_rate: f64, negatives: usize) -> f64 {
        let streams = self.workers.len() as u64 + 1;
        let first = self.epochs * streams;
        self.epochs += 1;
        self.order.shuffle(&mut stream(self.seed, first));
        let share = self.order.len().div_ceil(self.workers.len());
        let (sampler, rows, seed) = (&self.sampler, &self.rows, self.seed);
        let mut parts = self.order.chunks(share).zip(&mut self.workers).zip(first + 1..);
        let run = |((pairs, worker), index): ((&[[u32; 2]], &mut Worker<E>), u64)| {
            let mut rng = stream(seed, index);
            let step = |&pair: &[u32; 2]| worker.step(pair, sampler, rows, learning_rate, negatives, &mut rng);
            pairs.iter().map(step).sum::<f64>()
        };
        let total: f64 = std::thread::scope(|scope| {
            let own = parts.next();
            let others: Vec<_> = parts.map(|part| scope.spawn(move || run(part))).collect();
            let own = own.map_or(0.0, run);
            let joined = others.into_iter().map(|thread| match thread.join() {
                Ok(loss) => loss,
                Err(panic) => std::panic::resume_unwind(panic),
            });
            own + joined.sum::<f64>()
        });
        total / self.order.len() as f64
    }

    /// The rows as they are now.
    pub fn into_rows(self) -> RowStore {
        self.rows
    }
}

impl<E: Energy> Worker<E> {
    #[inline]
    fn step(
        &mut self,
        [item, related]: [u32; 2],
        sampler: &NegativeSampler,
        rows: &RowStore,
        learning_rate: f64,
        negatives: usize,
        rng: &mut ChaCha8Rng,
    ) -> f64 {
        self.candidates.clear();
        self.candidates.push(related);
        sampler.draw(item, negatives, rng, &mut self.candidates);
        self.loss.step(item, &self.candidates, rows, learning_rate)
    }
}

fn stream(seed: u64, index: u64) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(index);
    rng
}
