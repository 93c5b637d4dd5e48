//! Memory: buffers share storage when their lives do not overlap, elementwise steps write over an operand that dies
//! there, results are computed where the caller wants them, and variables are overwritten once nothing reads their old
//! value.

use super::steps::Finish;
use super::{Plan, Step, Work};
use crate::kernels::elementwise::Program;
use crate::kernels::tiling::row_major;
use crate::view::Source;
use perturb_graph::DType;

/// Where every buffer lives while a plan runs. Slots are first one for each output, which the caller lends, then the
/// storages: one for each variable, then all others.
#[derive(Clone, Debug)]
pub(crate) struct Memory {
    /// Slot of every buffer.
    pub slot: Vec<usize>,
    /// Bytes of every storage.
    pub sizes: Vec<usize>,
    /// Storages that change places after a run, in this order: a variable whose next value was made elsewhere.
    pub swaps: Vec<(usize, usize)>,
}

/// What a buffer is for in the end.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Goal {
    Output(usize),
    Next(usize),
}

// When each buffer is read for the last time (`None`: never; `usize::MAX`: after the run), and its goal.
struct Lives {
    last: Vec<Option<usize>>,
    goal: Vec<Option<Goal>>,
}

impl Lives {
    fn of(plan: &Plan) -> Lives {
        let mut lives = Lives { last: vec![None; plan.buffers.len()], goal: vec![None; plan.buffers.len()] };
        for (at, step) in plan.steps.iter().enumerate() {
            lives.last[step.writes] = Some(at);
            for read in &step.reads {
                if let Source::Buffer(b) = read {
                    lives.last[*b] = Some(at);
                }
            }
        }
        for (k, (buffer, _)) in plan.outputs.iter().enumerate() {
            lives.last[*buffer] = Some(usize::MAX);
            lives.goal[*buffer] = Some(Goal::Output(k));
        }
        for (i, &buffer) in plan.next.iter().enumerate() {
            lives.last[buffer] = Some(usize::MAX);
            lives.goal[buffer] = Some(Goal::Next(i));
        }
        lives
    }
}

/// Buffers that are written over each other.
struct Group {
    /// The step that writes the first of them; none writes a variable's old value.
    first: Option<usize>,
    last: Option<usize>,
    bytes: usize,
    dtype: DType,
    goal: Option<Goal>,
}

/// Assigns slots; turns loads of a buffer that is overwritten in place into in-place loads.
pub(crate) fn assign(plan: &mut Plan) -> Memory {
    let lives = Lives::of(plan);
    let (group, groups) = groups(plan, &lives);
    let (outputs, variables) = (plan.outputs.len(), plan.variables);
    let mut sizes: Vec<usize> = plan.buffers[..variables].iter().map(|b| b.bytes()).collect();
    let mut slot: Vec<Option<usize>> = vec![None; groups.len()];
    for (g, it) in groups.iter().enumerate() {
        slot[g] = match it.goal {
            _ if it.first.is_none() => Some(outputs + g),
            // Truth values of the caller are not bytes to write to.
            Some(Goal::Output(k)) if it.dtype != DType::Bool => Some(k),
            Some(Goal::Next(i)) if lives.last[i] < it.first => Some(outputs + i),
            Some(Goal::Next(_)) => {
                sizes.push(it.bytes);
                Some(outputs + sizes.len() - 1)
            }
            _ => None,
        };
    }
    share(plan, &group, &groups, &mut slot, &mut sizes);
    let slot: Vec<usize> = group.iter().filter_map(|&g| slot[g]).collect();
    let found: Vec<usize> = plan.next.iter().map(|&b| slot[b] - outputs).collect();
    finish_in_cache(plan);
    Memory { swaps: swaps(&found), slot, sizes }
}

// An elementwise step over the result of the product or convolution just before it, in place, becomes that step's finish.
// Both write the same slot, and nothing runs between them.
fn finish_in_cache(plan: &mut Plan) {
    let mut steps: Vec<Step> = Vec::with_capacity(plan.steps.len());
    for mut step in std::mem::take(&mut plan.steps) {
        match (steps.last_mut(), &mut step.work) {
            (Some(before), Work::Elementwise(program)) if may_finish(before, program, &step.reads) => {
                let reads = std::mem::take(&mut step.reads);
                before.finish = Some(Box::new(Finish { program: program.clone(), reads }));
                before.writes = step.writes;
            }
            _ => steps.push(step),
        }
    }
    plan.steps = steps;
}

fn may_finish(before: &Step, program: &Program, reads: &[Source]) -> bool {
    let in_place = program.loads.iter().position(Option::is_none).map(|k| reads[k]);
    before.finish.is_none()
        && matches!(before.work, Work::Product(_) | Work::Readings(_) | Work::Convolve(_))
        && in_place == Some(Source::Buffer(before.writes))
}

