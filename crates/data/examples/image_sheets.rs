//! Draws sheets of the corruptions and augmentations, and measures how many images per second they take.
//!
//! `cargo run --release -p perturb-data --example image_sheets -- IMAGE FOLDER`

use perturb_data::augment::*;
use perturb_data::corrupt::{Corrupt, Corruption, Profile, Severity};
use perturb_data::worlds::Shapes;
use perturb_data::{Image, load_image, save_png};
use perturb_graph::Tensor;
use std::error::Error;
use std::path::PathBuf;
use std::time::Instant;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(image), Some(folder)) = (arguments.next(), arguments.next()) else {
        return Err("give an image and a folder for the sheets".into());
    };
    let folder = PathBuf::from(folder);
    let photo = CenterCrop { size: (224, 224) }.image(&load_image(image.as_ref(), Some(3))?, 0, 0)?;
    let small = Shapes::default().dataset(3, 1).images;
    let sheets = [("imagenet", photo.clone(), Profile::ImageNet), ("cifar10", small.clone(), Profile::Cifar10)];
    for (name, image, profile) in sheets {
        let mut rows = Vec::new();
        for corruption in Corruption::ALL {
            let corrupted = Severity::ALL.map(|severity| Corrupt { corruption, severity, profile }.image(&image, 1, 0));
            rows.push(corrupted.into_iter().collect::<Result<Vec<_>, _>>()?);
        }
        // Three columns of five corruptions.
        for (part, rows) in rows.chunks(5).enumerate() {
            save_png(&folder.join(format!("{name}_{part}.png")), &sheet(rows)?)?;
        }
    }
    for (name, image) in [("photo", &photo), ("shapes", &small)] {
        save_png(&folder.join(format!("augment_{name}.png")), &sheet(&augmented(image)?)?)?;
    }
    println!("images per second");
    for size in [32, 224] {
        speeds(size)?;
    }
    Ok(())
}

type Named = (&'static str, Box<dyn Augmentation>);

fn augmentations(size: usize) -> Vec<Named> {
    let simclr = Pipeline::new()
        .then(RandomResizedCrop::square(size))
        .then(HorizontalFlip::default())
        .then(RandomApply { augmentation: ColorJitter::simclr(1.0), probability: 0.8 })
        .then(RandomGrayscale { probability: 0.2 })
        .then(RandomApply { augmentation: GaussianBlur::simclr(size), probability: 0.5 });
    let crop_and_flip = Pipeline::new().then(RandomCrop::padded(size, size / 8)).then(HorizontalFlip::default());
    vec![
        ("crop and flip", Box::new(crop_and_flip)),
        ("resized crop", Box::new(RandomResizedCrop::square(size))),
        ("affine", Box::new(RandomAffine { degrees: 30.0, shear: 10.0, ..RandomAffine::default() })),
        ("colour jitter", Box::new(ColorJitter::simclr(1.0))),
        ("blur", Box::new(GaussianBlur::simclr(size))),
        ("erasing", Box::new(RandomErasing { probability: 1.0, noise: true, ..RandomErasing::default() })),
        ("cutout", Box::new(Cutout { size: size / 2 })),
        ("SimCLR", Box::new(simclr)),
        ("RandAugment", Box::new(RandAugment::default())),
        ("TrivialAugment", Box::new(TrivialAugment)),
        ("AugMix", Box::new(AugMix::default())),
    ]
}

fn augmented(image: &Tensor) -> Result<Vec<Vec<Tensor>>, Box<dyn Error>> {
    let size = image.shape()[image.shape().len() - 1];
    let row = |(_, augmentation): Named| (0..7).map(|i| Ok(augmentation.image(image, 5, i)?)).collect();
    augmentations(size).into_iter().map(row).collect()
}

/// Images of one size in rows, with a white line between them.
fn sheet(rows: &[Vec<Tensor>]) -> Result<Tensor, Box<dyn Error>> {
    let first = Image::from_tensor(&rows[0][0])?;
    let (height, width) = (first.height() + 2, first.width() + 2);
    let (rows_px, columns_px) = (rows.len() * height, rows[0].len() * width);
    let mut data = vec![1.0; 3 * rows_px * columns_px];
    for (r, row) in rows.iter().enumerate() {
        for (c, image) in row.iter().enumerate() {
            let values = image.as_slice::<f32>();
            for (i, value) in values.iter().enumerate() {
                let (plane, y, x) =
                    (i / (first.height() * first.width()), i / first.width() % first.height(), i % first.width());
                data[(plane * rows_px + r * height + y) * columns_px + c * width + x] = *value;
            }
        }
    }
    Ok(Tensor::new([3, rows_px, columns_px], data)?)
}

fn speeds(size: usize) -> Result<(), Box<dyn Error>> {
    let count = if size > 100 { 16 } else { 1024 };
    let images = Shapes { size, noise: 0.03 }.dataset(0, count).images;
    let indices: Vec<u64> = (0..count as u64).collect();
    let time = |name: &str, augmentation: &dyn Augmentation| -> Result<(), Box<dyn Error>> {
        let start = Instant::now();
        let mut rounds = 0;
        while rounds == 0 || start.elapsed().as_secs_f64() < 0.3 {
            augmentation.batch(&images, rounds, &indices)?;
            rounds += 1;
        }
        println!("{name:<20} {size:>4}  {:>9.0}", (rounds * count as u64) as f64 / start.elapsed().as_secs_f64());
        Ok(())
    };
    for (name, augmentation) in augmentations(size) {
        time(name, &*augmentation)?;
    }
    let profile = Profile::for_size(size, size);
    for corruption in Corruption::ALL {
        time(corruption.name(), &Corrupt { corruption, severity: Severity::new(3)?, profile })?;
    }
    Ok(())
}
