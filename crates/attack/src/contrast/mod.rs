//! Contrast sets: questions about an image that differ in one atom and in their answer (Bitton, Stanovsky, Schwartz and
//! Elhadad 2021).
//!
//! A question is a program that runs on the scene's graph. One atom of it, a name, an attribute or a relation, is replaced
//! by another of its type; the program says whether the answer changes with it. Nothing is guessed: a definite
//! description that fits no object or several has no answer, and such questions are left out.
//!
//! Here for scenes and questions of the world `shapes`; in [`gqa`] for those of GQA's files.

pub mod gqa;

use perturb_data::worlds::shapes::{Answer, Color, Filter, Question, Relation, SceneGraph, ShapeKind, SizeName};
use rand::Rng;
use rand::seq::IndexedRandom;

/// What questions may say: the values that an atom is replaced by.
#[derive(Clone, Debug, PartialEq)]
pub struct Atoms {
    /// Names of objects.
    pub kinds: Vec<ShapeKind>,
    /// Colours.
    pub colors: Vec<Color>,
    /// Sizes.
    pub sizes: Vec<SizeName>,
    /// Relations.
    pub relations: Vec<Relation>,
}

impl Default for Atoms {
    /// All words of the world.
    fn default() -> Self {
        Atoms {
            kinds: ShapeKind::ALL.to_vec(),
            colors: Color::ALL.to_vec(),
            sizes: SizeName::ALL.to_vec(),
            relations: Relation::ALL.to_vec(),
        }
    }
}

/// The type of an atom.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AtomKind {
    /// An object's name.
    Object,
    /// A colour or size.
    Attribute,
    /// A relation.
    Relation,
}

/// A question that was changed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Contrast {
    /// The changed question.
    pub question: Question,
    /// Its answer, another than that of the question it was made from.
    pub answer: Answer,
    /// What was replaced.
    pub replaced: AtomKind,
}

/// All questions that differ from `question` in one atom and have another answer in the scene, of the same type. None if
/// the question itself has no answer there.
///
/// "Is the star left of the star?" is not asked: two descriptions in one question mean two objects.
pub fn contrasts(graph: &SceneGraph, question: &Question, atoms: &Atoms) -> Vec<Contrast> {
    let Ok(original) = question.answer(graph) else { return Vec::new() };
    let type_of = std::mem::discriminant::<Answer>;
    let changed = |(replaced, question): (AtomKind, Question)| {
        let answer = question.answer(graph).ok()?;
        let differs = answer != original && type_of(&answer) == type_of(&original);
        (differs && !is_reflexive(&question, graph)).then_some(Contrast { question, answer, replaced })
    };
    variants(question, atoms).into_iter().filter_map(changed).collect()
}

/// Up to `count` of the [`contrasts`], different ones, drawn uniformly.
pub fn contrast_set(
    graph: &SceneGraph,
    question: &Question,
    atoms: &Atoms,
    count: usize,
    rng: &mut impl Rng,
) -> Vec<Contrast> {
    contrasts(graph, question, atoms).sample(rng, count).copied().collect()
}

/// Share of questions that were answered rightly together with all their contrasts (Gardner et al. 2020): `right` says
/// for each question whether it was, and for each of its contrasts. Questions without contrasts do not count; `None` if
/// there are no others.
pub fn consistency(right: &[(bool, Vec<bool>)]) -> Option<f64> {
    let sets: Vec<bool> = right
        .iter()
        .filter(|(_, others)| !others.is_empty())
        .map(|(own, others)| *own && others.iter().all(|&r| r))
        .collect();
    (!sets.is_empty()).then(|| sets.iter().filter(|&&r| r).count() as f64 / sets.len() as f64)
}

/// The question with each of its atoms replaced by each other value.
fn variants(question: &Question, atoms: &Atoms) -> Vec<(AtomKind, Question)> {
    let mut found = Vec::new();
    let filters = filters_mut(&mut question.clone()).len();
    for at in 0..filters {
        let mut with = |replaced, change: &dyn Fn(&mut Filter)| {
            let mut variant = *question;
            change(filters_mut(&mut variant).swap_remove(at));
            if variant != *question {
                found.push((replaced, variant));
            }
        };
        let Filter { size, color, kind } = *filters_mut(&mut question.clone()).swap_remove(at);
        if kind.is_some() {
            atoms.kinds.iter().for_each(|&k| with(AtomKind::Object, &|f| f.kind = Some(k)));
        }
        if color.is_some() {
            atoms.colors.iter().for_each(|&c| with(AtomKind::Attribute, &|f| f.color = Some(c)));
        }
        if size.is_some() {
            atoms.sizes.iter().for_each(|&s| with(AtomKind::Attribute, &|f| f.size = Some(s)));
        }
    }
    for &relation in &atoms.relations {
        let mut variant = *question;
        if let Some(r) = relation_mut(&mut variant) {
            *r = relation;
        }
        if variant != *question {
            found.push((AtomKind::Relation, variant));
        }
    }
    found
}

fn filters_mut(question: &mut Question) -> Vec<&mut Filter> {
    match question {
        Question::Exists(reference) | Question::Query(_, reference) => {
            let other = reference.relative.as_mut().map(|(_, filter)| filter);
            std::iter::once(&mut reference.filter).chain(other).collect()
        }
        Question::Count(filter) => vec![filter],
        Question::Relate(a, _, b) | Question::Same(_, a, b) => vec![a, b],
    }
}

