//! Slices of an axis chosen by indices, and their adjoint.

use super::SERIAL;
use crate::EngineError;
use crate::element::Lane;
use perturb_graph::GatherSizes;
use rayon::prelude::*;

/// Tasks that one result is split into, at most.
const MAX_TASKS: usize = 32;

fn check(op: &'static str, sizes: &GatherSizes, indices: &[i64]) -> Result<(), EngineError> {
    let outside = |&&i: &&i64| usize::try_from(i).map_or(true, |i| i >= sizes.size);
    match indices[..sizes.batch * sizes.count].iter().find(outside) {
        Some(&index) => Err(EngineError::Index { op, index, size: sizes.size }),
        None => Ok(()),
    }
}

/// `out [batch, outer, count, inner]` from `x [batch, outer, size, inner]`: whole rows of `inner` elements.
pub(crate) fn gather<T: Lane>(s: &GatherSizes, x: &[T], indices: &[i64], out: &mut [T]) -> Result<(), EngineError> {
    if out.is_empty() {
        return Ok(());
    }
    check("gather", s, indices)?;
    let rows = |first: usize, out: &mut [T]| {
        let (mut plane, mut k) = (first / s.count, first % s.count);
        let mut chosen = &indices[plane / s.outer * s.count..][..s.count];
        for row in out.chunks_mut(s.inner) {
            let from = (plane * s.size + chosen[k] as usize) * s.inner;
            if s.inner == 1 {
                row[0] = x[from];
            } else {
                row.copy_from_slice(&x[from..from + s.inner]);
            }
            k += 1;
            if k == s.count {
                (plane, k) = (plane + 1, 0);
                chosen = indices.get(plane / s.outer * s.count..).and_then(|i| i.get(..s.count)).unwrap_or(&[]);
            }
        }
    };
    if out.len() <= SERIAL {
        rows(0, out);
    } else {
        let task = (SERIAL / s.inner).max(1);
        out.par_chunks_mut(task * s.inner).enumerate().for_each(|(i, out)| rows(i * task, out));
    }
    Ok(())
}

/// Adds the rows of `updates [batch, outer, count, inner]` to zeros `out [batch, outer, size, inner]`.
/// Every row of the result is the sum of its updates in their order, however the work is split.
pub(crate) fn scatter_add<T: Lane>(
    s: &GatherSizes,
    updates: &[T],
    indices: &[i64],
    out: &mut [T],
    add: impl Fn(T, T) -> T + Sync,
) -> Result<(), EngineError> {
    let work = s.batch * s.outer * s.count * s.inner;
    if out.is_empty() || work == 0 {
        out.fill(T::ZERO);
        return Ok(());
    }
    check("scatter_add", s, indices)?;
    // Rows `first..` of a plane: each task looks through all indices for those of its own rows.
    let rows = |plane: usize, first: usize, out: &mut [T]| {
        out.fill(T::ZERO);
        let own = first..first + out.len() / s.inner;
        let indices = &indices[plane / s.outer * s.count..][..s.count];
        for (k, &index) in indices.iter().enumerate() {
            if own.contains(&(index as usize)) {
                let to = (index as usize - first) * s.inner;
                let update = &updates[(plane * s.count + k) * s.inner..][..s.inner];
                out[to..to + s.inner].iter_mut().zip(update).for_each(|(o, &u)| *o = add(*o, u));
            }
        }
    };
    let planes = s.batch * s.outer;
    let tasks = (work / SERIAL).clamp(1, MAX_TASKS);
    let plane = |p: usize, out: &mut [T], split: usize| {
        let per_task = s.size.div_ceil(split).max(1);
        if split == 1 {
            rows(p, 0, out);
        } else {
            out.par_chunks_mut(per_task * s.inner).enumerate().for_each(|(t, out)| rows(p, t * per_task, out));
        }
    };
    if tasks == 1 {
        out.chunks_mut(s.size * s.inner).enumerate().for_each(|(p, out)| plane(p, out, 1));
    } else {
        // Looking through the indices is worth it where a row is wide enough.
        let split = if s.inner < 4 { 1 } else { tasks.div_ceil(planes) };
        out.par_chunks_mut(s.size * s.inner).enumerate().for_each(|(p, out)| plane(p, out, split));
    }
    Ok(())
}
