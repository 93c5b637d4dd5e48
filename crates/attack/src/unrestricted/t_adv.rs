//! tAdv: an image gets the texture of another.

use super::stop::{Stop, Watch};
use super::texture::{Described, Weaver};
use crate::descent::{Parametrization, Search, descend};
use crate::problem::{Problem, require};
use crate::{Adversarial, Attack, AttackError, Ball, Classifier, Criterion, Loss, Seed};
use perturb_graph::{Graph, Tensor};

/// tAdv (Bhattad et al. 2020, §3.2): Adam (the paper: L-BFGS) moves pixels such that the image's texture becomes that of an
/// image of the target class, and its class the target. It lowers `w·Σ_l mean (G_l − G_l^t)²/n_l² + β·CE`, with G_l the
/// cross-layer Gram matrix of the features of layers l and l + 1 (Novak and Nikulin 2016), and n_l the channels of the
/// former. There is no term for the content; as in the paper, it is the few steps that keep it.
///
/// The texture is that of the image of the target class whose features in the last of the layers are nearest; without a
/// target, of the likeliest other class. Textures change by much: the ball is meant to be of infinite radius.
#[derive(Clone, Debug)]
pub struct TAdv {
    /// From one image to feature maps `[1, channels, h, w]`, two layers or more, from the input on.
    pub layers: Graph,
    /// Images that textures are taken from, `[N, C, H, W]`.
    pub textures: Tensor,
    /// Their classes.
    pub labels: Vec<usize>,
    /// w, the weight of the texture.
    pub weight: f64,
    /// β, the weight of the cross-entropy.
    pub adversarial: f64,
    /// Steps of Adam, at most.
    pub steps: usize,
    /// Learning rate, in the pixels' unit.
    pub rate: f64,
    /// When it ends.
    pub stop: Stop,
}

const NAME: &str = "tAdv";

impl TAdv {
    /// w = 250 and β = 1e-3 as in the paper, whose three rounds of 14 iterations become 42 steps, of 0.02.
    pub fn new(layers: Graph, textures: Tensor, labels: Vec<usize>) -> TAdv {
        let (weight, adversarial, steps, rate) = (250.0, 1e-3, 42, 0.02);
        TAdv { layers, textures, labels, weight, adversarial, steps, rate, stop: Stop::default() }
    }

    fn check(&self, model: &Classifier) -> Result<(), AttackError> {
        require(self.steps > 0, NAME, "steps", 0.0, "1 or more")?;
        require(self.rate > 0.0 && self.rate.is_finite(), NAME, "rate", self.rate, "positive")?;
        for (name, value) in [("weight", self.weight), ("adversarial", self.adversarial)] {
            require(value >= 0.0 && value.is_finite(), NAME, name, value, "0 or more")?;
        }
        let examples = model.rows(&self.textures)?.len() / model.width();
        Criterion::Misclassify { labels: self.labels.clone() }.check(examples, model.classes())
    }

    /// For each of the rows, the texture that it gets.
    fn choose(&self, problem: &Problem, rows: &[usize], weaver: &Weaver) -> Result<Vec<Vec<f32>>, AttackError> {
        let Described { textures, features } = weaver.describe(problem.model.rows(&self.textures)?)?;
        let own = weaver.describe(&problem.gather(rows))?.features;
        let nearest = |(&row, own): (&usize, Vec<f32>)| {
            let target = match problem.criterion {
                Criterion::Targeted { classes } => classes[row],
                Criterion::Misclassify { .. } => problem.rivals(row)[0],
            };
            let distance = |i: usize| -> f32 { features[i].iter().zip(&own).map(|(a, b)| (a - b).powi(2)).sum() };
            let candidates = (0..self.labels.len()).filter(|&i| self.labels[i] == target);
            let best = candidates.map(|i| (distance(i), i)).min_by(|a, b| a.0.total_cmp(&b.0));
            let reason = format!("there is no image of class {target} to take a texture from");
            best.map(|(_, i)| textures[i].clone()).ok_or(AttackError::Model { reason })
        };
        rows.iter().zip(own).map(nearest).collect()
    }
}

impl Attack for TAdv {
    fn name(&self) -> &'static str {
        NAME
    }

    fn run(
        &self,
        model: &Classifier,
        inputs: &Tensor,
        criterion: &Criterion,
        ball: &Ball,
        seed: &Seed,
    ) -> Result<Adversarial, AttackError> {
        self.check(model)?;
        let mut problem = Problem::new(model, inputs, criterion, ball, seed)?;
        let weaver = Weaver::new(&self.layers, model.batch())?;
        let pending = problem.pending();
        let textures = self.choose(&problem, &pending, &weaver)?;
        let start = |(&row, texture): (&usize, Vec<f32>)| {
            let x = problem.center(row);
            let pixels = x.iter().map(|&v| f64::from(v)).collect();
            Search::new(row, pixels, x.to_vec(), Wanted { texture, watch: Watch::new() })
        };
        let searches = pending.iter().zip(textures).map(start).collect();
        descend(&mut problem, searches, &Pixels { attack: self, weaver }, self.steps, self.rate)?;
        problem.finish()
    }
}

/// Pixels as variables.
struct Pixels<'a> {
    attack: &'a TAdv,
    weaver: Weaver,
}

/// The texture that an image is to get, and what is known of its search.
struct Wanted {
    texture: Vec<f32>,
    watch: Watch,
}

