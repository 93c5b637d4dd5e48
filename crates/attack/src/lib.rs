//! Adversarial attacks
