//! Pre-training by contrast along trajectories of noise.

use super::{Encode, NoiseLevels, represent, spread};
use perturb_graph::{DType, Expr, Shape, substitute};
use perturb_nn::{Ema, Key, Layers, Step, TrainError};

/// Pre-training of rRCM: two contrastive losses with the other examples of the batch as negatives ([`info_nce`]).
///
/// - *Consistency*: `x + σ_i·ε` is told apart by its representation to be of the same trajectory as `x + σ_{i+1}·ε`, with
///   the same noise ε and the next smaller level; i is uniform, and the less noisy side is a target without derivative.
/// - *Alignment*: an augmentation at the smallest level is matched with another one in the representation of a moving
///   average of the encoder.
///
/// The number of levels doubles in equal stages of the run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pretrain {
    /// The levels of noise.
    pub levels: NoiseLevels,
    /// Number of levels at the start and at most, at least 2.
    pub counts: (usize, usize),
    /// Temperature of both losses.
    pub temperature: f64,
    /// Share of the average of weights that is kept from step to step, after a warm-up.
    pub decay: f64,
}

impl Default for Pretrain {
    /// 20 to 80 levels from σ = 80 to 0.002, temperature 0.2, decay 0.9999.
    fn default() -> Pretrain {
        Pretrain { levels: NoiseLevels::default(), counts: (20, 80), temperature: 0.2, decay: 0.9999 }
    }
}

impl Pretrain {
    /// The step for batches `input` of `shape [N, …]`. `augment` makes a random variant of a batch. The losses are reported
    /// as `consistency` and `alignment`; the averages of the weights are variables under `ema.`.
    ///
    /// # Errors
    /// If a setting makes no sense, or representations are not `[N, width]`.
    pub fn step(
        &self,
        layers: &Layers,
        encode: Encode<'_>,
        shape: &[usize],
        augment: &dyn Fn(&Expr, &Key) -> Expr,
    ) -> Result<Step, TrainError> {
        self.check()?;
        let mut step = Step::new();
        let x = step.input("input", shape, DType::F32);
        let consistency = self.consistency(&mut step, layers, encode, &x)?;

        let lowest = Expr::full([shape[0], 1], self.levels.smallest, DType::F32);
        let mut view = || {
            let noise = step.key().normal(x.shape(), x.dtype()).scale(self.levels.smallest);
            represent(layers, encode, &augment(&x, &step.key()).add(&noise), &lowest)
        };
        let (online, other) = (view(), view());
        let averages = Ema { decay: self.decay, warm_up: true }.track(&mut step, &layers.parameters(), "ema.")?;
        let target = substitute(&[other], &averages)?.remove(0);
        let alignment = info_nce(&online, &target, self.temperature)?;
        step.report("consistency", &consistency);
        step.report("alignment", &alignment);
        step.minimize(consistency.add(&alignment));
        Ok(step)
    }

    fn consistency(&self, step: &mut Step, layers: &Layers, encode: Encode<'_>, x: &Expr) -> Result<Expr, TrainError> {
        let n = x.shape()[0];
        let (first, most) = self.counts;
        let count = step.scalar("levels of noise", move |k: u64, total: u64| levels(first, most, k, total) as f64);
        let (count, next) = (count.broadcast_to([n, 1]), count.offset(-1.0).broadcast_to([n, 1]));
        // Of N levels, N − 1 have a next one.
        let index = step.key().uniform([n, 1], DType::F32).mul(&next).floor().minimum(&count.offset(-2.0));
        let noise = step.key().normal(x.shape(), x.dtype());
        let at = |index: &Expr| {
            let sigma = self.levels.at(&index.div(&next));
            represent(layers, encode, &x.add(&noise.mul(&spread(&sigma, x))), &sigma)
        };
        Ok(info_nce(&at(&index), &at(&index.offset(1.0)), self.temperature)?)
    }

    fn check(&self) -> Result<(), TrainError> {
        let refuse = |message: String| Err(TrainError::Setting(message));
        if let Err(error) = self.levels.check() {
            return refuse(error.to_string());
        }
        if self.counts.0 < 2 || self.counts.1 < self.counts.0 {
            return refuse(format!("levels of noise are at least 2 and do not get fewer, not {:?}", self.counts));
        }
        if !(self.temperature > 0.0 && self.temperature.is_finite()) {
            return refuse(format!("a temperature is above 0, not {}", self.temperature));
        }
        Ok(())
    }
}

// Doubled in equal stages, from `first` to `most`.
fn levels(first: usize, most: usize, step: u64, steps: u64) -> usize {
    let stages = u64::from((most / first).ilog2()) + 1;
    let stage = (step * stages / steps.max(1)).min(stages - 1);
    if stage + 1 == stages && stages > 1 { most } else { first << stage }
}

/// For each row of `online [N, width]` the cross-entropy, `[N]`, of finding the row of `target` of the same index by cosines
/// at a temperature ("InfoNCE", van den Oord et al. 2018, eq. 4). Targets get no derivative.
///
/// # Errors
/// If the two are not matrices of the same shape.
pub fn info_nce(online: &Expr, target: &Expr, temperature: f64) -> perturb_graph::Result<Expr> {
    let &[n, _] = &online.shape()[..] else {
        let shapes: Vec<Shape> = vec![online.shape().clone(), target.shape().clone()];
        let reason = "needs representations [N, width]".to_string();
        return Err(perturb_graph::GraphError::Shape { op: "info_nce".into(), reason, shapes });
    };
    // The length of a row of zeros has no derivative.
    let unit = |z: &Expr| z.div(&z.square().reduce_sum(&[1], true).offset(1e-12).sqrt().broadcast_to(z.shape()));
    let cosines = unit(online).try_matmul(&unit(&target.stop_gradient()).transpose(&[1, 0]))?;
    Ok(cosines.scale(1.0 / temperature).cross_entropy(&Expr::arange(n).one_hot(n, online.dtype())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_double_in_equal_stages() {
        let at = |step| levels(20, 80, step, 300);
        assert_eq!([0, 99, 100, 199, 200, 299, 300].map(at), [20, 20, 40, 40, 80, 80, 80]);
        assert_eq!([0, 50, 99].map(|step| levels(5, 5, step, 100)), [5, 5, 5]);
        // The last stage has the number that was asked for, if it is no power of two times the first.
        assert_eq!([0, 50, 99].map(|step| levels(10, 30, step, 100)), [10, 30, 30]);
    }
}
