//! Options of `perturb audit --task vqa`.

use crate::parse;
use std::path::PathBuf;

/// Options of `perturb audit --task vqa`.
#[derive(clap::Args, Debug, Clone)]
#[group(skip)]
pub struct QuestionArgs {
    /// With `--task vqa`: scene graphs of the images in --data, in GQA's format (`val_sceneGraphs.json`); or `shapes`, for
    /// scenes and questions of the procedural world.
    #[arg(long, value_name = "FILE|shapes", help_heading = "Questions about images (--task vqa)")]
    pub scenes: Option<PathBuf>,
    /// Questions with their programs, in GQA's format (`val_balanced_questions.json`).
    #[arg(long, value_name = "FILE", requires = "scenes", help_heading = "Questions about images (--task vqa)")]
    pub questions: Option<PathBuf>,
    /// Words of the questions, one a line, in the order of the model's token numbers from 0; `<unk>` stands for others.
    #[arg(long, value_name = "FILE", requires = "scenes", help_heading = "Questions about images (--task vqa)")]
    pub vocabulary: Option<PathBuf>,
    /// Answers, one a line, in the order of the model's scores.
    #[arg(long, value_name = "FILE", requires = "scenes", help_heading = "Questions about images (--task vqa)")]
    pub answers: Option<PathBuf>,
    /// Where token 0 fills up a question that is shorter than the model's input.
    #[arg(long, value_name = "SIDE", default_value = "end", help_heading = "Questions about images (--task vqa)")]
    pub padding: Padding,
    /// Most changed questions for each question.
    #[arg(
        long,
        value_name = "N",
        default_value = "3",
        value_parser = parse::count,
        help_heading = "Questions about images (--task vqa)"
    )]
    pub contrasts: usize,
}

/// Where a question is filled up.
#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Padding {
    /// Behind its words.
    End,
    /// Before them.
    Front,
}
