//! What decides throughput: rows that threads share, sampling, lock-free descent.

mod alias;
mod energy;
mod hogwild;
mod negatives;
mod rank_loss;
mod rows;

pub use alias::AliasTable;
pub use energy::Energy;
pub use hogwild::Hogwild;
pub use negatives::NegativeSampler;
pub use rank_loss::RankLoss;
pub use rows::RowStore;
