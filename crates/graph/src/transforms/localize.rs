//! What a change of a small window of an image changes: the same sums, but only those that the window reaches.
//!
//! Convolutions, pools and elementwise functions see a window of their operand only. So if a few neighbouring pixels of
//! an image change, a few neighbouring places of every response do, and the rest can be kept from before. The graph is
//! cut at what convolutions read and at what the first global operation reads: these values are *kept*. Each *step*
//! computes a window of one kept value from windows of earlier ones, and the *head* everything that is global.

use crate::{
    Convolution, Expr, Graph, MaxPool, Op, PoolRole, Result, Shape, Slot, Tensor, dependents, eval, topological,
};
use std::collections::{BTreeSet, HashMap};
use std::ops::Range;

/// A graph from an image `[1, C, H, W]`, cut for changes of windows of one size.
#[derive(Clone, Debug)]
pub struct Localized {
    /// From the image to all kept values but the first, which is the image itself.
    pub values: Graph,
    /// One for each of `values`' outputs, in an order in which they can be computed.
    pub steps: Vec<Step>,
    /// From the kept values of `reads`, in full, to the graph's outputs.
    pub head: Graph,
    /// Kept values that the head reads.
    pub head_reads: Vec<usize>,
    /// Products that are added up by the steps, as a share of those that the values take in full.
    pub share: f64,
    sizes: Vec<[usize; 2]>,
    // For both axes, each kept value and each position of the image's window: where the value's window begins.
    starts: [Vec<Vec<usize>>; 2],
}

/// Computes a window of a kept value.
#[derive(Clone, Debug)]
pub struct Step {
    /// From windows `[1, C, h, w]`, one for each of `reads`, to the window of the result.
    pub graph: Graph,
    /// What the inputs are.
    pub reads: Vec<Read>,
}

/// A window of a kept value that a step reads. On each axis it begins at `stride·s − low` if the result's begins at s, and
/// may extend beyond the value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Read {
    /// Index of the value: 0 is the image.
    pub kept: usize,
    /// Step along each axis.
    pub stride: [usize; 2],
    /// What is read before the window's own start.
    pub low: [usize; 2],
    /// What stands beyond the value.
    pub outside: f64,
}

impl Read {
    /// Where the window begins that a result's window at `start` needs: before the value if negative.
    pub fn origin(&self, start: [usize; 2]) -> [isize; 2] {
        [0, 1].map(|a| (start[a] * self.stride[a]) as isize - self.low[a] as isize)
    }
}

/// A window of an image `[channels, height, width]`, and where in the image it lies.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// Row and column of the window's first element; may be outside.
    pub origin: [isize; 2],
    /// Height and width.
    pub size: [usize; 2],
}

impl Place {
    /// Whether nothing of it is outside another window.
    pub fn lies_in(&self, other: &Place) -> bool {
        let end = |p: &Place, a: usize| p.origin[a] + p.size[a] as isize;
        [0, 1].into_iter().all(|a| self.origin[a] >= other.origin[a] && end(self, a) <= end(other, a))
    }

    /// Copies what two windows of an image share from this one to another.
    ///
    /// # Panics
    /// If a slice is too short for its window.
    #[inline]
    pub fn copy<T: Copy>(&self, from: &[T], to_place: &Place, to: &mut [T]) {
        let [rows, columns] = [0, 1].map(|a| {
            let end = |p: &Place| p.origin[a] + p.size[a] as isize;
            let first = self.origin[a].max(to_place.origin[a]);
            (first, (end(self).min(end(to_place)) - first).max(0) as usize)
        });
        if rows.1 == 0 || columns.1 == 0 {
            return;
        }
        let at = |p: &Place| {
            let [row, column] = [rows.0 - p.origin[0], columns.0 - p.origin[1]];
            row as usize * p.size[1] + column as usize
        };
        let (first, to_first) = (at(self), at(to_place));
        let (plane, to_plane) = (self.size[0] * self.size[1], to_place.size[0] * to_place.size[1]);
        for (from, to) in from.chunks_exact(plane).zip(to.chunks_exact_mut(to_plane)) {
            for row in 0..rows.1 {
                let from = &from[first + row * self.size[1]..][..columns.1];
                let to = &mut to[to_first + row * to_place.size[1]..][..columns.1];
                // Rows are too short for a call of `memcpy`.
                to.iter_mut().zip(from).for_each(|(t, &f)| *t = f);
            }
        }
    }
}

impl Localized {
    /// The shape of a kept value, `[1, C, H, W]`.
    pub fn kept(&self, index: usize) -> &Shape {
        match index.checked_sub(1) {
            None => self.values.inputs[0].shape(),
            Some(i) => self.values.outputs[i].1.shape(),
        }
    }

