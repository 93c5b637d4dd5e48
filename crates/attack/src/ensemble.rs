//! Several attacks, each on what the ones before it left: AutoAttack.

use crate::criterion::Criterion;
use crate::{Adversarial, Apgd, ApgdT, Attack, AttackError, Ball, Classifier, Fab, Norm, Seed, Square};
use perturb_graph::{Shape, Tensor};

/// Which of the published ensembles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// APGD-CE, APGD-T, FAB-T, Square.
    Standard,
    /// APGD-CE and APGD-DLR with 5 restarts, FAB with 5 restarts, Square, APGD-T, FAB-T.
    Plus,
    /// For randomised models: APGD-CE and APGD-DLR with gradients averaged over 20 runs.
    Rand,
}

/// AutoAttack (Croce and Hein 2020): parameter-free attacks one after another, each on the examples that resisted those
/// before it. In ℓ1 (Croce and Hein 2021) APGD-CE makes 5 restarts and APGD-T has 5 targets.
///
/// Of a targeted attack, APGD-T and FAB-T have one target each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AutoAttack {
    /// The ensemble.
    pub version: Version,
}

impl AutoAttack {
    /// The members, in order, for balls of a norm.
    pub fn members(&self, norm: Norm) -> Vec<Box<dyn Attack>> {
        let sparse = norm == Norm::L1;
        let apgd_t = ApgdT { targets: if sparse { 5 } else { 9 }, ..ApgdT::default() };
        match self.version {
            Version::Standard => vec![
                Box::new(Apgd { restarts: if sparse { 5 } else { 1 }, ..Apgd::ce() }),
                Box::new(apgd_t),
                Box::new(Fab::targeted()),
                Box::new(Square::default()),
            ],
            Version::Rand => {
                vec![Box::new(Apgd { samples: 20, ..Apgd::ce() }), Box::new(Apgd { samples: 20, ..Apgd::dlr() })]
            }
            Version::Plus => vec![
                Box::new(Apgd { restarts: 5, ..Apgd::ce() }),
                Box::new(Apgd { restarts: 5, ..Apgd::dlr() }),
                Box::new(Fab { restarts: 5, ..Fab::default() }),
                Box::new(Square::default()),
                Box::new(apgd_t),
                Box::new(Fab::targeted()),
            ],
        }
    }
}

impl Attack for AutoAttack {
    fn name(&self) -> &'static str {
        match self.version {
            Version::Standard => "AutoAttack",
            Version::Plus => "AutoAttack+",
            Version::Rand => "AutoAttack, randomised",
        }
    }

    fn run(
        &self,
        model: &Classifier,
        inputs: &Tensor,
        criterion: &Criterion,
        ball: &Ball,
        seed: &Seed,
    ) -> Result<Adversarial, AttackError> {
        if ball.epsilon().is_infinite() {
            return Err(AttackError::NoBudget { attack: self.name() });
        }
        in_turn(&self.members(ball.norm()), model, inputs, criterion, ball, seed)
    }
}

/// Runs each attack on the examples that resisted the ones before it. Where all fail, the first one's result is kept;
/// queries are summed.
///
/// # Errors
/// See [`Attack::run`]; also if there is no attack.
pub fn in_turn(
    attacks: &[Box<dyn Attack>],
    model: &Classifier,
    inputs: &Tensor,
    criterion: &Criterion,
    ball: &Ball,
    seed: &Seed,
) -> Result<Adversarial, AttackError> {
    let Some((first, others)) = attacks.split_first() else { return Err(AttackError::NoAttacks) };
    let mut found = first.run(model, inputs, criterion, ball, seed)?;
    for attack in others {
        let rows: Vec<usize> = (0..found.success.len()).filter(|&row| !found.success[row]).collect();
        if rows.is_empty() {
            break;
        }
        let part = select(inputs, &rows)?;
        let result = attack.run(model, &part, &criterion.select(&rows), ball, &seed.select(&rows))?;
        merge(&mut found, &rows, &result);
    }
    Ok(found)
}

fn select(inputs: &Tensor, rows: &[usize]) -> Result<Tensor, AttackError> {
    let width: usize = inputs.shape()[1..].iter().product();
    let values = inputs.as_slice::<f32>();
    let chosen = rows.iter().flat_map(|&r| &values[r * width..(r + 1) * width]).copied().collect();
    let shape: Shape = std::iter::once(rows.len()).chain(inputs.shape()[1..].iter().copied()).collect();
    Ok(Tensor::new(shape, chosen)?)
}

fn merge(found: &mut Adversarial, rows: &[usize], result: &Adversarial) {
    let width: usize = found.inputs.shape()[1..].iter().product();
    for (i, &row) in rows.iter().enumerate() {
        found.queries[row] += result.queries[i];
        if result.success[i] {
            found.success[row] = true;
            found.distances[row] = result.distances[i];
            let x = &result.inputs.as_slice::<f32>()[i * width..(i + 1) * width];
            found.inputs.as_mut_slice::<f32>()[row * width..(row + 1) * width].copy_from_slice(x);
        }
    }
}
