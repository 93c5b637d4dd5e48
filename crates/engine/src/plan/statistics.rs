//! What a plan holds and does, in numbers.

use super::{Plan, Step, Work};
use crate::kernels::SERIAL;
use crate::kernels::elementwise::{Program, Scalar};
use crate::looping::Looping;
use crate::lower::Extent;
use crate::view::Source;

impl Plan {
    /// Size and type of what a step reads.
    pub fn extent(&self, source: Source) -> Extent {
        match source {
            Source::Feed(i) => self.feeds[i],
            Source::Const(i) => Extent::of(self.constants[i].shape(), self.constants[i].dtype()),
            Source::Buffer(b) => self.buffers[b],
        }
    }

    /// Floating-point operations of the matrix products, convolutions and Fourier transforms of one run.
    pub fn flops(&self) -> u64 {
        self.steps.iter().map(|step| self.flops_of(step)).sum()
    }

    /// [`Plan::flops`] of one step.
    pub fn flops_of(&self, step: &Step) -> u64 {
        match &step.work {
            Work::Product(p) => p.flops(),
            Work::Readings(r) => r.flops(),
            Work::Convolve(c) => c.flops(),
            Work::Fourier(f) => f.flops(self.buffers[step.writes].count),
            Work::Loop(looping, _) => looping.flops(),
            _ => 0,
        }
    }

    /// The loops, in the order of their numbers.
    pub fn loops(&self) -> impl Iterator<Item = &Looping> {
        self.steps.iter().filter_map(|step| match &step.work {
            Work::Loop(looping, _) => Some(&**looping),
            _ => None,
        })
    }

    /// Bytes of the constants.
    pub fn constant_bytes(&self) -> u64 {
        let own: u64 = self.constants.iter().map(|c| (c.count() * c.dtype().size()) as u64).sum();
        own + self.loops().map(Looping::constant_bytes).sum::<u64>()
    }

    /// Bytes of all operands and results of the steps of one run.
    pub fn moved_bytes(&self) -> u64 {
        self.steps.iter().map(|step| self.bytes_of(step)).sum()
    }

    /// [`Plan::moved_bytes`] of one step.
    pub fn bytes_of(&self, step: &Step) -> u64 {
        let finish = step.finish.iter().flat_map(|f| &f.reads).filter(|r| **r != Source::Buffer(step.writes));
        let read: usize = step.reads.iter().chain(finish).map(|&r| self.extent(r).bytes()).sum();
        let inside = if let Work::Loop(looping, _) = &step.work { looping.moved_bytes() } else { 0 };
        inside + (read + self.buffers[step.writes].bytes()) as u64
    }

    /// Whether a step is worth several threads.
    pub fn is_split(&self) -> bool {
        self.steps.iter().any(|step| match &step.work {
            Work::Product(p) => p.is_split(),
            Work::Readings(r) => r.is_split(),
            Work::Convolve(c) => c.is_split(),
            Work::Loop(looping, _) => looping.is_split(),
            Work::Elementwise(_) => self.buffers[step.writes].count > SERIAL,
            // These copy one after another.
            Work::Place { .. } => false,
            _ => step.reads.iter().any(|&r| self.extent(r).count > SERIAL) || self.buffers[step.writes].count > SERIAL,
        })
    }

    /// What a step does, in a line.
    pub fn describe(&self, step: &Step) -> String {
        let count = self.buffers[step.writes].count;
        let of = |program: &Program| {
            let names = program.instructions.iter().map(|i| match i.op {
                Scalar::Unary(f) => format!("{f:?}"),
                Scalar::Binary(f) => format!("{f:?}"),
                Scalar::Compare(f) => format!("{f:?}"),
                other => format!("{other:?}"),
            });
            names.collect::<Vec<_>>().join(" ").to_lowercase()
        };
        let work = match &step.work {
            Work::Elementwise(p) => format!("{} → {count}", of(p)),
            Work::Reduce(r) => format!("reduce {:?} by {:?}{}", r.kept, r.reduced, if r.max { ", max" } else { "" }),
            Work::Product(p) => format!("product {:?} {}×{}·{}×{}", p.batch, p.m, p.k, p.k, p.n),
            Work::Readings(r) => format!("products {:?} {}×{}·{}×{}", r.batch, r.m, r.k, r.k, r.columns.len()),
            Work::Convolve(c) => c.to_string(),
            Work::Pool(_) => format!("pool → {count}"),
            Work::Place { shape, parts } => format!("place {} → {shape}", parts.len()),
            Work::Cast(from) => format!("cast {from} → {count}"),
            Work::Gather(_) => format!("gather → {count}"),
            Work::ScatterAdd(_) => format!("scatter-add → {count}"),
            Work::Along(along, length, _) => format!("{along:?} of {length} → {count}"),
            Work::Fourier(_) => format!("Fourier transform → {count}"),
            Work::Matrices(routine) => format!("{routine:?} → {count}"),
            Work::Random(_) => format!("random → {count}"),
            Work::Loop(..) => format!("loop → {count}"),
        };
        match &step.finish {
            Some(finish) => format!("{work}, then {}", of(&finish.program)),
            None => work,
        }
    }
}
