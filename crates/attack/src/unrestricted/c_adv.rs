//! cAdv: an image gets other colours.

use super::colorizer::{Colorizer, Painter, RANGE};
use super::segments::{segments, sites};
use super::stop::{Stop, Watch};
use crate::descent::{Parametrization, Search, descend};
use crate::geometry::Geometry;
use crate::problem::{Problem, require};
use crate::{Adversarial, Attack, AttackError, Ball, Classifier, Criterion, Loss, Seed};
use perturb_graph::Tensor;
use rand_chacha::ChaCha8Rng;

/// cAdv (Bhattad et al. 2020, §3.1): the image keeps its lightness, a colouriser gives it colours, and Adam moves the
/// colouriser's hints and their mask, at all pixels, until the class has changed. At the start there are hints of the true
/// colours at some pixels, in those segments of like colour where the colouriser is surest.
///
/// The paper tells how sure it is by the entropy of its distribution of colours, as the mean of a segment; a colouriser that
/// gives one colour has none, so the mean distance of its colours without hints from the true ones is taken instead.
///
/// Images are in [0, 1] and have three channels. Colours change by much: the ball is meant to be of infinite radius.
#[derive(Clone, Copy)]
pub struct CAdv<'a> {
    /// What gives colours.
    pub colorizer: &'a dyn Colorizer,
    /// Segments that an image is divided into.
    pub clusters: usize,
    /// How many of them have hints at the start.
    pub segments: usize,
    /// Hints at the start.
    pub hints: usize,
    /// Steps of Adam, at most.
    pub steps: usize,
    /// Learning rate, in units of 110 for a and b, and of 1 for the mask.
    pub rate: f64,
    /// When it ends.
    pub stop: Stop,
}

const NAME: &str = "cAdv";

impl<'a> CAdv<'a> {
    /// The reference settings, for images of 224×224: 50 hints in 4 of 8 segments, 500 steps of 1e-4.
    pub fn new(colorizer: &'a dyn Colorizer) -> CAdv<'a> {
        CAdv { colorizer, clusters: 8, segments: 4, hints: 50, steps: 500, rate: 1e-4, stop: Stop::default() }
    }

    /// `images [N, 3, H, W]` as the colouriser paints them before the attack, with hints of the true colours.
    ///
    /// # Errors
    /// If these are no images in colour, or a hyperparameter is out of its range.
    pub fn recolored(&self, images: &Tensor, seed: &Seed) -> Result<Tensor, AttackError> {
        self.check()?;
        let [n, 3, h, w] = images.shape()[..] else { return Err(no_colors()) };
        let values = images.try_as_slice::<f32>().filter(|values| !values.is_empty()).ok_or_else(no_colors)?;
        let painter = Painter::new(self.colorizer, [h, w], n)?;
        let rows: Vec<usize> = (0..n).collect();
        let searches = self.start(&painter, values, &rows, seed)?;
        let (lightness, variables) = gathered(&searches);
        Ok(Tensor::new(images.shape(), painter.paint(&lightness, &variables)?)?)
    }

    fn check(&self) -> Result<(), AttackError> {
        require(self.clusters > 0, NAME, "clusters", 0.0, "1 or more")?;
        require(self.segments > 0, NAME, "segments", 0.0, "1 or more")?;
        require(self.steps > 0, NAME, "steps", 0.0, "1 or more")?;
        require(self.rate > 0.0 && self.rate.is_finite(), NAME, "rate", self.rate, "positive")
    }

    /// Searches for these rows, whose images are given: with hints of the true colours, and without an image yet.
    fn start(
        &self,
        painter: &Painter,
        images: &[f32],
        rows: &[usize],
        seed: &Seed,
    ) -> Result<Vec<Search<Canvas>>, AttackError> {
        let area = painter.area();
        let separate = painter.separate(images)?;
        let lightness: Vec<f32> = separate.chunks_exact(3 * area).flat_map(|lab| &lab[..area]).copied().collect();
        let unprompted = painter.colors(&lightness, &vec![0.0; 3 * lightness.len()])?;
        let parts = separate.chunks_exact(3 * area).zip(unprompted.chunks_exact(2 * area)).zip(rows);
        let search = |((lab, guess), &row): ((&[f32], &[f32]), &usize)| {
            let (lightness, colors) = lab.split_at(area);
            let variables = self.hints(colors, guess, &mut seed.stream(row));
            Search::new(row, variables, Vec::new(), Canvas { lightness: lightness.to_vec(), watch: Watch::new() })
        };
        Ok(parts.map(search).collect())
    }

    /// Variables `[3, H, W]` with hints of the true `colors [2, H, W]` where the colouriser's `guess` is near them.
    fn hints(&self, colors: &[f32], guess: &[f32], rng: &mut ChaCha8Rng) -> Vec<f64> {
        let area = colors.len() / 2;
        let pixels = |v: &[f32]| (0..area).map(|i| [f64::from(v[i]), f64::from(v[area + i])]).collect::<Vec<_>>();
        let (colors, guess) = (pixels(colors), pixels(guess));
        let off = |(c, g): (&[f64; 2], &[f64; 2])| (c[0] - g[0]).hypot(c[1] - g[1]);
        let uncertainty: Vec<f64> = colors.iter().zip(&guess).map(off).collect();
        let segments = segments(&colors, self.clusters, rng);
        let mut variables = vec![0.0; 3 * area];
        for i in sites(&segments, &uncertainty, self.segments, self.hints, rng) {
            let [a, b] = colors[i];
            (variables[i], variables[area + i], variables[2 * area + i]) = (a / RANGE, b / RANGE, 1.0);
        }
        variables
    }
}

impl Attack for CAdv<'_> {
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
        self.check()?;
        let geometry = Geometry::of(model.example_shape());
        if geometry.channels != 3 {
            return Err(no_colors());
        }
        require(ball.limits() == (0.0, 1.0), NAME, "upper bound", ball.bounds().1, "1, and the lower bound 0")?;
        let mut problem = Problem::new(model, inputs, criterion, ball, seed)?;
        let painter = Painter::new(self.colorizer, [geometry.height, geometry.width], model.batch())?;
        let pending = problem.pending();
        let mut searches = self.start(&painter, &problem.gather(&pending), &pending, seed)?;
        let hints = Hints { painter, stop: self.stop };
        hints.place(&problem, &mut searches)?;
        descend(&mut problem, searches, &hints, self.steps, self.rate)?;
        problem.finish()
    }
}

