//! The questions, their contrasts, and the images that they are about.

use super::QuestionArgs;
use crate::CliError;
use crate::{audit::AuditArgs, file};
use perturb::attack::contrast::gqa::{Gqa, GqaError, NoContrast};
use perturb::attack::contrast::{AtomKind, Atoms, contrast_set};
use perturb::data::load_image;
use perturb::data::worlds::shapes::{Question, Scene, Scenes};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Scenes of the procedural world unless `--limit` says otherwise.
const SCENES: usize = 200;

/// A question with its contrasts.
#[derive(Clone, Debug, PartialEq)]
pub struct Asked {
    /// Which of the images it is about.
    pub image: usize,
    pub text: String,
    pub answer: String,
    /// Changed questions, their answers, and what was replaced.
    pub contrasts: Vec<(String, String, AtomKind)>,
}

/// What is asked.
pub struct Quiz {
    pub images: Images,
    /// Those that have contrasts.
    pub asked: Vec<Asked>,
    /// Questions that were left out, by reason.
    pub skipped: BTreeMap<String, usize>,
    /// Contrasts of the others that were left out, by reason.
    pub skipped_contrasts: BTreeMap<String, usize>,
    pub source: String,
}

/// Images of one shape.
pub enum Images {
    Scenes(Vec<Scene>),
    Files(Vec<PathBuf>),
}

impl Quiz {
    /// The questions that the options name, about images of `[channels, height, width]`.
    ///
    /// # Errors
    /// If files cannot be read or are not in GQA's format, or options are missing.
    pub fn load(args: &AuditArgs, shape: [usize; 3]) -> Result<Quiz, CliError> {
        let options = &args.questions;
        let Some(scenes) = &options.scenes else {
            let message =
                "--task vqa needs scenes: --scenes FILE with --questions FILE and --data FOLDER, or --scenes shapes";
            return Err(CliError::Usage(message.into()));
        };
        if scenes.as_os_str() == "shapes" {
            return Quiz::of_shapes(args, shape);
        }
        let (Some(questions), Some(data)) = (&options.questions, &args.data) else {
            let message = "scene graphs need --questions FILE and --data FOLDER, where the images lie by their numbers";
            return Err(CliError::Usage(message.into()));
        };
        Quiz::of_gqa(args, options, (scenes, questions, data))
    }

    fn of_shapes(args: &AuditArgs, [channels, height, width]: [usize; 3]) -> Result<Quiz, CliError> {
        if channels != 3 || height != width || args.questions.questions.is_some() || args.data.is_some() {
            return Err(CliError::Usage(format!(
                "--scenes shapes draws square images in colour and its own questions: the model takes {channels} × {height} × \
                 {width}; leave --questions and --data out"
            )));
        }
        let world = Scenes { size: height, ..Scenes::default() };
        let mut rng = ChaCha8Rng::seed_from_u64(args.seed);
        let (mut scenes, mut asked, mut skipped) = (Vec::new(), Vec::new(), BTreeMap::new());
        for index in 0..args.limit.unwrap_or(SCENES) {
            let scene = world.scene(args.seed, index as u64).map_err(|e| CliError::Usage(e.to_string()))?;
            let graph = scene.graph();
            let drawn = Question::draw(&graph, &mut rng).and_then(|q| Some((q, q.answer(&graph).ok()?)));
            let Some((question, answer)) = drawn else {
                *skipped.entry("the scene allows no question of the form that was drawn".to_string()).or_default() += 1;
                continue;
            };
            let set = contrast_set(&graph, &question, &Atoms::default(), args.questions.contrasts, &mut rng);
            if set.is_empty() {
                *skipped.entry(NoContrast::Answer.to_string()).or_default() += 1;
                continue;
            }
            let contrasts = set.iter().map(|c| (c.question.to_string(), c.answer.to_string(), c.replaced)).collect();
            let (text, answer) = (question.to_string(), answer.to_string());
            asked.push(Asked { image: scenes.len(), text, answer, contrasts });
            scenes.push(scene);
        }
        let (images, source) = (Images::Scenes(scenes), "the procedural world shapes".into());
        Ok(Quiz { images, asked, skipped, skipped_contrasts: BTreeMap::new(), source })
    }

    fn of_gqa(
        args: &AuditArgs,
        options: &QuestionArgs,
        (scenes, questions, data): (&Path, &Path, &Path),
    ) -> Result<Quiz, CliError> {
        let text = |path: &Path| std::fs::read_to_string(path).map_err(|source| file("read", path, source));
        let gqa = Gqa::read(&text(scenes)?, &text(questions)?).map_err(|e| {
            let path = if matches!(e, GqaError::Scenes(_)) { scenes } else { questions };
            CliError::Usage(format!("{}: {e}", path.display()))
        })?;
        let (mut skipped, mut rng) = (gqa.skipped().clone(), ChaCha8Rng::seed_from_u64(args.seed));
        let (mut files, mut places, mut asked) = (Vec::new(), BTreeMap::new(), Vec::new());
        for question in gqa.questions().iter().take(args.limit.unwrap_or(usize::MAX)) {
            let set = match gqa.contrast_set(question, options.contrasts, &mut rng) {
                Ok(set) => set,
                Err(reason) => {
                    *skipped.entry(reason.to_string()).or_default() += 1;
                    continue;
                }
            };
            let image = match places.get(&question.image) {
                Some(&place) => place,
                None => {
                    files.push(image_file(data, &question.image)?);
                    places.insert(question.image.clone(), files.len() - 1);
                    files.len() - 1
                }
            };
            let contrasts = set.into_iter().map(|c| (c.text, c.answer.to_string(), c.replaced)).collect();
            asked.push(Asked { image, text: question.text.clone(), answer: question.answer.to_string(), contrasts });
        }
        let (images, source) = (Images::Files(files), questions.display().to_string());
        Ok(Quiz { images, asked, skipped, skipped_contrasts: BTreeMap::new(), source })
    }
}

fn image_file(folder: &Path, number: &str) -> Result<PathBuf, CliError> {
    let files = ["jpg", "png", "jpeg"].map(|ending| folder.join(format!("{number}.{ending}")));
    files.into_iter().find(|path| path.is_file()).ok_or_else(|| {
        CliError::Usage(format!(
            "{} has no image {number}.jpg or {number}.png, which a question is about",
            folder.display()
        ))
    })
}

impl Images {
    /// The values of an image `[channels, height, width]`, from 0 to 1.
    ///
    /// # Errors
    /// If a file cannot be read, or is of another size.
    pub fn values(&self, index: usize, shape: [usize; 3]) -> Result<Vec<f32>, CliError> {
        let image = match self {
            Images::Scenes(scenes) => scenes[index].render(shape[1]).image,
            Images::Files(files) => {
                let (path, image) = (&files[index], load_image(&files[index], Some(shape[0]))?);
                if image.shape()[1..] != shape {
                    return Err(CliError::Usage(format!(
                        "{} is {} × {} pixels, the model takes {} × {}: resize the images",
                        path.display(),
                        image.shape()[2],
                        image.shape()[3],
                        shape[1],
                        shape[2]
                    )));
                }
                image
            }
        };
        Ok(image.as_slice::<f32>().to_vec())
    }
}