fn relation_mut(question: &mut Question) -> Option<&mut Relation> {
    match question {
        Question::Exists(reference) | Question::Query(_, reference) => reference.relative.as_mut().map(|(r, _)| r),
        Question::Relate(_, relation, _) => Some(relation),
        Question::Count(_) | Question::Same(..) => None,
    }
}

/// Whether two definite descriptions, each of which fits one object, fit the same one.
fn is_reflexive(question: &Question, graph: &SceneGraph) -> bool {
    match question {
        Question::Relate(a, _, b) | Question::Same(_, a, b) => {
            graph.nodes.iter().any(|node| a.fits(node) && b.fits(node))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use perturb_data::worlds::shapes::{Caption, NounPhrase, Reference, Scene, Scenes};
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;
    use std::collections::HashSet;

    fn scenes() -> impl Iterator<Item = Scene> {
        (0..60).map(|index| Scenes::default().scene(5, index).unwrap())
    }

    // Words that differ, articles and the plural's ending aside; a relation is one word.
    fn words(question: &Question) -> Vec<String> {
        let text = question.to_string().replace(" of the", " the").replace("crosses", "cross");
        text.split_whitespace().filter(|w| !["a", "an"].contains(w)).map(|w| w.trim_end_matches('s').into()).collect()
    }

    // Every form of question: one word differs, and the answer, which the program computes from the graph.
    #[test]
    fn one_atom_and_the_answer_differ() {
        let mut rng = ChaCha8Rng::seed_from_u64(0);
        let (mut seen, mut forms) = (0, HashSet::new());
        for graph in scenes().map(|s| s.graph()) {
            for _ in 0..20 {
                // A scene of one object does not allow every form.
                let Some(question) = Question::draw(&graph, &mut rng) else { continue };
                let answer = question.answer(&graph).unwrap();
                for contrast in contrasts(&graph, &question, &Atoms::default()) {
                    let (old, new) = (words(&question), words(&contrast.question));
                    assert_eq!(old.len(), new.len(), "{question} {}", contrast.question);
                    let different = old.iter().zip(&new).filter(|(a, b)| a != b).count();
                    assert_eq!(different, 1, "{question} {}", contrast.question);
                    assert_ne!(contrast.answer, answer);
                    assert_eq!(contrast.question.answer(&graph), Ok(contrast.answer));
                    seen += 1;
                    forms.insert((std::mem::discriminant(&question), contrast.replaced));
                }
            }
        }
        assert!(seen > 1000 && forms.len() > 9, "{seen} {forms:?}");
    }

    // The oracle is the reader of captions, which looks at the objects themselves and not at the graph.
    #[test]
    fn answers_are_those_of_captions_and_none_is_missing() {
        let phrase = |filter: Filter| Some(NounPhrase { size: filter.size, color: filter.color, kind: filter.kind? });
        let told = |scene: &Scene, filter| {
            let caption =
                Caption { subject: phrase(filter)?, relation: None, place: None, background: None, style: None };
            Some(caption.describes(scene))
        };
        for scene in scenes() {
            for (kind, color) in ShapeKind::ALL.into_iter().flat_map(|k| Color::ALL.map(|c| (k, c))) {
                let filter = Filter { size: None, color: Some(color), kind: Some(kind) };
                let exists = |filter| Question::Exists(Reference { filter, relative: None });
                let truth = told(&scene, filter);
                let kinds = ShapeKind::ALL.map(|k| Filter { kind: Some(k), ..filter });
                let colors = Color::ALL.map(|c| Filter { color: Some(c), ..filter });
                let expected: HashSet<Question> =
                    kinds.into_iter().chain(colors).filter(|f| told(&scene, *f) != truth).map(exists).collect();
                let found = contrasts(&scene.graph(), &exists(filter), &Atoms::default());
                assert_eq!(found.len(), expected.len());
                assert_eq!(found.into_iter().map(|c| c.question).collect::<HashSet<_>>(), expected);
            }
        }
    }

    #[test]
    fn ambiguous_and_reflexive_questions_are_not_asked() {
        let mut scene = Scenes { objects: [2, 2], ..Scenes::default() }.scene(1, 0).unwrap();
        for (object, x) in scene.objects.iter_mut().zip([0.2, 0.8]) {
            (object.kind, object.x, object.hue) = (ShapeKind::Circle, x, Color::Red.hue());
        }
        let graph = scene.graph();
        let circle = Filter { kind: Some(ShapeKind::Circle), ..Filter::default() };
        let ambiguous = Question::Relate(circle, Relation::LeftOf, circle);
        assert!(contrasts(&graph, &ambiguous, &Atoms::default()).is_empty());
        scene.objects[1].kind = ShapeKind::Star;
        let star = Filter { kind: Some(ShapeKind::Star), ..circle };
        let found = contrasts(&scene.graph(), &Question::Relate(circle, Relation::LeftOf, star), &Atoms::default());
        assert!(found.iter().all(|c| c.replaced == AtomKind::Relation && c.answer == Answer::Truth(false)));
        let one = Atoms { relations: vec![Relation::RightOf], ..Atoms::default() };
        let mut rng = ChaCha8Rng::seed_from_u64(0);
        assert_eq!(
            contrast_set(&scene.graph(), &Question::Relate(circle, Relation::LeftOf, star), &one, 3, &mut rng).len(),
            1
        );
    }

    #[test]
    fn consistency_needs_all_members() {
        let right = [(true, vec![true, true]), (true, vec![true, false]), (false, vec![true]), (true, vec![])];
        assert_eq!(consistency(&right), Some(1.0 / 3.0));
        assert_eq!(consistency(&right[3..]), None);
    }
}
