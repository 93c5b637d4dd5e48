//! A model from an image and a question to scores of answers, and how questions become its tokens.

use super::args::Padding;
use crate::CliError;
use crate::preprocessing::Preprocessing;
use perturb::graph::{DType, Graph, Tensor};
use perturb::nn::{Evaluator, Examples, Parameters};
use std::collections::HashMap;
use std::path::Path;

/// Questions that are answered at once.
const BATCH: usize = 16;

/// The model, ready to run on many questions.
pub struct Model {
    pub graph: Graph,
    evaluator: Evaluator,
    /// Which input is the image, and which the question.
    image: usize,
    question: usize,
    /// `[channels, height, width]`.
    pub shape: [usize; 3],
    /// Most tokens of a question.
    pub length: usize,
    /// How many answers there are.
    pub answers: usize,
    preprocessing: Option<Preprocessing>,
}

impl Model {
    /// Compiles a graph with one image `[1, C, H, W]` and one question `[1, L]` of integers as inputs.
    ///
    /// # Errors
    /// If the graph is another one, or cannot be compiled.
    pub fn new(graph: Graph, preprocessing: Option<Preprocessing>) -> Result<Model, CliError> {
        let shown: Vec<String> = graph.inputs.iter().map(|i| format!("{}{}", i.dtype(), i.shape())).collect();
        let wrong = || {
            CliError::Usage(format!(
                "--task vqa needs a model with an image [1, channels, height, width] of 32-bit floats and a question [1, tokens] \
                 of integers as inputs, in either order; this one has {}",
                shown.join(", ")
            ))
        };
        let at = |dtype: DType| graph.inputs.iter().position(|i| i.dtype() == dtype);
        let (Some(image), Some(question), 2) = (at(DType::F32), at(DType::I64), graph.inputs.len()) else {
            return Err(wrong());
        };
        let ([1, c, h, w], [1, length]) = (&graph.inputs[image].shape()[..], &graph.inputs[question].shape()[..])
        else {
            return Err(wrong());
        };
        let (shape, length) = ([*c, *h, *w], *length);
        let none = || CliError::Usage("the model has no output: its first one must be scores [1, answers]".into());
        let (name, scores) = graph.outputs.first().ok_or_else(none)?;
        let answers = match scores.shape()[..] {
            [1, answers] if answers > 1 => answers,
            _ => {
                return Err(CliError::Usage(format!(
                    "the model's first output '{name}' has shape {}, not that of scores [1, answers] of two or more answers",
                    scores.shape()
                )));
            }
        };
        if let Some(p) = &preprocessing
            && [&p.mean, &p.std].iter().any(|values| ![1, shape[0]].contains(&values.len()))
        {
            return Err(CliError::Usage(format!(
                "--mean and --std take one value, or {}: one for each channel",
                shape[0]
            )));
        }
        let batched = graph.vmap(BATCH)?;
        let evaluator = Evaluator::new(&batched.inputs, &[batched.outputs[0].1.clone()])?;
        Ok(Model { graph, evaluator, image, question, shape, length, answers, preprocessing })
    }

