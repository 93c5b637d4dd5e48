//! Branch and bound over the signs of `relu` operands, for networks of many inputs.

use super::ascent::{Ascent, Rates};
use super::evaluation::{Evaluation, exact_weights};
use super::falsify::{Effort, Falsifier};
use super::network::Network;
use super::query::{Case, as_written};
use super::root::{LayerBounds, narrow, root_bounds};
use super::subdomain::{Layout, Subdomain};
use super::tree::Forest;
use super::{End, Watch};
use crate::proof::Evidence;
use crate::{CertifyError, Result};
use perturb_engine::{EngineError, Options};
use perturb_graph::Rounding;
use std::cmp::Ordering;
use std::collections::{BTreeSet, BinaryHeap};
use std::time::Duration;

/// Ascent at the root, and below it.
const AT_ROOT: Rates = Rates { slopes: 0.1, multipliers: 0.1, decay: 0.98, steps: 100 };
const BELOW: Rates = Rates { slopes: 0.02, multipliers: 0.05, decay: 0.95, steps: 20 };
/// Share of the time that narrowing the bounds inside may take.
const NARROWING: f64 = 0.2;
/// Attacks before branching, and now and then.
const EFFORT: Effort = Effort { restarts: 30, steps: 100 };
/// Share of the time that attacks take while branching.
const ATTACKS: f64 = 0.1;
/// Subdomains bounded together, if memory allows.
const MOST_ITEMS: usize = 64;
/// Splits that are tried before one is taken.
const CANDIDATES: usize = 3;

/// A subdomain that waits, with the split to make.
struct Waiting {
    subdomain: Subdomain,
    split: (usize, usize),
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
        let (a, b) = (&self.subdomain, &other.subdomain);
        b.bound.total_cmp(&a.bound).then(b.place.cmp(&a.place))
    }
}

/// The executables of a search and what they need.
struct Search<'a, 'r> {
    case: &'a Case,
    root: Vec<LayerBounds>,
    layout: Layout,
    ascent: Ascent,
    search: Evaluation,
    proof: Evaluation,
    watch: &'a Watch<'r>,
}

/// Refutes all conjunctions of a case, or finds a counterexample.
///
/// # Errors
/// If bounds cannot be compiled or computed.
pub(crate) fn search(
    network: &Network,
    double: &Network,
    index: usize,
    case: &Case,
    falsifier: &mut Falsifier<'_>,
    forest: &mut Forest,
    watch: &Watch<'_>,
) -> Result<End> {
    let Some(root) = root_bounds(network, case, watch)? else { return Ok(End::Timeout) };
    let options = Options { memory_limit: watch.settings.memory_limit };
    let rows = case.conjunctions.iter().map(Vec::len).max().unwrap_or(1).max(1);
    let ascent = fitting(MOST_ITEMS, |items| Ascent::compile(network, case, rows, items, &options))?;
    let items = ascent.items();
    let search = fitting(items, |n| Evaluation::compile(network, n, Rounding::Nearest, &options))?;
    let proof = fitting(items.min(16), |n| Evaluation::compile(double, n, Rounding::Outward, &options))?;
    let layout = Layout::new(network);
    let mut state = Search { case, root, layout, ascent, search, proof, watch };

    let mut heap = BinaryHeap::new();
    // First with slopes that cost nothing, then with bounds inside that were narrowed at leisure.
    let mut first = Forest::new(case.conjunctions.len(), watch.settings.proof);
    let mut open = state.roots(&mut first)?;
    if open.is_empty() {
        *forest = first;
        return Ok(End::Unsat);
    }
    let conjunctions: Vec<usize> = open.iter().map(|s| s.conjunction).collect();
    if let Some(witness) = falsifier.descend(index, case, &conjunctions, EFFORT, &|| watch.late())? {
        return Ok(End::Sat(witness));
    }
    let until = watch.elapsed() + watch.settings.timeout.mul_f64(NARROWING);
    let late = || watch.late() || watch.elapsed() > until;
    forest.layers = narrow((network, double), case, &mut state.root, &options, &late)?;
    open = state.roots(forest)?;
    if open.is_empty() {
        return Ok(End::Unsat);
    }
    if let Err(end) = state.enqueue(open, &mut heap)? {
        return Ok(end);
    }
    let (branching, mut attacking) = (watch.elapsed(), Duration::ZERO);
    while !heap.is_empty() {
        if let Some(end) = watch.over() {
            return Ok(end);
        }
        let now = watch.elapsed();
        if attacking < (now - branching).mul_f64(ATTACKS) {
            let open: BTreeSet<usize> = heap.iter().map(|w| w.subdomain.conjunction).collect();
            let open: Vec<usize> = open.into_iter().collect();
            if let Some(witness) = falsifier.descend(index, case, &open, EFFORT, &|| watch.late())? {
                return Ok(End::Sat(witness));
            }
            attacking += watch.elapsed() - now;
        }
        let mut children = Vec::with_capacity(items);
        while let Some(waiting) = if children.len() + 2 <= items.max(2) { heap.pop() } else { None } {
            let (layer, element) = waiting.split;
            let tree = &mut forest.trees[waiting.subdomain.conjunction];
            let places = tree.split_relu(waiting.subdomain.place, layer, element);
            children.extend(waiting.subdomain.children(layer, element, places));
        }
        for chunk in children.chunks_mut(items) {
            state.raise(chunk, BELOW)?;
        }
        let open = state.settle(children, forest)?;
        if let Err(end) = state.enqueue(open, &mut heap)? {
            return Ok(end);
        }
        watch.open(heap.len(), heap.peek().map(|w| w.subdomain.bound));
    }
    Ok(End::Unsat)
}