    /// Height and width of the window of a kept value.
    pub fn size(&self, index: usize) -> [usize; 2] {
        self.sizes[index]
    }

    /// Top and left of the window of a kept value that a window of the image at `position` reaches.
    pub fn start(&self, index: usize, position: [usize; 2]) -> [usize; 2] {
        [0, 1].map(|axis| self.starts[axis][index][position[axis]])
    }

    /// The window of a kept value that a window of the image at `position` reaches.
    pub fn reached(&self, index: usize, position: [usize; 2]) -> Place {
        Place { origin: self.start(index, position).map(|s| s as isize), size: self.size(index) }
    }

    /// All of a kept value.
    pub fn whole(&self, index: usize) -> Place {
        let shape = self.kept(index);
        Place { origin: [0, 0], size: [shape[2], shape[3]] }
    }
}

impl Graph {
    /// The graph cut for changes of windows of `size` (height, width); `None` if it is not of one image `[1, C, H, W]`
    /// that is larger than the window, if a constant that meets it varies over its plane, or if nothing of it is local.
    ///
    /// # Errors
    /// If a window's graph cannot be built.
    pub fn localize(&self, size: [usize; 2]) -> Result<Option<Localized>> {
        let [image] = self.inputs.as_slice() else { return Ok(None) };
        let fits = |axis: usize| (1..image.shape()[2 + axis]).contains(&size[axis]);
        if image.rank() != 4 || image.shape()[0] != 1 || !fits(0) || !fits(1) {
            return Ok(None);
        }
        let Some(cut) = Cut::new(self, image) else { return Ok(None) };
        cut.localized(self, size)
    }
}

/// How a node's window depends on those of its operands.
enum Local<'a> {
    /// Place by place.
    Pointwise,
    /// Through windows of its first operand.
    Windows(Sight<'a>),
}

/// A window on an operand: strides, padding in front, and how far apart first and last element are, along both axes.
struct Sight<'a> {
    strides: &'a [usize],
    padding: &'a [(usize, usize)],
    span: [usize; 2],
    outside: f64,
}

impl Sight<'_> {
    // Places of a result of `size` that see any of `source`.
    fn reached(&self, axis: usize, source: &Range<usize>, size: usize) -> Range<usize> {
        let (stride, low) = (self.strides[axis], self.padding[axis].0);
        if source.is_empty() {
            return 0..0;
        }
        let first = (source.start + low).saturating_sub(self.span[axis]).div_ceil(stride);
        first..((source.end - 1 + low) / stride + 1).min(size)
    }
}

// What a node that depends on the image does to windows; `None` if it is global.
fn locality(node: &Expr) -> Option<Local<'_>> {
    let span = |window: &[usize], dilation: &[usize]| [0, 1].map(|a| (window[a] - 1) * dilation[a]);
    match node.op() {
        Op::Unary(_) | Op::Binary(_) | Op::Compare(_) | Op::Select(_) | Op::StopGradient(_) | Op::Cast(_) => {
            Some(Local::Pointwise)
        }
        Op::Conv(Convolution { result: Slot::Response, strides, padding, dilation, .. }) if strides.len() == 2 => {
            let span = span(&node.inputs()[1].shape()[2..], dilation);
            Some(Local::Windows(Sight { strides, padding, span, outside: 0.0 }))
        }
        Op::MaxPool(MaxPool { role: PoolRole::Max, window, strides, padding, dilation }) if strides.len() == 2 => {
            let span = span(window, dilation);
            Some(Local::Windows(Sight { strides, padding, span, outside: f64::NEG_INFINITY }))
        }
        _ => None,
    }
}

/// Nodes that depend on the image: which are local, and which of these are kept.
struct Cut {
    image: Expr,
    /// Local nodes, operands first; the image first of all.
    local: Vec<Expr>,
    kept: Vec<Expr>,
    head_reads: Vec<usize>,
}

