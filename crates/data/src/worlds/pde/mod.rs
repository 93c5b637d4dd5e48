//! The `pde` world: partial differential equations with reference solvers and, where they exist, exact solutions.
//!
//! ![Solutions](https://raw.githubusercontent.com/perturb-rs/perturb/main/docs/worlds/pde.png)
//!
//! Everything is f64. Periodic domains are [0, L) or [0, L)², n points per axis, point i at i·L/n; Darcy flow lives on the unit
//! square. Initial conditions are Fourier series with random coefficients ([`FourierSeries`]), so that one sample can
//! be solved at any resolution; two resolutions compared ([`Trajectory::relative_difference`]) tell the solver's error.
//!
//! | equation | solver | exact solution |
//! |---|---|---|
//! | [`Heat`] u_t = ν u_xx, [`Advection`] u_t = −c u_x, [`Wave`] u_tt = c² u_xx | exact in Fourier space | the solver itself |
//! | [`Burgers`] u_t + u u_x = ν u_xx | pseudo-spectral, ETDRK4 | Cole–Hopf, any initial series |
//! | [`Kdv`] u_t + 6 u u_x + u_xxx = 0 | pseudo-spectral, ETDRK4 | solitons |
//! | [`KuramotoSivashinsky`] u_t + u u_x + u_xx + u_xxxx = 0 | pseudo-spectral, ETDRK4 | – (chaotic) |
//! | [`AllenCahn`] u_t = ε² u_xx + u − u³ | pseudo-spectral, ETDRK4 | uniform states, kinks |
//! | [`GrayScott`] two reacting fields | pseudo-spectral, ETDRK4 | without the second field |
//! | [`NavierStokes`] vorticity in the plane | pseudo-spectral, ETDRK4 | Taylor–Green, laminar Kolmogorov flow |
//! | [`Poisson`] −Δu = f | Fourier | any series |
//! | [`Darcy`] −∇·(a∇u) = f, u = 0 on the border | finite volumes, sparse Cholesky | manufactured |
//!
//! ```
//! use perturb_data::worlds::pde::{Burgers, Evolution};
//! let equation = Burgers { n: 256, viscosity: 0.1, ..Burgers::default() };
//! let solution = equation.sample(7, 0, &[0.0, 0.5, 1.0])?;
//! assert_eq!(&solution.fields.shape()[..], [3, 1, 256]);
//! // The same sample, exactly, at any point and time.
//! let series = equation.initial_series(7, 0);
//! let exact = equation.cole_hopf(&series, 0.0, 1.0);
//! assert!((solution.fields.as_slice::<f64>()[2 * 256] - exact).abs() < 1e-8);
//! # Ok::<(), perturb_data::worlds::WorldError>(())
//! ```

mod allen_cahn;
mod burgers;
mod darcy;
mod etdrk4;
mod gray_scott;
mod kdv;
mod kuramoto_sivashinsky;
mod linear;
mod navier_stokes;
mod poisson;
mod series;
mod spectral;
mod trajectory;

pub use allen_cahn::AllenCahn;
pub use burgers::Burgers;
pub use darcy::{Darcy, Permeability};
pub use gray_scott::GrayScott;
pub use kdv::Kdv;
pub use kuramoto_sivashinsky::KuramotoSivashinsky;
pub use linear::{Advection, Heat, Wave};
pub use navier_stokes::NavierStokes;
pub use poisson::Poisson;
pub use series::{FourierSeries, SeriesLaw};
pub use trajectory::{Evolution, Trajectory};
