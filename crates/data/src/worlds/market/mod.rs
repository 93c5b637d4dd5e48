//! The `market` world: returns of several assets whose mean and covariance are known at every step.
//!
//! ![Prices, regimes and portfolios](https://raw.githubusercontent.com/perturb-rs/perturb/main/docs/worlds/market.png)
//!
//! A [`Market`] has regimes that follow a Markov chain, common factors, stochastic volatility, and features a few of
//! which tell something about the next returns. Its [`MarketPath`] holds, besides what an investor sees, the conditional
//! mean and covariance of every return given everything but the return itself, from which [`mean_variance`] makes the
//! best portfolio; [`Market::regime_probabilities`] tells what can be known of the regime. Returns are simple returns per step beyond the riskless rate; a step is a trading day, 252 of which
//! make a year. This is a world for research, not a model of any real market and no advice.
//!
//! ```
//! use perturb_data::worlds::market::{Market, mean_variance};
//! let market = Market::new(7);
//! let path = market.sample(100, 7, 0)?;
//! let weights = mean_variance(path.mean(99), path.covariance(99), 5.0)?;
//! assert_eq!(weights.len(), 10);
//! # Ok::<(), perturb_data::worlds::WorldError>(())
//! ```

mod filter;
mod path;
mod portfolio;

pub use path::{Market, MarketPath, Regime};
pub use portfolio::{fully_invested, largest_sharpe_ratio, mean_variance};
