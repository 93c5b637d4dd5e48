//! Which sign to fix next.

use super::narrowing::Narrowing;
use super::subdomain::{Layout, Subdomain};
use crate::Result;

/// Splits that are tried for a subdomain before one is taken; fewer where each trial computes inner bounds anew.
const CANDIDATES: usize = 3;
const NARROWED_CANDIDATES: usize = 1;
/// Trials of a layer's splits before its mean gain is believed.
const RELIABLE: u32 = 4;

/// Chooses splits by the bounds of both halves (filtered smart branching: De Palma et al. 2021). Where signs narrow the inner
/// bounds of later layers, halves are narrowed before they are compared, and each layer has candidates: early
/// layers gain little at once and much by what follows. That costs much, so that only those are tried whose gain promises
/// most, by the mean gain of their layer so far for a unit of estimated cost (reliability branching: Achterberg et al. 2005).
pub(super) struct Splitter<'a> {
    narrowing: Option<Narrowing<'a>>,
    layout: Layout,
    gains: Vec<Gain>,
}

/// What trials of one layer's splits have gained.
#[derive(Clone, Copy, Default)]
struct Gain {
    gained: f64,
    estimated: f64,
    trials: u32,
}

/// A split that may be tried.
#[derive(Clone, Copy)]
struct Candidate {
    layer: usize,
    element: usize,
    /// How much fixing the sign may add to the bound, estimated.
    cost: f32,
}

impl<'a> Splitter<'a> {
    pub fn new(narrowing: Option<Narrowing<'a>>, layout: Layout) -> Splitter<'a> {
        let gains = vec![Gain::default(); layout.layers()];
        Splitter { narrowing, layout, gains }
    }

    /// Whether inner bounds are computed anew after a split of a layer.
    pub fn narrows(&self, layer: usize) -> bool {
        self.narrowing.as_ref().is_some_and(|n| n.concerns(layer))
    }

    /// The halves of each subdomain, given the estimated costs of all elements and what bounds some subdomains; `None` where
    /// no sign is open. When it is `late`, they are split all the same, by what is known.
    ///
    /// # Errors
    /// If bounds cannot be computed.
    pub fn split(
        &mut self,
        subdomains: &[Subdomain],
        costs: &[Vec<f32>],
        bound: &mut dyn FnMut(&[Subdomain]) -> Result<Vec<f64>>,
        late: &dyn Fn() -> bool,
    ) -> Result<Vec<Option<[Subdomain; 2]>>> {
        let candidates: Vec<Vec<Candidate>> =
            subdomains.iter().zip(costs).map(|(s, costs)| self.candidates(s, costs)).collect();
        let pairs =
            subdomains.iter().zip(&candidates).flat_map(|(s, candidates)| candidates.iter().map(move |c| (s, c)));
        let mut tried: Vec<Subdomain> = pairs.flat_map(|(s, c)| s.children(c.layer, c.element, [s.place; 2])).collect();
        if let Some(narrowing) = &self.narrowing {
            narrowing.run(&mut tried, late)?;
        }
        let bounds = bound(&tried)?;
        let mut trials = tried.into_iter().zip(bounds).map(|(s, bound)| {
            let bound = if s.empty { f64::INFINITY } else { bound };
            (s, bound)
        });
        let mut all = Vec::with_capacity(subdomains.len());
        for (subdomain, candidates) in subdomains.iter().zip(candidates) {
            let mut best: Option<(f64, [Subdomain; 2])> = None;
            for candidate in candidates {
                let (Some((below, a)), Some((above, b))) = (trials.next(), trials.next()) else { break };
                let worse = a.min(b);
                self.gains[candidate.layer].add(candidate.cost, worse - subdomain.bound);
                if best.as_ref().is_none_or(|(least, _)| worse > *least) {
                    best = Some((worse, [below, above]));
                }
            }
            all.push(best.map(|(_, halves)| halves));
        }
        Ok(all)
    }

    fn candidates(&self, subdomain: &Subdomain, costs: &[f32]) -> Vec<Candidate> {
        let each = |layer: usize, most: usize| self.costliest(subdomain, costs, layer, most);
        if self.narrowing.is_none() {
            let mut all: Vec<Candidate> = (0..self.layout.layers()).flat_map(|l| each(l, CANDIDATES)).collect();
            all.sort_by(|a, b| b.cost.total_cmp(&a.cost));
            all.truncate(CANDIDATES);
            return all;
        }
        let some_each = (0..self.layout.layers()).flat_map(|l| each(l, NARROWED_CANDIDATES));
        let (mut known, mut chosen): (Vec<Candidate>, Vec<Candidate>) =
            some_each.partition(|c| self.gains[c.layer].trials >= RELIABLE);
        known.sort_by(|a, b| self.promise(b).total_cmp(&self.promise(a)));
        chosen.extend(known.into_iter().take(NARROWED_CANDIDATES));
        chosen
    }

    fn promise(&self, candidate: &Candidate) -> f64 {
        let gain = &self.gains[candidate.layer];
        gain.gained / gain.estimated.max(f64::MIN_POSITIVE) * f64::from(candidate.cost)
    }

    // The open elements of a layer whose relaxations cost the bound most.
    fn costliest(&self, subdomain: &Subdomain, costs: &[f32], layer: usize, most: usize) -> Vec<Candidate> {
        let mut best: Vec<Candidate> = Vec::with_capacity(most + 1);
        for (element, &cost) in self.layout.of(costs, layer).iter().enumerate() {
            let cost = if cost.is_nan() { 0.0 } else { cost };
            if best.len() == most && best[most - 1].cost >= cost || !subdomain.is_open(layer, element) {
                continue;
            }
            let place = best.partition_point(|c| c.cost >= cost);
            best.insert(place, Candidate { layer, element, cost });
            best.truncate(most);
        }
        best
    }
}

impl Gain {
    fn add(&mut self, cost: f32, gain: f64) {
        if gain.is_finite() {
            self.gained += gain.max(0.0);
            self.estimated += f64::from(cost);
            self.trials += 1;
        }
    }
}
