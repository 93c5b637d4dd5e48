//! Steps of a fixed size: BIM, PGD and their relatives.

use super::{Climb, Climber, Diversity, Hill, Site, Smoothing, climb, direction, diversity::View};
use crate::geometry::Geometry;
use crate::loss::Objective;
use crate::problem::{Problem, require};
use crate::{Adversarial, Attack, AttackError, Ball, Classifier, Criterion, Loss, Norm, Seed};
use perturb_graph::Tensor;
use rand_chacha::ChaCha8Rng;

/// Where a search begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// The unperturbed example.
    Center,
    /// A uniformly random point of the ball.
    Uniform,
    /// A random point a hundredth as far away as a uniformly random one of the ball: for scores that have no slope at the
    /// example, where steps shall still count from there.
    Near,
}

/// How far away [`Start::Near`] is, as a share of [`Start::Uniform`].
const NEAR: f32 = 0.01;

/// Which iterate a search returns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Keep {
    /// The first that meets the criterion, at which the search ends; where none does, that whose logits came closest.
    #[default]
    Best,
    /// The last, after all steps. For scores that are random or never high enough.
    Last,
}

/// Gradient ascent by steps of a fixed size, `x ← Π(x + α·d)`, with α = `relative_step`·ε and Π the projection onto ball
/// and bounds: the loop that [`Pgd`](crate::Pgd) and the constructors below configure. The direction d of the gradient g
/// is `sign(g)` for ℓ∞ and `g/‖g‖₂` for ℓ2; for ℓ1 it is `sign(g)` on the coordinates with the largest 1% of `|gᵢ|` that
/// can still move, divided by their number (SLIDE, Tramèr and Boneh 2019); for ℓ0, where α counts in the input's units
/// times coordinates, `g/‖g‖₁` (PGD₀, Croce and Hein 2019).
///
/// By default the search for an example ends at the first iterate that meets the criterion, and returns it; where none
/// does, it returns the iterate whose logits came closest. (Libraries that return the last iterate find no more.)
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ascent {
    /// Name in tables.
    pub name: &'static str,
    /// What the steps raise, or lower for a target.
    pub loss: Loss,
    /// Steps of each restart.
    pub steps: usize,
    /// Step size divided by ε.
    pub relative_step: f64,
    /// Where each restart begins.
    pub start: Start,
    /// How many searches, each from a new start, to make at most.
    pub restarts: usize,
    /// Decay μ of accumulated gradients, `m ← μ·m + g/mean|g|`; 0 for none.
    pub momentum: f64,
    /// Whether gradients are taken where the momentum leads (Nesterov): at `x + α·μ·m` for ℓ∞, else at a step α·μ along
    /// the direction of m.
    pub lookahead: bool,
    /// Random views of the example at which gradients are taken.
    pub diversity: Option<Diversity>,
    /// A kernel that gradients are smoothed with.
    pub smoothing: Option<Smoothing>,
    /// Which iterate is returned.
    pub keep: Keep,
}

// Of the coordinates, for steps in ℓ1.
const SPARSE_SHARE: f64 = 0.01;

impl Ascent {
    /// BIM, also I-FGSM (Kurakin et al. 2017): ten steps of ε/10 from the example.
    pub fn bim() -> Ascent {
        Ascent {
            name: "BIM",
            loss: Loss::CrossEntropy,
            steps: 10,
            relative_step: 0.1,
            start: Start::Center,
            restarts: 1,
            momentum: 0.0,
            lookahead: false,
            diversity: None,
            smoothing: None,
            keep: Keep::Best,
        }
    }

    /// MI-FGSM (Dong et al. 2018): BIM with momentum 1.
    pub fn mi_fgsm() -> Ascent {
        Ascent { name: "MI-FGSM", momentum: 1.0, ..Ascent::bim() }
    }

    /// NI-FGSM (Lin et al. 2020, eq. 6 to 8): MI-FGSM whose gradients are taken one step of momentum ahead. What is ahead
    /// may be a result itself if it is in the ball.
    pub fn ni_fgsm() -> Ascent {
        Ascent { name: "NI-FGSM", lookahead: true, ..Ascent::mi_fgsm() }
    }

    /// DI²-FGSM (Xie et al. 2019): BIM whose gradients are taken, with probability 1/2, at a shrunk and padded view.
    pub fn di_fgsm() -> Ascent {
        Ascent { name: "DI-FGSM", diversity: Some(Diversity::default()), ..Ascent::bim() }
    }

    /// TI-FGSM (Dong et al. 2019): BIM whose gradients are smoothed, as if averaged over shifted examples.
    pub fn ti_fgsm() -> Ascent {
        Ascent { name: "TI-FGSM", smoothing: Some(Smoothing::default()), ..Ascent::bim() }
    }

    fn check(&self) -> Result<(), AttackError> {
        let step = self.relative_step;
        require(step > 0.0 && step.is_finite(), self.name, "relative_step", step, "positive")?;
        require(self.restarts > 0, self.name, "restarts", 0.0, "1 or more")?;
        require(
            self.start == Start::Uniform || self.steps > 0,
            self.name,
            "steps",
            0.0,
            "1 or more without random start",
        )?;
        let decay = self.momentum;
        require(decay >= 0.0 && decay.is_finite(), self.name, "momentum", decay, "0 or more")?;
        if let Some(Diversity { probability, scale }) = self.diversity {
            require((0.0..=1.0).contains(&probability), self.name, "probability", probability, "in [0, 1]")?;
            require(scale > 0.0 && scale <= 1.0, self.name, "scale", scale, "in (0, 1]")?;
        }
        if let Some(Smoothing { radius, sigma }) = self.smoothing {
            require(sigma > 0.0 && sigma.is_finite(), self.name, "sigma", sigma, "positive")?;
            require(radius < 1 << 16, self.name, "radius", radius as f64, "below 65536")?;
        }
        Ok(())
    }
}

