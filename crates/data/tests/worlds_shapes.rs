//! The `shapes` world against brute force: pixels against masks, words against factors, motion against simulation.

use perturb_data::worlds::shapes::*;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

fn crowded() -> Scenes {
    Scenes {
        noise: 0.0,
        objects: [2, 4],
        kinds: ShapeKind::ALL.map(|kind| (kind, 1.0)).to_vec(),
        styles: Style::ALL.to_vec(),
        placement: Placement::Inside,
        ..Scenes::default()
    }
}

/// Removing an object changes exactly the pixels in which it is visible, in every style, occlusion included.
#[test]
fn masks_are_the_pixels_that_change_without_the_object() {
    let (world, area) = (crowded(), 32 * 32);
    let (mut hidden, mut seen) = (0, [false; 6]);
    for index in 0..150 {
        let scene = world.scene(5, index).unwrap();
        seen[scene.style as usize] = true;
        let with = scene.render(32);
        let (image, visible) = (with.image.as_slice::<f32>(), with.visible.as_slice::<f32>());
        for object in 0..scene.objects.len() {
            let mut others = scene.clone();
            others.objects.remove(object);
            let without = others.render(32);
            let without = without.image.as_slice::<f32>();
            for pixel in 0..area {
                let changed = (0..3).any(|c| image[c * area + pixel] != without[c * area + pixel]);
                let share = visible[object * area + pixel];
                assert!((0.0..=1.0).contains(&share));
                // Shares below the spacing of floats cannot change a pixel.
                assert!(
                    changed == (share > 0.0) || share < 1e-6 && share > 0.0,
                    "scene {index}, object {object}: {share}"
                );
                hidden += usize::from(share == 0.0);
            }
        }
        for pixel in 0..area {
            let sum: f32 = (0..scene.objects.len()).map(|o| visible[o * area + pixel]).sum();
            assert!(sum <= 1.0 + 1e-6);
        }
    }
    assert!(hidden > 0 && seen == [true; 6]);
}

/// Flat pictures are the mixture of the objects' colours in the shares that the masks state.
#[test]
fn flat_pixels_are_mixtures_in_the_stated_shares() {
    let kinds = ShapeKind::ALL.into_iter().filter(|&k| k != ShapeKind::Creature).map(|k| (k, 1.0)).collect();
    let world = Scenes { styles: vec![Style::Flat], kinds, ..crowded() };
    for index in 0..40 {
        let scene = world.scene(6, index).unwrap();
        let rendered = scene.render(24);
        let (image, visible) = (rendered.image.as_slice::<f32>(), rendered.visible.as_slice::<f32>());
        // Smith's formula once more, written as a table of sextants.
        let rgb = |h: f32, s: f32, v: f32| {
            let (sextant, f) = ((6.0 * h).floor() as i32 % 6, (6.0 * h).fract());
            let (p, q, t) = (v * (1.0 - s), v * (1.0 - s * f), v * (1.0 - s * (1.0 - f)));
            [[v, t, p], [q, v, p], [p, v, t], [p, q, v], [t, p, v], [v, p, q]][sextant as usize]
        };
        let colors: Vec<[f32; 3]> = scene.objects.iter().map(|o| rgb(o.hue, o.saturation, o.value)).collect();
        let ground = rgb(scene.backdrop.hue, scene.backdrop.saturation, scene.backdrop.value);
        for pixel in 0..576 {
            let shares: Vec<f32> = (0..colors.len()).map(|o| visible[o * 576 + pixel]).collect();
            for c in 0..3 {
                let rest = ground[c] * (1.0 - shares.iter().sum::<f32>());
                let expected = rest + shares.iter().zip(&colors).map(|(s, color)| s * color[c]).sum::<f32>();
                assert!((image[c * 576 + pixel] - expected).abs() < 1e-5);
            }
        }
    }
}

#[test]
fn styles_share_masks_and_differ_in_pixels() {
    let scene = crowded().scene(1, 2).unwrap();
    let renders: Vec<Rendered> = Style::ALL.map(|style| Scene { style, ..scene.clone() }.render(64)).to_vec();
    for (i, a) in renders.iter().enumerate() {
        for b in &renders[..i] {
            assert_eq!(a.visible, b.visible);
            assert_ne!(a.image, b.image);
        }
    }
}

