//! L-BFGS for small problems: whole data, smooth losses, many digits.

use crate::{Parameters, TrainError};
use perturb_engine::{Executable, Options};
use perturb_graph::{Expr, Tensor, grad};
use std::collections::VecDeque;

// Wolfe's conditions with the constants of Nocedal and Wright (2006), §3.1: enough descent, and a slope that is gone.
const DESCENT: f64 = 1e-4;
const CURVATURE: f64 = 0.9;

/// L-BFGS (Nocedal and Wright 2006, algorithm 7.5) with a line search for the strong Wolfe conditions (algorithms 3.5 and
/// 3.6), in f64 outside of the graph whatever the parameters' type.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Lbfgs {
    /// Pairs of changes that the curvature is known by.
    pub memory: usize,
    /// Most iterations.
    pub iterations: usize,
    /// Largest absolute value of a gradient's element at which the search is over.
    pub tolerance: f64,
}

impl Default for Lbfgs {
    fn default() -> Self {
        Lbfgs { memory: 10, iterations: 200, tolerance: 1e-8 }
    }
}

/// Where [`Lbfgs`] has come to.
#[derive(Clone, Debug)]
pub struct Minimum {
    /// The parameters.
    pub parameters: Parameters,
    /// The loss there.
    pub loss: f64,
    /// Largest absolute value of the gradient's elements there.
    pub gradient: f64,
    /// Iterations taken.
    pub iterations: usize,
}

// A point on the way, with the loss and its gradient.
#[derive(Clone)]
struct Point {
    x: Vec<f64>,
    value: f64,
    gradient: Vec<f64>,
}

impl Lbfgs {
    /// Minimises `loss`, a scalar that depends on nothing but `parameters` (leaves with their starting values) and
    /// constants. Stops where the gradient is below the tolerance, no step makes the loss smaller, or the iterations
    /// are used up; see [`Minimum::gradient`].
    ///
    /// # Errors
    /// If the loss cannot be differentiated or compiled, or is no number at the start.
    pub fn minimize(&self, loss: &Expr, parameters: &[Expr]) -> Result<Minimum, TrainError> {
        let problem = Problem::new(loss, parameters)?;
        let mut at = problem.at(problem.start())?;
        if !at.value.is_finite() {
            return Err(TrainError::Diverged { step: 0, loss: at.value });
        }
        let mut memory: VecDeque<Change> = VecDeque::with_capacity(self.memory);
        let mut taken = 0;
        while taken < self.iterations && largest(&at.gradient) > self.tolerance {
            let direction = direction(&memory, &at.gradient);
            // Nothing is known of the scale before the first step.
            let first = if memory.is_empty() { f64::min(1.0, 1.0 / largest(&at.gradient)) } else { 1.0 };
            let Some(next) = search(&problem, &at, &direction, first)? else { break };
            memory.extend(Change::between(&at, &next));
            if memory.len() > self.memory {
                memory.pop_front();
            }
            at = next;
            taken += 1;
        }
        let gradient = largest(&at.gradient);
        Ok(Minimum { parameters: problem.parameters(&at.x), loss: at.value, gradient, iterations: taken })
    }
}

// The change s of the point and y of the gradient in one step, with ρ = 1/⟨s, y⟩.
struct Change {
    s: Vec<f64>,
    y: Vec<f64>,
    rho: f64,
}

impl Change {
    fn between(from: &Point, to: &Point) -> Option<Change> {
        let difference = |a: &[f64], b: &[f64]| b.iter().zip(a).map(|(b, a)| b - a).collect::<Vec<f64>>();
        let (s, y) = (difference(&from.x, &to.x), difference(&from.gradient, &to.gradient));
        let product = dot(&s, &y);
        // Without positive curvature the approximation would not stay positive definite.
        (product > 1e-10 * dot(&y, &y)).then(|| Change { s, y, rho: 1.0 / product })
    }
}

// The two loops (algorithm 7.4): minus the approximate inverse Hessian times the gradient.
fn direction(memory: &VecDeque<Change>, gradient: &[f64]) -> Vec<f64> {
    let mut q: Vec<f64> = gradient.iter().map(|g| -g).collect();
    let mut alphas = Vec::with_capacity(memory.len());
    for Change { s, y, rho } in memory.iter().rev() {
        let alpha = rho * dot(s, &q);
        add(&mut q, -alpha, y);
        alphas.push(alpha);
    }
    if let Some(Change { y, rho, .. }) = memory.back() {
        let scale = 1.0 / (rho * dot(y, y));
        q.iter_mut().for_each(|v| *v *= scale);
    }
    for (Change { s, y, rho }, alpha) in memory.iter().zip(alphas.iter().rev()) {
        let beta = rho * dot(y, &q);
        add(&mut q, alpha - beta, s);
    }
    q
}

