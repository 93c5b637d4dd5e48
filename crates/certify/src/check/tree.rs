//! What has to be refuted where, according to a tree.

use super::error::{CheckError, Place, malformed};
use super::form::wrong_evidence;
use super::network::Network;
use super::walk::Split;
use crate::proof::{Evidence, Node, Tree};
use perturb_onnx::vnnlib::Case;

/// Refutations on one box of inputs.
pub(super) struct Job<'p> {
    /// The box; `None` for that of the whole case.
    pub inputs: Option<Vec<(f64, f64)>>,
    /// On the whole box, which bounds are known, as an index into [`Reader::narrowings`]; `None` for those of the box alone.
    pub narrowing: Option<usize>,
    pub refutations: Vec<Refutation<'p>>,
}

/// One refutation.
pub(super) struct Refutation<'p> {
    pub place: Place,
    pub conjunction: usize,
    pub evidence: &'p Evidence,
    /// Which signs are known, with their multipliers.
    pub splits: Vec<Split>,
}

/// Inner bounds that know some signs.
pub(super) struct Narrowing {
    /// What was known before.
    pub outer: Option<usize>,
    pub splits: Vec<Split>,
}

/// A tree being read, node by node in its order.
pub(super) struct Reader<'p> {
    network: &'p Network,
    case: &'p Case,
    /// Index of the case and of the tree.
    at: (usize, usize),
    tree: &'p Tree,
    next: usize,
    pending: Vec<Step>,
    /// The box of the subdomain.
    inputs: Vec<(f64, f64)>,
    /// How many inputs have been split on the way.
    cuts: usize,
    /// The signs that are known on the way, by operand.
    splits: Vec<Split>,
    /// All narrowings so far, and the one that holds.
    pub narrowings: Vec<Narrowing>,
    pub narrowing: Option<usize>,
    /// How often each conjunction has been refuted on the way, and how many of those to cover have not been.
    refuted: Vec<u32>,
    covered: Vec<bool>,
    missing: usize,
    pub leaves: usize,
    pub branches: usize,
}

/// What is to be done after a subtree.
enum Step {
    Subtree,
    Range(usize, (f64, f64)),
    Uncut,
    Sign(bool),
    Unsplit,
    Widen(Option<usize>),
    Forget(usize),
}

/// Numbers in jobs at which they are worth being handed out.
const ENOUGH: usize = 1 << 20;