#[test]
fn segmentation_and_boxes_follow_the_masks() {
    let world = Scenes { objects: [2, 2], placement: Placement::Apart(0.08), ..crowded() };
    for index in 0..30 {
        let scene = world.scene(8, index).unwrap();
        let rendered = scene.render(32);
        let segmentation = rendered.segmentation();
        for (object, bounds) in rendered.boxes().into_iter().enumerate() {
            let [left, top, right, bottom] = bounds.expect("apart, so visible");
            let o = &scene.objects[object];
            let (low, high) = ((o.x - o.radius) * 32.0, (o.x + o.radius) * 32.0);
            assert!(left as f32 >= low - 1.0 && right as f32 <= high + 1.0 && top < bottom);
            for (pixel, &label) in segmentation.as_slice::<i64>().iter().enumerate() {
                let inside = (left..right).contains(&(pixel % 32)) && (top..bottom).contains(&(pixel / 32));
                assert!(inside || label != object as i64 + 1);
                let share = rendered.visible.as_slice::<f32>()[object * 1024 + pixel];
                assert_eq!(share > 0.5, label == object as i64 + 1 && share != 0.5);
            }
        }
    }
}

/// On a torus, moving all objects by whole pixels is rolling the image.
#[test]
fn torus_pictures_roll() {
    let styles = vec![Style::Flat, Style::Inverted, Style::Outline, Style::Neon, Style::Dotted];
    let world = Scenes { placement: Placement::Torus, styles, ..crowded() };
    for index in 0..40 {
        let scene = world.scene(3, index).unwrap();
        let mut moved = scene.clone();
        for object in &mut moved.objects {
            object.x = (object.x + 11.0 / 32.0).rem_euclid(1.0);
            object.y = (object.y + 23.0 / 32.0).rem_euclid(1.0);
        }
        let (a, b) = (scene.render(32).image, moved.render(32).image);
        let (a, b) = (a.as_slice::<f32>(), b.as_slice::<f32>());
        for (i, value) in a.iter().enumerate() {
            let (c, y, x) = (i / 1024, i / 32 % 32, i % 32);
            let rolled = b[c * 1024 + (y + 23) % 32 * 32 + (x + 11) % 32];
            assert!((value - rolled).abs() < 2e-3, "scene {index}, pixel ({x}, {y}): {value} and {rolled}");
        }
    }
}

/// Whether every word before "thing" or a noun is true of the object: read from raw factors.
fn named(words: &[&str], o: &Object) -> bool {
    let hues = [("red", 0.0), ("orange", 0.08), ("yellow", 0.16), ("green", 0.33), ("cyan", 0.5), ("blue", 0.64)];
    let hues = hues.into_iter().chain([("purple", 0.76), ("pink", 0.89)]);
    words.iter().all(|&word| match word.trim_end_matches('s').trim_end_matches("se") {
        "thing" => true,
        "small" => o.radius < 0.13,
        "medium" => (0.13..=0.18).contains(&o.radius),
        "large" => o.radius > 0.18,
        _ => match hues.clone().find(|(name, _)| *name == word) {
            Some((_, hue)) => {
                let gap = |hue: f32| (o.hue - hue).abs().min(1.0 - (o.hue - hue).abs());
                hues.clone().all(|(_, other)| gap(hue) <= gap(other))
            }
            None => word.starts_with(o.kind.name()),
        },
    })
}

type Words<'a> = &'a [&'a str];

/// Splits "X left of the Y" into X, the direction towards the second, and Y.
fn split_relation<'a>(words: Words<'a>) -> (Words<'a>, Option<([f32; 2], Words<'a>)>) {
    let at = words.iter().position(|w| ["left", "right", "above", "below"].contains(w));
    let Some(at) = at else { return (words, None) };
    let (direction, length) = match words[at] {
        "left" => ([1.0, 0.0], 2),
        "right" => ([-1.0, 0.0], 2),
        "above" => ([0.0, 1.0], 1),
        _ => ([0.0, -1.0], 1),
    };
    (&words[..at], Some((direction, &words[at + length + 1..])))
}

fn ahead(direction: [f32; 2], a: &Object, b: &Object) -> bool {
    direction[0] * (b.x - a.x) + direction[1] * (b.y - a.y) > 0.05
}

