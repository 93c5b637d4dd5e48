//! Deciding whether a property of a network holds: a search for counterexamples, then branch and bound.
//!
//! Every bound that closes a subdomain holds in real arithmetic on the network's weights: bounds are rounded outward. A
//! counterexample is an input in the box as written, for which all constraints hold exactly.

mod ascent;
mod boxes;
mod combine;
mod evaluation;
mod falsify;
mod forms;
mod input_split;
mod lagrangian;
mod narrowing;
mod network;
mod pieces;
mod query;
mod root;
mod sign_split;
mod sizes;
mod splitting;
mod subdomain;
mod tree;
mod triangles;

use crate::check::prover::Prover;
use crate::proof::Proof;
use crate::{CertifyError, Result};
pub use falsify::Witness;
use falsify::{Effort, Falsifier};
use network::Network;
use perturb_engine::Options;
use perturb_graph::Graph;
use perturb_onnx::vnnlib::Property;
use query::Query;
use std::cell::{Cell, RefCell};
use std::time::{Duration, Instant};
use tree::Forest;

/// Networks of at most as many inputs are split along their inputs unless told otherwise.
const FEW_INPUTS: usize = 20;

/// Share of the time after which the attacks before any bound end.
const FIRST_ATTACKS: f64 = 0.1;

/// Longer limits are as good as none, and may lie beyond what a clock can show.
const LONGEST: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

/// Along what a search splits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Branching {
    /// Along inputs for networks of at most 20 inputs, by the signs of activations' operands for others.
    #[default]
    Automatic,
    /// Along inputs.
    Inputs,
    /// By the signs of the operands of `relu`, sigmoid and tanh.
    Signs,
}

/// Limits and choices of a search.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    /// Wall-clock time after which the search gives up.
    pub timeout: Duration,
    /// Most bytes of working memory of one executable, constants not counted.
    pub memory_limit: u64,
    /// Along what to split.
    pub branching: Branching,
    /// Most subdomains that are kept open.
    pub most_open: usize,
    /// Seed of the starting points of attacks.
    pub seed: u64,
    /// Whether a proof is kept.
    pub proof: bool,
}

impl Default for Settings {
    /// Two minutes, 2 GiB, two million subdomains, no proof.
    fn default() -> Settings {
        Settings {
            timeout: Duration::from_secs(120),
            memory_limit: 2 << 30,
            branching: Branching::Automatic,
            most_open: 2_000_000,
            seed: 0,
            proof: false,
        }
    }
}

/// What a search ends with.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// No input of the box is a counterexample: the property holds.
    Unsat,
    /// A counterexample.
    Sat(Witness),
    /// The time ran out.
    Timeout,
    /// The search cannot go on.
    Unknown(String),
}

/// A verdict and how it came about.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// The verdict.
    pub verdict: Verdict,
    /// For [`Verdict::Unsat`], if [`Settings::proof`] asks for it.
    pub proof: Option<Proof>,
    /// Subdomains bounded.
    pub subdomains: usize,
    /// Seconds of wall-clock time.
    pub seconds: f64,
}

/// How far a search is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Progress {
    /// Cases of the property that are decided, and their number.
    pub cases: (usize, usize),
    /// Subdomains bounded so far.
    pub subdomains: usize,
    /// Subdomains that wait.
    pub open: usize,
    /// The lowest bound among them.
    pub bound: Option<f64>,
}

/// How the search of one case ends.
pub(crate) enum End {
    Unsat,
    Sat(Witness),
    Timeout,
    Unknown(String),
}

type Report<'a> = Box<dyn FnMut(&Progress) + 'a>;

/// The clock and the counters of a search.
pub(crate) struct Watch<'a> {
    pub settings: Settings,
    started: Instant,
    subdomains: Cell<usize>,
    most: Cell<usize>,
    cases: Cell<(usize, usize)>,
    report: RefCell<Report<'a>>,
}

impl Watch<'_> {
    /// Whether the time or the memory is used up.
    pub fn over(&self) -> Option<End> {
        if self.late() {
            return Some(End::Timeout);
        }
        let most = self.settings.most_open;
        (self.most.get() > most).then(|| End::Unknown(format!("more than {most} subdomains are open")))
    }

    /// When a share of the time is used up.
    pub fn at(&self, share: f64) -> Instant {
        self.started + self.settings.timeout.mul_f64(share)
    }

    /// Time since the search began.
    pub fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// Whether the time is used up.
    pub fn late(&self) -> bool {
        self.started.elapsed() >= self.settings.timeout
    }

    /// Counts a subdomain that was bounded.
    pub fn visited(&self) {
        self.subdomains.set(self.subdomains.get() + 1);
    }

    /// Reports how many subdomains wait.
    pub fn open(&self, open: usize, bound: Option<f64>) {
        self.most.set(open);
        let progress = Progress { cases: self.cases.get(), subdomains: self.subdomains.get(), open, bound };
        (self.report.borrow_mut())(&progress);
    }
}