// Groups of buffers, and the group of each. The groups of the variables' old values come first.
fn groups(plan: &mut Plan, lives: &Lives) -> (Vec<usize>, Vec<Group>) {
    let mut groups: Vec<Group> = Vec::new();
    let mut group = vec![usize::MAX; plan.buffers.len()];
    let alone = |plan: &Plan, b: usize, first: Option<usize>| Group {
        first,
        last: lives.last[b],
        bytes: plan.buffers[b].bytes(),
        dtype: plan.buffers[b].dtype,
        goal: lives.goal[b],
    };
    for (b, place) in group.iter_mut().enumerate().take(plan.variables) {
        groups.push(alone(plan, b, None));
        *place = b;
    }
    for at in 0..plan.steps.len() {
        let written = plan.steps[at].writes;
        match overwritten(plan, at, lives) {
            Some(b) => {
                group[written] = group[b];
                groups[group[b]].last = lives.last[written];
                groups[group[b]].goal = lives.goal[written];
            }
            None => {
                group[written] = groups.len();
                groups.push(alone(plan, written, Some(at)));
            }
        }
    }
    (group, groups)
}

// A dying operand of the result's size and type that the step reads element by element: it can be written over. A
// variable's old value only by its next.
fn overwritten(plan: &mut Plan, at: usize, lives: &Lives) -> Option<usize> {
    let step = &plan.steps[at];
    let extent = plan.buffers[step.writes];
    let Work::Elementwise(program) = &step.work else { return None };
    let flat =
        |k: usize| program.loads[k].as_ref().is_some_and(|(s, offset)| *offset == 0 && row_major(s, &program.sizes));
    let usable = |k: usize| match step.reads[k] {
        Source::Buffer(b) if lives.last[b] == Some(at) && plan.buffers[b] == extent && flat(k) => {
            // No other load may read the same buffer in another order.
            let alone = (0..step.reads.len()).filter(|&j| step.reads[j] == step.reads[k]).count() == 1;
            alone.then_some((k, b))
        }
        _ => None,
    };
    let mut usable: Vec<(usize, usize)> = (0..step.reads.len()).filter_map(usable).collect();
    usable.retain(|&(_, b)| b >= plan.variables || lives.goal[step.writes] == Some(Goal::Next(b)));
    let &(k, b) = usable.iter().find(|&&(_, b)| b < plan.variables).or(usable.first())?;
    if let Step { work: Work::Elementwise(program), .. } = &mut plan.steps[at] {
        program.loads[k] = None;
    }
    Some(b)
}

// Storage for the groups that have none, reused when a group's life ends.
fn share(plan: &Plan, group: &[usize], groups: &[Group], slot: &mut [Option<usize>], sizes: &mut Vec<usize>) {
    let outputs = plan.outputs.len();
    let mut shared = vec![false; groups.len()];
    let mut free: Vec<usize> = Vec::new();
    for (at, step) in plan.steps.iter().enumerate() {
        let written = group[step.writes];
        if slot[written].is_none() {
            slot[written] = Some(outputs + take(&mut free, sizes, groups[written].bytes));
            shared[written] = true;
        }
        let read = step.reads.iter().filter_map(|r| match r {
            Source::Buffer(b) => Some(group[*b]),
            _ => None,
        });
        let mut ended: Vec<usize> = read.chain([written]).collect();
        ended.retain(|&g| shared[g] && groups[g].last == Some(at));
        ended.sort_unstable();
        ended.dedup();
        free.extend(ended.iter().filter_map(|&g| slot[g]).map(|s| s - outputs));
    }
}

// The free storage that fits best, grown if none is large enough; of equals the one that became free last, which the
// caches hold.
fn take(free: &mut Vec<usize>, sizes: &mut Vec<usize>, size: usize) -> usize {
    let fits = (0..free.len()).rev().filter(|&i| sizes[free[i]] >= size).min_by_key(|&i| sizes[free[i]]);
    let grown = || (0..free.len()).max_by_key(|&i| sizes[free[i]]);
    if let Some(i) = fits.or_else(grown) {
        let storage = free.remove(i);
        sizes[storage] = sizes[storage].max(size);
        return storage;
    }
    sizes.push(size);
    sizes.len() - 1
}

// Exchanges after which storage `i` is the one that was at `found[i]`, for every variable `i`. No storage is found
// twice, and those that lie on one path of moves are of one size, since a variable only moves to one of its shape.
fn swaps(found: &[usize]) -> Vec<(usize, usize)> {
    let mut swaps = Vec::new();
    let mut done: Vec<bool> = found.iter().enumerate().map(|(i, &from)| i == from).collect();
    let mut user = std::collections::HashMap::new();
    found.iter().enumerate().for_each(|(i, &from)| {
        user.insert(from, i);
    });
    for start in 0..found.len() {
        if done[start] {
            continue;
        }
        // The last variable of the path that `start` lies on: nobody needs the storage it leaves, or it is a cycle.
        let mut end = start;
        while let Some(&next) = user.get(&end) {
            if next == start {
                break;
            }
            end = next;
        }
        // From there backwards: each exchange settles one variable.
        let mut at = end;
        while !done[at] {
            done[at] = true;
            let from = found[at];
            let closes = from == end;
            if !closes {
                swaps.push((at, from));
            }
            if closes || from >= found.len() {
                break;
            }
            at = from;
        }
    }
    swaps
}