/// Objects that fit "X [relation the Y]"; `None` if "the Y" is not one object.
fn fitting<'a>(words: &[&str], objects: &'a [Object]) -> Option<Vec<&'a Object>> {
    let (name, relation) = split_relation(words);
    let mut found: Vec<&Object> = objects.iter().filter(|o| named(name, o)).collect();
    if let Some((direction, other)) = relation {
        let others = fitting(other, objects)?;
        let [other] = others[..] else { return None };
        found.retain(|o| ahead(direction, o, other));
    }
    Some(found)
}

/// Answers a question's text from the factors; `None` if it has no answer.
fn answer_text(text: &str, objects: &[Object]) -> Option<String> {
    let words: Vec<&str> = text.trim_end_matches('?').split(' ').collect();
    let yes = |truth: bool| Some(if truth { "yes".to_string() } else { "no".to_string() });
    let only = |words: &[&str]| {
        let found = fitting(words, objects)?;
        if found.len() == 1 { Some(found[0].clone()) } else { None }
    };
    match words[..] {
        ["is", "there", _, ref rest @ ..] => yes(!fitting(rest, objects)?.is_empty()),
        ["how", "many", ref name @ .., "are", "there"] => Some(fitting(name, objects)?.len().to_string()),
        ["what", attribute, "is", "the", ref rest @ ..] => value(attribute, &only(rest)?),
        ["is", "the", ref rest @ ..] => {
            let (a, relation) = split_relation(rest);
            let (direction, b) = relation?;
            yes(ahead(direction, &only(a)?, &only(b)?))
        }
        ["do", "the", ref rest @ .., "have", "the", "same", attribute] => {
            let and = rest.iter().position(|w| *w == "and")?;
            yes(value(attribute, &only(&rest[..and])?) == value(attribute, &only(&rest[and + 2..])?))
        }
        _ => panic!("unknown question: {text}"),
    }
}

fn value(attribute: &str, o: &Object) -> Option<String> {
    let names: Vec<&str> = match attribute {
        "color" => Color::ALL.map(Color::name).to_vec(),
        "size" => SizeName::ALL.map(SizeName::name).to_vec(),
        _ => ShapeKind::ALL.map(ShapeKind::name).to_vec(),
    };
    names.into_iter().find(|name| named(&[name], o)).map(str::to_string)
}

#[test]
fn answers_agree_with_the_factors() {
    let world = Scenes { objects: [1, 4], placement: Placement::Inside, ..Scenes::default() };
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let (mut truths, mut yes, mut refused, mut texts) = (0, 0, 0, std::collections::HashSet::new());
    for index in 0..3000 {
        let scene = world.scene(2, index).unwrap();
        let graph = scene.graph();
        let Some(question) = Question::draw(&graph, &mut rng) else { continue };
        let answer = question.answer(&graph).unwrap();
        assert_eq!(Some(answer.to_string()), answer_text(&question.to_string(), &scene.objects), "{question}");
        if let Answer::Truth(truth) = answer {
            truths += 1;
            yes += usize::from(truth);
        }
        // Asked about another scene, the question has the answer there, or none.
        let other = world.scene(2, index + 1).unwrap();
        let elsewhere = question.answer(&other.graph());
        refused += usize::from(elsewhere.is_err());
        assert_eq!(
            elsewhere.ok().map(|a| a.to_string()),
            answer_text(&question.to_string(), &other.objects),
            "{question}"
        );
        texts.insert(question.to_string());
    }
    assert!(truths > 1000 && refused > 500 && texts.len() > 1000, "{truths} {refused} {}", texts.len());
    let share = yes as f64 / truths as f64;
    assert!((share - 0.5).abs() < 0.06, "{share} of the answers are yes");
}

