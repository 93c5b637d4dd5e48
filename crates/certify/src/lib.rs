//! Bounds and certificates over sets of inputs
