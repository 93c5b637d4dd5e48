//! Random changes to images that keep what they show.
//!
//! An augmentation's randomness depends on a seed and on the index of the image alone. So the same image comes out the
//! same on any number of threads, in any batch; another epoch or another view is another seed.
//!
//! ```
//! use perturb_data::augment::{Augmentation, HorizontalFlip, Pipeline, RandomCrop};
//! use perturb_data::worlds::Shapes;
//! let images = Shapes::default().dataset(7, 4).images;
//! let augment = Pipeline::new().then(RandomCrop::padded(32, 4)).then(HorizontalFlip::default());
//! let batch = augment.batch(&images, 1, &[0, 1, 2, 3])?;
//! assert_eq!(batch.rows(2, 3), augment.batch(&images.rows(2, 3), 1, &[2])?);
//! # Ok::<(), perturb_data::DataError>(())
//! ```

mod automatic;
mod blur;
mod color;
mod crop;
mod erase;
mod geometry;
mod normalize;
mod operation;
mod pipeline;
mod squeeze;
mod tone;

pub use automatic::{AugMix, RandAugment, TrivialAugment};
pub use blur::GaussianBlur;
pub use color::{ColorJitter, RandomGrayscale};
pub use crop::{CenterCrop, RandomCrop, RandomResizedCrop, Resize};
pub use erase::{Cutout, RandomErasing};
pub use geometry::{HorizontalFlip, RandomAffine, RandomRotation, VerticalFlip};
pub use normalize::Normalize;
pub use operation::Operation;
pub use pipeline::{Pipeline, RandomApply};
pub use squeeze::Squeeze;

use crate::error::{DataError, Result};
use crate::imaging::Image;
use crate::seed::stream;
use perturb_graph::Tensor;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

/// A random change to an image.
pub trait Augmentation: Send + Sync {
    /// The changed image; all randomness comes from `rng`.
    fn apply(&self, image: Image, rng: &mut ChaCha8Rng) -> Image;

    /// Image number `index`, f32 `[C, H, W]`, changed under `seed`: f32 `[C, H′, W′]`.
    ///
    /// # Errors
    /// [`DataError::NotAnImage`].
    fn image(&self, image: &Tensor, seed: u64, index: u64) -> Result<Tensor> {
        Ok(self.apply(Image::from_tensor(image)?, &mut stream(seed, index)).into_tensor())
    }

    /// Images f32 `[N, C, H, W]` changed under `seed`, in parallel: f32 `[N, C, H′, W′]`. Image i has the number
    /// `indices[i]`; give it its place in the whole data set, and it comes out the same in whichever batch it is.
    ///
    /// # Errors
    /// [`DataError::NotAnImage`], [`DataError::IndexCount`], [`DataError::UnequalImages`] if they come out at several
    /// sizes.
    fn batch(&self, images: &Tensor, seed: u64, indices: &[u64]) -> Result<Tensor> {
        let (&[count, channels, height, width], Some(values)) = (&images.shape()[..], images.try_as_slice::<f32>())
        else {
            return Err(DataError::NotAnImage { found: format!("{}{}", images.dtype(), images.shape()) });
        };
        if indices.len() != count {
            return Err(DataError::IndexCount { indices: indices.len(), images: count });
        }
        // Without pixels there are no chunks; the images are refused one by one.
        let area = (channels * height * width).max(1);
        let changed = values.par_chunks(area).zip(indices).map(|(values, &index)| {
            let image = Image::new(channels, height, width, values.to_vec())?;
            Ok(self.apply(image, &mut stream(seed, index)))
        });
        let changed: Vec<Image> = changed.collect::<Result<_>>()?;
        let Some(first) = changed.first() else {
            return Err(DataError::NotAnImage { found: format!("{}{}", images.dtype(), images.shape()) });
        };
        let size = first.size();
        if let Some(index) = changed.iter().position(|image| image.size() != size) {
            return Err(DataError::UnequalImages { index, found: changed[index].size(), expected: size });
        }
        let shape = [count, first.channels(), first.height(), first.width()];
        let values: Vec<f32> = changed.into_iter().flat_map(Image::into_values).collect();
        Ok(Tensor::new(shape, values).expect("all images have the first one's size"))
    }
}
