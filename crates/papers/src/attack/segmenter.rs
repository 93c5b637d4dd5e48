//! A small network that tells, place by place, what object of a `shapes` picture is there.

use crate::RunError;
use perturb_data::worlds::shapes::{Scenes, ShapeKind};
use perturb_engine::{Executable, Options};
use perturb_graph::{Conv, DType, Expr, Graph, Tensor};
use perturb_nn::{Adam, Examples, Initializer, Layers, Shuffled, Step, Trainer, losses};

const SIDE: usize = 32;
/// Classes are told on a grid of half the side.
const GRID: usize = SIDE / 2;
const KINDS: [ShapeKind; 3] = [ShapeKind::Circle, ShapeKind::Triangle, ShapeKind::Cross];
/// Backdrop and kinds.
const CLASSES: usize = 1 + KINDS.len();
const BATCH: usize = 50;
/// What is left of the world's contrast, so that small perturbations are not nothing beside it.
const CONTRAST: f32 = 0.3;

/// Pictures of one or two objects.
pub(super) struct Pictures {
    /// `[N, 3, 32, 32]`.
    pub images: Tensor,
    /// Classes `[N, 16, 16]`.
    pub classes: Tensor,
}

impl Pictures {
    pub fn draw(seed: u64, count: usize) -> Result<Pictures, RunError> {
        let kinds = KINDS.map(|kind| (kind, 1.0)).to_vec();
        let mut set = Scenes { size: SIDE, objects: [1, 2], kinds, ..Scenes::default() }.dataset(seed, count)?;
        set.images.as_mut_slice::<f32>().iter_mut().for_each(|v| *v = 0.5 + CONTRAST * (*v - 0.5));
        let visible = set.visible.as_slice::<f32>().chunks_exact(2 * SIDE * SIDE);
        let mut classes = Vec::with_capacity(count * GRID * GRID);
        for (planes, scene) in visible.zip(&set.scenes) {
            for at in (0..GRID * GRID).map(|i| 2 * (i / GRID) * SIDE + 2 * (i % GRID)) {
                let there = |&i: &usize| planes[i * SIDE * SIDE + at] > 0.5;
                let object = (0..scene.objects.len()).find(there).map(|i| scene.objects[i].kind);
                let class = object.and_then(|kind| KINDS.iter().position(|&k| k == kind)).map_or(0, |k| k + 1);
                classes.push(class as i64);
            }
        }
        Ok(Pictures { images: set.images, classes: Tensor::new([count, GRID, GRID], classes)? })
    }
}

/// The network.
pub(super) struct Segmenter {
    /// One image `[1, 3, 32, 32]` to logits `[1, 4, 16, 16]`.
    pub graph: Graph,
}

impl Segmenter {
    pub fn train(pictures: &Pictures, epochs: usize, seed: u64) -> Result<Segmenter, RunError> {
        let layers = Layers::new(Initializer::he(seed));
        let logits = |image: &Expr| {
            let image = image.offset(-0.5).scale(3.0 / f64::from(CONTRAST));
            let conv = |name: &str, x: &Expr, out, window, stride| {
                layers.at(name).conv2d(x, out, window, Conv::same().stride(stride))
            };
            let first = conv("conv1", &image, 16, 5, 2).relu();
            let third = conv("conv3", &conv("conv2", &first, 24, 3, 1).relu(), 24, 3, 1).relu();
            conv("classes", &third, CLASSES, 3, 1)
        };
        let mut step = Step::new();
        let image = step.input("image", [BATCH, 3, SIDE, SIDE], DType::F32);
        let class = step.input("class", [BATCH, GRID, GRID], DType::I64);
        let places = BATCH * GRID * GRID;
        let rows = logits(&image).transpose(&[0, 2, 3, 1]).reshape([places, CLASSES]);
        step.minimize(losses::cross_entropy_of_labels(&rows, &class.reshape([places])));
        let examples = Examples::new("image", pictures.images.clone())?.with("class", pictures.classes.clone())?;
        let trainer = Trainer { epochs, seed, ..Trainer::with(Adam { learning_rate: 3e-3, ..Adam::default() }) };
        let trained = trainer.fit(step, &Shuffled::new(examples, BATCH)?, &mut [])?;
        let x = Expr::input("image", [1, 3, SIDE, SIDE], DType::F32);
        let graph = Graph::new(vec![x.clone()], vec![("logits".into(), logits(&x))])?;
        Ok(Segmenter { graph: trained.parameters.bind(&graph)? })
    }

    /// Intersection over union of `images` and the pictures' truth, mean over classes.
    pub fn mean_iou(&self, images: &Tensor, truth: &Tensor) -> Result<f64, RunError> {
        let exe = Executable::of(&self.graph.vmap(images.shape()[0])?, &Options::default())?;
        let logits = exe.run(&[&images.reshape(&exe.input_shapes().next().ok_or_else(no_input)?[..])?])?.remove(0);
        let area = GRID * GRID;
        let (mut common, mut either) = ([0.0; CLASSES], [0.0; CLASSES]);
        let rows =
            logits.as_slice::<f32>().chunks_exact(CLASSES * area).zip(truth.as_slice::<i64>().chunks_exact(area));
        for (z, truth) in rows {
            for (at, &class) in truth.iter().enumerate() {
                let score = |k: usize| z[k * area + at];
                let told = (0..CLASSES).fold(0, |best, k| if score(k) > score(best) { k } else { best });
                let class = class as usize;
                either[told] += 1.0;
                if told == class {
                    common[class] += 1.0;
                } else {
                    either[class] += 1.0;
                }
            }
        }
        Ok((0..CLASSES).map(|k| if either[k] > 0.0 { common[k] / either[k] } else { 0.0 }).sum::<f64>()
            / CLASSES as f64)
    }
}

fn no_input() -> RunError {
    RunError::Measurement("the network has no input".into())
}
