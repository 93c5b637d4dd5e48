//! Running a plan: every step in order, each writing one slot and reading others.

use crate::EngineError;
use crate::element::{Lane, with_float, with_lane, with_number};
use crate::kernels::Finish;
use crate::kernels::gemm::readings::Readings;
use crate::kernels::lines::{self, Ordered};
use crate::kernels::{cast, conv, copy, elementwise, fourier, gemm, indexing, integer, matrices, pool, random, reduce};
use crate::looping::{LoopState, Looping};
use crate::plan::{Memory, Plan, Step, Work, assign};
use crate::profile;
use crate::storage::{Storage, tensor_bytes, tensor_bytes_mut, typed, typed_mut, zeros};
use crate::view::Source;
use perturb_graph::{DType, Tensor};
use smallvec::SmallVec;

/// A plan whose memory is assigned.
#[derive(Debug)]
pub(crate) struct Runner {
    pub plan: Plan,
    pub memory: Memory,
    // Whether a step is split over threads. All steps then run inside the pool: a step that enters it from outside waits
    // for a thread to wake up, and the caller for the step, which takes longer than most steps do.
    in_pool: bool,
}

/// Working memory of one run, kept for the next.
pub(crate) struct State {
    storages: Vec<Storage>,
    loops: Vec<LoopState>,
    // Kept for their capacity; empty between runs.
    feeds: Vec<&'static [u8]>,
    slots: Vec<&'static mut [u8]>,
}

impl State {
    /// The storage of variable `i`.
    pub fn variable(&self, i: usize) -> &[u8] {
        self.storages[i].bytes()
    }

    /// [`State::variable`] for writing.
    pub fn variable_mut(&mut self, i: usize) -> &mut [u8] {
        self.storages[i].bytes_mut()
    }
}

