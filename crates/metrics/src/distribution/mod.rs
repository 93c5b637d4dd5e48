//! Whether two samples come from one distribution, and how generated data differ from real.
//!
//! | function | what it compares |
//! |---|---|
//! | [`frechet_distance`] | Gaussians fitted to both samples |
//! | [`squared_mmd`], [`kid`] | kernel mean embeddings |
//! | [`fidelity`] | supports, by balls of nearest neighbours: precision, recall, density, coverage |
//! | [`energy_distance`], [`energy_test`] | distances within and between, with a permutation p-value |

mod energy;
mod gaussian;
mod kernel;
mod manifold;

pub use energy::{EnergyTest, energy_distance, energy_test};
pub use gaussian::{Gaussian, frechet_distance};
pub(crate) use kernel::check_kernel;
pub use kernel::{Kernel, kid, median_bandwidth, squared_mmd};
pub use manifold::{Fidelity, fidelity};