#[test]
fn captions_are_read_back_and_true() {
    let world = Scenes { objects: [1, 3], kinds: ShapeKind::ALL.map(|k| (k, 1.0)).to_vec(), ..crowded() };
    let mut rng = ChaCha8Rng::seed_from_u64(4);
    let vocabulary = Caption::vocabulary();
    let (mut lies, mut truths) = (0, 0);
    for index in 0..2000 {
        let scene = world.scene(9, index).unwrap();
        let own = Caption::of(&scene, &mut rng).unwrap();
        assert!(own.describes(&scene), "{own}");
        let any = Caption::any(&mut rng);
        let short = Caption { relation: None, place: None, background: None, ..any };
        for caption in [own, any, short] {
            let text = caption.to_string();
            assert_eq!(text.parse::<Caption>().unwrap(), caption, "{text}");
            assert!(text.split(' ').all(|word| vocabulary.contains(&word)), "{text}");
            // Independently: from the words and the factors.
            let truth = caption_text_holds(&text, &scene);
            assert_eq!(caption.describes(&scene), truth, "{text}");
            *(if truth { &mut truths } else { &mut lies }) += 1;
        }
    }
    assert!(truths > 2000 && lies > 2000, "{truths} true, {lies} false");
}

fn caption_text_holds(text: &str, scene: &Scene) -> bool {
    let mut text = text.to_string();
    let mut cut = |marker: &str| {
        let at = text.find(marker)?;
        let tail = text[at + marker.len()..].to_string();
        text.truncate(at);
        Some(tail)
    };
    let style = cut(" in ");
    let ground = cut(" on a ").or_else(|| cut(" on an "));
    let place = cut(" at the ");
    let words: Vec<&str> = text.split(' ').collect();
    let (name, relation) = split_relation(&words[1..]);
    let object = |o: &Object, i: usize| {
        named(name, o)
            && place.as_deref().is_none_or(|p| p.contains("left") == (o.x < 0.5) && p.contains("top") == (o.y < 0.5))
            && relation.is_none_or(|(direction, other)| {
                let mut others = scene.objects.iter().enumerate().filter(|&(j, _)| j != i);
                others.any(|(_, b)| named(other, b) && ahead(direction, o, b))
            })
    };
    scene.objects.iter().enumerate().any(|(i, o)| object(o, i))
        && style.is_none_or(|s| s.starts_with(scene.style.name()))
        && ground.is_none_or(|g| g.starts_with(scene.backdrop.color().name()))
}

#[test]
fn nonsense_is_no_caption() {
    for (text, word) in [
        ("", 0),
        ("red circle", 0),
        ("a red", 2),
        ("a circle red", 2),
        ("a circle left of", 4),
        ("a circle at the middle", 4),
        ("a circle on a blue", 5),
        ("a circle in blue style", 3),
    ] {
        assert_eq!(text.parse::<Caption>().unwrap_err().word, word, "{text}");
    }
}

#[test]
fn relations_are_the_signs_of_differences() {
    let scene = crowded().scene(4, 4).unwrap();
    let graph = scene.graph();
    for &(i, relation, j) in &graph.relations {
        assert!(graph.relations.contains(&(j, relation.inverse(), i)));
        assert!(relation.holds(&scene.objects[i], &scene.objects[j]));
    }
    let horizontal = |i: usize, j: usize| (scene.objects[i].x - scene.objects[j].x).abs() > Relation::MARGIN;
    let vertical = |i: usize, j: usize| (scene.objects[i].y - scene.objects[j].y).abs() > Relation::MARGIN;
    let n = scene.objects.len();
    let pairs = (0..n).flat_map(|i| (0..n).filter(move |&j| j != i).map(move |j| (i, j)));
    let expected: usize = pairs.map(|(i, j)| usize::from(horizontal(i, j)) + usize::from(vertical(i, j))).sum();
    assert_eq!(graph.relations.len(), expected);
}