// An empty list with the capacity of another: collecting a list in place keeps its allocation.
fn recycle<'b>(mut list: Vec<&[u8]>) -> Vec<&'b [u8]> {
    list.clear();
    list.into_iter().map(|_| -> &'b [u8] { &[] }).collect()
}

fn recycle_mut<'b>(mut list: Vec<&mut [u8]>) -> Vec<&'b mut [u8]> {
    list.clear();
    list.into_iter().map(|_| -> &'b mut [u8] { &mut [] }).collect()
}

impl Runner {
    pub fn new(mut plan: Plan) -> Runner {
        let memory = assign(&mut plan);
        Runner { in_pool: plan.is_split(), plan, memory }
    }

    /// Fresh working memory; variables are zero.
    pub fn state(&self) -> State {
        let storages = self.memory.sizes.iter().map(|&n| Storage::new(n)).collect();
        let loops = self.plan.loops().map(Looping::state).collect();
        State { storages, loops, feeds: Vec::new(), slots: Vec::new() }
    }

    /// Bytes of a [`State`] and of the outputs.
    pub fn working_bytes(&self) -> usize {
        let outputs: usize = self.plan.outputs.iter().map(|(b, _)| self.plan.buffers[*b].bytes()).sum();
        let loops: usize = self.plan.loops().map(Looping::working_bytes).sum();
        outputs + self.memory.sizes.iter().sum::<usize>() + loops
    }

    /// Runs a plan that has no inputs.
    pub fn run_once(&self) -> Result<Vec<Tensor>, EngineError> {
        let mut outputs = self.blank_outputs();
        self.run_tensors(&mut self.state(), &[], &mut outputs)?;
        Ok(outputs)
    }

    /// Tensors of the outputs' shapes and types.
    pub fn blank_outputs(&self) -> Vec<Tensor> {
        let outputs = self.plan.outputs.iter();
        outputs.map(|(buffer, shape)| zeros(shape, self.plan.buffers[*buffer].dtype)).collect()
    }

    /// Runs on feeds that were checked, into tensors; those that do not fit or are shared are replaced.
    pub fn run_tensors(&self, state: &mut State, feeds: &[&Tensor], outputs: &mut [Tensor]) -> Result<(), EngineError> {
        for (tensor, (buffer, shape)) in outputs.iter_mut().zip(&self.plan.outputs) {
            let dtype = self.plan.buffers[*buffer].dtype;
            if tensor.shape() != shape || tensor.dtype() != dtype || is_shared(tensor) {
                *tensor = zeros(shape, dtype);
            }
        }
        self.run(state, feeds.iter().map(|t| tensor_bytes(t)), outputs.iter_mut().map(tensor_bytes_mut))?;
        // Truth values were computed as bytes elsewhere.
        for (tensor, (buffer, _)) in outputs.iter_mut().zip(&self.plan.outputs) {
            if tensor.dtype() == DType::Bool {
                let storage = &state.storages[self.memory.slot[*buffer] - self.plan.outputs.len()];
                let bytes = storage.bytes();
                tensor.as_mut_slice::<bool>().iter_mut().zip(bytes).for_each(|(t, &b)| *t = b != 0);
            }
        }
        Ok(())
    }

    /// Runs on bytes of the feeds' types into bytes of the outputs' types (no bytes for truth values).
    pub fn run<'a>(
        &self,
        state: &mut State,
        feeds: impl Iterator<Item = &'a [u8]>,
        outputs: impl Iterator<Item = &'a mut [u8]>,
    ) -> Result<(), EngineError> {
        let mut feed_list = recycle(std::mem::take(&mut state.feeds));
        feed_list.extend(feeds);
        let mut slots = recycle_mut(std::mem::take(&mut state.slots));
        for slot in outputs {
            slots.push(slot);
        }
        slots.extend(state.storages.iter_mut().map(Storage::bytes_mut));
        let mut steps = || self.steps(&feed_list, &mut slots, &mut state.loops);
        let result = if self.in_pool { rayon::scope(|_| steps()) } else { steps() };
        state.feeds = recycle(feed_list);
        state.slots = recycle_mut(slots);
        if result.is_ok() {
            self.memory.swaps.iter().for_each(|&(a, b)| state.storages.swap(a, b));
        }
        result
    }

    fn steps(&self, feeds: &[&[u8]], slots: &mut [&mut [u8]], loops: &mut [LoopState]) -> Result<(), EngineError> {
        for step in &self.plan.steps {
            let start = profile::now();
            let slot = self.memory.slot[step.writes];
            // What is written over is taken from its readers: an operand in place is read through the result.
            let out = std::mem::take(&mut slots[slot]);
            let bytes = self.plan.buffers[step.writes].bytes();
            let reading = Reading { runner: self, step, feeds, slots };
            reading.run(&mut out[..bytes], loops)?;
            slots[slot] = out;
            if let Some(start) = start {
                profile::record(&self.plan, step, start);
            }
        }
        Ok(())
    }
}

fn is_shared(tensor: &Tensor) -> bool {
    use perturb_graph::Data;
    use std::sync::Arc;
    match tensor.data() {
        Data::F32(d) => Arc::strong_count(d) > 1,
        Data::F64(d) => Arc::strong_count(d) > 1,
        Data::I64(d) => Arc::strong_count(d) > 1,
        Data::Bool(d) => Arc::strong_count(d) > 1,
    }
}

/// One step and what it may read.
struct Reading<'a> {
    runner: &'a Runner,
    step: &'a Step,
    feeds: &'a [&'a [u8]],
    slots: &'a [&'a mut [u8]],
}

