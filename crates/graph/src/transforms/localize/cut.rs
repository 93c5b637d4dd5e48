//! Which values are kept, and what of them a window of the image reaches.

use super::locality::{Local, locality};
use super::window::Writer;
use super::{Localized, Step};
use crate::{Expr, Graph, Result, dependents, topological};
use std::collections::{BTreeSet, HashMap};
use std::ops::Range;

/// Nodes that depend on the image: which are local, and which of these are kept.
pub(super) struct Cut {
    image: Expr,
    /// Local nodes, operands first; the image first of all.
    pub local: Vec<Expr>,
    pub kept: Vec<Expr>,
    head_reads: Vec<usize>,
}

impl Cut {
    pub fn new(graph: &Graph, image: &Expr) -> Option<Cut> {
        let outputs = graph.output_exprs();
        let varying = dependents(&outputs, std::slice::from_ref(image));
        let mut local = vec![image.clone()];
        let mut ids = BTreeSet::from([image.id()]);
        let (mut kept, mut read_by_head) = (BTreeSet::from([image.id()]), BTreeSet::new());
        for node in topological(&outputs) {
            if !varying.contains(&node.id()) || node.id() == image.id() {
                continue;
            }
            let moved: Vec<&Expr> = node.inputs().iter().filter(|i| varying.contains(&i.id())).collect();
            let windows = match locality(&node) {
                // A kernel that depends on the image, or a value that is not one image, is a global matter.
                Some(sight) if moved.iter().all(|i| ids.contains(&i.id())) => match sight {
                    Local::Windows(_) => (moved.len() == 1 && moved[0].id() == node.inputs()[0].id()).then_some(true),
                    Local::Pointwise => Some(false),
                },
                _ => None,
            };
            match windows {
                Some(windows) if node.rank() == 4 && node.shape()[0] == 1 => {
                    if windows {
                        kept.insert(moved[0].id());
                    }
                    ids.insert(node.id());
                    local.push(node);
                }
                _ => read_by_head.extend(moved.iter().map(|i| i.id()).filter(|i| ids.contains(i))),
            }
        }
        read_by_head.extend(outputs.iter().map(Expr::id).filter(|i| ids.contains(i)));
        kept.extend(&read_by_head);
        let kept: Vec<Expr> = local.iter().filter(|n| kept.contains(&n.id())).cloned().collect();
        let head_reads = (0..kept.len()).filter(|&k| read_by_head.contains(&kept[k].id())).collect();
        (kept.len() > 1).then(|| Cut { image: image.clone(), local, kept, head_reads })
    }

    pub fn localized(&self, graph: &Graph, size: [usize; 2]) -> Result<Option<Localized>> {
        let (mut starts, mut sizes) = ([Vec::new(), Vec::new()], vec![[0; 2]; self.kept.len()]);
        for axis in 0..2 {
            let reached = self.reached(axis, size[axis]);
            for (kept, (node, ranges)) in self.kept.iter().zip(reached).enumerate() {
                let whole = node.shape()[2 + axis];
                let most = ranges.iter().map(Range::len).max().unwrap_or(0).max(1);
                sizes[kept][axis] = most;
                starts[axis].push(ranges.iter().map(|r| r.start.min(whole - most)).collect());
            }
        }
        let mut steps = Vec::new();
        let (mut local, mut full) = (0.0, 0.0);
        for (node, size) in self.kept.iter().zip(&sizes).skip(1) {
            let mut step = Writer::new(self);
            let Some(result) = step.window(node, *size)? else { return Ok(None) };
            let places = node.shape()[2] * node.shape()[3];
            full += step.products * places as f64 / (size[0] * size[1]) as f64;
            local += step.products;
            let graph = Graph::new(step.inputs, vec![("window".into(), result)])?;
            steps.push(Step { graph, reads: step.reads });
        }
        let named = |n: &Expr| (format!("kept_{}", n.id()), n.clone());
        let values = Graph::new(vec![self.image.clone()], self.kept[1..].iter().map(named).collect())?;
        let read: Vec<&Expr> = self.head_reads.iter().map(|&k| &self.kept[k]).collect();
        let fed = |n: &&Expr| Expr::try_input(format!("kept_{}", n.id()), n.shape(), n.dtype());
        let inputs = read.iter().map(fed).collect::<Result<Vec<Expr>>>()?;
        let pairs: Vec<(Expr, Expr)> = read.into_iter().cloned().zip(inputs.iter().cloned()).collect();
        let outputs = crate::substitute(&graph.output_exprs(), &pairs)?;
        let names = graph.outputs.iter().map(|(name, _)| name.clone());
        let head = Graph::new(inputs, names.zip(outputs).collect())?;
        let share = if full > 0.0 { local / full } else { 1.0 };
        Ok(Some(Localized { values, steps, head, head_reads: self.head_reads.clone(), share, sizes, starts }))
    }

    // What of each kept value a window of the image reaches, for each of its positions along an axis.
    fn reached(&self, axis: usize, size: usize) -> Vec<Vec<Range<usize>>> {
        let positions = self.image.shape()[2 + axis] - size + 1;
        let mut kept = vec![Vec::with_capacity(positions); self.kept.len()];
        for at in 0..positions {
            let mut ranges: HashMap<u64, Range<usize>> = HashMap::from([(self.image.id(), at..at + size)]);
            for node in &self.local[1..] {
                let whole = node.shape()[2 + axis];
                let range = match locality(node) {
                    Some(Local::Windows(sight)) => sight.reached(axis, &ranges[&node.inputs()[0].id()], whole),
                    _ => node.inputs().iter().filter_map(|i| ranges.get(&i.id())).fold(0..0, hull),
                };
                ranges.insert(node.id(), range);
            }
            for (node, of) in self.kept.iter().zip(&mut kept) {
                of.push(ranges[&node.id()].clone());
            }
        }
        kept
    }
}

fn hull(a: Range<usize>, b: &Range<usize>) -> Range<usize> {
    match (a.is_empty(), b.is_empty()) {
        (true, _) => b.clone(),
        (_, true) => a,
        _ => a.start.min(b.start)..a.end.max(b.end),
    }
}
