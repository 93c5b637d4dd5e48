//! A targeted attack on embeddings that carries over to encoders it has not seen.

use super::{Rise, Similarity, encode, single};
use crate::views::LocalCrop;
use crate::{Ascent, AttackError, Ball, Seed, Start};
use perturb_graph::{DType, Expr, Graph, Tensor};

/// M-Attack (Li et al. 2025): each step takes a random local crop of the image and one of the target image, both resized,
/// and raises the mean cosine of their embeddings over several surrogate encoders. Crops that overlap differently at each
/// step make the perturbation carry the target's semantics at every scale and place, in place of what one encoder sees in
/// one view.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MAttack {
    /// Crops of the image; if none, all of it.
    pub source_crop: Option<LocalCrop>,
    /// Crops of the target image; if none, all of it.
    pub target_crop: Option<LocalCrop>,
    /// How.
    pub rise: Rise,
}

const NAME: &str = "M-Attack";

impl Default for MAttack {
    /// Crops of 0.5 to 0.9 of the area; 300 steps of ε/8 from the image, of 1/255 for ε = 8/255.
    fn default() -> Self {
        let crop = Some(LocalCrop::new([0.5, 0.9]));
        let ascent = Ascent { name: NAME, steps: 300, relative_step: 1.0 / 8.0, start: Start::Center, ..Ascent::bim() };
        MAttack { source_crop: crop, target_crop: crop, rise: Rise { ascent, batch: 16 } }
    }
}

impl MAttack {
    /// Images of the ball around `images [N, C, H, W]` that encoders take for `targets`, one for each. An encoder is a graph
    /// from one image `[1, C, H, W]` to one embedding.
    ///
    /// # Errors
    /// If there is no encoder, one does not map one image to one embedding, targets are not of the images' shape, an image
    /// leaves the ball's bounds, or a hyperparameter is out of its range.
    pub fn run(
        &self,
        encoders: &[Graph],
        images: &Tensor,
        targets: &Tensor,
        ball: &Ball,
        seed: &Seed,
    ) -> Result<Tensor, AttackError> {
        if encoders.is_empty() {
            return Err(AttackError::Model { reason: "there is no surrogate encoder".into() });
        }
        let shape = single(images)?;
        let [x, target] = ["image", "target"].map(|name| Expr::input(name, shape, DType::F32));
        let key = Expr::input("key", [2], DType::I64);
        let keys = key.try_random_split(2)?;
        let view = |crop: Option<LocalCrop>, image: &Expr, i: usize| match crop {
            Some(crop) => {
                crop.check(NAME)?;
                Ok(crop.apply(image, &keys.slice_axis(0, i, i + 1).reshape([2]))?)
            }
            None => Ok::<Expr, AttackError>(image.clone()),
        };
        let (seen, wanted) = (view(self.source_crop, &x, 0)?, view(self.target_crop, &target, 1)?);
        let cosine = |encoder: &Graph| -> Result<Expr, AttackError> {
            Ok(Similarity::Cosine.of(&encode(encoder, &seen)?, &encode(encoder, &wanted)?))
        };
        let cosines = encoders.iter().map(cosine).collect::<Result<Vec<Expr>, _>>()?;
        let score = Expr::try_concat(&cosines, 1)?.reduce_mean(&[1], true);
        let random = self.source_crop.is_some() || self.target_crop.is_some();
        let inputs = if random { vec![x, target, key] } else { vec![x, target] };
        let score = Graph::new(inputs, vec![("score".into(), score)])?;
        self.rise.run(&score, images, Some(targets), ball, seed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Norm;
    use perturb_graph::eval;

    // The embedding is the mean colour and its spread over halves, which crops leave almost as it is.
    fn encoder(gain: f32) -> Graph {
        let x = Expr::input("x", [1, 2, 4, 4], DType::F32);
        let means = x.offset(-0.5).reduce_mean(&[2, 3], false).scale(f64::from(gain));
        Graph::new(vec![x], vec![("embedding".into(), means)]).unwrap()
    }

    fn cosine(a: &Tensor, b: &Tensor) -> f32 {
        let embed = |t: &Tensor| encode(&encoder(1.0), &Expr::constant(t.clone())).unwrap();
        let found = eval(&[Similarity::Cosine.of(&embed(a), &embed(b))], &[]).unwrap().remove(0);
        found.as_slice::<f32>()[0]
    }

    // Means move freely within ε: the wanted direction (−1, 1) is reached from (1, 1) once the first mean has fallen by
    // twice its height, which is within the ball here; the best cosine is 1.
    #[test]
    fn embeddings_meet_those_of_the_targets() {
        let image = Tensor::full([1, 2, 4, 4], 0.52f32);
        let values: Vec<f32> = (0..32).map(|i| if i < 16 { 0.3 } else { 0.7 }).collect();
        let target = Tensor::new([1, 2, 4, 4], values).unwrap();
        let ball = Ball::new(Norm::Linf, 0.1, (0.0, 1.0)).unwrap();
        let ascent = Ascent { steps: 60, ..MAttack::default().rise.ascent };
        let attack = MAttack { rise: Rise { ascent, batch: 1 }, ..MAttack::default() };
        let encoders = [encoder(1.0), encoder(3.0)];
        for attack in [attack, MAttack { source_crop: None, target_crop: None, ..attack }] {
            let found = attack.run(&encoders, &image, &target, &ball, &Seed::new(2, 0)).unwrap();
            assert!(cosine(&image, &target).abs() < 1e-3 && cosine(&found, &target) > 0.98);
            assert!(found.as_slice::<f32>().iter().all(|v| (v - 0.52).abs() <= 0.1 + 1e-6));
        }
    }

    #[test]
    fn crops_differ_between_steps_and_seeds() {
        let image = Tensor::new([1, 2, 4, 4], (0..32).map(|i| (i * 7 % 32) as f32 / 40.0 + 0.1).collect()).unwrap();
        let target = Tensor::new([1, 2, 4, 4], (0..32).map(|i| (i * 5 % 32) as f32 / 40.0 + 0.1).collect()).unwrap();
        let ball = Ball::new(Norm::Linf, 0.1, (0.0, 1.0)).unwrap();
        let ascent = Ascent { steps: 3, ..MAttack::default().rise.ascent };
        // Parts so small that every step leaves some pixels of this image as they are.
        let source_crop = Some(LocalCrop::new([0.05, 0.2]));
        let attack = MAttack { source_crop, rise: Rise { ascent, batch: 1 }, ..MAttack::default() };
        let run = |seed| attack.run(&[encoder(1.0)], &image, &target, &ball, &Seed::new(seed, 0)).unwrap();
        assert_eq!(run(1), run(1));
        assert_ne!(run(1), run(2));
        let error = attack.run(&[], &image, &target, &ball, &Seed::new(1, 0)).unwrap_err();
        assert!(matches!(error, AttackError::Model { .. }), "{error}");
    }
}
