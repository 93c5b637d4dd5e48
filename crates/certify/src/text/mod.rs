//! Texts whose words are replaced.

pub mod vectorizers;
