//! Training: runs of a compiled step.

mod callback;
mod checkpoint;
mod evaluator;
mod run;
mod trainer;

pub use callback::{Callback, Control, EarlyStopping};
pub use checkpoint::Checkpoint;
pub use evaluator::Evaluator;
pub use run::Run;
pub use trainer::{Trained, Trainer};