impl<'p> Reader<'p> {
    pub fn new(
        network: &'p Network,
        case: &'p Case,
        inputs: &[(f64, f64)],
        at: (usize, usize),
        tree: &'p Tree,
    ) -> Result<Reader<'p>, CheckError> {
        let count = case.any_of.len();
        let mut covered = vec![false; count];
        for &conjunction in &tree.covers {
            let Some(covered) = covered.get_mut(conjunction as usize) else {
                let place = Place::Tree { case: at.0, tree: at.1 };
                return malformed(place, format!("it covers conjunction {conjunction} of {count}"));
            };
            *covered = true;
        }
        Ok(Reader {
            network,
            case,
            at,
            tree,
            next: 0,
            pending: vec![Step::Subtree],
            inputs: inputs.to_vec(),
            cuts: 0,
            splits: Vec::new(),
            narrowings: Vec::new(),
            narrowing: None,
            refuted: vec![0; count],
            missing: covered.iter().filter(|c| **c).count(),
            covered,
            leaves: 0,
            branches: 0,
        })
    }

    fn place(&self) -> Place {
        Place::Node { case: self.at.0, tree: self.at.1, node: self.next }
    }

    /// The next refutations, by box; none at the end.
    pub fn jobs(&mut self) -> Result<Vec<Job<'p>>, CheckError> {
        let mut jobs: Vec<Job<'p>> = Vec::new();
        let mut numbers = 0;
        // Refutations on one box follow each other.
        let mut same_box = false;
        while numbers < ENOUGH
            && let Some(step) = self.pending.pop()
        {
            match step {
                Step::Range(index, range) => {
                    self.inputs[index] = range;
                    same_box = false;
                }
                Step::Uncut => self.cuts -= 1,
                Step::Sign(above) => self.splits.last_mut().into_iter().for_each(|s| s.above = above),
                Step::Unsplit => _ = self.splits.pop(),
                Step::Widen(outer) => {
                    self.narrowing = outer;
                    same_box = false;
                }
                Step::Forget(conjunction) => self.forget(conjunction),
                Step::Subtree => {
                    let before = self.narrowings.len();
                    let found = self.node(&mut same_box)?;
                    // Bounds are numbers too.
                    numbers += (self.narrowings.len() - before) * self.network.scalars();
                    if let Some(refutation) = found {
                        numbers += 1 + refutation.splits.len();
                        match jobs.last_mut().filter(|_| same_box) {
                            Some(job) => job.refutations.push(refutation),
                            None => {
                                let inputs = (self.cuts > 0).then(|| self.inputs.clone());
                                numbers += inputs.as_ref().map_or(0, Vec::len);
                                let narrowing = self.narrowing;
                                jobs.push(Job { inputs, narrowing, refutations: vec![refutation] });
                            }
                        }
                        same_box = true;
                    }
                }
            }
        }
        if jobs.is_empty() && self.next < self.tree.nodes.len() {
            return malformed(self.place(), "the tree has ended before this node");
        }
        Ok(jobs)
    }

    fn node(&mut self, same_box: &mut bool) -> Result<Option<Refutation<'p>>, CheckError> {
        let Some(node) = self.tree.nodes.get(self.next) else {
            return malformed(self.place(), "the tree ends here, though a subtree is missing");
        };
        let mut found = None;
        match node {
            Node::Input { index, at } => {
                self.cut(*index as usize, *at)?;
                *same_box = false;
            }
            Node::Sign { layer, element } => self.split(*layer as usize, *element as usize)?,
            Node::Narrow => {
                self.narrow()?;
                *same_box = false;
            }
            Node::Refuted { conjunction, evidence } => found = Some(self.refute(*conjunction as usize, evidence)?),
            Node::Done => {
                if self.missing > 0 {
                    let open = |c: &usize| self.covered[*c] && self.refuted[*c] == 0;
                    let left = (0..self.covered.len()).find(open).unwrap_or_default();
                    return malformed(self.place(), format!("conjunction {left} has not been refuted on the way"));
                }
                self.leaves += 1;
            }
        }
        self.next += 1;
        Ok(found)
    }

    fn cut(&mut self, index: usize, at: f64) -> Result<(), CheckError> {
        if !self.splits.is_empty() || self.narrowing.is_some() {
            return malformed(self.place(), "an input is split below a sign or a narrowing");
        }
        let Some(&(lo, hi)) = self.inputs.get(index) else {
            return malformed(self.place(), format!("input {index} is not one of {}", self.inputs.len()));
        };
        if !(at.is_finite() && lo <= at && at <= hi) {
            return malformed(self.place(), format!("input {index} is split at {at}, outside of {lo} to {hi}"));
        }
        self.pending.push(Step::Uncut);
        self.pending.push(Step::Range(index, (lo, hi)));
        self.pending.push(Step::Subtree);
        self.pending.push(Step::Range(index, (at, hi)));
        self.pending.push(Step::Subtree);
        self.inputs[index] = (lo, at);
        self.cuts += 1;
        self.branches += 1;
        Ok(())
    }

    fn split(&mut self, activation: usize, element: usize) -> Result<(), CheckError> {
        let count = self.network.activations.len();
        if activation >= count {
            return malformed(self.place(), format!("activation {activation} is not one of {count}"));
        }
        let elements = self.network.operands_of(activation).len();
        if element >= elements {
            let reason = format!("element {element} is not one of the {elements} of activation {activation}");
            return malformed(self.place(), reason);
        }
        // A walk's error bound counts one multiplier for each operand.
        if self.splits.iter().any(|s| (s.activation, s.element) == (activation, element)) {
            let reason = format!("the sign of element {element} of activation {activation} is known already");
            return malformed(self.place(), reason);
        }
        self.pending.push(Step::Unsplit);
        self.pending.push(Step::Subtree);
        self.pending.push(Step::Sign(true));
        self.pending.push(Step::Subtree);
        self.splits.push(Split { activation, element, above: false, multiplier: 0.0 });
        self.branches += 1;
        Ok(())
    }

    fn narrow(&mut self) -> Result<(), CheckError> {
        if self.cuts > 0 {
            return malformed(self.place(), "inner bounds are narrowed below a split of an input");
        }
        self.pending.push(Step::Widen(self.narrowing));
        self.pending.push(Step::Subtree);
        self.narrowings.push(Narrowing { outer: self.narrowing, splits: self.splits.clone() });
        self.narrowing = Some(self.narrowings.len() - 1);
        Ok(())
    }

    fn refute(&mut self, conjunction: usize, evidence: &'p Evidence) -> Result<Refutation<'p>, CheckError> {
        if !self.covered.get(conjunction).is_some_and(|c| *c) {
            return malformed(self.place(), format!("conjunction {conjunction} is not one that the tree covers"));
        }
        let constraints = self.case.any_of[conjunction].len();
        if let Some(reason) = wrong_evidence(self.network, evidence, constraints, self.splits.len()) {
            return malformed(self.place(), reason);
        }
        let mut splits = self.splits.clone();
        for (split, &multiplier) in splits.iter_mut().zip(&evidence.multipliers) {
            split.multiplier = f64::from(multiplier);
        }
        if self.refuted[conjunction] == 0 {
            self.missing -= 1;
        }
        self.refuted[conjunction] += 1;
        self.pending.push(Step::Forget(conjunction));
        self.pending.push(Step::Subtree);
        Ok(Refutation { place: self.place(), conjunction, evidence, splits })
    }

    fn forget(&mut self, conjunction: usize) {
        self.refuted[conjunction] -= 1;
        if self.refuted[conjunction] == 0 {
            self.missing += 1;
        }
    }
}
