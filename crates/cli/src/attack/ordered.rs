//! `perturb attack --order`: the nearest examples at which given classes come first, in a given order.

use super::plan::Method;
use super::set::{CHUNK, Subject};
use super::{AttackArgs, is_picture};
use crate::single::{Single, check_class};
use crate::{CliError, file, progress};
use perturb::attack::ordered::{OrderedTopK, Ranking};
use perturb::attack::{Adversarial, Ball, Classifier, Norm, Seed};
use perturb::data::{load_image, npz, save_png};
use perturb::graph::{Graph, Tensor};
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// What the JSON says.
#[derive(Serialize, Debug)]
struct Outcome {
    attack: &'static str,
    order: Vec<usize>,
    norm: &'static str,
    epsilon: Option<f64>,
    examples: usize,
    /// Share of examples at which the classes come first in this order; such examples as they are count.
    success_rate: f64,
    /// Of those at which they do.
    median_distance: Option<f64>,
    mean_queries: f64,
    seconds: f64,
    success: Vec<bool>,
    distances: Vec<f64>,
    queries: Vec<u64>,
    /// All classes in the order of their scores, for each example as it was found.
    orders_found: Vec<Vec<usize>>,
    /// The same for the PNG as written: eight bits a channel can undo a small perturbation.
    order_of_png: Option<Vec<usize>>,
}

/// Attacks, and writes the examples and JSON.
///
/// # Errors
/// If the model or the data cannot be used, the classes cannot come first, or a file cannot be written.
pub fn run(args: &AttackArgs, model: &Path, data: &Path) -> Result<(), CliError> {
    let Method::Ordered(ordered) = args.method()? else {
        return Err(CliError::Usage("--order is for attacks on the order of classes".into()));
    };
    let attack = OrderedTopK { batch: args.batch, ..(ordered.attack)() };
    let start = Instant::now();
    let (outcome, out) = if is_picture(data) {
        let single = Single::load(model, data, &args.preprocessing)?;
        let search = Search::new(args, attack, single.graph, single.image, (0.0, 1.0))?;
        let found = search.run(args.seed)?;
        let out = args.out.clone().unwrap_or_else(|| PathBuf::from("adversarial.png"));
        save_png(&out, &found.inputs.reshape(single.canvas.shape)?)?;
        let written = load_image(&out, Some(single.canvas.shape[0]))?.reshape(search.inputs.shape().clone())?;
        let mut outcome = search.outcome(found, start)?;
        outcome.order_of_png = search.orders(&written)?.pop();
        (outcome, out)
    } else {
        let subject = Subject::load(args, model, data)?;
        let search = Search::new(args, attack, subject.graph, subject.inputs, subject.range)?;
        let found = search.run(args.seed)?;
        let out = args.out.clone().unwrap_or_else(|| PathBuf::from("adversarial.npz"));
        npz::write_all(&out, &[("x".into(), found.inputs.clone())])?;
        (search.outcome(found, start)?, out)
    };
    let json = serde_json::to_string_pretty(&outcome).map_err(|e| CliError::Usage(e.to_string()))? + "\n";
    let path = out.with_extension("json");
    std::fs::write(&path, json).map_err(|source| file("write", &path, source))?;
    summary(&outcome, &out);
    Ok(())
}

/// A model, its inputs, and what is wanted of them.
struct Search {
    attack: OrderedTopK,
    order: Vec<usize>,
    graph: Graph,
    model: Classifier,
    inputs: Tensor,
    ball: Ball,
    epsilon: Option<f64>,
}

impl Search {
    fn new(
        args: &AttackArgs,
        attack: OrderedTopK,
        graph: Graph,
        inputs: Tensor,
        range: (f64, f64),
    ) -> Result<Search, CliError> {
        let model = Classifier::new(&graph, args.batch)?;
        for &class in &args.order {
            check_class("--order", class, model.classes())?;
        }
        let norm = args.norm.map_or(Norm::L2, Norm::from);
        let ball = Ball::new(norm, args.epsilon.unwrap_or(f64::INFINITY), range)?;
        Ok(Search { attack, order: args.order.clone(), graph, model, inputs, ball, epsilon: args.epsilon })
    }

    fn run(&self, seed: u64) -> Result<Adversarial, CliError> {
        let count = self.inputs.shape()[0];
        let ranking = |rows: usize| Ranking::new(vec![self.order.clone(); rows], self.model.classes());
        let bar = progress::bar(&format!("attacking: {}", self.attack.name), count);
        let mut values: Vec<f32> = Vec::with_capacity(self.inputs.count());
        let (mut success, mut distances, mut queries) = (Vec::new(), Vec::new(), Vec::new());
        for first in (0..count).step_by(CHUNK) {
            let end = (first + CHUNK).min(count);
            let (part, seed) = (self.inputs.rows(first, end), Seed::new(seed, first as u64));
            let found = self.attack.run(&self.graph, &part, &ranking(end - first)?, &self.ball, &seed)?;
            values.extend_from_slice(found.inputs.as_slice::<f32>());
            success.extend(found.success);
            distances.extend(found.distances);
            queries.extend(found.queries);
            bar.inc((end - first) as u64);
        }
        bar.finish_and_clear();
        Ok(Adversarial { inputs: Tensor::new(self.inputs.shape().clone(), values)?, success, distances, queries })
    }

    /// Classes by falling score, of equal ones the first first.
    fn orders(&self, inputs: &Tensor) -> Result<Vec<Vec<usize>>, CliError> {
        let logits = self.model.logits(inputs)?;
        let order = |z: &[f32]| {
            let mut order: Vec<usize> = (0..z.len()).collect();
            order.sort_by(|&a, &b| z[b].total_cmp(&z[a]));
            order
        };
        Ok(logits.as_slice::<f32>().chunks_exact(self.model.classes()).map(order).collect())
    }

    fn outcome(&self, found: Adversarial, start: Instant) -> Result<Outcome, CliError> {
        let examples = found.success.len();
        let mut reached: Vec<f64> = (0..examples).filter(|&i| found.success[i]).map(|i| found.distances[i]).collect();
        reached.sort_by(f64::total_cmp);
        Ok(Outcome {
            attack: self.attack.name,
            order: self.order.clone(),
            norm: self.ball.norm().name(),
            epsilon: self.epsilon,
            examples,
            success_rate: reached.len() as f64 / examples.max(1) as f64,
            median_distance: reached.get(reached.len() / 2).copied(),
            mean_queries: found.queries.iter().sum::<u64>() as f64 / examples.max(1) as f64,
            seconds: start.elapsed().as_secs_f64(),
            orders_found: self.orders(&found.inputs)?,
            order_of_png: None,
            success: found.success,
            distances: found.distances,
            queries: found.queries,
        })
    }
}

fn summary(outcome: &Outcome, out: &Path) {
    let order: Vec<String> = outcome.order.iter().map(usize::to_string).collect();
    let reached = outcome.success.iter().filter(|s| **s).count();
    let median = outcome.median_distance.map_or(String::new(), |d| format!(", median ℓ2 {d:.4}"));
    println!(
        "{}: {} first at {reached} of {} example{}{median}; {:.0} queries each, {:.1} s; {}",
        outcome.attack,
        order.join(", "),
        outcome.examples,
        if outcome.examples == 1 { "" } else { "s" },
        outcome.mean_queries,
        outcome.seconds,
        out.display()
    );
}
