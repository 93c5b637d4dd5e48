//! The `shapes` world: pictures of coloured figures with the truth about every pixel.
//!
//! ![Contact sheet](https://raw.githubusercontent.com/perturb-rs/perturb/main/docs/worlds/shapes.png)
//!
//! - [`Shapes`] is the simple world: one of six figures on a textured background; the class is the figure's kind.
//! - [`Scenes`] draws [`Scene`]s of several [`Object`]s in six [`Style`]s. A scene is plain data and
//!   [`Scene::render`] a function of it: a counterfactual is an edited scene, rendered again.
//! - [`Caption`]s put a scene into words of a small grammar and can be read back, [`SceneGraph`]s hold attributes and
//!   relations, [`Question`]s are answered by a program that runs on the graph.
//! - [`Clips`] move a scene's objects, with positions, velocities, optical flow and abnormal frames as truth.
//! - [`Creature`]s are procedural individuals: a seed is an identity.
//!
//! Lengths are fractions of the image's side, x to the right, y downwards; angles are in radians, clockwise on the
//! screen; colours are hue, saturation and value, each in [0, 1].
//!
//! ```
//! use perturb_data::worlds::shapes::{Caption, Scenes};
//! let world = Scenes::default();
//! let scene = world.scene(7, 0)?;
//! let rendered = scene.render(32);
//! assert_eq!(&rendered.image.shape()[..], [3, 32, 32]);
//! let caption = Caption::full(&scene, 0).expect("the scene has an object").to_string();
//! assert!(caption.parse::<Caption>()?.describes(&scene), "{caption}");
//! // The same scene without its foremost object: what an inpainter should find behind it.
//! let mut without = scene.clone();
//! without.objects.pop();
//! assert_ne!(without.render(32).image, rendered.image);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod caption;
mod clips;
mod color;
mod creature;
mod graph;
mod outline;
mod question;
mod render;
mod scene;
mod scenes;
mod single;
mod style;
mod texture;

pub use caption::{Caption, CaptionError, NounPhrase, Place};
pub use clips::{Anomaly, Clip, Clips, RenderedClip};
pub use color::Color;
pub use creature::{Creature, Marking};
pub use graph::{Node, Relation, SceneGraph};
pub use outline::ShapeKind;
pub use question::{Answer, Attribute, Filter, Question, Reference, Unanswerable};
pub use render::Rendered;
pub use scene::{Backdrop, Object, Pattern, Scene, SizeName};
pub use scenes::{Hues, Placement, Radii, Scenes, ScenesSet};
pub use single::{Factors, Sample, Shapes, ShapesSet};
pub use style::Style;
pub use texture::Texture;
