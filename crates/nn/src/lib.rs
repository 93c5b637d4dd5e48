//! Layers, initial weights and optimizers over the graph.

mod adam;
mod init;
mod layers;
pub mod peers;
mod train;

pub use adam::Adam;
pub use init::{Initializer, recipe};
pub use layers::{Layers, flatten};
pub use train::{IntervalLoss, TrainError, Trainer, fit_classifier};
