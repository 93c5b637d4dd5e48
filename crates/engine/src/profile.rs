//! Where the time of runs goes, by step.
//!
//! A profile is taken of the whole process, so that it also sees executables that a method compiles for itself.

use crate::plan::{Plan, Step};
use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

static ON: AtomicBool = AtomicBool::new(false);
static ENTRIES: Mutex<Option<HashMap<String, Entry>>> = Mutex::new(None);

/// All steps of one kind and size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What the steps do, on which sizes.
    pub step: String,
    /// How often one ran.
    pub runs: u64,
    /// Time of all runs together. Steps that run on several threads at once count once each.
    pub time: Duration,
    /// Time of the fastest run, which tells most where other programs run too.
    pub fastest: Duration,
    /// Floating-point operations of products and convolutions in all runs together.
    pub flops: u64,
    /// Bytes of operands and results in all runs together.
    pub bytes: u64,
}

/// Begins a profile; what was recorded before is dropped. Loops count as one step.
pub fn start() {
    *entries() = Some(HashMap::new());
    ON.store(true, Ordering::Relaxed);
}

/// Ends the profile and returns its entries, the longest first.
pub fn finish() -> Vec<Entry> {
    ON.store(false, Ordering::Relaxed);
    let mut all: Vec<Entry> = entries().take().unwrap_or_default().into_values().collect();
    all.sort_by(|a, b| b.time.cmp(&a.time).then_with(|| a.step.cmp(&b.step)));
    all
}

/// The moment, if a profile is being taken.
#[inline]
pub(crate) fn now() -> Option<Instant> {
    ON.load(Ordering::Relaxed).then(Instant::now)
}

pub(crate) fn record(plan: &Plan, step: &Step, since: Instant) {
    let time = since.elapsed();
    let name = plan.describe(step);
    if let Some(all) = entries().as_mut() {
        let new =
            Entry { step: name.clone(), runs: 0, time: Duration::ZERO, fastest: Duration::MAX, flops: 0, bytes: 0 };
        let entry = all.entry(name).or_insert(new);
        entry.runs += 1;
        entry.time += time;
        entry.fastest = entry.fastest.min(time);
        entry.flops += plan.flops_of(step);
        entry.bytes += plan.bytes_of(step);
    }
}

fn entries() -> std::sync::MutexGuard<'static, Option<HashMap<String, Entry>>> {
    ENTRIES.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

#[cfg(test)]
mod tests {
    use crate::{Executable, Options};
    use perturb_graph::{DType, Expr, Tensor};

    #[test]
    fn a_profile_names_every_step_and_counts_its_operations() {
        let x = Expr::input("x", [37, 41], DType::F32);
        let y = x.matmul(&Expr::constant(Tensor::full([41, 43], 0.5f32))).exp().sum();
        let executable = Executable::compile(&[y], &[x], &Options::default()).unwrap();
        let feed = Tensor::full([37, 41], 0.01f32);
        super::start();
        for _ in 0..3 {
            executable.run(&[&feed]).unwrap();
        }
        let entries = super::finish();
        // Other tests of this process may run meanwhile, but on other sizes.
        let product = entries.iter().find(|e| e.step.contains("37×41·41×43")).unwrap();
        assert_eq!((product.runs, product.flops), (3, 3 * 2 * 37 * 41 * 43));
        assert!(
            product.time >= product.fastest && product.fastest.as_nanos() > 0 && product.step.contains("exp"),
            "{product:?}"
        );
        assert!(super::finish().is_empty());
    }
}
