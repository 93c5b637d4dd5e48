//! Users who choose items one after the other.

use super::{draw, random_law};
use crate::worlds::error::WorldError;
use crate::worlds::stream::stream;

/// A world of recommendations. Every item has a law of items that follow it, every user a taste; the next item follows
/// the current one with probability 1 − `taste`, else it comes from the user's taste. Both laws are sharp: few items
/// have most of the probability. Popular items are popular in all tastes.
#[derive(Clone, Debug, PartialEq)]
pub struct Sessions {
    users: usize,
    items: usize,
    taste: f64,
    following: Vec<f64>,
    tastes: Vec<f64>,
}

impl Sessions {
    /// The world of a seed.
    ///
    /// # Errors
    /// [`WorldError::Parameter`] for no users or items, or a `taste` that is no probability.
    pub fn new(users: usize, items: usize, taste: f64, seed: u64) -> Result<Sessions, WorldError> {
        if users == 0 || items == 0 {
            return Err(WorldError::parameter(
                "markov",
                "users and items",
                format!("{users} and {items}"),
                "at least one each",
            ));
        }
        if !(0.0..=1.0).contains(&taste) {
            return Err(WorldError::parameter("markov", "taste", taste, "a probability must lie between 0 and 1"));
        }
        let mut rng = stream("markov sessions", seed, 0);
        let following = (0..items).flat_map(|_| random_law(items, 4.0, &mut rng)).collect();
        let popularity = random_law(items, 2.0, &mut rng);
        let mut liked = || {
            let own = random_law(items, 3.0, &mut rng);
            let weights: Vec<f64> = own.iter().zip(&popularity).map(|(a, b)| a * b).collect();
            let sum: f64 = weights.iter().sum();
            weights.into_iter().map(move |w| w / sum)
        };
        let tastes = (0..users).flat_map(|_| liked()).collect();
        Ok(Sessions { users, items, taste, following, tastes })
    }

    /// Number of users.
    pub fn users(&self) -> usize {
        self.users
    }

    /// Number of items.
    pub fn items(&self) -> usize {
        self.items
    }

    /// P(next item | user, current item), exactly; without a current item, the user's taste.
    pub fn next(&self, user: usize, current: Option<usize>) -> Vec<f64> {
        let taste = &self.tastes[user * self.items..][..self.items];
        match current {
            None => taste.to_vec(),
            Some(item) => {
                let following = &self.following[item * self.items..][..self.items];
                following.iter().zip(taste).map(|(f, t)| (1.0 - self.taste) * f + self.taste * t).collect()
            }
        }
    }

    /// The `length` items of a user's session, which depend on seed and user alone.
    pub fn sample(&self, user: usize, length: usize, seed: u64) -> Vec<usize> {
        let mut rng = stream("markov session", seed, user as u64);
        let mut current = None;
        let mut step = || {
            let item = draw(&self.next(user, current), &mut rng);
            current = Some(item);
            item
        };
        (0..length).map(|_| step()).collect()
    }
}