impl Reading<'_> {
    fn bytes(&self, k: usize) -> &[u8] {
        self.source(self.step.reads[k])
    }

    fn source(&self, source: Source) -> &[u8] {
        let plan = &self.runner.plan;
        match source {
            Source::Feed(i) => self.feeds[i],
            Source::Const(i) => tensor_bytes(&plan.constants[i]),
            Source::Buffer(b) => {
                // A slot may be larger than the buffer; it is empty while it is written in place.
                let slot = &self.slots[self.runner.memory.slot[b]];
                slot.get(..plan.buffers[b].bytes()).unwrap_or(&[])
            }
        }
    }

    fn read<T: Lane>(&self, k: usize) -> &[T] {
        typed(self.bytes(k))
    }

    // Lends what finishes the parts of the step's result.
    fn finishing<T: Lane>(&self, f: impl FnOnce(Finish<T>)) {
        match &self.step.finish {
            None => f(&|_, _| {}),
            Some(finish) => {
                let inputs: SmallVec<[&[T]; 32]> = finish.reads.iter().map(|&r| typed(self.source(r))).collect();
                f(&|start, part| elementwise::run_part(&finish.program, &inputs, start, part));
            }
        }
    }

    fn run(&self, out: &mut [u8], loops: &mut [LoopState]) -> Result<(), EngineError> {
        let dtype = self.runner.plan.buffers[self.step.writes].dtype;
        match &self.step.work {
            Work::Elementwise(program) => with_lane!(dtype, T => {
                let inputs: SmallVec<[&[T]; 32]> = (0..self.step.reads.len()).map(|k| self.read(k)).collect();
                elementwise::run(program, &inputs, typed_mut::<T>(out));
            }),
            Work::Reduce(reduction) if dtype == DType::I64 => integer::reduce(reduction, self.read(0), typed_mut(out)),
            Work::Reduce(reduction) => {
                with_float!(dtype, T => reduce::run::<T>(reduction, self.read(0), typed_mut(out)));
            }
            Work::Product(product) => with_float!(dtype, T => self.finishing(|finish| {
                gemm::run::<T>(product, self.read(0), self.read(1), typed_mut(out), finish);
            })),
            Work::Readings(readings) => with_float!(dtype, T => self.finishing(|finish| {
                let vectors: SmallVec<[&[T]; Readings::MOST]> = (1..self.step.reads.len()).map(|k| self.read(k)).collect();
                gemm::readings::run::<T>(readings, self.read(0), &vectors, typed_mut(out), finish);
            })),
            Work::Convolve(convolving) => with_float!(dtype, T => self.finishing(|finish| {
                conv::run::<T>(convolving, self.read(0), self.read(1), typed_mut(out), finish);
            })),
            Work::Pool(pooling) => with_float!(dtype, T => {
                let other = if self.step.reads.len() > 1 { self.read(1) } else { &[] };
                pool::run::<T>(pooling, self.read(0), other, typed_mut(out));
            }),
            Work::Place { shape, parts } => with_lane!(dtype, T => {
                let out = typed_mut::<T>(out);
                out.fill(T::ZERO);
                for (k, part) in parts.iter().enumerate() {
                    let source = &self.read::<T>(k)[part.offset..part.offset + part.shape.count()];
                    copy::place(source, &part.shape, out, shape, &part.start, &part.step);
                }
            }),
            Work::Cast(from) => cast::run(*from, self.bytes(0), dtype, out),
            Work::Gather(sizes) => {
                with_lane!(dtype, T => indexing::gather::<T>(sizes, self.read(0), self.read(1), typed_mut(out))?);
            }
            Work::ScatterAdd(sizes) => with_number!(dtype, T => {
                indexing::scatter_add::<T>(sizes, self.read(0), self.read(1), typed_mut(out), T::plus)?;
            }),
            Work::Along(along, length, of) => lines::run(*along, *length, *of, self.bytes(0), out),
            Work::Fourier(fourier) => fourier::run(fourier, self.bytes(0), out),
            Work::Matrices(routine) => with_float!(dtype, T => {
                let other = if self.step.reads.len() > 1 { self.read(1) } else { &[] };
                matrices::run::<T>(*routine, self.read(0), other, typed_mut(out));
            }),
            Work::Random(count) => random::run(*count, self.read(0), typed_mut(out)),
            Work::Loop(looping, number) => looping.run(&mut loops[*number], |k| self.bytes(k), out)?,
        }
        Ok(())
    }
}
