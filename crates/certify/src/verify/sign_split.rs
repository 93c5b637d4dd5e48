//! Branch and bound over the signs of activations' operands, for networks of many inputs.

use super::ascent::{Ascent, Rates};
use super::evaluation::{Evaluation, exact_weights};
use super::falsify::{Effort, FAR, Falsifier, POINTS, Witness};
use super::narrowing::Narrowing;
use super::network::Network;
use super::query::{Case, as_written};
use super::root::{LayerBounds, adaptive_slopes, enclosed, narrow, root_bounds, shared};
use super::sizes::Sizes;
use super::splitting::Splitter;
use super::subdomain::{Layout, Subdomain};
use super::tree::Forest;
use super::{End, Watch};
use crate::Result;
use crate::check::prover::Prover;
use crate::proof::Evidence;
use perturb_engine::Options;
use perturb_graph::Rounding;
use std::cmp::Ordering;
use std::collections::{BTreeSet, BinaryHeap};
use std::time::Duration;

/// Ascent at the root, and below it.
const AT_ROOT: Rates = Rates { slopes: 0.1, multipliers: 0.1, decay: 0.98, steps: 100 };
const BELOW: Rates = Rates { slopes: 0.02, multipliers: 0.05, decay: 0.95, steps: 10 };
/// Share of the time that narrowing the bounds inside may take.
const NARROWING: f64 = 0.2;
/// Attacks before branching, and now and then.
const EFFORT: Effort = Effort { restarts: 30, steps: 100 };
/// Share of the time that attacks take while branching.
const ATTACKS: f64 = 0.1;
/// Subdomains bounded together, if memory allows.
const MOST_ITEMS: usize = 64;
/// Subdomains proved together.
const PROVED: usize = 16;
/// Subdomains that are split together, between looks at the clock.
const TOGETHER: usize = 16;
/// Halves whose inner bounds are computed together: each is many walks, so that more at once would gain nothing.
const NARROWED: usize = 2;

/// A subdomain that waits, and the halves of it to look at.
struct Waiting {
    place: usize,
    bound: f64,
    halves: [Subdomain; 2],
}

impl PartialEq for Waiting {
    fn eq(&self, other: &Waiting) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Waiting {}

impl PartialOrd for Waiting {
    fn partial_cmp(&self, other: &Waiting) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Waiting {
    // The lowest bound first.
    fn cmp(&self, other: &Waiting) -> Ordering {
        other.bound.total_cmp(&self.bound).then(other.place.cmp(&self.place))
    }
}

/// Where the bounds of open subdomains are lowest: points from which a counterexample may not be far.
#[derive(Default)]
struct Lowest {
    /// A bound, the point at which its plane is that low, and the conjunction.
    points: Vec<(f64, Vec<f32>, usize)>,
}

impl Lowest {
    fn see(&mut self, subdomains: &[Subdomain], planes: &[Vec<f32>], case: &Case) {
        for (s, plane) in subdomains.iter().zip(planes) {
            let place = self.points.partition_point(|(bound, ..)| *bound <= s.bound);
            if place < POINTS {
                let ends = case.lower.iter().zip(&case.upper).zip(plane);
                let corner = ends.map(|((&l, &u), &slope)| if slope > 0.0 { l } else { u }).collect();
                self.points.insert(place, (s.bound, corner, s.conjunction));
                self.points.truncate(POINTS);
            }
        }
    }

