//! Attacks that change what an image looks like, not by little: its colours, its texture.
//!
//! Norms say nothing about such changes; the ball has an infinite radius and only gives the range of the pixels.
//!
//! - [`CAdv`] gives an image other colours through a [`Colorizer`], the conversions [`lab()`] and [`srgb()`] being graphs;
//! - [`TAdv`] gives it the texture of another image;
//! - [`DiffAttack`] sends it through a diffusion model, a [`LatentDiffusion`], and back.

mod c_adv;
mod chain;
mod colorizer;
mod diff_attack;
mod function;
mod lab;
mod latent_diffusion;
mod reconstruction;
mod segments;
mod stop;
mod t_adv;
mod texture;

pub use c_adv::CAdv;
pub use colorizer::Colorizer;
pub use diff_attack::DiffAttack;
pub use lab::{lab, srgb};
pub use latent_diffusion::{AttentionTap, LatentDiffusion};
pub use reconstruction::Tuning;
pub use stop::{Stop, probability_gap};
pub use t_adv::TAdv;
