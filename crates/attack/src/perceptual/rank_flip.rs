//! Attacks on a metric's judgment of which of two images is nearer to a reference.

use super::{Distances, Metric};
use crate::feature::Rise;
use crate::{Adversarial, Attack, AttackError, Ball, Classifier, Criterion, Seed};
use perturb_graph::{DType, Expr, Graph, Tensor};

/// Images `[N, C, H, W]` of values in [0, 1]: references, and for each of them two distorted images of which the one
/// should be judged nearer. References are never changed.
#[derive(Clone, Debug)]
pub struct Triplets {
    /// What the others are compared with.
    pub reference: Tensor,
    /// What is less distorted.
    pub nearer: Tensor,
    /// What is more distorted.
    pub farther: Tensor,
}

/// Which of the two images an attack changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Moved {
    /// The nearer one, away from the reference.
    #[default]
    Nearer,
    /// The farther one, towards the reference: harder.
    Farther,
}

/// The attack of Ghildyal and Liu (2023): perturbs one of two images until a metric takes the other for the nearer one, if
/// it is the farther one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RankFlip {
    /// What is perturbed.
    pub moved: Moved,
    /// Triplets in a run.
    pub batch: usize,
}

impl Default for RankFlip {
    /// The nearer image; 10 triplets in a run.
    fn default() -> Self {
        RankFlip { moved: Moved::Nearer, batch: 10 }
    }
}

impl Triplets {
    /// The images that an attack changes, and those that they are ranked with.
    fn pair(&self, moved: Moved) -> (&Tensor, &Tensor) {
        match moved {
            Moved::Nearer => (&self.nearer, &self.farther),
            Moved::Farther => (&self.farther, &self.nearer),
        }
    }

    /// Shape of an image.
    fn image(&self) -> Result<[usize; 3], AttackError> {
        let shape = self.reference.shape();
        let all = [&self.reference, &self.nearer, &self.farther];
        let odd = all.into_iter().find(|t| t.shape() != shape || t.dtype() != DType::F32);
        match (&shape[..], odd) {
            (&[_, c, h, w], None) => Ok([c, h, w]),
            _ => {
                let odd = odd.unwrap_or(&self.reference);
                let (dtype, shape) = (odd.dtype(), odd.shape().clone());
                Err(AttackError::Inputs { dtype, shape, expected: self.reference.shape().clone() })
            }
        }
    }

    /// The triplets of these indices.
    ///
    /// # Errors
    /// If one does not exist.
    pub fn choose(&self, rows: &[usize]) -> Result<Triplets, AttackError> {
        let [c, h, w] = self.image()?;
        let count = self.reference.shape()[0];
        if let Some(&row) = rows.iter().find(|&&row| row >= count) {
            return Err(AttackError::NoContext { index: row as i64, rows: count });
        }
        let chosen = |t: &Tensor| {
            let values = rows.iter().flat_map(|&r| &t.as_slice::<f32>()[r * c * h * w..(r + 1) * c * h * w]);
            Tensor::new([rows.len(), c, h, w], values.copied().collect())
        };
        let [reference, nearer, farther] = [&self.reference, &self.nearer, &self.farther].map(chosen);
        Ok(Triplets { reference: reference?, nearer: nearer?, farther: farther? })
    }

    /// By how much of its distance the farther image is farther, `1 − d(nearer)/d(farther)`: negative where the metric
    /// ranks the two the other way round.
    ///
    /// # Errors
    /// If the images do not fit each other or the metric.
    pub fn gaps(&self, metric: &dyn Metric, batch: usize) -> Result<Vec<f64>, AttackError> {
        let distances = Distances::new(metric, self.image()?, batch)?;
        let (near, far) = (distances.of(&self.nearer, &self.reference)?, distances.of(&self.farther, &self.reference)?);
        Ok(near.into_iter().zip(far).map(|(n, f)| 1.0 - n / f.max(f64::MIN_POSITIVE)).collect())
    }
}

