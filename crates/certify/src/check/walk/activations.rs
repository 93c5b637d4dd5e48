//! Steps of a walk over nonlinear layers: each is replaced by a line below or above, as its coefficient asks for.

use super::{Split, State, Walk};
use crate::check::network::{Curve, Groups};
use crate::check::relaxation::{Line, above_relu};

/// A layer of curves.
pub(super) struct Bent<'a> {
    pub curve: Curve,
    pub operands: &'a [u32],
    /// Slopes of the lines below all elements, then of those above.
    pub slopes: Option<&'a [f32]>,
    /// Lines for whom slopes are not given.
    pub adaptive: &'a [[Line; 2]],
}

impl Bent<'_> {
    // The slopes of the lines below and above an element.
    fn slopes_of(&self, element: usize) -> Option<[f64; 2]> {
        let slopes = self.slopes?;
        Some([slopes[element], slopes[slopes.len() / 2 + element]].map(f64::from))
    }
}

impl Walk<'_> {
    // Adds `coefficient` to that of a scalar, as one of the sum's terms.
    #[inline(always)]
    fn pass(&self, scalar: u32, coefficient: f64, before: &mut [f64], state: &mut State) {
        before[scalar as usize] += coefficient;
        state.rounded.add(coefficient.abs() * self.bounds.magnitude[scalar as usize]);
    }

    // On the subdomain s·z ≥ 0, f is at least f − β·s·z.
    #[inline(always)]
    fn multiply(&self, split: &Split, operand: u32, before: &mut [f64], state: &mut State) {
        if split.multiplier != 0.0 {
            let multiplier = if split.above { -split.multiplier } else { split.multiplier };
            self.pass(operand, multiplier, before, state);
        }
    }

    #[inline(always)]
    pub(super) fn split_relu<'s>(
        &self,
        splits: impl Iterator<Item = &'s Split>,
        operands: &[u32],
        before: &mut [f64],
        own: &mut [f64],
        state: &mut State,
    ) {
        for split in splits {
            let operand = operands[split.element];
            let coefficient = std::mem::take(&mut own[split.element]);
            if split.above && coefficient != 0.0 {
                self.pass(operand, coefficient, before, state);
            }
            self.multiply(split, operand, before, state);
        }
    }

    // Lines of the part of the interval on which the operand has the sign.
    #[inline(always)]
    pub(super) fn split_curve<'s>(
        &self,
        bent: &Bent<'_>,
        splits: impl Iterator<Item = &'s Split>,
        before: &mut [f64],
        own: &mut [f64],
        state: &mut State,
    ) {
        for split in splits {
            let operand = bent.operands[split.element];
            let coefficient = std::mem::take(&mut own[split.element]);
            if coefficient != 0.0 {
                let (lo, hi) = self.bounds.of(operand);
                let (lo, hi) = if split.above { (lo.max(0.0), hi) } else { (lo, hi.min(0.0)) };
                let lines = bent.curve.lines(bent.slopes_of(split.element), lo, hi);
                self.straighten(lines, coefficient, operand, before, state);
            }
            self.multiply(split, operand, before, state);
        }
    }

    #[inline(always)]
    pub(super) fn relu(
        &self,
        operands: &[u32],
        slopes: Option<&[f32]>,
        before: &mut [f64],
        own: &[f64],
        state: &mut State,
    ) {
        for (element, (&coefficient, &operand)) in own.iter().zip(operands).enumerate() {
            if coefficient == 0.0 {
                continue;
            }
            let (lo, hi) = self.bounds.of(operand);
            if lo >= 0.0 {
                self.pass(operand, coefficient, before, state);
            } else if hi > 0.0 {
                if coefficient > 0.0 {
                    let slope = slopes.map_or(f64::from(u8::from(lo + hi > 0.0)), |s| f64::from(s[element]));
                    if slope != 0.0 {
                        self.pass(operand, coefficient * slope, before, state);
                    }
                } else {
                    let line = above_relu(lo, hi);
                    self.pass(operand, coefficient * line.slope, before, state);
                    state.add(coefficient * line.intercept);
                }
            }
        }
    }

    // Below: the operand with the largest lower bound. Above: that operand if it is the largest everywhere, else the
    // largest upper bound.
    #[inline(always)]
    pub(super) fn max(&self, groups: &Groups, before: &mut [f64], own: &[f64], state: &mut State) {
        for (index, &coefficient) in own.iter().enumerate() {
            if coefficient == 0.0 {
                continue;
            }
            let group = groups.group(index);
            let lo = |place: usize| self.bounds.of(group[place]).0;
            let best = (1..group.len()).fold(0, |best, place| if lo(place) > lo(best) { place } else { best });
            let others = group.iter().enumerate().filter(|(place, _)| *place != best);
            let rival = others.map(|(_, &o)| self.bounds.of(o).1).fold(f64::NEG_INFINITY, f64::max);
            if coefficient > 0.0 || lo(best) >= rival {
                self.pass(group[best], coefficient, before, state);
            } else {
                state.add(coefficient * rival.max(self.bounds.of(group[best]).1));
            }
        }
    }

    #[inline(always)]
    pub(super) fn curve(&self, bent: &Bent<'_>, before: &mut [f64], own: &[f64], state: &mut State) {
        for (element, (&coefficient, &operand)) in own.iter().zip(bent.operands).enumerate() {
            if coefficient == 0.0 {
                continue;
            }
            let lines = match bent.slopes_of(element) {
                None => bent.adaptive[element],
                slopes => {
                    let (lo, hi) = self.bounds.of(operand);
                    bent.curve.lines(slopes, lo, hi)
                }
            };
            self.straighten(lines, coefficient, operand, before, state);
        }
    }

    // Replaces a curve by the line that its coefficient asks for.
    #[inline(always)]
    fn straighten(
        &self,
        [below, above]: [Line; 2],
        coefficient: f64,
        operand: u32,
        before: &mut [f64],
        state: &mut State,
    ) {
        let line = if coefficient > 0.0 { below } else { above };
        self.pass(operand, coefficient * line.slope, before, state);
        state.add(coefficient * line.intercept);
    }
}
