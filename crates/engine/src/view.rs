//! Strided views: how a value reads from a buffer.

use perturb_graph::{Broadcast, Reverse, Shape, Slice};

/// Where a buffer comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Source {
    /// The `i`-th input of the executable.
    Feed(usize),
    /// The `i`-th folded constant.
    Const(usize),
    /// A buffer that a step of the plan writes.
    Buffer(usize),
}

/// A value as strided elements of a buffer.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct View {
    pub source: Source,
    pub offset: usize,
    pub shape: Shape,
    pub strides: Vec<isize>,
}

impl View {
    /// All of a buffer, row-major.
    pub fn whole(source: Source, shape: &Shape) -> View {
        let strides = shape.strides().iter().map(|&s| s as isize).collect();
        View { source, offset: 0, shape: shape.clone(), strides }
    }

    /// Whether elements follow each other row-major. Axes of size 1 do not matter.
    pub fn is_contiguous(&self) -> bool {
        let mut expected = 1;
        for (&size, &stride) in self.shape.iter().zip(&self.strides).rev() {
            if size != 1 && stride != expected {
                return false;
            }
            expected *= size as isize;
        }
        true
    }

    pub fn transpose(&self, perm: &[usize]) -> View {
        View {
            source: self.source,
            offset: self.offset,
            shape: perm.iter().map(|&p| self.shape[p]).collect(),
            strides: perm.iter().map(|&p| self.strides[p]).collect(),
        }
    }

    pub fn broadcast(&self, op: &Broadcast) -> View {
        let mut strides = vec![0; op.shape.len()];
        for (&axis, &stride) in op.axes.iter().zip(&self.strides) {
            strides[axis] = stride;
        }
        View { source: self.source, offset: self.offset, shape: op.shape.clone(), strides }
    }

    pub fn slice(&self, op: &Slice, shape: &Shape) -> View {
        let shift: isize = op.start.iter().zip(&self.strides).map(|(&s, &stride)| s as isize * stride).sum();
        let strides = self.strides.iter().zip(&op.stride).map(|(&s, &step)| s * step as isize).collect();
        View { source: self.source, offset: (self.offset as isize + shift) as usize, shape: shape.clone(), strides }
    }

    pub fn reverse(&self, op: &Reverse) -> View {
        let mut view = self.clone();
        for &axis in &op.axes {
            let last = self.shape[axis].saturating_sub(1) as isize;
            view.offset = (view.offset as isize + last * self.strides[axis]) as usize;
            view.strides[axis] = -self.strides[axis];
        }
        view
    }

    /// The same elements under another shape, if strides can express that.
    pub fn reshape(&self, shape: &Shape) -> Option<View> {
        if self.is_contiguous() {
            return Some(View { offset: self.offset, ..View::whole(self.source, shape) });
        }
        // Match groups of old axes with groups of new axes of equal count; each old group must be mergeable.
        let old: Vec<(usize, isize)> =
            self.shape.iter().copied().zip(self.strides.iter().copied()).filter(|&(d, _)| d != 1).collect();
        let mut strides = vec![0; shape.len()];
        let (mut i, mut j) = (0, 0);
        while j < shape.len() {
            if shape[j] == 1 {
                j += 1;
                continue;
            }
            let (first_old, first_new) = (i, j);
            let (mut count_old, mut count_new) = (old.get(i)?.0, shape[j]);
            (i, j) = (i + 1, j + 1);
            while count_old != count_new {
                if count_old < count_new {
                    count_old *= old.get(i)?.0;
                    i += 1;
                } else {
                    count_new *= *shape.get(j)?;
                    j += 1;
                }
            }
            if old[first_old..i].windows(2).any(|w| w[0].1 != w[1].1 * w[1].0 as isize) {
                return None;
            }
            let mut stride = old[i - 1].1;
            for axis in (first_new..j).rev() {
                strides[axis] = stride;
                stride *= shape[axis] as isize;
            }
        }
        Some(View { source: self.source, offset: self.offset, shape: shape.clone(), strides })
    }

    /// If the axes in `axes` can be walked with one stride, that stride (0 for no axes or single elements).
    pub fn merged_stride(&self, axes: &[usize]) -> Option<isize> {
        let real: Vec<usize> = axes.iter().copied().filter(|&a| self.shape[a] != 1).collect();
        let mergeable = real.windows(2).all(|w| self.strides[w[0]] == self.strides[w[1]] * self.shape[w[1]] as isize);
        mergeable.then(|| real.last().map_or(0, |&a| self.strides[a]))
    }
}

/// Merges neighbouring axes that every one of `strides` walks evenly, and drops axes of size 1. Returns the sizes and
/// the strides of each walker over them; at least one axis remains.
pub(crate) fn collapse(shape: &[usize], strides: &[Vec<isize>]) -> (Vec<usize>, Vec<Vec<isize>>) {
    let mut sizes: Vec<usize> = Vec::new();
    let mut merged: Vec<Vec<isize>> = vec![Vec::new(); strides.len()];
    for axis in 0..shape.len() {
        if shape[axis] == 1 {
            continue;
        }
        let joins = !sizes.is_empty()
            && strides.iter().zip(&merged).all(|(s, m)| m[m.len() - 1] == s[axis] * shape[axis] as isize);
        if joins {
            *sizes.last_mut().expect("not empty") *= shape[axis];
        } else {
            sizes.push(shape[axis]);
        }
        for (s, m) in strides.iter().zip(&mut merged) {
            if joins {
                m.pop();
            }
            m.push(s[axis]);
        }
    }
    if sizes.is_empty() {
        sizes.push(1);
        merged.iter_mut().for_each(|m| m.push(0));
    }
    (sizes, merged)
}
