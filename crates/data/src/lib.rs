//! Data sets, loaders, augmentations, corruptions, batches and procedural worlds.
//!
//! - [`registry`]: the data sets that are known by name, where they lie and how to get them.
//! - [`load`] reads a labelled data set from whatever it finds at a path (NumPy arrays, MNIST-style IDX, CIFAR-10 binary,
//!   folders of images) into one [`Dataset`]. Other kinds have types of their own: [`graphs`], [`text`], [`series`],
//!   [`tables`], [`Sudoku`], [`Interactions`], collections of images ([`load_images`]).
//! - [`worlds`]: data that are computed, with ground truth.
//! - [`augment`]: random changes to images that keep what they show; [`corrupt`]: the fifteen common corruptions.
//! - [`batching`]: which examples come when, and batches made ready on other threads.
//!
//! Nothing a file claims is believed before its bytes confirm it: a damaged or hostile file ends in a [`DataError`] that
//! says what, where (for text, the line), and what to do, never in a panic or a huge allocation. Everything random
//! depends on a seed and an index alone, never on the number of threads.
//!
//! ```no_run
//! use perturb_data::{LoadOptions, load};
//! let options = LoadOptions { limit: Some(1000), ..LoadOptions::default() };
//! let mnist = load("mnist".as_ref(), &options)?;
//! assert_eq!(&mnist.inputs.shape()[..], [1000, 1, 28, 28]);
//! # Ok::<(), perturb_data::DataError>(())
//! ```

mod atomic;
pub mod augment;
pub mod batching;
mod cifar;
pub mod corrupt;
mod dataset;
mod error;
mod folder;
pub mod graphs;
mod idx;
mod imaging;
mod interactions;
mod labels;
mod layout;
mod lines;
mod load;
mod npy;
pub mod npz;
mod picture;
pub mod registry;
mod seed;
pub mod series;
mod source;
mod stored;
mod sudoku;
pub mod tables;
pub mod text;
pub mod worlds;

pub use dataset::{Dataset, Format, PixelEncoding};
pub use error::{DataError, Result};
pub use folder::{NamedImage, load_images};
pub use imaging::Image;
pub use interactions::Interactions;
pub use load::{LoadOptions, load};
pub use picture::{load_image, save_png};
pub use sudoku::Sudoku;
