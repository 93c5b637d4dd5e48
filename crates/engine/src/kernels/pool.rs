//! Max pooling, the choice of its argmax, and the scatter to it.

use super::SERIAL;
use crate::float::Float;
use perturb_graph::{MaxPool, PoolRole};
use rayon::prelude::*;

/// A pooling over planes of up to three spatial axes (missing ones are of size 1, in front).
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Pooling {
    pub role: PoolRole,
    pub size: [usize; 3],
    pub positions: [usize; 3],
    window: [usize; 3],
    strides: [usize; 3],
    low: [usize; 3],
    dilation: [usize; 3],
}

impl Pooling {
    /// `None` if there are more than three spatial axes.
    pub fn new(pool: &MaxPool, size: &[usize], positions: &[usize]) -> Option<Pooling> {
        let n = pool.window.len();
        let lead = 3usize.checked_sub(n)?;
        let fill = |values: &[usize], missing: usize| {
            let mut all = [missing; 3];
            all[lead..].copy_from_slice(values);
            all
        };
        let low: Vec<usize> = pool.padding.iter().map(|p| p.0).collect();
        Some(Pooling {
            role: pool.role,
            size: fill(size, 1),
            positions: fill(positions, 1),
            window: fill(&pool.window, 1),
            strides: fill(&pool.strides, 1),
            low: fill(&low, 0),
            dilation: fill(&pool.dilation, 1),
        })
    }

    // First and one-past-last element of the window at position `p` that lie inside, along one axis.
    fn inside(&self, axis: usize, p: usize) -> (usize, usize) {
        let (start, d) = (p * self.strides[axis], self.dilation[axis]);
        let first = self.low[axis].saturating_sub(start).div_ceil(d);
        let end = (self.size[axis] + self.low[axis]).saturating_sub(start).div_ceil(d).min(self.window[axis]);
        (first, end)
    }

    // The index within the plane of the largest element of a window; the first of equals, and NaN before all.
    fn argmax<T: Float>(&self, x: &[T], p: [usize; 3]) -> usize {
        let range = [self.inside(0, p[0]), self.inside(1, p[1]), self.inside(2, p[2])];
        let at = |a: usize, k: usize| p[a] * self.strides[a] + k * self.dilation[a] - self.low[a];
        let mut best: Option<usize> = None;
        for i in range[0].0..range[0].1 {
            for j in range[1].0..range[1].1 {
                let row = (at(0, i) * self.size[1] + at(1, j)) * self.size[2];
                for k in range[2].0..range[2].1 {
                    let here = row + at(2, k);
                    // NaN wins over every number, and the first NaN over others.
                    if best.is_none_or(|b| x[here] > x[b] || (x[here].is_nan() && !x[b].is_nan())) {
                        best = Some(here);
                    }
                }
            }
        }
        best.unwrap_or(0)
    }

    fn for_each_window<T: Float>(&self, x: &[T], mut f: impl FnMut(usize, usize)) {
        let mut window = 0;
        for i in 0..self.positions[0] {
            for j in 0..self.positions[1] {
                for k in 0..self.positions[2] {
                    f(window, self.argmax(x, [i, j, k]));
                    window += 1;
                }
            }
        }
    }
}

/// Runs over all planes of `x`; `other` is `t` for `Choose`, `y` for `Scatter`, unused for `Max`.
pub(crate) fn run<T: Float>(p: &Pooling, x: &[T], other: &[T], out: &mut [T]) {
    let (plane, windows): (usize, usize) = (p.size.iter().product(), p.positions.iter().product());
    let result = if p.role == PoolRole::Scatter { plane } else { windows };
    if result == 0 {
        return;
    }
    let work = |i: usize, out: &mut [T]| {
        let x = &x[i * plane..(i + 1) * plane];
        match p.role {
            PoolRole::Max => p.for_each_window(x, |w, chosen| out[w] = x[chosen]),
            PoolRole::Choose => {
                let t = &other[i * plane..(i + 1) * plane];
                p.for_each_window(x, |w, chosen| out[w] = t[chosen]);
            }
            PoolRole::Scatter => {
                out.fill(T::ZERO);
                let y = &other[i * windows..(i + 1) * windows];
                p.for_each_window(x, |w, chosen| out[chosen] += y[w]);
            }
        }
    };
    if x.len() <= SERIAL {
        out.chunks_mut(result).enumerate().for_each(|(i, o)| work(i, o));
    } else {
        out.par_chunks_mut(result).enumerate().for_each(|(i, o)| work(i, o));
    }
}
