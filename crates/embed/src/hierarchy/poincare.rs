//! Poincaré embeddings (Nickel & Kiela 2017).

use crate::error::{EmbedError, Result};
use crate::kernels::{Energy, Hogwild, NegativeSampler, RowStore};
use crate::{Relations, Table};
use perturb_data::graphs::Taxonomy;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Learns points whose distances rank each item's related items before unrelated ones, by Riemannian stochastic
/// gradient descent on pairs ([`RankLoss`](crate::kernels::RankLoss)).
///
/// In a [`PoincareBall`](crate::geometry::PoincareBall) these are Poincaré embeddings: general items come to lie near the
/// origin, specific ones near the rim. [`Euclidean`](crate::geometry::Euclidean) gives the paper's flat baseline.
#[derive(Clone, Debug, PartialEq)]
pub struct Poincare {
    /// Passes over the pairs after the burn-in.
    pub epochs: usize,
    /// Step size of the descent.
    pub learning_rate: f64,
    /// Negatives for each pair; fewer where an item has not so many.
    pub negatives: usize,
    /// First passes, which find directions before distances grow.
    pub burn_in_epochs: usize,
    /// Step size of the burn-in.
    pub burn_in_learning_rate: f64,
    /// Negatives occur in proportion to their frequency among the pairs to this power: 0 draws uniformly, as the
    /// evaluation by ranks does.
    pub damping: f64,
    /// Coordinates start uniformly between minus this and this.
    pub initial_range: f64,
    /// Threads; only one thread gives the same bits for the same seed.
    pub threads: usize,
    /// Seed of everything random.
    pub seed: u64,
}

impl Default for Poincare {
    fn default() -> Poincare {
        Poincare {
            epochs: 50,
            learning_rate: 0.1,
            negatives: 10,
            burn_in_epochs: 10,
            burn_in_learning_rate: 0.01,
            damping: 0.0,
            initial_range: 1e-3,
            threads: 1,
            seed: 0,
        }
    }
}

/// A pass that is done.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Epoch {
    /// Its number, from 0, burn-in included.
    pub index: usize,
    /// How many there will be.
    pub count: usize,
    /// Mean loss over the pairs, each before its step.
    pub loss: f64,
}

impl Poincare {
    /// Embeds the concepts of a taxonomy, usually a transitive closure, in `space`.
    ///
    /// # Errors
    /// [`EmbedError::Hyperparameter`]; [`EmbedError::Empty`] or [`EmbedError::Pair`] for pairs that cannot be learned;
    /// [`EmbedError::Diverged`] for steps too large for the space.
    pub fn fit<E: Energy + Clone>(&self, space: E, taxonomy: &Taxonomy) -> Result<Table<E>> {
        self.fit_observed(space, taxonomy, |_| ())
    }

    /// [`fit`](Self::fit), telling `observe` of each pass.
    ///
    /// # Errors
    /// Those of [`fit`](Self::fit).
    pub fn fit_observed<E: Energy + Clone>(
        &self,
        space: E,
        taxonomy: &Taxonomy,
        mut observe: impl FnMut(Epoch),
    ) -> Result<Table<E>> {
        self.check(space.dim())?;
        let relations = Relations::new(taxonomy)?;
        let sampler = NegativeSampler::new(&relations, self.damping);
        let sampler = sampler.ok_or_else(|| hyperparameter("damping", self.damping, "small enough to sample by"))?;
        // Stream 0 of the seed is the first epoch's order; initial values come from the last.
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        rng.set_stream(u64::MAX);
        let values = (0..relations.items() * space.dim()).map(|_| self.initial_range * rng.random_range(-1.0..1.0));
        let rows = RowStore::new(space.dim(), values);
        let mut descent = Hogwild::new(&space, &relations, sampler, rows, self.negatives, self.threads, self.seed);
        let count = self.burn_in_epochs + self.epochs;
        for index in 0..count {
            let rate = if index < self.burn_in_epochs { self.burn_in_learning_rate } else { self.learning_rate };
            observe(Epoch { index, count, loss: descent.epoch(rate, self.negatives) });
        }
        let values = descent.into_rows().into_values();
        if let Some(row) = values.chunks_exact(space.dim()).position(|row| !space.contains(row)) {
            return Err(EmbedError::Diverged { name: taxonomy.names[row].clone() });
        }
        Table::new(taxonomy.names.clone(), values, space)
    }

    fn check(&self, dimensions: usize) -> Result<()> {
        for (name, value) in [("dimensions", dimensions), ("negatives", self.negatives), ("threads", self.threads)] {
            if value == 0 {
                return Err(hyperparameter(name, value, "at least 1"));
            }
        }
        let rates = [("learning_rate", self.learning_rate), ("burn_in_learning_rate", self.burn_in_learning_rate)];
        for (name, value) in rates {
            if !(value > 0.0 && value.is_finite()) {
                return Err(hyperparameter(name, value, "positive"));
            }
        }
        if !(self.damping >= 0.0 && self.damping.is_finite()) {
            return Err(hyperparameter("damping", self.damping, "0 or more"));
        }
        let inside = self.initial_range * self.initial_range * (dimensions as f64) < 1.0;
        if !(self.initial_range > 0.0 && inside) {
            return Err(hyperparameter("initial_range", self.initial_range, "positive, and below 1/√dimensions"));
        }
        Ok(())
    }
}

fn hyperparameter(name: &'static str, value: impl ToString, expected: &'static str) -> EmbedError {
    EmbedError::Hyperparameter { name, value: value.to_string(), expected }
}