impl Cut {
    fn new(graph: &Graph, image: &Expr) -> Option<Cut> {
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

    fn localized(&self, graph: &Graph, size: [usize; 2]) -> Result<Option<Localized>> {
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
            let mut step =
                Writer { cut: self, reads: Vec::new(), inputs: Vec::new(), done: HashMap::new(), products: 0.0 };
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

/// Writes the graph of one step.
struct Writer<'a> {
    cut: &'a Cut,
    reads: Vec<Read>,
    inputs: Vec<Expr>,
    /// What is known of the result's own window.
    done: HashMap<u64, Expr>,
    /// Products that the step adds up.
    products: f64,
}

impl Writer<'_> {
    // The window of a node that is to be computed; `None` if a constant varies over the plane.
    fn window(&mut self, node: &Expr, size: [usize; 2]) -> Result<Option<Expr>> {
        let order: Vec<&Expr> = self.cut.local.iter().filter(|n| n.id() <= node.id()).collect();
        let needed = self.needed(node);
        for n in order.into_iter().filter(|n| needed.contains(&n.id())) {
            let mut operands = Vec::new();
            if let Some(Local::Windows(sight)) = locality(n) {
                let Some(source) = self.index(&n.inputs()[0]) else { return Ok(None) };
                let strides = [sight.strides[0], sight.strides[1]];
                let low = [sight.padding[0].0, sight.padding[1].0];
                let wide = [0, 1].map(|a| (size[a] - 1) * strides[a] + sight.span[a] + 1);
                operands.push(self.read(source, strides, low, sight.outside, wide)?);
                operands.extend_from_slice(&n.inputs()[1..]);
                if let Op::Conv(_) = n.op() {
                    let kernel = n.inputs()[1].shape();
                    self.products += (kernel.count() * size[0] * size[1]) as f64;
                }
            } else {
                for operand in n.inputs() {
                    let Some(window) = self.operand(operand, size)? else { return Ok(None) };
                    operands.push(window);
                }
            }
            let window = Expr::apply(without_padding(n.op()), &operands)?;
            self.done.insert(n.id(), window);
        }
        Ok(self.done.remove(&node.id()))
    }

    // The node and what it is computed from, place by place, down to kept values and windows.
    fn needed(&self, node: &Expr) -> BTreeSet<u64> {
        let mut needed = BTreeSet::new();
        let mut pending = vec![node.clone()];
        while let Some(n) = pending.pop() {
            if !needed.insert(n.id()) || matches!(locality(&n), Some(Local::Windows(_))) {
                continue;
            }
            let inner = |i: &&Expr| self.cut.local.iter().any(|l| l.id() == i.id()) && self.index(i).is_none();
            pending.extend(n.inputs().iter().filter(inner).cloned());
        }
        needed
    }

    fn index(&self, node: &Expr) -> Option<usize> {
        self.cut.kept.iter().position(|k| k.id() == node.id())
    }

    fn operand(&mut self, operand: &Expr, size: [usize; 2]) -> Result<Option<Expr>> {
        if let Some(done) = self.done.get(&operand.id()) {
            return Ok(Some(done.clone()));
        }
        if let Some(kept) = self.index(operand) {
            return self.read(kept, [1, 1], [0, 0], 0.0, size).map(Some);
        }
        Ok(constant_window(operand, size))
    }

    fn read(
        &mut self,
        kept: usize,
        stride: [usize; 2],
        low: [usize; 2],
        outside: f64,
        size: [usize; 2],
    ) -> Result<Expr> {
        let read = Read { kept, stride, low, outside };
        let source = &self.cut.kept[kept];
        let shape = [1, source.shape()[1], size[0], size[1]];
        let same = |(r, i): (&Read, &Expr)| *r == read && i.shape()[..] == shape;
        if let Some(known) = self.reads.iter().zip(&self.inputs).position(same) {
            return Ok(self.inputs[known].clone());
        }
        let input = Expr::try_input(format!("window_{}", self.reads.len()), shape, source.dtype())?;
        self.reads.push(read);
        self.inputs.push(input.clone());
        Ok(input)
    }
}

// The same function of a window that brings its padding with it.
fn without_padding(op: &Op) -> Op {
    match op {
        Op::Conv(conv) => Op::Conv(Convolution { padding: vec![(0, 0); 2], ..conv.clone() }),
        Op::MaxPool(pool) => Op::MaxPool(MaxPool { padding: vec![(0, 0); 2], ..pool.clone() }),
        other => other.clone(),
    }
}

// A window of a value that does not depend on the image, if all windows of it are equal.
fn constant_window(node: &Expr, size: [usize; 2]) -> Option<Expr> {
    let [1, channels, height, width] = node.shape()[..] else { return None };
    let value = eval(std::slice::from_ref(node), &[]).ok()?.remove(0);
    let values = value.to_f64_vec();
    let planes = values.chunks(height * width);
    if planes.clone().any(|plane| plane.iter().any(|v| v.to_bits() != plane[0].to_bits())) {
        return None;
    }
    let each = planes.map(|plane| plane[0]).collect();
    let by_channel = Tensor::from_f64([channels, 1, 1], value.dtype(), each).ok()?;
    Some(Expr::constant(by_channel).broadcast_to([1, channels, size[0], size[1]]))
}
