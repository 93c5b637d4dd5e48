//! Exported graphs compute what the graph computes: read back here, and run by ONNX Runtime where
//! `benches/reference/export_check.py` is given the folder that `PERTURB_EXPORTS` names.

mod cases;
mod files;
mod onnx_runtime;
mod round_trip;

// The graphs that the primitives' own rules are tested with.
#[allow(dead_code)]
#[path = "../../../graph/tests/oracles/linear_bounds/nets.rs"]
mod nets;
#[allow(dead_code)]
#[path = "../../../graph/tests/oracles/numbers.rs"]
mod numbers;
#[allow(dead_code, unused_imports)]
#[path = "../../../graph/tests/oracles/samples/mod.rs"]
mod samples;
