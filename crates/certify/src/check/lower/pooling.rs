//! Maxima over axes and windows.

use super::index::{axes_of, for_each_index, places};
use super::{Lowering, Reason, Value};
use crate::check::network::{Groups, Kind};
use perturb_graph::{Expr, MaxPool, PoolRole};

impl Lowering {
    pub(super) fn reduce_max(&mut self, node: &Expr, axes: &[usize]) -> Result<Value, Reason> {
        let elements = self.scalars(&node.inputs()[0])?;
        let shape = node.inputs()[0].shape();
        let kept: Vec<usize> = (0..shape.len()).filter(|a| !axes.contains(a)).collect();
        let reduced = axes_of(shape, axes);
        let starts = places(0, &axes_of(shape, &kept));
        self.groups(starts.into_iter().map(|start| places(start, &reduced)), &elements)
    }

    pub(super) fn max_pool(&mut self, node: &Expr, pool: &MaxPool) -> Result<Value, Reason> {
        if pool.role != PoolRole::Max {
            return Err("this operation cannot be checked".into());
        }
        let elements = self.scalars(&node.inputs()[0])?;
        let shape = node.inputs()[0].shape();
        let strides = shape.strides();
        let mut windows: Vec<Vec<usize>> = Vec::with_capacity(node.shape().count());
        for_each_index(node.shape(), |at| {
            let mut window = Vec::new();
            for_each_index(&pool.window, |k| {
                let mut place = Some(at[0] * strides[0] + at[1] * strides[1]);
                for axis in 0..k.len() {
                    let met = at[2 + axis] * pool.strides[axis] + k[axis] * pool.dilation[axis];
                    let met = met.checked_sub(pool.padding[axis].0).filter(|&p| p < shape[2 + axis]);
                    place = place.zip(met).map(|(place, met)| place + met * strides[2 + axis]);
                }
                window.extend(place);
            });
            windows.push(window);
        });
        self.groups(windows.into_iter(), &elements)
    }

    fn groups(&mut self, places: impl Iterator<Item = Vec<usize>>, elements: &[u32]) -> Result<Value, Reason> {
        let mut groups = Groups { starts: vec![0], operands: Vec::new() };
        for group in places {
            if group.is_empty() {
                return Err("it takes the maximum of nothing".into());
            }
            groups.operands.extend(group.into_iter().map(|p| elements[p]));
            groups.starts.push(groups.operands.len());
        }
        Ok(self.push(Kind::Max(groups)))
    }
}
