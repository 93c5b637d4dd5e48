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
    /// w = 250 and β = 1 as in the paper, whose three rounds of 14 iterations become 42 steps, of 0.01.
    pub fn new(layers: Graph, textures: Tensor, labels: Vec<usize>) -> TAdv {
        let (weight, adversarial, steps, rate) = (250.0, 1.0, 42, 0.01);
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
