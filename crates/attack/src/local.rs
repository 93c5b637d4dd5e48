//! Logits of points that differ in one small window from the points before: only what the window reaches is computed.

use crate::classifier::{Part, parts};
use crate::geometry::{Geometry, Window};
use crate::{AttackError, Classifier};
use perturb_engine::{Executable, Options};
use perturb_graph::{DType, Localized, Place, Shape, Tensor};
use std::collections::HashMap;
use std::collections::hash_map::Entry;

/// Share of a pass's products from which a window is not worth the copying.
const WORTHWHILE: f64 = 0.5;

/// Passes of a classifier for windows of one size. Their logits are those of the classifier to the last bit, as every sum has
/// the same terms in the same order.
pub(crate) struct LocalPasses {
    local: Localized,
    batch: usize,
    stages: Stages,
}

/// The point of one example, and all that is kept of it: see [`Localized`].
pub(crate) struct Kept(Vec<Vec<f32>>);

/// A window of an example's point and what is to stand there, `[channels, height, width]`.
pub(crate) struct Change {
    pub window: Window,
    pub pixels: Vec<f32>,
}

impl Change {
    /// Makes the change to a point `[channels, height, width]`.
    pub fn apply(&self, geometry: &Geometry, x: &mut [f32]) {
        let indices = (0..geometry.channels).flat_map(|channel| geometry.indices(channel, self.window));
        indices.zip(&self.pixels).for_each(|(i, &pixel)| x[i] = pixel);
    }
}

impl LocalPasses {
    /// Passes for windows of a size (height, width); `None` if the model does not see examples as such images, if windows
    /// would save little, or if what is to be kept is not all in single precision.
    ///
    /// # Errors
    /// If the graph cannot be cut.
    pub fn new(
        model: &Classifier,
        geometry: &Geometry,
        size: (usize, usize),
    ) -> Result<Option<LocalPasses>, AttackError> {
        let Some(graph) = model.plain_graph() else { return Ok(None) };
        if graph.input_shape(0)[..] != [1, geometry.channels, geometry.height, geometry.width] {
            return Ok(None);
        }
        let is_single = |local: &Localized| local.values.outputs.iter().all(|(_, value)| value.dtype() == DType::F32);
        let local = graph.localize([size.0, size.1])?.filter(|local| local.share <= WORTHWHILE && is_single(local));
        Ok(local.map(|local| LocalPasses { local, batch: model.batch(), stages: Stages::default() }))
    }

    /// Bytes that are kept of one example.
    pub fn bytes(&self) -> usize {
        let elements = |index: usize| self.local.kept(index).count();
        (0..=self.local.steps.len()).map(elements).sum::<usize>() * size_of::<f32>()
    }

    /// What is kept of `points`, computed in full.
    ///
    /// # Errors
    /// If the engine fails.
    pub fn keep(&mut self, points: &[&[f32]]) -> Result<Vec<Kept>, AttackError> {
        let mut kept: Vec<Kept> = points.iter().map(|x| Kept(vec![x.to_vec()])).collect();
        for part in parts(points.len(), self.batch) {
            let points = &points[part.first..part.first + part.len];
            let stage = self.stages.get(&self.local, Stage::Values, part.size)?;
            stage.feed(0, &part, |i, out| out.copy_from_slice(points[i]));
            for output in stage.run()? {
                let rows = output.as_slice::<f32>().chunks_exact(output.count() / part.size);
                kept[part.first..].iter_mut().zip(rows).take(part.len).for_each(|(k, row)| k.0.push(row.to_vec()));
            }
        }
        Ok(kept)
    }

    /// Logits `[n, classes]` of the points with one change to each. Those of which `accept` says so, by the example's place
    /// and its logits, are changed for good.
    ///
    /// # Errors
    /// If the engine fails.
    pub fn query(
        &mut self,
        kept: &mut [&mut Kept],
        changes: &[Change],
        accept: impl Fn(usize, &[f32]) -> bool,
    ) -> Result<Vec<f32>, AttackError> {
        let mut logits = Vec::new();
        for part in parts(changes.len(), self.batch) {
            let range = part.first..part.first + part.len;
            let (kept, changes) = (&mut kept[range.clone()], &changes[range]);
            // Windows of all values, example by example.
            let mut fresh = vec![changes.iter().flat_map(|c| &c.pixels).copied().collect::<Vec<f32>>()];
            for step in 0..self.local.steps.len() {
                self.step(step, &part, kept, changes, &mut fresh)?;
            }
            let found = self.head(&part, kept, changes, &fresh)?;
            for (i, z) in found.chunks_exact(found.len() / part.len).enumerate() {
                if accept(part.first + i, z) {
                    for ((index, fresh), kept) in fresh.iter().enumerate().zip(&mut kept[i].0) {
                        let (reached, window) = window(&self.local, fresh, index, i, changes);
                        reached.copy(window, &self.local.whole(index), kept);
                    }
                }
            }
            logits.extend(found);
        }
        Ok(logits)
    }

