//! Bounding convolutional nodes through what one position sees.
//!
//! All channels at one position of a convolutional node depend only on a window of every earlier tensor, and by the same
//! weights at every position. So the elements at one position are bounded on the *cropped* network, and positions are
//! the batch: `12544 × 25088` coefficients of a small network become `12544 × 288`. What a window reads outside a
//! tensor is the padding's zero, which a mask puts there.

mod crop;
mod geometry;
mod network;

use crate::Result;
use crate::batched::Batched;
use crate::known::{Group, Known};
use crate::problem::Problem;
use crate::rows::identity;
use crop::Crop;
use network::Cropped;
use perturb_graph::{Bounder, Expr, Interval, LinearBoundsOptions};

/// Bytes of the largest intermediate tensor that one run aims at, so that it stays in the caches.
const TARGET_BYTES: usize = 2 << 20;

/// Bounds all channels of a node at one position of one example.
pub(crate) struct Windowed {
    batched: Batched,
    channels: usize,
    positions: usize,
    input: Crop,
    /// For each node given, how it is cropped, and its place among the nodes known.
    given: Vec<(usize, Crop)>,
    /// Where windows of nodes that convolutions read lie inside their tensor: 1 inside, 0 outside, by position.
    masks: Vec<Vec<Vec<f32>>>,
}

impl Windowed {
    /// `None` if the node is not of this kind, or windows would be no smaller than the whole tensors.
    pub fn compile(problem: &Problem, node: &Expr, batch: usize) -> Result<Option<Windowed>> {
        let Some(windows) = geometry::windows(problem, node) else { return Ok(None) };
        let Some(cropped) = Cropped::new(problem, node, &windows)? else { return Ok(None) };
        let set = problem.set.cropped(cropped.input.shape())?;
        let options = LinearBoundsOptions { rounding: problem.rounding, ..LinearBoundsOptions::default() };
        let outputs = [cropped.output.clone()];
        let (mut bounder, prepared) = Bounder::new(&outputs, &[(cropped.input.clone(), set.domain())], options)?;
        if prepared[0].id() != cropped.output.id() {
            return Ok(None);
        }
        let (mut mapped, mut given) = (set.mapped(), Vec::new());
        for (place, g) in problem.given.iter().enumerate() {
            let Some(crop) = cropped.nodes.get(&g.node.id()) else { continue };
            let placeholder = |name: &str| Expr::try_input(name, crop.shape(), crop.dtype());
            let bounds = Interval { lo: placeholder("known_lower")?, hi: placeholder("known_upper")? };
            mapped.extend([bounds.lo.clone(), bounds.hi.clone()]);
            bounder.tighten(crop, bounds);
            given.push((place, Crop::new(&g.node, node, &windows[&g.node.id()])));
        }
        mapped.extend(cropped.masks.iter().map(|(_, mask)| mask.clone()));
        let channels = node.shape()[1];
        let bounds = bounder.functionals(&prepared[0], &Expr::constant(identity(&cropped.output)?))?;
        let widest = cropped.nodes.values().map(|n| n.shape().count()).max().unwrap_or(1);
        let positions: usize = node.shape()[2..].iter().product();
        let most = (TARGET_BYTES / (4 * widest * channels)).clamp(1, positions * batch);
        let what = format!("{} {} by windows", node.op().name(), node.shape());
        let (shared, limit) = (problem.shared(), problem.memory_limit);
        let batched = Batched::compile(&[bounds.lo, bounds.hi], &mapped, &shared, most, limit, &what)?;
        let masks = cropped.masks.iter().map(|(n, _)| Crop::new(n, node, &windows[&n.id()]).masks()).collect();
        let input = Crop::new(&problem.input, node, &windows[&problem.input.id()]);
        Ok(Some(Windowed { batched, channels, positions, input, given, masks }))
    }

    /// Tightens `known` at every position that has an element for which `wanted` holds.
    pub fn run(&self, group: &Group, known: &mut Known, wanted: impl Fn(&Known, usize) -> bool) -> Result<()> {
        let at = |example: usize, channel: usize, position: usize| {
            (example * self.channels + channel) * self.positions + position
        };
        let all = (0..group.len).flat_map(|e| (0..self.positions).map(move |p| (e, p)));
        let items: Vec<(usize, usize)> =
            all.filter(|&(e, p)| (0..self.channels).any(|c| wanted(known, at(e, c, p)))).collect();
        let shared = [&group.balls.lower, &group.balls.upper];
        let bounds =
            self.batched.run(items.len(), &shared, |item, k, target| self.feed(group, items[item], k, target))?;
        for (item, &(e, p)) in items.iter().enumerate() {
            for c in 0..self.channels {
                if wanted(known, at(e, c, p)) {
                    let row = item * self.channels + c;
                    known.intersect(at(e, c, p), bounds[0][row], bounds[1][row]);
                }
            }
        }
        Ok(())
    }

