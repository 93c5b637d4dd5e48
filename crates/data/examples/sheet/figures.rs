//! The sheet of the `shapes` world.

use super::canvas::Canvas;
use perturb_data::worlds::WorldError;
use perturb_data::worlds::shapes::{Clips, Placement, Scene, Scenes, ShapeKind, Shapes, Style};
use perturb_graph::Tensor;

const CELL: usize = 68;

/// Rows: single figures; one scene in six styles and its segmentation; scenes of all kinds; creatures; a clip.
pub fn shapes() -> Result<Canvas, WorldError> {
    let mut canvas = Canvas::new(8 * CELL + 4, 5 * CELL + 4);
    let mut put = |row: usize, column: usize, image: &Tensor| canvas.image(image, 4 + column * CELL, 4 + row * CELL, 1);
    for column in 0..8 {
        put(0, column, &Shapes { size: 64, noise: 0.0 }.sample(3, column as u64).image);
    }
    let world = Scenes { size: 64, noise: 0.0, objects: [4, 4], placement: Placement::Inside, ..Scenes::default() };
    let scene = world.scene(12, 3)?;
    for (column, style) in Style::ALL.into_iter().enumerate() {
        put(1, column, &Scene { style, ..scene.clone() }.render(64).image);
    }
    let rendered = scene.render(64);
    put(1, 6, &colored(rendered.segmentation().as_slice::<i64>()));
    let mut without = scene.clone();
    without.objects.pop();
    put(1, 7, &without.render(64).image);
    let mixed =
        Scenes { objects: [2, 4], styles: Style::ALL.to_vec(), placement: Placement::Apart(0.0), ..world.clone() };
    for column in 0..8 {
        put(2, column, &mixed.scene(5, column as u64)?.render(64).image);
    }
    let creatures = Scenes {
        objects: [1, 1],
        kinds: vec![(ShapeKind::Creature, 1.0)],
        radii: perturb_data::worlds::shapes::Radii::Between(0.33, 0.38),
        rotation: [-0.4, 0.4],
        styles: vec![Style::Flat, Style::Textured],
        ..world.clone()
    };
    for column in 0..8 {
        put(3, column, &creatures.scene(2, column as u64)?.render(64).image);
    }
    let clips = Clips { scenes: Scenes { objects: [3, 3], ..world }, frames: 8, speed: [0.06, 0.1], anomaly: None };
    for (column, scene) in clips.clip(9, 0)?.scenes.iter().enumerate() {
        put(4, column, &scene.render(64).image);
    }
    Ok(canvas)
}

/// A segmentation in colours.
fn colored(labels: &[i64]) -> Tensor {
    let palette = |label: i64| if label == 0 { [0.93; 3] } else { super::canvas::CLASSES[label as usize - 1] };
    let data = (0..3).flat_map(|c| labels.iter().map(move |&label| palette(label)[c])).collect();
    Tensor::new([3, 64, 64], data).expect("one colour per pixel")
}
