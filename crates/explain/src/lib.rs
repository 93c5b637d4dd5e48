//! Attributions and how to judge them