    /// Searches by gradients from the points, and forgets them.
    fn descend(&mut self, index: usize, case: &Case, falsifier: &Falsifier<'_>) -> Result<Option<Witness>> {
        let points = std::mem::take(&mut self.points);
        if points.is_empty() || case.inner.iter().any(|(lo, hi)| lo > hi) {
            return Ok(None);
        }
        let starts: Vec<f32> = points.iter().flat_map(|p| &p.1).copied().collect();
        let conjunctions: Vec<usize> = points.iter().map(|p| p.2).collect();
        falsifier.descend_from(index, case, &starts, &conjunctions, FAR, EFFORT.steps)
    }
}

/// The executables of a search and what they need.
struct Search<'a, 'r> {
    case: &'a Case,
    network: &'a Network,
    root: Vec<LayerBounds>,
    layout: Layout,
    ascent: Sizes<'a, Ascent>,
    search: Sizes<'a, Evaluation>,
    proof: Sizes<'a, Evaluation>,
    lowest: Lowest,
    /// How far above 0 the bound of a subdomain with fixed signs must be to count.
    margin: f64,
    watch: &'a Watch<'r>,
}

/// Refutes all conjunctions of a case, or finds a counterexample. A network whose weights were rounded to `f32` comes with a prover,
/// whose bounds of the operands are those of the network as given.
///
/// # Errors
/// If bounds cannot be compiled or computed.
pub(crate) fn search(
    (network, double, exact): (&Network, &Network, Option<&Prover<'_>>),
    (index, case): (usize, &Case),
    falsifier: &mut Falsifier<'_>,
    forest: &mut Forest,
    watch: &Watch<'_>,
) -> Result<End> {
    let root = match exact {
        Some(prover) => Some(enclosed(prover, index, case)),
        None => root_bounds(network, case, watch)?,
    };
    let Some(root) = root else { return Ok(End::Timeout) };
    let options = &Options { memory_limit: watch.settings.memory_limit };
    let rows = case.conjunctions.iter().map(Vec::len).max().unwrap_or(1).max(1);
    let ascent = Sizes::new(MOST_ITEMS, move |items| Ascent::compile(network, case, rows, items, options))?;
    let items = ascent.most();
    let search = Sizes::new(items, move |n| Evaluation::compile(network, n, Rounding::Nearest, options))?;
    let proof = Sizes::new(items.min(PROVED), move |n| Evaluation::compile(double, n, Rounding::Outward, options))?;
    let layout = Layout::new(network);
    let mut state =
        Search { case, network, root, layout, ascent, search, proof, lowest: Lowest::default(), margin: 0.0, watch };

    let mut heap = BinaryHeap::new();
    // First with slopes that cost nothing, then with bounds inside that were narrowed at leisure.
    let mut first = Forest::new(case.conjunctions.len(), watch.settings.proof);
    let mut open = state.roots(&mut first)?;
    if open.is_empty() {
        *forest = first;
        return Ok(End::Unsat);
    }
    state.look(&open)?;
    if let Some(witness) = state.lowest.descend(index, case, falsifier)? {
        return Ok(End::Sat(witness));
    }
    let conjunctions: Vec<usize> = open.iter().map(|s| s.conjunction).collect();
    if let Some(witness) = falsifier.descend(index, case, &conjunctions, EFFORT)? {
        return Ok(End::Sat(witness));
    }
    let until = watch.elapsed() + watch.settings.timeout.mul_f64(NARROWING);
    let late = || watch.late() || watch.elapsed() > until;
    forest.layers = narrow((network, double), case, &mut state.root, options, &late)?;
    let narrowing = Narrowing::compile(
        network,
        (case, &state.root),
        &forest.layers,
        NARROWED,
        watch.settings.memory_limit,
        &|| watch.late(),
    )?;
    state.margin = narrowing.as_ref().map_or(0.0, Narrowing::margin);
    let mut splitter = Splitter::new(narrowing, state.layout.clone());
    open = state.roots(forest)?;
    if open.is_empty() {
        return Ok(End::Unsat);
    }
    if let Err(end) = state.enqueue(&mut splitter, open, &mut heap)? {
        return Ok(end);
    }
    let (branching, mut attacking) = (watch.elapsed(), Duration::ZERO);
    while !heap.is_empty() {
        if let Some(end) = watch.over() {
            return Ok(end);
        }
        let now = watch.elapsed();
        if attacking < (now - branching).mul_f64(ATTACKS) {
            if let Some(witness) = state.lowest.descend(index, case, falsifier)? {
                return Ok(End::Sat(witness));
            }
            let open: BTreeSet<usize> = heap.iter().map(|w| w.halves[0].conjunction).collect();
            let open: Vec<usize> = open.into_iter().collect();
            if let Some(witness) = falsifier.descend(index, case, &open, EFFORT)? {
                return Ok(End::Sat(witness));
            }
            attacking += watch.elapsed() - now;
        }
        let mut children = Vec::with_capacity(items);
        while let Some(waiting) = if children.len() + 2 <= items.max(2) { heap.pop() } else { None } {
            let Waiting { place, mut halves, .. } = waiting;
            let tree = &mut forest.trees[halves[0].conjunction];
            if let Some(split) = halves[0].splits.last().copied() {
                let places = tree.split_sign(place, split.layer, split.element);
                halves.iter_mut().zip(places).for_each(|(half, place)| half.place = place);
                halves.iter().filter(|_| splitter.narrows(split.layer)).for_each(|half| tree.narrow(half.place));
            }
            children.extend(halves);
        }
        // No input meets the signs of those that are empty; the others first.
        children.sort_by_key(|c| c.empty);
        let inhabited = children.partition_point(|c| !c.empty);
        for chunk in children[..inhabited].chunks_mut(items) {
            state.raise(chunk, BELOW)?;
        }
        let open = state.settle(children, forest)?;
        if let Err(end) = state.enqueue(&mut splitter, open, &mut heap)? {
            return Ok(end);
        }
        watch.open(heap.len(), heap.peek().map(|w| w.bound));
    }
    Ok(End::Unsat)
}

impl Search<'_, '_> {
    /// The whole box, with the bounds as they are; returns what stays open.
    fn roots(&mut self, forest: &mut Forest) -> Result<Vec<Subdomain>> {
        let bounds = shared(&self.root);
        let slopes = adaptive_slopes(self.network, &bounds)?;
        let all = self.case.conjunctions.iter().enumerate();
        let mut roots: Vec<Subdomain> = all.map(|(c, rows)| Subdomain::root(c, rows.len(), &bounds, &slopes)).collect();
        for chunk in roots.chunks_mut(self.ascent.most()) {
            self.raise(chunk, AT_ROOT)?;
        }
        self.settle(roots, forest)
    }

    fn raise(&mut self, subdomains: &mut [Subdomain], rates: Rates) -> Result<()> {
        let stop = || self.watch.late();
        self.ascent.fitting(subdomains.len())?.raise(subdomains, self.case, rates, &stop)
    }

    /// Proves and closes what can be; returns what stays open.
    fn settle(&mut self, subdomains: Vec<Subdomain>, forest: &mut Forest) -> Result<Vec<Subdomain>> {
        subdomains.iter().for_each(|_| self.watch.visited());
        // What cannot be split any further is proved by what there is.
        let (margin, layout) = (self.margin, self.layout.clone());
        let exceeds =
            |s: &Subdomain, bound: f64| bound > margin || bound > 0.0 && (s.splits.is_empty() || s.is_settled(&layout));
        let (hopeful, mut open): (Vec<Subdomain>, Vec<Subdomain>) =
            subdomains.into_iter().partition(|s| s.empty || exceeds(s, s.bound));
        let bounds =
            self.proof.fitting(hopeful.len())?.run::<f64>(&hopeful.iter().collect::<Vec<_>>(), self.case)?.bounds;
        for (mut subdomain, bound) in hopeful.into_iter().zip(bounds) {
            if subdomain.empty || exceeds(&subdomain, bound) {
                let tree = &mut forest.trees[subdomain.conjunction];
                tree.refute(subdomain.place, subdomain.conjunction, || self.evidence(&subdomain));
                tree.close(subdomain.place);
                continue;
            }
            subdomain.bound = bound;
            open.push(subdomain);
        }
        Ok(open)
    }

    fn evidence(&self, subdomain: &Subdomain) -> Evidence {
        let layers = (0..self.layout.layers()).map(|l| self.layout.slopes_of(&subdomain.slopes, l).to_vec());
        let clipped = layers.map(|l| l.into_iter().map(|s| s.clamp(0.0, 1.0)).collect());
        Evidence {
            weights: as_written(&exact_weights(subdomain), &self.case.conjunctions[subdomain.conjunction]),
            slopes: Some(clipped.collect()),
            multipliers: subdomain.multipliers.clone(),
        }
    }

    /// What the elements' relaxations may cost each subdomain; remembers where bounds are lowest.
    fn look(&mut self, open: &[Subdomain]) -> Result<Vec<Vec<f32>>> {
        let found = self.search.fitting(open.len())?.run::<f32>(&open.iter().collect::<Vec<_>>(), self.case)?;
        self.lowest.see(open, &found.planes, self.case);
        Ok(found.costs)
    }

    /// Chooses a split for each subdomain and lets it wait.
    fn enqueue(
        &mut self,
        splitter: &mut Splitter<'_>,
        open: Vec<Subdomain>,
        heap: &mut BinaryHeap<Waiting>,
    ) -> Result<std::result::Result<(), End>> {
        if open.is_empty() {
            return Ok(Ok(()));
        }
        let costs = self.look(&open)?;
        for (subdomains, costs) in open.chunks(TOGETHER).zip(costs.chunks(TOGETHER)) {
            // What does not wait would be lost.
            if self.watch.late() {
                return Ok(Err(End::Timeout));
            }
            let (search, case, watch) = (&mut self.search, self.case, self.watch);
            let late = &|| watch.late();
            let mut bound = |tried: &[Subdomain]| -> Result<Vec<f64>> {
                Ok(search.fitting(tried.len())?.run::<f32>(&tried.iter().collect::<Vec<_>>(), case)?.bounds)
            };
            for (subdomain, halves) in subdomains.iter().zip(splitter.split(subdomains, costs, &mut bound, late)?) {
                let Some(halves) = halves else {
                    // All signs are fixed, and yet nothing is proved: rounding, or another nonlinearity than relu.
                    return Ok(Err(End::Unknown("a subdomain in which all signs are fixed stays undecided".into())));
                };
                heap.push(Waiting { place: subdomain.place, bound: subdomain.bound, halves });
            }
        }
        Ok(Ok(()))
    }
}
