//! A network that answers questions about pictures: a detector of objects, and a reader of the question that tells it what
//! to look for.

use crate::RunError;
use perturb_data::worlds::shapes::{Color, Scene, ShapeKind};
use perturb_graph::{Conv, DType, Expr, Tensor};
use perturb_nn::{Adam, Cell, Evaluator, Examples, Initializer, Layers, Parameters, Shuffled, Step, Trainer, losses};

/// What pictures show.
pub(super) const KINDS: [ShapeKind; 6] =
    [ShapeKind::Circle, ShapeKind::Square, ShapeKind::Triangle, ShapeKind::Star, ShapeKind::Cross, ShapeKind::Ring];
pub(super) const COLORS: [Color; 4] = [Color::Red, Color::Yellow, Color::Green, Color::Blue];
/// Side of a picture.
pub(super) const SIDE: usize = 24;
/// Words of a question.
pub(super) const WORDS: usize = 8;
const BATCH: usize = 64;

/// What stands where: probabilities `[N, 16, 6, 6]` that the centre of an object of each kind and colour lies in a cell.
pub(super) struct Detector {
    evaluator: Evaluator,
    parameters: Parameters,
}

const CELLS: usize = SIDE / 4;
const CLASSES: usize = KINDS.len() * COLORS.len();

impl Detector {
    pub fn fit(scenes: &[Scene], epochs: usize, seed: u64) -> Result<Detector, RunError> {
        let layers = Layers::new(Initializer::he(seed));
        let mut step = Step::new();
        let image = step.input("image", [BATCH, 3, SIDE, SIDE], DType::F32);
        let truth = step.input("truth", [BATCH, CLASSES, CELLS, CELLS], DType::F32);
        // Most of a picture is dark.
        let seen = image.offset(-0.4).scale(3.0);
        let seen = layers.at("conv1").conv2d(&seen, 16, 3, Conv::same().stride(2)).relu();
        let seen = layers.at("conv2").conv2d(&seen, 32, 3, Conv::same().stride(2)).relu();
        let seen = layers.at("conv3").conv2d(&seen, 32, 3, Conv::same()).relu();
        let logits = layers.at("cells").conv2d(&seen, CLASSES, 1, Conv::same());
        step.minimize(losses::binary_cross_entropy(&logits, &truth));
        let truths: Vec<f32> = scenes.iter().flat_map(cells).collect();
        let truths = Tensor::new([scenes.len(), CLASSES, CELLS, CELLS], truths)?;
        let examples = Examples::new("image", images(scenes)?)?.with("truth", truths)?;
        let trainer = Trainer { epochs, seed, ..Trainer::with(Adam { learning_rate: 3e-3, ..Adam::default() }) };
        let parameters = trainer.fit(step, &Shuffled::new(examples, BATCH)?, &mut [])?.parameters;
        Ok(Detector { evaluator: Evaluator::new(&[image], &[logits.sigmoid()])?, parameters })
    }

    /// Share of objects whose kind and colour are the likeliest in the cell of their centre.
    pub fn accuracy(&self, scenes: &[Scene]) -> Result<f64, RunError> {
        const AREA: usize = CELLS * CELLS;
        let seen = self.see(scenes)?;
        let (mut right, mut all) = (0, 0);
        for (scene, seen) in scenes.iter().zip(seen.as_slice::<f32>().chunks_exact(CLASSES * AREA)) {
            for at in cells(scene).into_iter().enumerate().filter(|(_, truth)| *truth == 1.0).map(|(at, _)| at) {
                let others = (0..CLASSES).map(|class| seen[class * AREA + at % AREA]);
                right += usize::from(others.fold(0.0, f32::max) == seen[at]);
                all += 1;
            }
        }
        Ok(right as f64 / f64::from(all))
    }

    pub fn see(&self, scenes: &[Scene]) -> Result<Tensor, RunError> {
        Ok(self.evaluator.outputs(&self.parameters, &Examples::new("image", images(scenes)?)?)?.remove(0))
    }
}