    /// The number of the answer to each question, given by its tokens, about an image, given by its pixels from 0 to 1.
    ///
    /// # Errors
    /// If the model answers NaN.
    pub fn answer(&self, mut pixels: Vec<f32>, tokens: Vec<i64>) -> Result<Vec<usize>, CliError> {
        let count = tokens.len() / self.length;
        if let Some(p) = &self.preprocessing {
            let area = self.shape[1] * self.shape[2];
            let of = |values: &[f64], channel: usize| values[channel % values.len()] as f32;
            for (plane, values) in pixels.chunks_mut(area).enumerate() {
                let channel = plane % self.shape[0];
                values.iter_mut().for_each(|v| *v = (*v - of(&p.mean, channel)) / of(&p.std, channel));
            }
        }
        let inputs = &self.graph.inputs;
        let name = |i: usize| inputs[i].name().unwrap_or("input").to_string();
        let [pixels, tokens] = [
            Tensor::new::<f32>(inputs[self.image].shape().prepend(count), pixels)?,
            Tensor::new::<i64>(inputs[self.question].shape().prepend(count), tokens)?,
        ];
        // In the order of the graph's inputs.
        let mut columns = vec![(name(self.image), pixels), (name(self.question), tokens)];
        if self.question < self.image {
            columns.reverse();
        }
        let (second, first) = (columns.remove(1), columns.remove(0));
        let examples = Examples::new(&first.0, first.1)?.with(&second.0, second.1)?;
        // A token beyond the model's embeddings is found out only now.
        let outputs = self.evaluator.outputs(&Parameters::of(&self.graph), &examples).map_err(|e| {
            CliError::Usage(format!("the model cannot answer: {e}; is --vocabulary the list of its words?"))
        });
        let scores = outputs?.remove(0).to_f64_vec();
        let best = |row: &[f64]| {
            if row.iter().any(|z| z.is_nan()) {
                return Err(CliError::Usage("the model's scores hold NaN: it cannot be audited".into()));
            }
            Ok((1..row.len()).fold(0, |best, k| if row[k] > row[best] { k } else { best }))
        };
        scores.chunks_exact(self.answers).map(best).collect()
    }
}

/// Words or answers by their numbers, as a file lists them.
pub struct List {
    names: Vec<String>,
    numbers: HashMap<String, usize>,
}

impl List {
    /// Reads a file with a name on each line.
    ///
    /// # Errors
    /// If it was not given or cannot be read.
    pub fn read(option: &str, path: Option<&Path>) -> Result<List, CliError> {
        let path =
            path.ok_or_else(|| CliError::Usage(format!("--task vqa needs {option} FILE, with a name on each line")))?;
        let text = std::fs::read_to_string(path).map_err(|source| crate::file("read", path, source))?;
        Ok(List::of(text.lines().map(|line| line.trim().to_lowercase()).collect()))
    }

    fn of(names: Vec<String>) -> List {
        let numbers = names.iter().enumerate().rev().map(|(i, name)| (name.clone(), i)).collect();
        List { names, numbers }
    }

    pub fn len(&self) -> usize {
        self.names.len()
    }

    pub fn name(&self, number: usize) -> &str {
        &self.names[number]
    }

    pub fn number(&self, name: &str) -> Option<usize> {
        self.numbers.get(&name.to_lowercase()).copied()
    }

    /// The tokens of a question, filled up with 0; or why there are none.
    pub fn tokens(&self, text: &str, length: usize, padding: Padding) -> Result<Vec<i64>, String> {
        let words = text.to_lowercase().replace(['?', ',', '.', '!'], " ");
        let unknown = self.number("<unk>");
        let number = |word: &str| self.number(word).or(unknown).map(|n| n as i64);
        let tokens: Vec<i64> = words
            .split_whitespace()
            .map(|word| number(word).ok_or_else(|| "a word is not in the vocabulary".to_string()))
            .collect::<Result<_, _>>()?;
        if tokens.len() > length {
            return Err("the question is longer than the model takes".into());
        }
        let filling = std::iter::repeat_n(0, length - tokens.len());
        Ok(match padding {
            Padding::End => tokens.into_iter().chain(filling).collect(),
            Padding::Front => filling.chain(tokens.iter().copied()).collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_become_tokens() {
        let words = List::of(["", "is", "there", "a", "cat"].map(String::from).to_vec());
        let tokens = |text: &str, padding| words.tokens(text, 6, padding);
        assert_eq!(tokens("Is there a cat?", Padding::End), Ok(vec![1, 2, 3, 4, 0, 0]));
        assert_eq!(tokens("a Cat, is there", Padding::Front), Ok(vec![0, 0, 3, 4, 1, 2]));
        assert!(tokens("Is there a dog?", Padding::End).unwrap_err().contains("vocabulary"));
        assert!(tokens("is is is is is is is", Padding::End).unwrap_err().contains("longer"));
        let words = List::of(["", "<unk>", "is"].map(String::from).to_vec());
        assert_eq!(words.tokens("is dog", 2, Padding::End), Ok(vec![2, 1]));
    }
}
