//! ONNX models to and from perturb graphs