    fn feed(&self, group: &Group, (example, position): (usize, usize), k: usize, target: &mut [f32]) {
        let first_mask = 2 + 2 * self.given.len();
        match k {
            0 => self.input.read(group.first(example), position, target),
            1 if target.len() == 1 => target.copy_from_slice(group.second(example)),
            1 => self.input.read(group.second(example), position, target),
            _ if k < first_mask => {
                let (place, crop) = &self.given[(k - 2) / 2];
                crop.read(group.end(example, 2 * place + k % 2), position, target);
            }
            _ => target.copy_from_slice(&self.masks[k - first_mask][position]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::region::{Balls, Region};
    use crate::rows::Rows;
    use crate::stage::Intervals;
    use perturb_graph::Tensor;
    use perturb_graph::{Conv, DType, Graph, Norm, Pool, Rounding};
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    fn random(rng: &mut ChaCha8Rng, shape: &[usize]) -> Tensor {
        let spread = 1.5 / (shape[1..].iter().product::<usize>() as f32).sqrt();
        Tensor::new(shape, (0..shape.iter().product()).map(|_| rng.random_range(-spread..spread)).collect()).unwrap()
    }

    // Padding, strides, dilation, groups, pooling, two paths that join, and a channel's own scale.
    fn network(rng: &mut ChaCha8Rng) -> Graph {
        let mut conv = |x: &Expr, out: usize, window: usize, groups: usize, conv: Conv| {
            let kernel = random(rng, &[out, x.shape()[1] / groups, window, window]);
            let bias = random(rng, &[out, 1, 1]);
            x.conv(&Expr::constant(kernel), conv).add(&Expr::constant(bias))
        };
        let padded =
            |stride: usize, low: usize| Conv { padding: vec![(low, 1); 2], strides: vec![stride; 2], ..Conv::unit(2) };
        let x = Expr::input("x", [1, 2, 16, 16], DType::F32);
        let h = conv(&x, 4, 3, 1, padded(1, 1)).relu().max_pool(Pool::square(2, 2));
        let inner = conv(&h, 4, 3, 1, padded(1, 1)).tanh();
        let grouped = Conv { groups: 2, dilation: vec![2; 2], padding: vec![(2, 2); 2], ..Conv::unit(2) };
        let joined = conv(&inner, 4, 3, 2, grouped).add(&conv(&h, 4, 1, 1, Conv::unit(2)));
        let scaled = joined.mul(&Expr::constant(Tensor::new([4, 1, 1], vec![0.5f32, -1.0, 2.0, 1.5]).unwrap()));
        let last = conv(&scaled.relu(), 3, 3, 1, padded(2, 0)).relu();
        Graph::new(vec![x], vec![("z".into(), last.reshape([1, 3 * 4 * 4]))]).unwrap()
    }

    #[test]
    fn windows_give_what_whole_tensors_give() {
        let rng = &mut ChaCha8Rng::seed_from_u64(11);
        let graph = network(rng);
        let centers = random(rng, &[2, 2, 16, 16]);
        for (norm, rounding) in
            [(Norm::Linf, Rounding::Nearest), (Norm::L2, Rounding::Nearest), (Norm::Linf, Rounding::Outward)]
        {
            let mut problem = Problem::new(&graph, norm, rounding, 1 << 30).unwrap();
            let region = Region::from(vec![0.01, 0.03]).within(-1.0, 1.0);
            let balls = Balls::new(&centers, problem.input.shape(), &region, norm, rounding).unwrap();
            let mut group = Group { balls: &balls, start: 0, len: 2, known: Vec::new() };
            let mut windowed_nodes = 0;
            for node in problem.bounder.to_tighten() {
                let mut by_rows = Intervals::compile(&problem, &node, 2).unwrap().run(&group).unwrap();
                let mut by_windows = Known { lo: by_rows.lo.clone(), hi: by_rows.hi.clone() };
                Rows::compile(&problem, &node, 2).unwrap().run(&group, &mut by_rows, |_, _| true).unwrap();
                if let Some(windowed) = Windowed::compile(&problem, &node, 2).unwrap() {
                    windowed_nodes += 1;
                    windowed.run(&group, &mut by_windows, |_, _| true).unwrap();
                    for (a, b) in [(&by_rows.lo, &by_windows.lo), (&by_rows.hi, &by_windows.hi)] {
                        for i in 0..a.len() {
                            // Outward, windows have fewer elements whose rounding is counted, relative to their size.
                            let counted = if rounding == Rounding::Outward { 1e-3 * (1.0 + a[i].abs()) } else { 1e-6 };
                            let tolerance = 1e-5 * (by_rows.hi[i] - by_rows.lo[i]) + counted;
                            let name = format!("{rounding:?}, {norm:?}, {node:?}, element {i}");
                            assert!((a[i] - b[i]).abs() <= tolerance, "{name}: {} and {}", a[i], b[i]);
                        }
                    }
                }
                problem.give(&node).unwrap();
                group.known.push(by_rows);
            }
            assert!(windowed_nodes >= 3, "{norm:?}: only {windowed_nodes} nodes bounded by windows");
        }
    }
}