// A point on a line: how far along it, and the slope there.
#[derive(Clone)]
struct Trial {
    t: f64,
    slope: f64,
    point: Point,
}

// A point along `direction` that satisfies the strong Wolfe conditions, or the best that was found; `None` if none is
// below the start.
fn search(problem: &Problem, from: &Point, direction: &[f64], first: f64) -> Result<Option<Point>, TrainError> {
    let slope = dot(&from.gradient, direction);
    let start = Trial { t: 0.0, slope, point: from.clone() };
    let at = |t: f64| -> Result<Trial, TrainError> {
        let mut x = from.x.clone();
        add(&mut x, t, direction);
        let point = problem.at(x)?;
        Ok(Trial { t, slope: dot(&point.gradient, direction), point })
    };
    let too_high = |trial: &Trial, than: &Trial| {
        let limit = from.value + DESCENT * trial.t * slope;
        trial.point.value.is_nan() || trial.point.value > limit || trial.point.value >= than.point.value
    };
    let flat = |trial: &Trial| trial.slope.abs() <= -CURVATURE * slope;
    let (mut low, mut high) = (start, None);
    let mut t = first;
    for _ in 0..40 {
        let trial = at(t)?;
        if too_high(&trial, &low) {
            high = Some(trial);
        } else if flat(&trial) {
            return Ok(Some(trial.point));
        } else {
            // The minimum lies between two points of which the lower slopes towards the other.
            let end = high.as_ref().map_or(f64::INFINITY, |h: &Trial| h.t);
            if trial.slope * (end - low.t) >= 0.0 {
                high = Some(low);
            }
            low = trial;
        }
        t = high.as_ref().map_or(2.0 * low.t, |high| between(&low, high));
        if high.as_ref().is_some_and(|high| (high.t - low.t).abs() <= 1e-14 * high.t.max(low.t)) {
            break;
        }
    }
    Ok((low.t > 0.0 && low.point.value < from.value).then_some(low.point))
}

// Where the cubic through both values and slopes has its minimum (eq. 3.59), but not near either end.
fn between(a: &Trial, b: &Trial) -> f64 {
    let d1 = a.slope + b.slope - 3.0 * (a.point.value - b.point.value) / (a.t - b.t);
    let d2 = (d1 * d1 - a.slope * b.slope).sqrt() * (b.t - a.t).signum();
    let minimum = b.t - (b.t - a.t) * (b.slope + d2 - d1) / (b.slope - a.slope + 2.0 * d2);
    let (low, high) = (a.t.min(b.t), a.t.max(b.t));
    let margin = 0.1 * (high - low);
    if minimum.is_finite() { minimum.clamp(low + margin, high - margin) } else { 0.5 * (low + high) }
}

// The loss and its gradient as functions of all parameters in one vector.
struct Problem {
    executable: Executable,
    leaves: Vec<Expr>,
}

impl Problem {
    fn new(loss: &Expr, parameters: &[Expr]) -> Result<Problem, TrainError> {
        let mut outputs = grad(loss, parameters)?;
        outputs.push(loss.clone());
        let executable = Executable::compile(&outputs, parameters, &Options::default())?;
        Ok(Problem { executable, leaves: parameters.to_vec() })
    }

    fn start(&self) -> Vec<f64> {
        let value = |p: &Expr| p.value().map_or_else(|| vec![0.0; p.shape().count()], Tensor::to_f64_vec);
        self.leaves.iter().flat_map(value).collect()
    }

    fn tensors(&self, x: &[f64]) -> Vec<Tensor> {
        let mut rest = x;
        let mut take = |p: &Expr| {
            let (values, left) = rest.split_at(p.shape().count());
            rest = left;
            Tensor::from_f64(p.shape(), p.dtype(), values.to_vec()).expect("one value for each element")
        };
        self.leaves.iter().map(&mut take).collect()
    }

    fn at(&self, x: Vec<f64>) -> Result<Point, TrainError> {
        let feeds = self.tensors(&x);
        let mut results = self.executable.run(&feeds.iter().collect::<Vec<_>>())?;
        let value = results.pop().map_or(f64::NAN, |loss| loss.to_f64_vec()[0]);
        Ok(Point { x, value, gradient: results.iter().flat_map(Tensor::to_f64_vec).collect() })
    }

    fn parameters(&self, x: &[f64]) -> Parameters {
        let names = self.leaves.iter().map(|p| p.name().unwrap_or("unnamed").to_string());
        names.zip(self.tensors(x)).collect()
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn add(x: &mut [f64], scale: f64, y: &[f64]) {
    x.iter_mut().zip(y).for_each(|(x, y)| *x += scale * y);
}

fn largest(x: &[f64]) -> f64 {
    x.iter().fold(0.0, |m, v| m.max(v.abs()))
}