impl Parametrization for Pixels<'_> {
    type Memory = Wanted;
    const LOSS: Loss = Loss::CrossEntropy;

    fn judge(&self, problem: &mut Problem, search: &mut Search<Wanted>, logits: &[f32]) -> bool {
        search.memory.watch.judge(self.attack.stop, problem, (search.row, &search.x), logits)
    }

    fn slopes(
        &self,
        problem: &Problem,
        searches: &[Search<Wanted>],
        _: &[f32],
        gradients: &[f32],
    ) -> Result<Vec<Vec<f64>>, AttackError> {
        let images: Vec<f32> = searches.iter().flat_map(|s| &s.x).copied().collect();
        let textures: Vec<&[f32]> = searches.iter().map(|s| &s.memory.texture[..]).collect();
        let woven = self.weaver.slopes(&images, &textures)?;
        let TAdv { weight, adversarial, .. } = *self.attack;
        let both = |(woven, by_class): (Vec<f32>, &[f32])| {
            let pairs = woven.into_iter().zip(by_class);
            pairs.map(|(t, &c)| weight * f64::from(t) + adversarial * f64::from(c)).collect()
        };
        Ok(woven.into_iter().zip(gradients.chunks_exact(problem.model.width())).map(both).collect())
    }

    fn place(&self, problem: &Problem, searches: &mut [Search<Wanted>]) -> Result<(), AttackError> {
        let (lo, hi) = problem.ball.bounds();
        for search in searches {
            search.variables.iter_mut().for_each(|v| *v = v.clamp(lo, hi));
            search.x = search.variables.iter().map(|&v| v as f32).collect();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Norm;
    use perturb_graph::{Conv, DType, Expr};
    use perturb_nn::recipe;

    // Two layers of 1×1 convolutions, and a model that tells whether red or blue is more.
    fn subjects() -> (Graph, Classifier) {
        let x = Expr::input("x", [1, 3, 4, 4], DType::F32);
        let first = x.conv(&Expr::constant(recipe(1, [4, 3, 1, 1], 1.0)), Conv::default()).relu();
        let second = first.conv(&Expr::constant(recipe(2, [5, 4, 2, 2], 1.0)), Conv::same().stride(2)).relu();
        let layers = Graph::new(vec![x.clone()], vec![("1".into(), first), ("2".into(), second)]).unwrap();
        let means = x.reduce_mean(&[2, 3], false).scale(10.0);
        let logits = Expr::concat(&[means.slice_axis(1, 2, 3), means.slice_axis(1, 0, 1)], 1);
        let model = Graph::new(vec![x], vec![("logits".into(), logits)]).unwrap();
        (layers, Classifier::new(&model, 2).unwrap())
    }

    fn images(seed: u64, count: usize) -> Tensor {
        let mut values = recipe(seed, [count, 3, 4, 4], 1.0);
        values.as_mut_slice::<f32>().iter_mut().for_each(|v| *v = 0.5 + 0.2 * v.clamp(-1.0, 1.0));
        values.as_mut_slice::<f32>().chunks_exact_mut(48).for_each(|image| image[..16].fill(0.3));
        values
    }

    #[test]
    fn slopes_of_textures_agree_with_differences() {
        let weaver = Weaver::new(&subjects().0, 2).unwrap();
        let (at, wanted) = (images(3, 1), weaver.describe(images(4, 1).as_slice()).unwrap().textures);
        let apart = |x: &[f32]| -> f64 {
            let found = weaver.describe(x).unwrap().textures;
            found[0].iter().zip(&wanted[0]).map(|(a, b)| f64::from(a - b).powi(2)).sum()
        };
        let slopes = weaver.slopes(at.as_slice(), &[&wanted[0]]).unwrap().remove(0);
        let scale = slopes.iter().fold(0.0, |m: f32, s| m.max(s.abs()));
        for i in [0, 17, 40] {
            let moved = |step: f32| {
                let mut x = at.as_slice::<f32>().to_vec();
                x[i] += step;
                apart(&x)
            };
            let difference = (moved(1e-2) - moved(-1e-2)) / 2e-2;
            assert!((f64::from(slopes[i]) - difference).abs() < 0.05 * f64::from(scale), "{} {difference}", slopes[i]);
        }
    }

    #[test]
    fn it_reaches_the_target_and_needs_its_texture() {
        let (layers, model) = subjects();
        let (inputs, ball) = (images(5, 3), Ball::unbounded(Norm::Linf, (0.0, 1.0)).unwrap());
        let criterion = Criterion::Targeted { classes: vec![1; 3] };
        let attack = TAdv { stop: Stop::at_gap(0.05), ..TAdv::new(layers, images(6, 4), vec![0, 1, 0, 1]) };
        let plain = TAdv { weight: 0.0, ..attack.clone() };
        let found = plain.run(&model, &inputs, &criterion, &ball, &Seed::new(0, 0)).unwrap();
        assert!(found.success.iter().all(|s| *s) && found.queries.iter().all(|q| *q < 42), "{found:?}");
        let without = TAdv { labels: vec![0; 4], ..attack.clone() };
        assert!(without.run(&model, &inputs, &criterion, &ball, &Seed::new(0, 0)).is_err());
        let too_few = TAdv { labels: vec![1; 3], ..attack };
        assert!(too_few.run(&model, &inputs, &criterion, &ball, &Seed::new(0, 0)).is_err());
    }
}