fn images(scenes: &[Scene]) -> Result<Tensor, RunError> {
    let values = scenes.iter().flat_map(|scene| scene.render(SIDE).image.as_slice::<f32>().to_vec()).collect();
    Ok(Tensor::new([scenes.len(), 3, SIDE, SIDE], values)?)
}

/// 1 where the centre of an object of a kind and colour lies.
fn cells(scene: &Scene) -> Vec<f32> {
    let mut cells = vec![0.0; CLASSES * CELLS * CELLS];
    for object in &scene.objects {
        let place = |v: f32| ((v * CELLS as f32) as usize).min(CELLS - 1);
        let kind = KINDS.iter().position(|&kind| kind == object.kind).unwrap_or(0);
        let color = COLORS.iter().position(|&color| color == object.color()).unwrap_or(0);
        cells[((kind * COLORS.len() + color) * CELLS + place(object.y)) * CELLS + place(object.x)] = 1.0;
    }
    cells
}

/// A recurrent reader of the question, whose state scales and shifts what is made of the detector's cells.
pub(super) struct Network {
    evaluator: Evaluator,
    parameters: Parameters,
}

impl Network {
    fn logits(layers: &Layers, seen: &Expr, question: &Expr, words: usize) -> Result<Expr, RunError> {
        let embedded = layers.at("words").embedding(question, words, 16);
        let (_, state) = layers.at("reader").recurrent(&embedded, Cell::Gru, 48, 0)?;
        // Where things are: two more channels.
        let axis: Vec<f64> = (0..CELLS).map(|i| 2.0 * (i as f64 + 0.5) / CELLS as f64 - 1.0).collect();
        let axis = Expr::constant(Tensor::from_f64([CELLS], DType::F32, axis)?);
        let columns = axis.broadcast_to([seen.shape()[0], 1, CELLS, CELLS]);
        let rows = columns.transpose(&[0, 1, 3, 2]);
        let mut seen = Expr::concat(&[seen.clone(), columns, rows], 1);
        for block in ["first", "second"] {
            let at = layers.at(block);
            seen = at.at("film").film(&at.at("conv").conv2d(&seen, 32, 1, Conv::same()), &state[0]).relu();
        }
        let pooled = seen.reduce_max(&[2, 3], false);
        Ok(layers.at("head").mlp(&Expr::concat(&[pooled, state[0].clone()], 1), &[48, 2], Expr::relu))
    }

    pub fn fit(examples: Examples, words: usize, epochs: usize, seed: u64) -> Result<Network, RunError> {
        let layers = Layers::new(Initializer::he(seed));
        let mut step = Step::new();
        let seen = step.input("seen", [BATCH, CLASSES, CELLS, CELLS], DType::F32);
        let question = step.input("question", [BATCH, WORDS], DType::I64);
        let answer = step.input("answer", [BATCH], DType::I64);
        let logits = Network::logits(&layers, &seen, &question, words)?;
        step.minimize(losses::cross_entropy_of_labels(&logits, &answer));
        let trainer = Trainer { epochs, seed, ..Trainer::with(Adam { learning_rate: 3e-3, ..Adam::default() }) };
        let trained = trainer.fit(step, &Shuffled::new(examples, BATCH)?, &mut [])?;
        let evaluator = Evaluator::new(&[seen, question], &[logits])?;
        Ok(Network { evaluator, parameters: trained.parameters })
    }

    /// Which of the examples are answered rightly.
    pub fn right(&self, examples: &Examples) -> Result<Vec<bool>, RunError> {
        let logits = self.evaluator.outputs(&self.parameters, examples)?.remove(0);
        let missing = || RunError::Measurement("the examples have no answers".into());
        let answers = examples.column("answer").ok_or_else(missing)?;
        let rows = logits.as_slice::<f32>().chunks_exact(2).zip(answers.as_slice::<i64>());
        Ok(rows.map(|(z, &answer)| (z[1] > z[0]) == (answer == 1)).collect())
    }
}