impl Attack for Ascent {
    fn name(&self) -> &'static str {
        self.name
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
        let mut problem = Problem::new(model, inputs, criterion, ball, seed)?;
        problem.needs_budget(self.name)?;
        let objective = Objective::Class(self.loss);
        let geometry = Geometry::of(model.example_shape());
        let mut pending = Climber::pending(&problem, || Stepper::new(self, geometry));
        for climber in &mut pending {
            let class = criterion.classes()[climber.row];
            climber.aim(objective, model.classes(), class, class);
        }
        for _ in 0..self.restarts {
            climb(&mut problem, &mut pending, Hill { objective, evaluations: self.steps + 1, samples: 1 })?;
        }
        problem.finish()
    }
}

// The iterate of one example.
struct Stepper<'a> {
    plan: &'a Ascent,
    geometry: Geometry,
    x: Vec<f32>,
    left: usize,
    // The accumulated gradient, if there is momentum.
    velocity: Vec<f32>,
    // Where the gradient is taken, if not at x.
    ahead: Option<Vec<f32>>,
    view: Option<View>,
    // Whether the gradient is taken at a point of the ball.
    candidate: bool,
}

impl Stepper<'_> {
    fn new(plan: &Ascent, geometry: Geometry) -> Stepper<'_> {
        Stepper {
            plan,
            geometry,
            x: Vec::new(),
            left: 0,
            velocity: Vec::new(),
            ahead: None,
            view: None,
            candidate: true,
        }
    }

    // The last probe is the iterate itself.
    fn look(&mut self, site: &Site, rng: &mut ChaCha8Rng) {
        (self.ahead, self.view, self.candidate) = (None, None, true);
        if self.left == 0 {
            return;
        }
        self.candidate = self.plan.keep == Keep::Best;
        if self.plan.lookahead {
            let mut ahead = self.x.clone();
            if site.ball.norm() == Norm::Linf {
                let step = self.plan.momentum * self.plan.relative_step * site.ball.epsilon();
                let pairs = ahead.iter_mut().zip(&self.velocity);
                pairs.for_each(|(v, &m)| *v = (f64::from(*v) + step * f64::from(m)) as f32);
            } else {
                self.shift(&mut ahead, site, &self.velocity, self.plan.momentum);
            }
            self.candidate &= site.ball.contains(site.center, &ahead);
            self.ahead = Some(ahead);
        }
        self.view = self.plan.diversity.and_then(|d| d.draw(self.geometry, rng));
        if let Some(view) = &self.view {
            self.candidate = false;
            self.ahead = Some(view.apply(self.ahead.as_deref().unwrap_or(&self.x)));
        }
    }

    fn shift(&self, x: &mut [f32], site: &Site, gradient: &[f32], factor: f64) {
        let step = factor * self.plan.relative_step * site.ball.epsilon();
        direction(x, gradient, site.ball, SPARSE_SHARE, |v, d| *v = (f64::from(*v) + step * d) as f32);
    }
}

impl Climb for Stepper<'_> {
    const USES_LOSS: bool = false;

    fn start(&mut self, site: &Site, rng: &mut ChaCha8Rng) {
        self.left = self.plan.steps;
        self.x = match self.plan.start {
            Start::Center => site.center.to_vec(),
            Start::Uniform => site.ball.sample(site.center, rng),
            Start::Near => {
                let far = site.ball.sample(site.center, rng);
                site.center.iter().zip(far).map(|(c, f)| c + NEAR * (f - c)).collect()
            }
        };
        self.velocity = if self.plan.momentum > 0.0 { vec![0.0; self.x.len()] } else { Vec::new() };
        self.look(site, rng);
    }

    fn probe(&self) -> &[f32] {
        self.ahead.as_deref().unwrap_or(&self.x)
    }

    fn is_candidate(&self) -> bool {
        self.candidate
    }

    fn advance(&mut self, site: &Site, _loss: f64, gradient: &[f32], rng: &mut ChaCha8Rng) {
        let mut x = std::mem::take(&mut self.x);
        let pulled = self.view.as_ref().map(|view| view.pull_back(gradient));
        let smoothed = self.plan.smoothing.map(|s| s.smooth(self.geometry, pulled.as_deref().unwrap_or(gradient)));
        let gradient = smoothed.as_deref().or(pulled.as_deref()).unwrap_or(gradient);
        if self.plan.momentum > 0.0 {
            // The papers divide by ‖g‖₁, their authors' code by the mean, which is of the order of a sign.
            let mean = gradient.iter().map(|&g| f64::from(g).abs()).sum::<f64>() / gradient.len() as f64;
            let scale = 1.0 / mean.max(f64::MIN_POSITIVE);
            for (m, &g) in self.velocity.iter_mut().zip(gradient) {
                *m = (self.plan.momentum * f64::from(*m) + scale * f64::from(g)) as f32;
            }
            self.shift(&mut x, site, &self.velocity, 1.0);
        } else {
            self.shift(&mut x, site, gradient, 1.0);
        }
        site.ball.project(site.center, &mut x);
        self.x = x;
        self.left -= 1;
        self.look(site, rng);
    }
}