    // Computes the windows of one kept value.
    fn step(
        &mut self,
        step: usize,
        part: &Part,
        kept: &[&mut Kept],
        changes: &[Change],
        fresh: &mut Vec<Vec<f32>>,
    ) -> Result<(), AttackError> {
        let LocalPasses { local, stages, .. } = self;
        let stage = stages.get(local, Stage::Step(step), part.size)?;
        for (feed, read) in local.steps[step].reads.iter().enumerate() {
            let shape = local.steps[step].graph.input_shape(feed);
            let whole = local.whole(read.kept);
            stage.feed(feed, part, |i, out| {
                let start = local.start(step + 1, [changes[i].window.top, changes[i].window.left]);
                let place = Place { origin: read.origin(start), size: [shape[2], shape[3]] };
                if !place.lies_in(&whole) {
                    out.fill(read.outside as f32);
                }
                whole.copy(&kept[i].0[read.kept], &place, out);
                let (reached, window) = window(local, &fresh[read.kept], read.kept, i, changes);
                reached.copy(window, &place, out);
            });
        }
        let windows = &stage.run()?[0];
        fresh.push(windows.as_slice::<f32>()[..part.len * (windows.count() / part.size)].to_vec());
        Ok(())
    }

    // The logits.
    fn head(
        &mut self,
        part: &Part,
        kept: &[&mut Kept],
        changes: &[Change],
        fresh: &[Vec<f32>],
    ) -> Result<Vec<f32>, AttackError> {
        let LocalPasses { local, stages, .. } = self;
        let stage = stages.get(local, Stage::Head, part.size)?;
        for (feed, &index) in local.head_reads.iter().enumerate() {
            let whole = local.whole(index);
            stage.feed(feed, part, |i, out| {
                out.copy_from_slice(&kept[i].0[index]);
                let (reached, window) = window(local, &fresh[index], index, i, changes);
                reached.copy(window, &whole, out);
            });
        }
        let logits = &stage.run()?[0];
        let len = part.len * (logits.count() / part.size);
        Ok(logits.as_slice::<f32>()[..len].to_vec())
    }
}

// One example's window of a kept value among those of a part, and where it lies.
fn window<'a>(local: &Localized, windows: &'a [f32], index: usize, i: usize, changes: &[Change]) -> (Place, &'a [f32]) {
    let (each, Window { top, left, .. }) = (windows.len() / changes.len(), changes[i].window);
    (local.reached(index, [top, left]), &windows[i * each..(i + 1) * each])
}

/// What is run: all values in full, a step, the head.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Stage {
    Values,
    Step(usize),
    Head,
}

/// The stages that were run, by size of batch.
#[derive(Default)]
struct Stages(HashMap<(Stage, usize), Compiled>);

impl Stages {
    fn get(&mut self, local: &Localized, stage: Stage, size: usize) -> Result<&mut Compiled, AttackError> {
        match self.0.entry((stage, size)) {
            Entry::Occupied(known) => Ok(known.into_mut()),
            Entry::Vacant(new) => {
                let graph = match stage {
                    Stage::Values => &local.values,
                    Stage::Step(step) => &local.steps[step].graph,
                    Stage::Head => &local.head,
                };
                let executable = Executable::of(&graph.vmap(size)?, &Options::default())?;
                let zeros = |shape: &Shape| Tensor::full(shape, 0f32);
                let feeds = executable.input_shapes().map(zeros).collect();
                let outputs = executable.output_shapes().iter().map(zeros).collect();
                Ok(new.insert(Compiled { executable, feeds, outputs }))
            }
        }
    }
}

/// A stage for a size of batch, and what it is run on.
struct Compiled {
    executable: Executable,
    feeds: Vec<Tensor>,
    outputs: Vec<Tensor>,
}

impl Compiled {
    // Fills in one value of each example of a part; what is missing repeats the first.
    fn feed(&mut self, index: usize, part: &Part, mut fill: impl FnMut(usize, &mut [f32])) {
        let values = self.feeds[index].as_mut_slice::<f32>();
        let each = values.len() / part.size;
        let (given, missing) = values.split_at_mut(part.len * each);
        given.chunks_exact_mut(each).enumerate().for_each(|(i, out)| fill(i, out));
        missing.chunks_exact_mut(each).for_each(|out| out.copy_from_slice(&given[..each]));
    }

    fn run(&mut self) -> Result<&[Tensor], AttackError> {
        self.executable.run_into(&self.feeds.iter().collect::<Vec<_>>(), &mut self.outputs)?;
        Ok(&self.outputs)
    }
}
