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
    dilation: [usize; 3],
    /// For every axis and position the first element of the window that lies inside, and how many do.
    inside: [Vec<(usize, usize)>; 3],
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
        let (window, strides, low) = (fill(&pool.window, 1), fill(&pool.strides, 1), fill(&low, 0));
        let (size, positions, dilation) = (fill(size, 1), fill(positions, 1), fill(&pool.dilation, 1));
        let inside = std::array::from_fn(|a| {
            let range = |p: usize| {
                let (start, d) = (p * strides[a], dilation[a]);
                let first = low[a].saturating_sub(start).div_ceil(d);
                let end = (size[a] + low[a]).saturating_sub(start).div_ceil(d).min(window[a]);
                ((start + first * d).saturating_sub(low[a]), end.saturating_sub(first))
            };
            (0..positions[a]).map(range).collect()
        });
        Some(Pooling { role: pool.role, size, positions, dilation, inside })
    }

    // The index within the plane of the largest element of a window, given by its first element and number along each
    // axis; the first of equals, and NaN before all.
    #[inline(always)]
    fn argmax<T: Float>(&self, x: &[T], [d, h, w]: [(usize, usize); 3]) -> usize {
        let mut best = (d.0 * self.size[1] + h.0) * self.size[2] + w.0;
        let Some(&(mut value)) = x.get(best) else { return 0 };
        for i in 0..d.1 {
            for j in 0..h.1 {
                let line = (d.0 + i * self.dilation[0]) * self.size[1] + h.0 + j * self.dilation[1];
                for k in 0..w.1 {
                    let here = line * self.size[2] + w.0 + k * self.dilation[2];
                    // NaN wins over every number, and the first NaN over others. No branch: data are not predictable.
                    let next = x[here];
                    let wins = (next > value) | (next.is_nan() & !value.is_nan());
                    (best, value) = if wins { (here, next) } else { (best, value) };
                }
            }
        }
        best
    }

    fn for_each_window<T: Float>(&self, x: &[T], mut f: impl FnMut(usize, usize)) {
        let mut window = 0;
        let [d, h, w] = &self.inside;
        for &i in d {
            for &j in h {
                for &k in w {
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
