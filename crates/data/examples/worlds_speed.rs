//! Prints how many 32×32 images per second the `shapes` world renders on all cores.

use perturb_data::worlds::shapes::{Placement, Scenes, ShapeKind, Shapes, Style};
use std::time::Instant;

/// Best of three runs, in images per second.
fn rate(name: &str, run: impl Fn(usize)) {
    let n = 20_000;
    let seconds = (0..3).map(|_| {
        let start = Instant::now();
        run(n);
        start.elapsed().as_secs_f64()
    });
    println!("{name}: {:.0} images/s", n as f64 / seconds.fold(f64::INFINITY, f64::min));
}

fn main() {
    rate("single figures", |n| drop(Shapes::default().dataset(1, n)));
    let scenes = |scenes: Scenes| move |n| drop(scenes.dataset(1, n).expect("a valid world"));
    rate("scenes of 1 to 3 objects", scenes(Scenes::default()));
    for style in Style::ALL {
        rate(
            &format!("scenes of 3 objects, {}", style.name()),
            scenes(Scenes { objects: [3, 3], styles: vec![style], placement: Placement::Inside, ..Scenes::default() }),
        );
    }
    let creatures = vec![(ShapeKind::Creature, 1.0)];
    rate("single creatures", scenes(Scenes { objects: [1, 1], kinds: creatures, ..Scenes::default() }));
}
