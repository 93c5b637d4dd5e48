//! What may be perturbed, and how much