/// Reflection in closed form against a step-by-step simulation.
#[test]
fn clips_bounce() {
    let clips =
        Clips { scenes: Scenes { objects: [2, 2], ..crowded() }, frames: 40, speed: [0.02, 0.2], anomaly: None };
    let mut bounces = 0;
    for index in 0..20 {
        let clip = clips.clip(3, index).unwrap();
        assert!(clip.abnormal.iter().all(|&a| !a));
        for object in 0..2 {
            let first = &clip.scenes[0].objects[object];
            let (mut p, mut v) = ([first.x, first.y], clip.velocities[0][object]);
            let speed = v[0].hypot(v[1]);
            assert!((0.02..0.2001).contains(&speed));
            for (scene, velocities) in clip.scenes.iter().zip(&clip.velocities) {
                let o = &scene.objects[object];
                assert!((o.x - p[0]).abs() < 1e-4 && (o.y - p[1]).abs() < 1e-4, "{p:?} and ({}, {})", o.x, o.y);
                for i in 0..2 {
                    // Exactly at a wall rounding decides which way it is.
                    let wall = (p[i] - first.radius).min(1.0 - first.radius - p[i]);
                    assert!(wall < 1e-4 || (velocities[object][i] - v[i]).abs() < 1e-5);
                    p[i] += v[i];
                    let (low, high) = (first.radius, 1.0 - first.radius);
                    if p[i] < low || p[i] > high {
                        p[i] = if p[i] < low { 2.0 * low - p[i] } else { 2.0 * high - p[i] };
                        v[i] = -v[i];
                        bounces += 1;
                    }
                }
            }
        }
    }
    assert!(bounces > 100);
}

#[test]
fn flow_is_the_motion_of_what_is_seen() {
    for placement in [Placement::Inside, Placement::Torus] {
        let scenes = Scenes { placement, ..crowded() };
        let clips = Clips { scenes, frames: 6, speed: [0.05, 0.15], anomaly: None };
        let clip = clips.clip(1, 0).unwrap();
        let rendered = clip.render(32);
        assert_eq!(&rendered.flow.shape()[..], [5, 2, 32, 32]);
        let (flow, visible) = (rendered.flow.as_slice::<f32>(), rendered.visible.as_slice::<f32>());
        let objects = clip.scenes[0].objects.len();
        for frame in 0..5 {
            for pixel in 0..1024 {
                let seen = (0..objects).find(|o| visible[(frame * objects + o) * 1024 + pixel] >= 0.5);
                let found = [0, 1].map(|c| flow[(frame * 2 + c) * 1024 + pixel]);
                let Some(o) = seen else {
                    assert_eq!(found, [0.0; 2]);
                    continue;
                };
                let (a, b) = (&clip.scenes[frame].objects[o], &clip.scenes[frame + 1].objects[o]);
                for (f, d) in found.into_iter().zip([b.x - a.x, b.y - a.y]) {
                    assert!(f.abs() < 0.15 * 32.0 + 1e-3, "{f}");
                    let turns = (f - 32.0 * d) / 32.0;
                    assert!((turns - turns.round()).abs() < 1e-4);
                    assert!(placement == Placement::Torus || turns.abs() < 1e-4);
                }
            }
        }
    }
}

#[test]
fn anomalies_begin_when_they_are_said_to() {
    let scenes = Scenes { objects: [2, 2], kinds: vec![(ShapeKind::Circle, 1.0)], ..crowded() };
    let usual = Clips { scenes, frames: 10, speed: [0.02, 0.03], anomaly: None };
    let normal = usual.clip(7, 0).unwrap();
    for anomaly in [Anomaly::Kind(ShapeKind::Star), Anomaly::Speed(2.0), Anomaly::Jitter(0.05)] {
        let clip = Clips { anomaly: Some((anomaly, 4)), ..usual.clone() }.clip(7, 0).unwrap();
        assert_eq!(clip.abnormal, (0..10).map(|t| t >= 4).collect::<Vec<_>>());
        for t in 0..10 {
            let (a, b) = (&normal.scenes[t].objects, &clip.scenes[t].objects);
            assert_eq!((a[1].x, a[1].y, a[1].kind), (b[1].x, b[1].y, b[1].kind));
            assert_eq!(t < 4 || (anomaly == Anomaly::Speed(2.0) && t == 4), a[0] == b[0], "{anomaly:?}, frame {t}");
        }
        if anomaly == Anomaly::Speed(2.0) {
            let speed = |t: usize| clip.velocities[t][0][0].hypot(clip.velocities[t][0][1]);
            assert!((speed(3) * 2.0 - speed(4)).abs() < 1e-6);
            let moved = |t: usize| {
                let (a, b) = (&clip.scenes[t].objects[0], &clip.scenes[t + 1].objects[0]);
                (b.x - a.x).hypot(b.y - a.y)
            };
            // Speeds are such that at most one of the steps is cut short by a reflection.
            assert!((4..9).filter(|&t| (moved(t) - speed(4)).abs() < 1e-4).count() >= 4);
        }
    }
}

