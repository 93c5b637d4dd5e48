//! Attributions, and how to judge them.
//!
//! An attribution says how much each element of an input speaks for a class; a judge says how far that can be trusted.
//!
//! ```
//! use perturb_explain::{Attribution, IntegratedGradients, Model, completeness_gaps, Baseline};
//! use perturb_graph::{DType, Expr, Graph, Tensor};
//!
//! // A classifier of two classes with logits tanh(x)·W.
//! let x = Expr::input("x", [1, 3], DType::F32);
//! let w = Expr::param("w", Tensor::new([3, 2], vec![1.0f32, 0.0, -2.0, 0.0, 0.5, 1.0])?);
//! let graph = Graph::new(vec![x.clone()], vec![("logits".into(), x.tanh().matmul(&w))])?;
//! let model = Model::compile(&graph, 16)?;
//!
//! let inputs = Tensor::new([2, 3], vec![1.0f32, 0.5, -1.0, 0.2, -0.3, 2.0])?;
//! let maps = IntegratedGradients::default().attribute(&model, &inputs, &[0, 1])?;
//! assert_eq!(maps.shape(), inputs.shape());
//! // The attributions of an example sum to what the logit gained over the baseline.
//! let gaps = completeness_gaps(&model, &inputs, &maps, &[0, 1], &Baseline::Zero)?;
//! assert!(gaps.iter().all(|gap| *gap < 1e-5));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! | method | access | judge | needs |
//! |---|---|---|---|
//! | [`Gradient`], [`InputTimesGradient`] | input gradient | [`Infidelity`] | model |
//! | [`IntegratedGradients`] | input gradient | [`MaxSensitivity`] | model and method |
//! | [`SmoothGrad`] | input gradient | [`RemovalCurve`] (deletion, insertion) | model |
//! | [`Occlusion`] | outputs | [`localise`] | true masks |
//!
//! Rules for all of them: attributions are of the target's **logit**, signed, of the inputs' shape, and channels are not
//! reduced; random numbers come from a [`Seed`] and the example's index, so that results depend neither on threads nor
//! on which examples are computed together; work of many examples shares the model's batches.

mod attribution;
mod baseline;
mod channels;
mod error;
mod examples;
mod geometry;
mod magnitude;
mod methods;
mod model;
mod quality;
mod seed;
mod sweep;

pub use attribution::Attribution;
pub use baseline::Baseline;
pub use channels::ChannelSum;
pub use error::{ExplainError, Result};
pub use geometry::Geometry;
pub use magnitude::Magnitude;
pub use methods::{Gradient, InputTimesGradient, IntegratedGradients, Occlusion, Quadrature, SmoothGrad};
pub use model::Model;
pub use quality::{
    Curve, Infidelity, InfidelityScores, Localisation, MaxSensitivity, Perturbation, RemovalCurve, Route,
    completeness_gaps, localise,
};
pub use seed::Seed;
