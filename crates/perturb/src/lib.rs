//! The perturbation engine for learned models: one differentiable, boundable graph.

pub use perturb_attack as attack;
pub use perturb_certify as certify;
pub use perturb_data as data;
pub use perturb_engine as engine;
pub use perturb_explain as explain;
pub use perturb_graph as graph;
pub use perturb_metrics as metrics;
pub use perturb_nn as nn;
pub use perturb_onnx as onnx;
pub use perturb_report as report;
pub use perturb_threat as threat;
