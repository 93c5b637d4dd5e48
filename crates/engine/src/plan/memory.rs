//! Memory: buffers share storage when their lives do not overlap, and elementwise steps write over an operand that
//! dies there.

use super::{Plan, Step, Work};
use crate::view::Source;

/// Which storage each buffer lives in.
#[derive(Clone, Debug)]
pub(crate) struct Memory {
    /// Storage of every buffer.
    pub storage: Vec<usize>,
    /// Elements of every storage.
    pub sizes: Vec<usize>,
}

/// Assigns storage; turns loads of a buffer that is overwritten in place into in-place loads.
pub(crate) fn assign<T>(plan: &mut Plan<T>) -> Memory {
    let buffers = plan.sizes.len();
    let mut last_read = vec![0; buffers];
    for (at, step) in plan.steps.iter().enumerate() {
        last_read[step.writes] = at;
        for read in &step.reads {
            if let Source::Buffer(b) = read {
                last_read[*b] = at;
            }
        }
    }
    for output in &plan.outputs {
        if let Source::Buffer(b) = output.source {
            last_read[b] = usize::MAX;
        }
    }
    let mut memory = Memory { storage: vec![usize::MAX; buffers], sizes: Vec::new() };
    let mut free: Vec<usize> = Vec::new();
    for at in 0..plan.steps.len() {
        let dying = |b: usize| last_read[b] == at;
        let step = &mut plan.steps[at];
        let size = plan.sizes[step.writes];
        let reused = overwritten(step, size, &plan.sizes, dying);
        let storage = match reused {
            Some(b) => memory.storage[b],
            None => take(&mut free, &mut memory.sizes, size),
        };
        memory.storage[step.writes] = storage;
        let mut ended: Vec<usize> = step
            .reads
            .iter()
            .filter_map(|r| match r {
                Source::Buffer(b) if last_read[*b] == at && Some(*b) != reused => Some(memory.storage[*b]),
                _ => None,
            })
            .collect();
        // A result that nothing reads.
        if last_read[step.writes] == at {
            ended.push(storage);
        }
        ended.sort_unstable();
        ended.dedup();
        free.extend(ended);
    }
    memory
}

// A dying operand of the step's own size that every load reads element by element: it can be written over.
fn overwritten(step: &mut Step, size: usize, sizes: &[usize], dying: impl Fn(usize) -> bool) -> Option<usize> {
    let Work::Elementwise(program) = &mut step.work else { return None };
    let flat = |load: &Option<(Vec<isize>, usize)>| {
        load.as_ref().is_some_and(|(s, offset)| *offset == 0 && row_major(s, &program.sizes))
    };
    let candidates: Vec<usize> = (0..step.reads.len()).filter(|&k| flat(&program.loads[k])).collect();
    let chosen = candidates.into_iter().find_map(|k| match step.reads[k] {
        Source::Buffer(b) if dying(b) && sizes[b] == size => {
            // No other load may read the same buffer in another order.
            let alone = (0..step.reads.len()).filter(|&j| step.reads[j] == step.reads[k]).count() == 1;
            alone.then_some((k, b))
        }
        _ => None,
    });
    let (k, b) = chosen?;
    program.loads[k] = None;
    Some(b)
}

fn row_major(strides: &[isize], sizes: &[usize]) -> bool {
    let mut expected = 1;
    strides.iter().zip(sizes).rev().all(|(&s, &n)| {
        let fits = s == expected || n == 1;
        expected *= n as isize;
        fits
    })
}

// The free storage that fits best, grown if none is large enough.
fn take(free: &mut Vec<usize>, sizes: &mut Vec<usize>, size: usize) -> usize {
    let fits = (0..free.len()).filter(|&i| sizes[free[i]] >= size).min_by_key(|&i| sizes[free[i]]);
    let grown = || (0..free.len()).max_by_key(|&i| sizes[free[i]]);
    if let Some(i) = fits.or_else(grown) {
        let storage = free.swap_remove(i);
        sizes[storage] = sizes[storage].max(size);
        return storage;
    }
    sizes.push(size);
    sizes.len() - 1
}
