//! The perturbation engine for learned models: attack, certify and explain on one differentiable, boundable graph.
//!
//! ```
//! use perturb::attack::{Attack, Ball, Classifier, Criterion, Norm, Pgd, Seed};
//! use perturb::certify::{Certifier, Method, Region, Settings};
//! use perturb::graph::{DType, Expr, Graph, Tensor, grad};
//!
//! // A model is a graph: here two logits of two features, z = W·relu(x).
//! let x = Expr::input("x", [1, 2], DType::F32);
//! let w = Expr::param("w", Tensor::new([2, 2], vec![1.0f32, -1.0, -1.0, 1.0])?);
//! let z = x.relu().matmul(&w);
//! let model = Graph::new(vec![x.clone()], vec![("logits".into(), z.clone())])?;
//!
//! // An analysis is a transform of it. The gradient of the first logit is a graph again.
//! let gradient = grad(&z.slice_axis(1, 0, 1), &[x])?;
//! assert_eq!(gradient[0].shape()[..], [1, 2]);
//!
//! // The point (0.7, 0.2) has margin 2·(0.7 − 0.2) = 1: a change of 0.3 in both features turns it over …
//! let point = Tensor::new([1, 2], vec![0.7f32, 0.2])?;
//! let classifier = Classifier::new(&model, 1)?;
//! let ball = Ball::new(Norm::Linf, 0.3, (0.0, 1.0))?;
//! let label = Criterion::Misclassify { labels: vec![0] };
//! let found = Pgd::default().run(&classifier, &point, &label, &ball, &Seed::new(0, 0))?;
//! assert!(found.success[0] && found.distances[0] <= 0.3);
//!
//! // … and a change of 0.2 provably does not.
//! let certifier = Certifier::new(&model, Method::Crown, Settings::default())?;
//! let margin = certifier.margins(&point, &[0], &Region::from(0.2).within(0.0, 1.0))?;
//! assert!(margin[0] > 0.0);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! - [`graph`]: expressions, primitives and the transforms. Start here.
//! - [`engine`]: compiles and runs graphs. [`onnx`]: models from files. [`nn`]: layers and training. [`data`]: data sets
//!   and worlds.
//! - [`threat`]: what may be perturbed. [`attack`], [`certify`], [`explain`]: the methods.
//! - [`ssl`], [`generate`], [`science`]: learning without labels, diffusion, and solvers of differential equations.
//! - [`theory`]: laws of wide networks. [`metrics`] and [`report`]: what was measured, and how it is shown.
//! - [`papers`]: the catalogue of published systems, and their measured reproductions.

pub use perturb_attack as attack;
pub use perturb_certify as certify;
pub use perturb_data as data;
pub use perturb_defend as defend;
pub use perturb_embed as embed;
pub use perturb_engine as engine;
pub use perturb_explain as explain;
pub use perturb_generate as generate;
pub use perturb_graph as graph;
pub use perturb_metrics as metrics;
pub use perturb_nn as nn;
pub use perturb_onnx as onnx;
pub use perturb_papers as papers;
pub use perturb_report as report;
pub use perturb_science as science;
pub use perturb_ssl as ssl;
pub use perturb_theory as theory;
pub use perturb_threat as threat;