/// Decides whether `property` has no counterexample among the outputs of `network`, a graph for one example in `f32` or `f64`. It
/// is about the function with the weights as they are there, in real arithmetic.
///
/// ```
/// use perturb_certify::verify::{Settings, Verdict, verify};
/// use perturb_graph::{DType, Expr, Graph, Tensor};
/// use perturb_onnx::vnnlib::Property;
///
/// // y = relu(x) + relu(−x) = |x| on [−1, 1]: never above 1, but above 0.9.
/// let x = Expr::input("x", [1, 1], DType::F32);
/// let y = x.relu().add(&x.neg().relu());
/// let network = Graph::new(vec![x], vec![("y".into(), y)])?;
/// let above = |limit: &str| {
///     Property::parse(&format!(
///         "(declare-const X_0 Real) (declare-const Y_0 Real)
///          (assert (>= X_0 -1)) (assert (<= X_0 1)) (assert (>= Y_0 {limit}))"
///     ))
/// };
/// let settings = Settings::default();
/// let verdict = |limit| Ok::<_, Box<dyn std::error::Error>>(verify(&network, &above(limit)?, &settings, &mut |_| {})?.verdict);
/// assert_eq!(verdict("1.001")?, Verdict::Unsat);
/// let Verdict::Sat(witness) = verdict("0.9")? else { panic!() };
/// assert!(witness.inputs[0].abs() >= 0.9);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// If the network is not of a kind that can be bounded, or property and network do not fit together.
pub fn verify(
    network: &Graph,
    property: &Property,
    settings: &Settings,
    report: &mut dyn FnMut(&Progress),
) -> Result<Outcome> {
    let query = Query::new(property)?;
    let (single, double) = Network::both(network, query.mentions_inputs())?;
    if (single.inputs(), single.outputs) != (property.inputs, property.outputs) {
        let (x, y) = (single.inputs(), single.outputs);
        let reason = format!(
            "it has {x} inputs and {y} outputs, but the property declares {} X and {} Y",
            property.inputs, property.outputs
        );
        return Err(CertifyError::Model { reason });
    }
    let watch = Watch {
        settings: Settings { timeout: settings.timeout.min(LONGEST), ..*settings },
        started: Instant::now(),
        subdomains: Cell::new(0),
        most: Cell::new(0),
        cases: Cell::new((0, query.cases.len())),
        report: RefCell::new(Box::new(report)),
    };
    let mut proof = Proof { cases: Vec::new() };
    let verdict = decide((network, property), (&single, &double), &query, &watch, &mut proof)?;
    let kept = settings.proof && verdict == Verdict::Unsat;
    let (subdomains, seconds) = (watch.subdomains.get(), watch.started.elapsed().as_secs_f64());
    Ok(Outcome { verdict, proof: kept.then_some(proof), subdomains, seconds })
}

fn decide(
    (graph, property): (&Graph, &Property),
    (single, double): (&Network, &Network),
    query: &Query,
    watch: &Watch<'_>,
    proof: &mut Proof,
) -> Result<Verdict> {
    if watch.late() {
        return Ok(Verdict::Timeout);
    }
    let prover = Prover::new(graph, property);
    let rows = query.cases.iter().flat_map(|c| &c.conjunctions).map(Vec::len).max().unwrap_or(0).max(1);
    let options = Options { memory_limit: watch.settings.memory_limit };
    let known = prover.as_ref().ok();
    let first = (watch.settings.seed, watch.at(FIRST_ATTACKS));
    let mut falsifier = Falsifier::compile((graph, property), (single, double), known, rows, first, &options)?;
    for (index, case) in query.cases.iter().enumerate() {
        let points = falsifier.random(case, 256);
        let all: Vec<usize> = (0..case.conjunctions.len()).collect();
        let found = match falsifier.check(index, case, &points)? {
            None => falsifier.descend(index, case, &all, Effort { restarts: 5, steps: 50 })?,
            found => found,
        };
        if let Some(witness) = found {
            return Ok(Verdict::Sat(witness));
        }
    }
    falsifier.until = watch.at(1.0);
    for (index, case) in query.cases.iter().enumerate() {
        watch.cases.set((index, query.cases.len()));
        let by_inputs = match watch.settings.branching {
            Branching::Automatic => single.inputs() <= FEW_INPUTS || single.activations.is_empty(),
            branching => branching == Branching::Inputs,
        };
        let conjunctions = case.conjunctions.len();
        let mut forest = Forest::new(if by_inputs { 1 } else { conjunctions }, watch.settings.proof);
        let end = if by_inputs {
            let prover = prover.as_ref().map_err(|e| e.clone())?;
            input_split::search(single, prover, index, case, &mut falsifier, &mut forest.trees[0], watch)?
        } else {
            let exact = if single.rounded { Some(prover.as_ref().map_err(|e| e.clone())?) } else { None };
            sign_split::search((single, double, exact), (index, case), &mut falsifier, &mut forest, watch)?
        };
        match end {
            // Whatever a search thinks: what it lost sight of is not refuted.
            End::Unsat if !forest.is_closed() => {
                return Ok(Verdict::Unknown("the search ended before everything was refuted".into()));
            }
            End::Unsat => proof.cases.push(forest.finish(conjunctions, single.activations.len())),
            End::Sat(witness) => return Ok(Verdict::Sat(witness)),
            End::Timeout => return Ok(Verdict::Timeout),
            End::Unknown(reason) => return Ok(Verdict::Unknown(reason)),
        }
    }
    Ok(Verdict::Unsat)
}
