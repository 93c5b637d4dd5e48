//! What this machine can do at most, measured in the same run.

use crate::CliError;
use perturb::engine::{Executable, Options};
use perturb::graph::{DType, Expr, Tensor};
use std::time::Instant;

/// Rates that plain kernels reach.
pub struct Peak {
    /// Of a product of two square matrices.
    pub gflops: f64,
    /// Read and written by an elementwise pass over arrays much larger than the caches.
    pub gigabytes_per_second: f64,
}

const SIDE: usize = 1024;
const LONG: usize = 1 << 24;
const REPEATS: usize = 5;

impl Peak {
    /// Takes about a tenth of a second.
    ///
    /// # Errors
    /// If the graphs cannot be compiled.
    pub fn measure() -> Result<Peak, CliError> {
        let (a, b) = (Expr::input("a", [SIDE, SIDE], DType::F32), Expr::input("b", [SIDE, SIDE], DType::F32));
        let square = Tensor::full([SIDE, SIDE], 0.5f32);
        let product = fastest(&a.matmul(&b), &[a.clone(), b.clone()], &[&square, &square])?;
        let x = Expr::input("x", [LONG], DType::F32);
        let copy = fastest(&x.neg(), &[x.clone()], &[&Tensor::full([LONG], 0.5f32)])?;
        let (flops, bytes) = (2 * SIDE * SIDE * SIDE, 2 * LONG * DType::F32.size());
        Ok(Peak { gflops: flops as f64 / product / 1e9, gigabytes_per_second: bytes as f64 / copy / 1e9 })
    }
}

// Seconds of the fastest of a few runs.
fn fastest(output: &Expr, inputs: &[Expr], feeds: &[&Tensor]) -> Result<f64, CliError> {
    let executable = Executable::compile(std::slice::from_ref(output), inputs, &Options::default())?;
    let mut out = [Tensor::full(output.shape().clone(), 0.0f32)];
    let mut best = f64::INFINITY;
    for _ in 0..REPEATS {
        let start = Instant::now();
        executable.run_into(feeds, &mut out)?;
        best = best.min(start.elapsed().as_secs_f64());
    }
    Ok(best)
}

/// The most memory that the process holds from a moment on, where the system tells it (Linux).
pub struct ResidentPeak {
    known: bool,
}

impl ResidentPeak {
    /// Starts anew from what is held now.
    pub fn start() -> ResidentPeak {
        // 5 resets the high-water mark of resident memory: proc(5).
        ResidentPeak { known: std::fs::write("/proc/self/clear_refs", "5").is_ok() }
    }

    /// In megabytes; `None` where the system does not tell.
    pub fn megabytes(&self) -> Option<f64> {
        let status = std::fs::read_to_string("/proc/self/status").ok().filter(|_| self.known)?;
        let line = status.lines().find(|l| l.starts_with("VmHWM:"))?;
        Some(line.split_whitespace().nth(1)?.parse::<f64>().ok()? / 1024.0)
    }
}