/// Hints and mask as variables.
struct Hints {
    painter: Painter,
    stop: Stop,
}

/// What stays of an image, and what is known of its search.
struct Canvas {
    lightness: Vec<f32>,
    watch: Watch,
}

impl Parametrization for Hints {
    type Memory = Canvas;
    const LOSS: Loss = Loss::CrossEntropy;

    fn judge(&self, problem: &mut Problem, search: &mut Search<Canvas>, logits: &[f32]) -> bool {
        search.memory.watch.judge(self.stop, problem, (search.row, &search.x), logits)
    }

    fn slopes(
        &self,
        _: &Problem,
        searches: &[Search<Canvas>],
        _: &[f32],
        gradients: &[f32],
    ) -> Result<Vec<Vec<f64>>, AttackError> {
        let (lightness, variables) = gathered(searches);
        let slopes = self.painter.pull(&lightness, &variables, gradients)?;
        let rows = slopes.chunks_exact(3 * self.painter.area());
        Ok(rows.map(|row| row.iter().map(|&s| f64::from(s)).collect()).collect())
    }

    fn place(&self, _: &Problem, searches: &mut [Search<Canvas>]) -> Result<(), AttackError> {
        let area = self.painter.area();
        for search in searches.iter_mut() {
            let (hints, mask) = search.variables.split_at_mut(2 * area);
            hints.iter_mut().for_each(|v| *v = v.clamp(-1.0, 1.0));
            mask.iter_mut().for_each(|v| *v = v.clamp(0.0, 1.0));
        }
        let (lightness, variables) = gathered(searches);
        let painted = self.painter.paint(&lightness, &variables)?;
        for (search, image) in searches.iter_mut().zip(painted.chunks_exact(3 * area)) {
            search.x = image.to_vec();
        }
        Ok(())
    }
}

/// Lightness and variables of all searches.
fn gathered(searches: &[Search<Canvas>]) -> (Vec<f32>, Vec<f32>) {
    let lightness = searches.iter().flat_map(|s| &s.memory.lightness).copied().collect();
    (lightness, searches.iter().flat_map(|s| &s.variables).map(|&v| v as f32).collect())
}

