//! A network on a piece of a box as linear forms: of its inputs and of the results of the `relu`s whose sign is open.

use crate::check::network::{Affine, Kind, Network, ZERO};
use crate::check::prover::{Enclosure, Sign};

/// The inputs are `centre + radius·y` with y in [−1, 1]; a form is `Σ coefficient·y + Σ coefficient·result + constant`.
pub(crate) struct Forms {
    /// One form after the other, for each scalar.
    all: Vec<f64>,
    width: usize,
    /// The operands whose sign is open, in the order of their results' coefficients.
    pub open: Vec<OpenOperand>,
}

/// An operand of a `relu` whose sign is open.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct OpenOperand {
    pub activation: usize,
    pub element: usize,
    pub scalar: u32,
    /// Its bounds.
    pub lower: f64,
    pub upper: f64,
}

/// The operands of `relu`s whose sign neither bounds nor `signs` tell.
pub(crate) fn open_operands(network: &Network, enclosure: &Enclosure, signs: &[Sign]) -> Vec<OpenOperand> {
    let mut open = Vec::new();
    for activation in 0..network.activations.len() {
        for (element, &scalar) in network.operands_of(activation).iter().enumerate() {
            let (lower, upper) = enclosure.of(scalar);
            if lower < 0.0 && upper > 0.0 && !signs.iter().any(|s| (s.activation, s.element) == (activation, element)) {
                open.push(OpenOperand { activation, element, scalar, lower, upper });
            }
        }
    }
    open
}

impl Forms {
    /// The forms over the box with corners `lower` and `upper`, where the signs are as given. `None` if the network has
    /// anything but affine layers and `relu`s.
    pub fn new(
        network: &Network,
        enclosure: &Enclosure,
        signs: &[Sign],
        (lower, upper): (&[f32], &[f32]),
    ) -> Option<Forms> {
        let open = open_operands(network, enclosure, signs);
        let inputs = network.inputs;
        let width = inputs + open.len() + 1;
        let mut forms = Forms { all: vec![0.0; network.scalars() * width], width, open };
        for (i, (&lo, &hi)) in lower.iter().zip(upper).enumerate() {
            let (lo, hi) = (f64::from(lo), f64::from(hi));
            forms.all[i * width + i] = 0.5 * (hi - lo);
            forms.all[i * width + width - 1] = 0.5 * (lo + hi);
        }
        let mut next = 0;
        for layer in &network.layers {
            let (before, own) = forms.all.split_at_mut(layer.first * width);
            match &layer.kind {
                Kind::Affine(affine) => map(affine, before, &mut own[..affine.bias.len() * width], width),
                Kind::Relu(operands) => {
                    for (own, &operand) in own.chunks_mut(width).zip(operands) {
                        let (lo, hi) = enclosure.of(operand);
                        if forms.open.get(next).is_some_and(|o| o.scalar == operand) {
                            own[inputs + next] = 1.0;
                            next += 1;
                        } else if lo >= 0.0 || (hi > 0.0 && is_above(network, signs, operand)) {
                            own.copy_from_slice(&before[operand as usize * width..][..width]);
                        }
                    }
                }
                Kind::Max(_) | Kind::Curve(..) => return None,
            }
        }
        Some(forms)
    }

    /// The form of a scalar.
    pub fn of(&self, scalar: u32) -> &[f64] {
        &self.all[scalar as usize * self.width..][..self.width]
    }

    /// Coefficients of a form, and its constant.
    pub fn width(&self) -> usize {
        self.width
    }
}

fn is_above(network: &Network, signs: &[Sign], operand: u32) -> bool {
    signs.iter().any(|s| s.above && network.operands_of(s.activation)[s.element] == operand)
}

fn map(affine: &Affine, before: &[f64], own: &mut [f64], width: usize) {
    for block in &affine.blocks {
        let sources = affine.sources_of(block);
        for row in 0..block.count {
            let target = &mut own[(block.first + row * block.step) * width..][..width];
            for (&source, &weight) in sources.iter().zip(affine.row(block, row)).filter(|(s, _)| **s != ZERO) {
                let form = &before[source as usize * width..][..width];
                target.iter_mut().zip(form).for_each(|(t, f)| *t += weight * f);
            }
        }
    }
    for (result, (target, bias)) in own.chunks_mut(width).zip(&affine.bias).enumerate() {
        target[width - 1] += bias;
        if let Some(divisors) = &affine.divisors {
            target.iter_mut().for_each(|t| *t /= divisors[result]);
        }
    }
}
