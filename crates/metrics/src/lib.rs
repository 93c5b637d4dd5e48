//! Statistics and measures with confidence intervals
