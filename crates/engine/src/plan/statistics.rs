//! What a plan holds and does, in numbers.

use super::{Plan, Step, Work};
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
        let flops = |step: &Step| match &step.work {
            Work::Product(p) => p.flops(),
            Work::Convolve(c) => c.flops(),
            Work::Fourier(f) => f.flops(self.buffers[step.writes].count),
            Work::Loop(looping, _) => looping.flops(),
            _ => 0,
        };
        self.steps.iter().map(flops).sum()
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
        let bytes = |step: &Step| {
            let finish = step.finish.iter().flat_map(|f| &f.reads).filter(|r| **r != Source::Buffer(step.writes));
            let read: usize = step.reads.iter().chain(finish).map(|&r| self.extent(r).bytes()).sum();
            let inside = if let Work::Loop(looping, _) = &step.work { looping.moved_bytes() } else { 0 };
            inside + (read + self.buffers[step.writes].bytes()) as u64
        };
        self.steps.iter().map(bytes).sum()
    }
}