impl RankFlip {
    /// Perturbs images by any attack on classifiers; a flip is a success. Triplets that the metric ranks the other way
    /// round count as flipped as they are: leave them out.
    ///
    /// # Errors
    /// If the images do not fit each other, the metric or the ball's bounds, or the attack fails.
    pub fn run(
        &self,
        metric: &dyn Metric,
        triplets: &Triplets,
        attack: &dyn Attack,
        ball: &Ball,
        seed: u64,
    ) -> Result<Adversarial, AttackError> {
        let model = self.judge(metric, triplets)?;
        let (images, _) = triplets.pair(self.moved);
        let criterion = Criterion::Misclassify { labels: vec![0; images.shape()[0]] };
        attack.run(&model, images, &criterion, ball, &Seed::new(seed, 0))
    }

    /// Perturbs `images`, which may be changed already, in a ball around them by all steps of an ascent, flipped or not:
    /// what is flipped by far is more likely flipped for other metrics too.
    ///
    /// # Errors
    /// As for [`RankFlip::run`].
    pub fn push(
        &self,
        metric: &dyn Metric,
        triplets: &Triplets,
        images: &Tensor,
        rise: &Rise,
        ball: &Ball,
        seed: u64,
    ) -> Result<Tensor, AttackError> {
        let (graph, rows) = self.graph(metric, triplets)?;
        // Of the logits, the margin of the second.
        let logits = graph.outputs[0].1.reshape([2]);
        let score = logits.slice_axis(0, 1, 2).sub(&logits.slice_axis(0, 0, 1));
        let score = Graph::new(graph.inputs, vec![("score".into(), score)])?;
        rise.run(&score, images, Some(&rows), ball, &Seed::new(seed, 0))
    }

    /// Whether the metric ranks `images` in the place of the moved ones the other way round.
    ///
    /// # Errors
    /// As for [`RankFlip::run`].
    pub fn flipped(&self, metric: &dyn Metric, triplets: &Triplets, images: &Tensor) -> Result<Vec<bool>, AttackError> {
        let triplets = match self.moved {
            Moved::Nearer => Triplets { nearer: images.clone(), ..triplets.clone() },
            Moved::Farther => Triplets { farther: images.clone(), ..triplets.clone() },
        };
        Ok(triplets.gaps(metric, self.batch)?.into_iter().map(|gap| gap < 0.0).collect())
    }

    // A classifier of two classes: as the triplet is ranked, and the other way round.
    fn judge(&self, metric: &dyn Metric, triplets: &Triplets) -> Result<Classifier, AttackError> {
        let (graph, rows) = self.graph(metric, triplets)?;
        Classifier::with_context(&graph, self.batch, &rows)
    }

    // Its logits are distances divided by that of the image that stays, the larger of which names the class; its context
    // are the reference and that distance.
    fn graph(&self, metric: &dyn Metric, triplets: &Triplets) -> Result<(Graph, Tensor), AttackError> {
        let image = triplets.image()?;
        let width: usize = image.iter().product();
        let (_, still) = triplets.pair(self.moved);
        let levels = Distances::new(metric, image, self.batch)?.of(still, &triplets.reference)?;
        let references = triplets.reference.as_slice::<f32>().chunks_exact(width);
        let rows: Vec<f32> = references.zip(&levels).flat_map(|(r, &d)| r.iter().copied().chain([d as f32])).collect();
        let rows = Tensor::new([levels.len(), width + 1], rows)?;
        let x = Expr::input("image", image, DType::F32);
        let context = Expr::input("reference and distance", [width + 1], DType::F32);
        let reference = context.slice_axis(0, 0, width).reshape(image);
        let level = context.slice_axis(0, width, width + 1).reshape([1]);
        let ratio = metric.distance(&x, &reference)?.reshape([1]).div(&level.offset(f64::from(f32::MIN_POSITIVE)));
        let one = ratio.like(1.0);
        let logits = match self.moved {
            Moved::Nearer => [one, ratio],
            Moved::Farther => [ratio, one],
        };
        let logits = Expr::try_concat(&logits, 0)?.reshape([1, 2]);
        Ok((Graph::new(vec![x, context], vec![("logits".into(), logits)])?, rows))
    }
}

