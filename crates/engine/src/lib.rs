//! Compiles a perturb graph to a plan and runs it on the CPU
