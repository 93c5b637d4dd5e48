//! Representations that stay the same under noise, for classifiers that are then smoothed.

pub mod rrcm;
