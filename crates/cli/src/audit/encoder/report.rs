//! What the audit of an encoder found, as `report.json`.

use super::Subject;
use super::stages::{Found, KEPT, Moved, Stage, Way};
use crate::CliError;
use crate::audit::{AuditArgs, Store, rate};
use perturb::report::audit::{Accuracy, ModelInfo, NamedImage, Norm};
use perturb::report::format::{epsilon, number, percent};
use serde::Serialize;
use std::collections::BTreeMap;

/// Version of the format of `report.json`.
pub const SCHEMA_VERSION: u32 = 1;

/// Everything that one audit of an encoder found.
#[derive(Serialize, Debug)]
pub struct EncoderReport {
    pub schema_version: u32,
    pub perturb_version: String,
    pub model: ModelInfo,
    pub data: String,
    pub images: usize,
    pub pixel_range: [f64; 2],
    pub preprocessing: String,
    pub norm: Norm,
    pub seed: u64,
    /// Cosines between the embeddings of an image and of its target.
    pub apart: Spread,
    /// Images whose embedding an earlier image has too: they cannot be found again.
    pub doubles: usize,
    /// A curve for each way of changing images.
    pub curves: Vec<Curve>,
    pub gallery: Vec<Card>,
    /// Seconds of each stage: the only part that may differ between two runs with the same settings.
    pub seconds: BTreeMap<String, f64>,
}

/// One way of changing images, by budget.
#[derive(Serialize, Debug)]
pub struct Curve {
    pub name: &'static str,
    pub points: Vec<Point>,
}

/// One way at one budget.
#[derive(Serialize, Debug)]
pub struct Point {
    pub epsilon: f64,
    /// Cosine of the changed image's embedding with its own.
    pub own: Spread,
    /// Cosine with the embedding of another image: the target of the third way.
    pub target: Spread,
    /// Images whose own embedding, of those of all images, is the nearest to the changed one.
    pub found_again: Accuracy,
    /// Images that are nearer to the target than to themselves.
    pub taken_over: Accuracy,
}

/// A mean, and the lowest and highest tenth.
#[derive(Serialize, Debug, Clone, Copy)]
pub struct Spread {
    pub mean: f64,
    pub tenth: f64,
    pub nine_tenths: f64,
}

/// An image in its changed forms.
#[derive(Serialize, Debug)]
pub struct Card {
    pub index: usize,
    pub epsilon: f64,
    pub pictures: Vec<NamedImage>,
}

impl Spread {
    /// Of at least one value.
    fn of(values: impl Iterator<Item = f64>) -> Spread {
        let mut values: Vec<f64> = values.collect();
        values.sort_by(f64::total_cmp);
        let at = |share: f64| values[((values.len() - 1) as f64 * share).round() as usize];
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        Spread { mean, tenth: at(0.1), nine_tenths: at(0.9) }
    }
}

/// Puts the report together.
///
/// # Errors
/// If a picture or an interval cannot be made.
pub fn report(subject: &Subject, args: &AuditArgs, found: &Found, store: &Store) -> Result<EncoderReport, CliError> {
    let curve = |way: Way| -> Result<Curve, CliError> {
        let stages = found.stages.iter().filter(|s| s.way == way);
        Ok(Curve { name: way.name(), points: stages.map(point).collect::<Result<_, _>>()? })
    };
    Ok(EncoderReport {
        schema_version: SCHEMA_VERSION,
        perturb_version: env!("CARGO_PKG_VERSION").into(),
        model: subject.info.clone(),
        data: subject.source.clone(),
        images: subject.count(),
        pixel_range: [subject.limits.0, subject.limits.1],
        preprocessing: match args.preprocessing.given()? {
            Some(_) => "given by --mean and --std".into(),
            None => "none: the encoder is given pixels as they are (--mean and --std change that)".into(),
        },
        norm: args.report_norm(),
        seed: args.seed,
        apart: Spread::of(found.apart.iter().copied()),
        doubles: found.doubles,
        curves: Way::ALL.into_iter().map(curve).collect::<Result<_, _>>()?,
        gallery: gallery(subject, args, found)?,
        seconds: store.seconds()?,
    })
}

fn point(stage: &Stage) -> Result<Point, CliError> {
    let count = |is: &dyn Fn(usize, &Moved) -> bool| stage.moved.iter().enumerate().filter(|(i, m)| is(*i, m)).count();
    Ok(Point {
        epsilon: stage.epsilon,
        own: Spread::of(stage.moved.iter().map(|m| m.own)),
        target: Spread::of(stage.moved.iter().map(|m| m.target)),
        found_again: rate(count(&|i, m| m.nearest == i), stage.moved.len())?,
        taken_over: rate(count(&|_, m| m.target > m.own), stage.moved.len())?,
    })
}

// The first images at the middle budget, as they were, changed both ways, and with what they were carried towards.
fn gallery(subject: &Subject, args: &AuditArgs, found: &Found) -> Result<Vec<Card>, CliError> {
    let Some(canvas) = subject.canvas else { return Ok(Vec::new()) };
    let budgets = args.epsilons();
    let budget = budgets[budgets.len() / 2];
    let width = subject.images.count() / subject.count();
    let image = |i: usize| &subject.images.as_slice::<f32>()[i * width..(i + 1) * width];
    let stage = |way: Way| found.stages.iter().find(|s| s.way == way && s.epsilon == budget);
    let mut cards = Vec::new();
    for index in 0..subject.count().min(KEPT) {
        let mut pictures = Vec::new();
        let mut show = |name: &str, caption: String, png_base64: String| {
            pictures.push(NamedImage { name: name.into(), caption, png_base64 });
        };
        show("image", String::new(), canvas.image(image(index))?);
        for way in [Way::Leave, Way::Meet] {
            let Some(moved) = stage(way).map(|s| &s.moved[index]) else { continue };
            let Some(changed) = &moved.image else { continue };
            let cosine = if way == Way::Leave { moved.own } else { moved.target };
            let whose = if way == Way::Leave { "its own" } else { "the other" };
            show(way.name(), format!("cosine {} with {whose}", number(cosine, 3)), canvas.image(changed)?);
            let (difference, factor) = canvas.difference(image(index), changed)?;
            show("difference", format!("× {}", number(f64::from(factor), 3)), difference);
        }
        let target = subject.target(index);
        show("the other image", format!("number {target}"), canvas.image(image(target))?);
        cards.push(Card { index, epsilon: budget, pictures });
    }
    Ok(cards)
}

impl EncoderReport {
    /// What was found at the middle budget, in a sentence.
    pub fn sentence(&self) -> String {
        let [noise, leave, meet] = &self.curves[..] else { return String::new() };
        let at = |curve: &'_ Curve| {
            curve.points.get(curve.points.len() / 2).map(|p| (p.epsilon, p.own.mean, p.found_again.value))
        };
        let (Some((budget, cosine, again)), Some((_, _, noisy)), Some(met)) =
            (at(leave), at(noise), meet.points.get(meet.points.len() / 2))
        else {
            return String::new();
        };
        format!(
            "At ε = {} perturbed images keep a cosine of {} with their own embedding, and {} of them are still found among {} \
             images (of those with noise {}); {} can be made nearer to another image than to themselves.",
            epsilon(budget),
            number(cosine, 3),
            percent(again),
            self.images,
            percent(noisy),
            percent(met.taken_over.value)
        )
    }

    /// The report for a terminal.
    pub fn text(&self) -> String {
        self.sentence() + "\n"
    }
}
