//! Networks whose features tell how alike images look.

use super::subjects::{BATCH, CLASSES, cifar};
use crate::training::Fit;
use crate::{Run, RunError};
use perturb_attack::perceptual::Lpips;
use perturb_graph::{Conv, DType, Expr, Graph};
use perturb_nn::{Initializer, Layers, Parameters, flatten};

/// How a network sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sight {
    /// Three convolutions of 3×3.
    Fine,
    /// Two convolutions of 5×5.
    Coarse,
}

impl Sight {
    /// Channels, window and stride of the layers.
    fn sizes(self) -> &'static [(usize, usize, usize)] {
        match self {
            Sight::Fine => &[(12, 3, 1), (24, 3, 2), (32, 3, 2)],
            Sight::Coarse => &[(16, 5, 2), (32, 5, 2)],
        }
    }

    fn maps(self, layers: &Layers, image: &Expr) -> Vec<Expr> {
        let mut maps = Vec::new();
        let mut x = image.offset(-0.5).scale(4.0);
        for (k, &(channels, window, stride)) in self.sizes().iter().enumerate() {
            x = layers.at(format!("conv{k}")).conv2d(&x, channels, window, Conv::same().stride(stride)).relu();
            maps.push(x.clone());
        }
        maps
    }
}

/// A network trained to classify CIFAR-10.
pub(super) struct Perceiver {
    sight: Sight,
    parameters: Parameters,
}

impl Perceiver {
    /// Trains it on so many images.
    pub fn train(run: &Run, sight: Sight, images: usize, epochs: usize) -> Result<Perceiver, RunError> {
        let data = cifar(run, [images, 1])?;
        let layers = Layers::new(Initializer::he(run.seed));
        let x = Expr::input("image", [1, 3, 32, 32], DType::F32);
        let maps = sight.maps(&layers, &x);
        let logits = layers.at("fc").linear(&flatten(&maps[maps.len() - 1]), CLASSES);
        let graph = Graph::new(vec![x], vec![("logits".into(), logits)])?;
        let fit = Fit { batch: BATCH, classes: CLASSES, epochs, seed: run.seed, hook: None };
        let trained = fit.run(&graph, &data.train, &data.train_labels, |_| ())?;
        Ok(Perceiver { sight, parameters: Parameters::of(&trained) })
    }

    /// Numbers of channels of the feature maps.
    pub fn channels(&self) -> Vec<usize> {
        self.sight.sizes().iter().map(|(channels, ..)| *channels).collect()
    }

    /// The distance of its features, for images `[C, H, W]` of one or three channels.
    pub fn lpips(&self, [c, h, w]: [usize; 3], weights: Option<Vec<Vec<f64>>>) -> Result<Lpips, RunError> {
        let x = Expr::input("image", [1, c, h, w], DType::F32);
        let maps = self.sight.maps(&Layers::new(Initializer::he(0)), &x.try_broadcast_to([1, 3, h, w])?);
        let outputs = maps.into_iter().enumerate().map(|(k, map)| (format!("map {k}"), map)).collect();
        let graph = self.parameters.bind(&Graph::new(vec![x], outputs)?)?;
        Ok(Lpips::new(&graph, weights)?)
    }
}