// As many items as the memory limit allows.
fn fitting<T>(most: usize, compile: impl Fn(usize) -> Result<T>) -> Result<T> {
    let mut items = most.max(1);
    loop {
        match compile(items) {
            Err(CertifyError::Engine(EngineError::Memory { .. })) if items > 1 => items /= 2,
            other => return other,
        }
    }
}

impl Search<'_, '_> {
    /// The whole box, with the bounds as they are; returns what stays open.
    fn roots(&mut self, forest: &mut Forest) -> Result<Vec<Subdomain>> {
        let all = self.case.conjunctions.iter().enumerate();
        let mut roots: Vec<Subdomain> = all.map(|(c, rows)| Subdomain::root(c, rows.len(), &self.root, 0)).collect();
        let items = self.ascent.items();
        for chunk in roots.chunks_mut(items) {
            self.raise(chunk, AT_ROOT)?;
        }
        self.settle(roots, forest)
    }

    fn raise(&mut self, subdomains: &mut [Subdomain], rates: Rates) -> Result<()> {
        let stop = || self.watch.late();
        self.ascent.raise(subdomains, self.case, &self.root, rates, &stop)
    }

    /// Proves and closes what can be; returns what stays open.
    fn settle(&self, subdomains: Vec<Subdomain>, forest: &mut Forest) -> Result<Vec<Subdomain>> {
        subdomains.iter().for_each(|_| self.watch.visited());
        let (hopeful, mut open): (Vec<Subdomain>, Vec<Subdomain>) = subdomains.into_iter().partition(|s| s.bound > 0.0);
        let bounds = self.proof.run::<f64>(&hopeful.iter().collect::<Vec<_>>(), self.case, &self.root)?.0;
        for (mut subdomain, bound) in hopeful.into_iter().zip(bounds) {
            if bound > 0.0 {
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
        let layers = (0..self.layout.layers()).map(|l| self.layout.of(&subdomain.slopes, l).to_vec());
        let clipped = layers.map(|l| l.into_iter().map(|s| s.clamp(0.0, 1.0)).collect());
        Evidence {
            weights: as_written(&exact_weights(subdomain), &self.case.conjunctions[subdomain.conjunction]),
            slopes: Some(clipped.collect()),
            multipliers: subdomain.multipliers.clone(),
        }
    }

    /// Chooses a split for each subdomain and lets it wait.
    fn enqueue(&self, open: Vec<Subdomain>, heap: &mut BinaryHeap<Waiting>) -> Result<std::result::Result<(), End>> {
        if open.is_empty() || self.watch.late() {
            return Ok(Ok(()));
        }
        let costs = self.search.run::<f32>(&open.iter().collect::<Vec<_>>(), self.case, &self.root)?.1;
        let mut candidates: Vec<Vec<(usize, usize)>> = Vec::with_capacity(open.len());
        for (subdomain, costs) in open.iter().zip(&costs) {
            let best = self.costliest(subdomain, costs);
            if best.is_empty() {
                // All signs are fixed, and yet nothing is proved: rounding, or another nonlinearity than relu.
                return Ok(Err(End::Unknown("a subdomain without an open relu stays undecided".into())));
            }
            candidates.push(best);
        }
        // Both children of each candidate; the one whose worse child is best is taken (filtered smart branching:
        // De Palma et al. 2021).
        let tried: Vec<Subdomain> = open
            .iter()
            .zip(&candidates)
            .flat_map(|(s, c)| c.iter().flat_map(|&(layer, element)| s.children(layer, element, [s.place; 2])))
            .collect();
        let bounds = self.search.run::<f32>(&tried.iter().collect::<Vec<_>>(), self.case, &self.root)?.0;
        let mut pairs = bounds.chunks(2);
        for (subdomain, candidates) in open.into_iter().zip(candidates) {
            let worse = candidates.iter().map(|&split| {
                let pair = pairs.next().unwrap_or(&[]);
                (pair.iter().copied().fold(f64::INFINITY, f64::min), split)
            });
            if let Some((_, split)) = worse.max_by(|a, b| a.0.total_cmp(&b.0)) {
                heap.push(Waiting { subdomain, split });
            }
        }
        Ok(Ok(()))
    }

    // The open elements whose relaxations cost the bound most.
    fn costliest(&self, subdomain: &Subdomain, costs: &[f32]) -> Vec<(usize, usize)> {
        let mut best: Vec<(f32, usize)> = Vec::with_capacity(CANDIDATES + 1);
        for (flat, &cost) in costs.iter().enumerate() {
            let cost = if cost.is_nan() { 0.0 } else { cost };
            if best.len() == CANDIDATES && best[CANDIDATES - 1].0 >= cost {
                continue;
            }
            let (layer, element) = self.layout.locate(flat);
            if !subdomain.is_open(layer, element, &self.root) {
                continue;
            }
            let place = best.partition_point(|(c, _)| *c >= cost);
            best.insert(place, (cost, flat));
            best.truncate(CANDIDATES);
        }
        best.into_iter().map(|(_, flat)| self.layout.locate(flat)).collect()
    }
}