/// Of images flipped on one metric, the share that also flips each of others, among those that the other ranks as meant
/// when they are clean; none if there are no such images.
///
/// # Errors
/// If the images do not fit each other or a metric.
pub fn transfer(
    flip: &RankFlip,
    triplets: &Triplets,
    images: &Tensor,
    flipped: &[bool],
    others: &[&dyn Metric],
) -> Result<Vec<Option<f64>>, AttackError> {
    let share = |other: &&dyn Metric| {
        let (gaps, found) = (triplets.gaps(*other, flip.batch)?, flip.flipped(*other, triplets, images)?);
        let counted = gaps.iter().zip(flipped).zip(found).filter(|((gap, flipped), _)| **gap > 0.0 && **flipped);
        let found: Vec<bool> = counted.map(|(_, found)| found).collect();
        let hits = found.iter().filter(|f| **f).count();
        Ok((!found.is_empty()).then(|| hits as f64 / found.len() as f64))
    };
    others.iter().map(share).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::perceptual::MeanSquaredError;
    use crate::{Ascent, Norm, Pgd};

    fn triplets(near: [f32; 3], far: [f32; 3]) -> Triplets {
        let images = |shifts: [f32; 3]| {
            Tensor::new([3, 1, 2, 2], shifts.iter().flat_map(|s| [0.5 + s; 4]).collect::<Vec<f32>>()).unwrap()
        };
        Triplets { reference: images([0.0; 3]), nearer: images(near), farther: images(far) }
    }

    // With the mean squared error a shift by s flips against one by t if and only if s + ε > t, or t − ε < s.
    #[test]
    fn flips_where_the_budget_reaches() {
        let triplets = triplets([0.1, 0.1, 0.2], [0.13, 0.2, 0.24]);
        let ball = Ball::new(Norm::Linf, 0.05, (0.0, 1.0)).unwrap();
        let gaps = triplets.gaps(&MeanSquaredError, 2).unwrap();
        assert!((gaps[1] - 0.75).abs() < 1e-5);
        for moved in [Moved::Nearer, Moved::Farther] {
            let flip = RankFlip { moved, batch: 2 };
            let found = flip.run(&MeanSquaredError, &triplets, &Pgd::default(), &ball, 1).unwrap();
            assert_eq!(found.success, [true, false, true], "{moved:?}");
            assert_eq!(flip.flipped(&MeanSquaredError, &triplets, &found.inputs).unwrap(), found.success);
            let to: [&dyn Metric; 1] = [&MeanSquaredError];
            let shares = transfer(&flip, &triplets, &found.inputs, &found.success, &to).unwrap();
            assert_eq!(shares, [Some(1.0)]);
            // All steps: to the end of the ball.
            let rise = Rise { ascent: Ascent::bim(), batch: 2 };
            let images = triplets.pair(moved).0;
            let pushed = flip.push(&MeanSquaredError, &triplets, images, &rise, &ball, 1).unwrap();
            let sign = if moved == Moved::Nearer { 1.0 } else { -1.0 };
            let pairs = pushed.as_slice::<f32>().iter().zip(images.as_slice::<f32>());
            assert!(pairs.clone().all(|(p, i)| (p - i - sign * 0.05).abs() < 1e-5), "{moved:?}");
        }
    }

    #[test]
    fn triplets_are_chosen_and_checked() {
        let all = triplets([0.1, 0.2, 0.3], [0.4; 3]);
        assert_eq!(all.choose(&[2, 0]).unwrap().nearer.as_slice::<f32>()[4], 0.6);
        assert!(all.choose(&[3]).is_err());
        let odd = Triplets { farther: Tensor::full([3, 1, 2, 3], 0.5f32), ..all };
        assert!(odd.gaps(&MeanSquaredError, 2).is_err());
        let double = Triplets { reference: Tensor::full([3, 1, 2, 2], 0.5f64), ..triplets([0.1; 3], [0.4; 3]) };
        assert!(double.choose(&[0]).is_err());
    }
}
