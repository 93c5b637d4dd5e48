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
    center: Crop,
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
        let ball = problem.ball.around(&cropped.center);
        let options = LinearBoundsOptions { rounding: problem.rounding, ..LinearBoundsOptions::default() };
        let outputs = [cropped.output.clone()];
        let (mut bounder, prepared) = Bounder::new(&outputs, &[(cropped.input.clone(), ball.domain())], options)?;
        if prepared[0].id() != cropped.output.id() {
            return Ok(None);
        }
        let (mut mapped, mut given) = (vec![ball.center.clone(), ball.radius.clone()], Vec::new());
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
        let center = Crop::new(&problem.input, node, &windows[&problem.input.id()]);
        Ok(Some(Windowed { batched, channels, positions, center, given, masks }))
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
            0 => self.center.read(group.center(example), position, target),
            1 => target.fill(group.radius(example)),
            _ if k < first_mask => {
                let (place, crop) = &self.given[(k - 2) / 2];
                crop.read(group.end(example, 2 * place + k % 2), position, target);
            }
            _ => target.copy_from_slice(&self.masks[k - first_mask][position]),
        }
    }
}
