//! The `markov` world: finite chains, hidden Markov models, decision processes and users, with everything exact.
//!
//! ![Chains and values](https://raw.githubusercontent.com/perturb-rs/perturb/main/docs/worlds/markov.png)
//!
//! | world | truth |
//! |---|---|
//! | [`Chain`] | transition matrix, stationary law, law at any time, mixing time, spectral gap |
//! | [`Hmm`] | likelihood of observations, posterior of the states |
//! | [`Mdp`] | value of every policy, the best policy |
//! | [`Sessions`] | the law of every user's next item |
//!
//! ```
//! use perturb_data::worlds::markov::Chain;
//! let chain = Chain::new(2, vec![0.9, 0.1, 0.3, 0.7])?;
//! let stationary = chain.stationary()?;
//! assert!((stationary[0] - 0.75).abs() < 1e-15);
//! assert_eq!(chain.mixing_time(0.01)?, 9);
//! # Ok::<(), perturb_data::worlds::WorldError>(())
//! ```

mod chain;
mod hmm;
mod mdp;
mod sessions;

pub use chain::Chain;
pub use hmm::Hmm;
pub use mdp::Mdp;
pub use sessions::Sessions;

use crate::worlds::error::WorldError;
use rand::{Rng, RngExt};

/// Checks that consecutive rows of `width` values are laws.
fn check_rows(name: &'static str, rows: &[f64], width: usize) -> Result<(), WorldError> {
    for (i, row) in rows.chunks(width.max(1)).enumerate() {
        let sum: f64 = row.iter().sum();
        if row.iter().any(|p| p.is_nan() || *p < 0.0) || (sum - 1.0).abs() > 1e-9 {
            let expected = format!("row {i} must hold probabilities that sum to 1");
            return Err(WorldError::parameter("markov", name, format!("{row:?}"), expected));
        }
    }
    Ok(())
}

/// An index drawn from a law.
fn draw(law: &[f64], rng: &mut impl Rng) -> usize {
    let mut rest: f64 = rng.random_range(0.0..1.0);
    let found = law.iter().position(|p| {
        rest -= p;
        rest < 0.0
    });
    // Rounding can leave a rest after the last one.
    found.unwrap_or_else(|| law.iter().rposition(|p| *p > 0.0).expect("a law has a positive probability"))
}

/// A row drawn uniformly from all laws on n values (exponential values, normalized), sharpened: values to the power
/// `sharpness` before normalization.
fn random_law(n: usize, sharpness: f64, rng: &mut impl Rng) -> Vec<f64> {
    let values: Vec<f64> = (0..n).map(|_| rng.sample::<f64, _>(rand_distr::Exp1).powf(sharpness)).collect();
    let sum: f64 = values.iter().sum();
    values.into_iter().map(|v| v / sum).collect()
}
