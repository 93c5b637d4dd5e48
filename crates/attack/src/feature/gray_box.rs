//! Attacks on a model of images and text through its image encoder alone.

use super::{Rise, Similarity, encode, single};
use crate::{Ascent, AttackError, Ball, Seed, Start};
use perturb_graph::{DType, Expr, Graph, Tensor};

/// The gray-box attack of Lapid and Sipper (2023): moves an image until its embedding leaves that of the clean image, or
/// meets that of another. Whatever decodes embeddings into text is never run, so one perturbation is for all decoders.
///
/// Without a target the search must start at random: at the image itself the similarity has no slope.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GrayBox {
    /// What is lowered or raised.
    pub similarity: Similarity,
    /// How.
    pub rise: Rise,
}

impl Default for GrayBox {
    /// The cosine; 40 steps of ε/16 from a uniform start.
    fn default() -> Self {
        let ascent =
            Ascent { name: "gray-box", steps: 40, relative_step: 1.0 / 16.0, start: Start::Uniform, ..Ascent::bim() };
        GrayBox { similarity: Similarity::Cosine, rise: Rise { ascent, batch: 16 } }
    }
}

impl GrayBox {
    /// Images of the ball around `images [N, C, H, W]` whose embeddings are unlike those of the images.
    ///
    /// # Errors
    /// If the encoder does not map one image to one embedding, an image leaves the ball's bounds, or a hyperparameter is
    /// out of its range.
    pub fn leave(&self, encoder: &Graph, images: &Tensor, ball: &Ball, seed: &Seed) -> Result<Tensor, AttackError> {
        self.run(encoder, images, images, ball, seed, -1.0)
    }

    /// Images of the ball around `images [N, C, H, W]` whose embeddings are like those of `targets`, one for each.
    ///
    /// # Errors
    /// As for [`GrayBox::leave`], and if the targets are not of the images' shape.
    pub fn meet(
        &self,
        encoder: &Graph,
        images: &Tensor,
        targets: &Tensor,
        ball: &Ball,
        seed: &Seed,
    ) -> Result<Tensor, AttackError> {
        self.run(encoder, images, targets, ball, seed, 1.0)
    }

    fn run(
        &self,
        encoder: &Graph,
        images: &Tensor,
        references: &Tensor,
        ball: &Ball,
        seed: &Seed,
        sign: f64,
    ) -> Result<Tensor, AttackError> {
        let shape = single(images)?;
        let [x, reference] = ["image", "reference"].map(|name| Expr::input(name, shape, DType::F32));
        let score = self.similarity.of(&encode(encoder, &x)?, &encode(encoder, &reference)?).scale(sign);
        let score = Graph::new(vec![x, reference], vec![("score".into(), score)])?;
        self.rise.run(&score, images, Some(references), ball, seed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Norm;

    // The encoder x ↦ A·x of 2×2 images. With the squared distance the best point of the ball is at one of its corners,
    // for a distance that is convex in x.
    #[test]
    fn the_farthest_corner_is_found() {
        let a = [1.0f32, 0.2, -0.3, 0.1, 0.0, 1.0, 0.5, -0.2];
        let x = Expr::input("x", [1, 1, 2, 2], DType::F32);
        let weights = Expr::constant(Tensor::new([2, 4], a.to_vec()).unwrap());
        let embedding = x.reshape([1, 4]).matmul(&weights.transpose(&[1, 0]));
        let encoder = Graph::new(vec![x], vec![("embedding".into(), embedding)]).unwrap();
        let images = Tensor::full([3, 1, 2, 2], 0.5f32);
        let ball = Ball::new(Norm::Linf, 0.1, (0.0, 1.0)).unwrap();
        let attack = GrayBox { similarity: Similarity::SquaredDistance, ..GrayBox::default() };
        let found = attack.leave(&encoder, &images, &ball, &Seed::new(3, 0)).unwrap();
        let length = |d: &[f32]| -> f32 {
            a.chunks(4).map(|row| row.iter().zip(d).map(|(a, d)| a * d).sum::<f32>().powi(2)).sum()
        };
        let corners = (0..16).map(|bits: i32| [0, 1, 2, 3].map(|i| if bits >> i & 1 == 1 { 0.1 } else { -0.1 }));
        let lengths: Vec<f32> = corners.map(|d| length(&d)).collect();
        let best = lengths.iter().copied().fold(0.0, f32::max);
        for row in found.as_slice::<f32>().chunks(4) {
            let d: Vec<f32> = row.iter().map(|v| v - 0.5).collect();
            assert!(d.iter().all(|d| (d.abs() - 0.1).abs() < 1e-5), "{d:?}");
            // From some starts the ascent ends at a corner that is best only locally.
            assert!(length(&d) > 0.5 * best, "{} of {best}", length(&d));
        }
        // Towards the embedding of an image in the ball: there.
        let mut goal = images.clone();
        goal.as_mut_slice::<f32>().iter_mut().zip([0.05, -0.05, 0.02, 0.0].iter().cycle()).for_each(|(v, d)| *v += d);
        let ascent = Ascent { relative_step: 0.01, steps: 200, ..attack.rise.ascent };
        let attack = GrayBox { rise: Rise { ascent, ..attack.rise }, ..attack };
        let met = attack.meet(&encoder, &images, &goal, &ball, &Seed::new(3, 0)).unwrap();
        let pairs = met.as_slice::<f32>().chunks(4).zip(goal.as_slice::<f32>().chunks(4));
        for (row, goal) in pairs {
            let d: Vec<f32> = row.iter().zip(goal).map(|(a, b)| a - b).collect();
            assert!(length(&d) < 1e-5, "{d:?}");
        }
    }
}
