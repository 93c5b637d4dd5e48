//! Which examples come when, and batches made ready on other threads.
//!
//! ```
//! use perturb_data::augment::{Augmentation, HorizontalFlip};
//! use perturb_data::batching::{Batches, Loader, Shuffled};
//! use perturb_data::worlds::Shapes;
//! use perturb_graph::Tensor;
//!
//! let images = Shapes::default().dataset(1, 100).images;
//! let batches = Batches::new(Shuffled { len: 100, seed: 7 }, 32).epochs(2);
//! let loader = Loader::new(batches, 2, 2, move |batch| {
//!     let rows: Vec<f32> = batch.indices.iter().flat_map(|&i| images.rows(i, i + 1).as_slice::<f32>().to_vec()).collect();
//!     let rows = Tensor::new([batch.indices.len(), 3, 32, 32], rows)?;
//!     // An epoch's own seed: the same image is changed anew in each.
//!     let indices: Vec<u64> = batch.indices.iter().map(|&i| i as u64).collect();
//!     Ok::<_, Box<dyn std::error::Error + Send + Sync>>(HorizontalFlip::default().batch(&rows, batch.epoch, &indices)?)
//! });
//! let sizes: Vec<usize> = loader.map(|batch| Ok(batch?.shape()[0])).collect::<Result<_, Box<dyn std::error::Error + Send + Sync>>>()?;
//! assert_eq!(sizes, [32, 32, 32, 4, 32, 32, 32, 4]);
//! # Ok::<(), Box<dyn std::error::Error + Send + Sync>>(())
//! ```

mod batches;
mod loader;
mod samplers;

pub use batches::{Batch, Batches};
pub use loader::Loader;
pub use samplers::{ClassBalanced, Sampler, Sequential, Shuffled, Stratified, Weighted};
