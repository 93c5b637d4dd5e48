//! Deterministic certificates: interval and linear bound propagation, compiled once and run for many balls.

use crate::known::Group;
use crate::problem::Problem;
use crate::region::{Balls, Region};
use crate::stage::{Intervals, Stage};
use crate::verdict::Verdicts;
use crate::{CertifyError, Result};
use perturb_graph::{Graph, Norm, Rounding, Shape, Tensor};

/// How bounds are computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Method {
    /// Interval bound propagation (Gowal et al. 2018).
    Ibp,
    /// A backward walk from the outputs over interval bounds of the inner nodes (Zhang et al. 2020).
    CrownIbp,
    /// Backward walks from every node that a nonlinearity sees (Zhang et al. 2018; Xu et al. 2020), with the adaptive lower
    /// slope for `relu`.
    Crown,
    /// CROWN, then ascent on the slopes of `relu`, sigmoid and tanh in the walks from the output ("α-CROWN", Xu et al. 2021),
    /// which each functional has for itself. Without any of these it is CROWN.
    AlphaCrown {
        /// Steps of the ascent; the paper takes 100.
        steps: usize,
    },
}

/// Elementwise bounds of a model's output.
#[derive(Clone, Debug, PartialEq)]
pub struct Bounds {
    /// Lower bounds, `[N, outputs]`.
    pub lower: Tensor,
    /// Upper bounds, `[N, outputs]`.
    pub upper: Tensor,
}

/// How a [`Certifier`] is compiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Norm of the balls.
    pub norm: Norm,
    /// What the arithmetic promises: `Outward` (the default) for certificates.
    pub rounding: Rounding,
    /// Examples that are bounded together, at least 1.
    pub batch: usize,
    /// Most bytes of working memory at a time, constants not counted.
    pub memory_limit: u64,
}

impl Default for Settings {
    /// ℓ∞, outward rounding, 16 examples, 2 GiB.
    fn default() -> Settings {
        Settings { norm: Norm::Linf, rounding: Rounding::Outward, batch: 16, memory_limit: 2 << 30 }
    }
}

/// Bounds of one model, by one method, over balls of one norm. Centres, radii and limits are given when it runs.
///
/// ```
/// use perturb_certify::{Certifier, Method, Region, Settings};
/// use perturb_graph::{DType, Expr, Graph, Tensor};
///
/// // z = (x₁ − x₂, x₂ − x₁): the margin of class 0 at (0.5, 0.2) is 0.6, and loses 4ε.
/// let x = Expr::input("x", [1, 2], DType::F32);
/// let weights = Expr::param("w", Tensor::new([2, 2], vec![1.0f32, -1.0, -1.0, 1.0])?);
/// let model = Graph::new(vec![x.clone()], vec![("logits".into(), x.matmul(&weights))])?;
/// let certifier = Certifier::new(&model, Method::Crown, Settings::default())?;
/// let center = Tensor::new([1, 2], vec![0.5f32, 0.2])?;
/// let margin = certifier.margins(&center, &[0], &Region::from(0.1))?[0];
/// assert!((margin - 0.2).abs() < 1e-5);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Certifier {
    settings: Settings,
    example: Shape,
    outputs: usize,
    stages: Vec<Stage>,
    intervals: Intervals,
    verdicts: Verdicts,
}

impl Certifier {
    /// Compiles bounds of `model`, a graph for one example (`[1, …] → [1, classes]`) in `f32`.
    ///
    /// # Errors
    /// If the model has not one `f32` input and one `f32` output that depends on it, a settings value is out of range, or
    /// the memory limit is too small for a single row of some node; the error says how much is needed.
    pub fn new(model: &Graph, method: Method, settings: Settings) -> Result<Certifier> {
        if settings.batch == 0 {
            return Err(CertifyError::Parameter { name: "batch", range: "at least 1", value: 0.0 });
        }
        let mut problem = Problem::new(model, settings.norm, settings.rounding, settings.memory_limit)?;
        let mut stages = Vec::new();
        if matches!(method, Method::Crown | Method::AlphaCrown { .. }) {
            for node in problem.bounder.to_tighten() {
                stages.push(Stage::compile(&problem, &node, settings.batch)?);
                problem.give(&node)?;
            }
        }
        let output = problem.output.clone();
        let intervals = Intervals::compile(&problem, &output, settings.batch)?;
        let verdicts = Verdicts::compile(&problem, method, settings.batch)?;
        let (example, outputs) = (problem.input.shape().clone(), output.shape().count());
        Ok(Certifier { settings, example, outputs, stages, intervals, verdicts })
    }

    /// What this was compiled with.
    pub fn settings(&self) -> Settings {
        self.settings
    }

    /// Bounds of every output over the balls around `centers [N, …]`; those of walks are never looser than interval
    /// propagation over the same inner bounds. An end about which
    /// nothing is known is infinite.
    ///
    /// # Errors
    /// If a centre or the region does not fit: see [`CertifyError`].
    pub fn bounds(&self, centers: &Tensor, region: &Region) -> Result<Bounds> {
        let balls = self.balls(centers, region)?;
        let (mut lower, mut upper) = (Vec::new(), Vec::new());
        for start in (0..balls.rows).step_by(self.settings.batch) {
            let group = self.group(&balls, start)?;
            let mut known = self.intervals.run(&group)?;
            self.verdicts.tighten(&group, &mut known)?;
            lower.append(&mut known.lo);
            upper.append(&mut known.hi);
        }
        let shape = [balls.rows, self.outputs];
        Ok(Bounds { lower: Tensor::new(shape, lower)?, upper: Tensor::new(shape, upper)? })
    }

    /// For every row a lower bound of `min_{j ≠ y} (z_y − z_j)` over the ball, with `y = labels[row]`. The differences are
    /// bounded as functionals, which is tighter than the difference of bounds, and those of walks are never looser than
    /// those of [`Method::Ibp`]. A row is certified if and only if its margin is positive.
    ///
    /// # Errors
    /// If a centre, a label or the region does not fit, or the model has only one output.
    pub fn margins(&self, centers: &Tensor, labels: &[usize], region: &Region) -> Result<Vec<f64>> {
        let balls = self.balls(centers, region)?;
        if labels.len() != balls.rows {
            return Err(CertifyError::Count { what: "labels", expected: balls.rows, got: labels.len() });
        }
        if self.outputs < 2 {
            return CertifyError::model("a margin needs at least two outputs");
        }
        if let Some((row, &label)) = labels.iter().enumerate().find(|(_, l)| **l >= self.outputs) {
            return Err(CertifyError::Label { row, label, classes: self.outputs });
        }
        let mut margins = Vec::with_capacity(balls.rows);
        for start in (0..balls.rows).step_by(self.settings.batch) {
            let group = self.group(&balls, start)?;
            margins.extend(self.verdicts.margins(&group, &labels[start..start + group.len])?);
        }
        Ok(margins)
    }

    fn balls<'a>(&self, centers: &'a Tensor, region: &Region) -> Result<Balls<'a>> {
        Balls::new(centers, &self.example, region, self.settings.norm, self.settings.rounding)
    }

    // The examples from `start` on that are bounded together, with the bounds of all inner nodes.
    fn group<'a>(&self, balls: &'a Balls<'a>, start: usize) -> Result<Group<'a>> {
        let len = self.settings.batch.min(balls.rows - start);
        let mut group = Group { balls, start, len, known: Vec::new() };
        for stage in &self.stages {
            let known = stage.run(&group)?;
            group.known.push(known);
        }
        Ok(group)
    }
}