fn no_colors() -> AttackError {
    AttackError::Model {
        reason: "it does not take images of three channels; grey images have no colours to change".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{lab, probability_gap};
    use super::*;
    use crate::Norm;
    use perturb_graph::{DType, Expr, Graph, eval};

    // Colours as hinted.
    fn colorizer() -> Graph {
        let input = |name: &str, channels| Expr::input(name, [1, channels, 4, 4], DType::F32);
        let inputs = vec![input("lightness", 1), input("hints", 2), input("mask", 1)];
        let colors = inputs[1].mul(&inputs[2]);
        Graph::new(inputs, vec![("colors".into(), colors)]).unwrap()
    }

    // Whether blue or red is more.
    fn model(channels: usize) -> Classifier {
        let x = Expr::input("x", [1, channels, 4, 4], DType::F32);
        let means = x.reduce_mean(&[2, 3], false).scale(10.0);
        let logits = Expr::concat(&[means.slice_axis(1, channels - 1, channels), means.slice_axis(1, 0, 1)], 1);
        Classifier::new(&Graph::new(vec![x], vec![("logits".into(), logits)]).unwrap(), 2).unwrap()
    }

    fn bluish() -> Tensor {
        let pixel = |c: usize, i: usize| [0.45, 0.5, 0.55][c] + 0.1 * (i % 5) as f32 / 5.0;
        let image = |_| (0..3).flat_map(move |c| (0..16).map(move |i| pixel(c, i)));
        Tensor::new([3, 3, 4, 4], (0..3).flat_map(image).collect()).unwrap()
    }

    #[test]
    fn the_class_changes_and_the_lightness_stays() {
        let (colorizer, model, inputs) = (colorizer(), model(3), bluish());
        let attack = CAdv { hints: 16, segments: 8, rate: 0.01, stop: Stop::at_gap(0.05), ..CAdv::new(&colorizer) };
        let ball = Ball::unbounded(Norm::Linf, (0.0, 1.0)).unwrap();
        let criterion = Criterion::Targeted { classes: vec![1; 3] };
        let found = attack.run(&model, &inputs, &criterion, &ball, &Seed::new(0, 0)).unwrap();
        assert!(found.success.iter().all(|s| *s) && found.queries.iter().all(|q| *q < 500), "{found:?}");
        let logits = model.logits(&found.inputs).unwrap();
        assert!(logits.as_slice::<f32>().chunks_exact(2).all(|z| probability_gap(z) > 0.05));
        let lightness = |x: &Tensor| {
            let x = lab(&Expr::constant(x.clone())).unwrap().slice_axis(1, 0, 1);
            eval(&[x], &[]).unwrap().remove(0)
        };
        let (before, after) = (lightness(&inputs), lightness(&found.inputs));
        let pairs = before.as_slice::<f32>().iter().zip(after.as_slice::<f32>());
        assert!(pairs.into_iter().all(|(a, b)| (a - b).abs() < 0.1));
    }

    // With hints of the true colours everywhere, this colouriser gives the image back.
    #[test]
    fn true_hints_give_true_colours() {
        let (colorizer, inputs) = (colorizer(), bluish());
        let attack = CAdv { hints: 16, segments: 8, ..CAdv::new(&colorizer) };
        let painted = attack.recolored(&inputs, &Seed::new(0, 0)).unwrap();
        let pairs = inputs.as_slice::<f32>().iter().zip(painted.as_slice::<f32>());
        assert!(pairs.into_iter().all(|(a, b)| (a - b).abs() < 1e-4));
    }

    #[test]
    fn grey_images_and_other_ranges_are_refused() {
        let colorizer = colorizer();
        let attack = CAdv::new(&colorizer);
        let criterion = Criterion::Targeted { classes: vec![1] };
        let run = |model: &Classifier, inputs: &Tensor, limits| {
            let ball = Ball::unbounded(Norm::Linf, limits).unwrap();
            attack.run(model, inputs, &criterion, &ball, &Seed::new(0, 0)).unwrap_err().to_string()
        };
        let grey = run(&model(1), &Tensor::full([1, 1, 4, 4], 0.5f32), (0.0, 1.0));
        assert!(grey.contains("grey"), "{grey}");
        let range = run(&model(3), &bluish().rows(0, 1), (-1.0, 1.0));
        assert!(range.contains("upper bound"), "{range}");
    }
}
