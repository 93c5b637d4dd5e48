//! One compiled function of one item, run for any number of items.

use crate::{CertifyError, Result};
use perturb_engine::{EngineError, Executable, Options};
use perturb_graph::{Expr, GraphError, Shape, Tensor, vmap};
use rayon::prelude::*;

/// An executable over a fixed number of items at once. What an item is (an example, a position of an image, a chunk of
/// rows) is the caller's business.
pub(crate) struct Batched {
    executable: Executable,
    items: usize,
    /// Shapes of the inputs that differ from item to item, items included.
    inputs: Vec<Shape>,
    /// Elements of each output of one item.
    outputs: Vec<usize>,
    memory_limit: u64,
}

impl Batched {
    /// Compiles `outputs` of one item as a function of `mapped` inputs, fed for every item, and `shared` ones, fed once.
    /// Takes `most` items at once, or fewer if those need more than `memory_limit` bytes.
    ///
    /// # Errors
    /// If the graph cannot be compiled, or one item alone needs too much memory (`what` names it in the message).
    pub fn compile(
        outputs: &[Expr],
        mapped: &[Expr],
        shared: &[Expr],
        most: usize,
        memory_limit: u64,
        what: &str,
    ) -> Result<Batched> {
        let mut items = most.max(1);
        loop {
            let need = match Batched::with_items(outputs, mapped, shared, items, memory_limit) {
                Err(CertifyError::Engine(EngineError::Memory { need, .. })) => need,
                Err(CertifyError::Graph(GraphError::TooLarge { bytes, .. })) => bytes.min(u128::from(u64::MAX)) as u64,
                other => return other,
            };
            if items == 1 {
                return Err(CertifyError::Memory { what: what.to_string(), need, limit: memory_limit });
            }
            items /= 2;
        }
    }

    fn with_items(
        outputs: &[Expr],
        mapped: &[Expr],
        shared: &[Expr],
        items: usize,
        memory_limit: u64,
    ) -> Result<Batched> {
        let batched: Vec<Expr> = mapped
            .iter()
            .map(|i| Expr::try_input(i.name().unwrap_or("input"), i.shape().prepend(items), i.dtype()))
            .collect::<Result<_, _>>()?;
        let pairs: Vec<(Expr, Expr)> = mapped.iter().cloned().zip(batched.iter().cloned()).collect();
        let all = vmap(outputs, &pairs, items)?;
        let inputs: Vec<Expr> = batched.iter().chain(shared).cloned().collect();
        let executable = Executable::compile(&all, &inputs, &Options { memory_limit })?;
        Ok(Batched {
            executable,
            items,
            inputs: batched.iter().map(|b| b.shape().clone()).collect(),
            outputs: outputs.iter().map(|o| o.shape().count()).collect(),
            memory_limit,
        })
    }

    /// The outputs for `count` items, each `[count · elements of one item]`. `fill(item, input, target)` writes what one
    /// item feeds to one mapped input.
    ///
    /// # Errors
    /// If the executable refuses a shared feed.
    pub fn run(
        &self,
        count: usize,
        shared: &[&Tensor],
        fill: impl Fn(usize, usize, &mut [f32]) + Sync,
    ) -> Result<Vec<Vec<f32>>> {
        let starts: Vec<usize> = (0..count).step_by(self.items).collect();
        // Each worker needs working memory of its own. How chunks are dealt out does not change their results.
        let fits = (self.memory_limit / self.executable.statistics().working_bytes.max(1)) as usize;
        let workers = rayon::current_num_threads().min(fits).clamp(1, starts.len().max(1));
        let chunks: Vec<Vec<Tensor>> = starts
            .par_chunks(starts.len().div_ceil(workers).max(1))
            .map(|own| own.iter().map(|&s| self.chunk(s, count, shared, &fill)).collect::<Result<Vec<_>>>())
            .collect::<Result<Vec<_>>>()?
            .into_iter()
            .flatten()
            .collect();
        let join = |k: usize| {
            let mut all: Vec<f32> = Vec::with_capacity(starts.len() * self.items * self.outputs[k]);
            chunks.iter().for_each(|c| all.extend_from_slice(c[k].as_slice::<f32>()));
            all.truncate(count * self.outputs[k]);
            all
        };
        Ok((0..self.outputs.len()).map(join).collect())
    }

    // The last chunk repeats its last item, so that no made-up value is ever computed with.
    fn chunk(
        &self,
        start: usize,
        count: usize,
        shared: &[&Tensor],
        fill: &(impl Fn(usize, usize, &mut [f32]) + Sync),
    ) -> Result<Vec<Tensor>> {
        let mut feeds = Vec::with_capacity(self.inputs.len());
        for (k, shape) in self.inputs.iter().enumerate() {
            let width: usize = shape[1..].iter().product();
            let mut values = vec![0.0; self.items * width];
            for i in 0..self.items {
                fill((start + i).min(count - 1), k, &mut values[i * width..(i + 1) * width]);
            }
            feeds.push(Tensor::new(shape, values)?);
        }
        let all: Vec<&Tensor> = feeds.iter().chain(shared.iter().copied()).collect();
        Ok(self.executable.run(&all)?)
    }
}