#[test]
fn scenes_are_the_same_in_any_order_and_number_of_threads() {
    let world = crowded();
    let set = world.dataset(42, 48).unwrap();
    let one_thread = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    assert_eq!(one_thread.install(|| world.dataset(42, 48)).unwrap(), set);
    for index in (0..48).rev() {
        let scene = world.scene(42, index as u64).unwrap();
        assert_eq!(scene, set.scenes[index]);
        let rendered = scene.render(32);
        assert_eq!(rendered.image.as_slice::<f32>(), set.images.rows(index, index + 1).as_slice::<f32>());
        let planes = set.visible.rows(index, index + 1);
        let used = scene.objects.len() * 1024;
        assert_eq!(rendered.visible.as_slice::<f32>(), &planes.as_slice::<f32>()[..used]);
        assert!(planes.as_slice::<f32>()[used..].iter().all(|&v| v == 0.0));
    }
    assert_ne!(world.dataset(43, 48).unwrap().images, set.images);
}

/// 4,000 kinds with weights 3 : 1, within five standard deviations; names follow factors by construction.
#[test]
fn laws_are_followed() {
    let kinds = vec![(ShapeKind::Circle, 3.0), (ShapeKind::Star, 1.0), (ShapeKind::Ring, 0.0)];
    let world = Scenes {
        objects: [2, 2],
        kinds,
        hues: Hues::Between(0.2, 0.4),
        radii: Radii::Between(0.1, 0.12),
        rotation: [0.5, 0.5],
        placement: Placement::Apart(0.05),
        ..Scenes::default()
    };
    let mut circles = 0;
    for index in 0..2000 {
        let scene = world.scene(1, index).unwrap();
        let [a, b] = &scene.objects[..] else { panic!("two objects") };
        assert!((a.x - b.x).hypot(a.y - b.y) >= a.radius + b.radius + 0.05 - 1e-6);
        for o in &scene.objects {
            circles += usize::from(o.kind == ShapeKind::Circle);
            assert!((0.2..0.4).contains(&o.hue) && (0.1..0.12).contains(&o.radius) && o.rotation == 0.5);
            assert!(o.kind != ShapeKind::Ring && o.x >= o.radius && o.x <= 1.0 - o.radius);
        }
    }
    assert!((circles as f64 - 3000.0).abs() < 5.0 * 27.4, "{circles} circles");
}

#[test]
fn impossible_laws_are_errors() {
    let crowd = Scenes { objects: [9, 9], radii: Radii::Between(0.2, 0.3), ..Scenes::default() };
    for (world, field) in [
        (Scenes { size: 0, ..Scenes::default() }, "size"),
        (Scenes { objects: [3, 2], ..Scenes::default() }, "objects"),
        (Scenes { kinds: vec![], ..Scenes::default() }, "kinds"),
        (Scenes { kinds: vec![(ShapeKind::Star, f32::NAN)], ..Scenes::default() }, "kinds"),
        (Scenes { radii: Radii::Between(0.2, 0.6), ..Scenes::default() }, "radii"),
        (Scenes { radii: Radii::Named(vec![]), ..Scenes::default() }, "radii"),
        (Scenes { hues: Hues::Named(vec![]), ..Scenes::default() }, "hues"),
        (Scenes { styles: vec![], ..Scenes::default() }, "styles"),
        (Scenes { noise: f32::NAN, ..Scenes::default() }, "noise"),
        (crowd, "placement"),
    ] {
        let message = world.scene(0, 0).unwrap_err().to_string();
        assert!(message.starts_with(&format!("shapes: {field} is")), "{message}");
        assert_eq!(world.dataset(0, 3).unwrap_err().to_string(), message);
    }
    let empty = Scenes { objects: [0, 0], ..Scenes::default() }.scene(0, 0).unwrap();
    assert!(Caption::of(&empty, &mut ChaCha8Rng::seed_from_u64(0)).is_none());
    assert!(Question::draw(&empty.graph(), &mut ChaCha8Rng::seed_from_u64(0)).is_none());
    assert_eq!(empty.render(16).boxes(), vec![]);
    let clips = Clips { scenes: Scenes::default(), frames: 0, speed: [0.0, 0.1], anomaly: None };
    assert!(clips.clip(0, 0).is_err());
}
