//! Captions: a small grammar that is spoken and understood.

use super::color::Color;
use super::graph::Relation;
use super::outline::ShapeKind;
use super::scene::{Object, Scene, SizeName};
use super::scenes::pick;
use super::style::Style;
use rand::{Rng, RngExt};
use std::fmt::{self, Display, Formatter};
use std::str::FromStr;

/// A caption, slot by slot:
/// `a [size] [colour] noun [relation a [colour] noun] [at the place] [on a colour background] [in style style]`.
///
/// [`Display`] speaks it, [`FromStr`] reads it back, [`Caption::describes`] tells whether it is true of a scene.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Caption {
    /// What the caption is about.
    pub subject: NounPhrase,
    /// Another object, and where the subject is relative to it.
    pub relation: Option<(Relation, NounPhrase)>,
    /// Where the subject is in the picture.
    pub place: Option<Place>,
    /// Colour of the backdrop.
    pub background: Option<Color>,
    /// Style of the picture.
    pub style: Option<Style>,
}

/// A noun with adjectives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct NounPhrase {
    /// Size, if it is said.
    pub size: Option<SizeName>,
    /// Colour, if it is said.
    pub color: Option<Color>,
    /// The noun.
    pub kind: ShapeKind,
}

/// The quarter of the picture that holds an object's centre.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Place {
    /// x and y below 0.5.
    TopLeft,
    /// x from 0.5 on, y below.
    TopRight,
    /// x below 0.5, y from 0.5 on.
    BottomLeft,
    /// x and y from 0.5 on.
    BottomRight,
}

/// A text that is not a caption of this grammar.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("word {} of the caption ({found}) does not fit: expected {expected}", .word + 1)]
pub struct CaptionError {
    /// Index of the word.
    pub word: usize,
    /// The word, or "the end".
    pub found: String,
    /// What could have stood there.
    pub expected: &'static str,
}

impl Place {
    /// All places.
    pub const ALL: [Place; 4] = [Place::TopLeft, Place::TopRight, Place::BottomLeft, Place::BottomRight];

    /// The place in words.
    pub fn name(self) -> &'static str {
        ["top left", "top right", "bottom left", "bottom right"][self as usize]
    }

    /// Where an object is.
    pub fn of(object: &Object) -> Place {
        Place::ALL[usize::from(object.x >= 0.5) + 2 * usize::from(object.y >= 0.5)]
    }
}

impl NounPhrase {
    /// The full phrase for an object.
    pub fn of(object: &Object) -> NounPhrase {
        NounPhrase { size: Some(object.size_name()), color: Some(object.color()), kind: object.kind }
    }

    /// Whether the phrase is true of an object.
    pub fn fits(&self, object: &Object) -> bool {
        self.kind == object.kind
            && self.color.is_none_or(|color| color == object.color())
            && self.size.is_none_or(|size| size == object.size_name())
    }
}

impl Caption {
    /// A true caption with all slots filled: about object `subject`, relative to the next object (in the scene's
    /// order, around the end) to which a relation holds. `None` if there is no such object.
    pub fn full(scene: &Scene, subject: usize) -> Option<Caption> {
        let object = scene.objects.get(subject)?;
        let others = (1..scene.objects.len()).map(|i| &scene.objects[(subject + i) % scene.objects.len()]);
        let relation = others
            .filter_map(|other| {
                Some((Relation::between(object, other)?, NounPhrase { size: None, ..NounPhrase::of(other) }))
            })
            .next();
        Some(Caption {
            subject: NounPhrase::of(object),
            relation,
            place: Some(Place::of(object)),
            background: Some(scene.backdrop.color()),
            style: Some(scene.style),
        })
    }

    /// A true caption about one of the objects, chosen uniformly; every optional slot is said with probability ½.
    /// `None` for a scene without objects.
    pub fn of(scene: &Scene, rng: &mut impl Rng) -> Option<Caption> {
        let subject = rng.random_range(0..scene.objects.len().max(1));
        let mut caption = Caption::full(scene, subject)?;
        let mut silent = || rng.random_bool(0.5);
        let phrases = [Some(&mut caption.subject), caption.relation.as_mut().map(|r| &mut r.1)];
        for phrase in phrases.into_iter().flatten() {
            phrase.size.take_if(|_| silent());
            phrase.color.take_if(|_| silent());
        }
        caption.relation.take_if(|_| silent());
        caption.place.take_if(|_| silent());
        caption.background.take_if(|_| silent());
        caption.style.take_if(|_| silent());
        Some(caption)
    }

    /// Any caption of the grammar, true of some scene: adjectives, nouns and slots are drawn independently.
    pub fn any(rng: &mut impl Rng) -> Caption {
        let mut phrase = |sized: bool| NounPhrase {
            size: (sized && rng.random_bool(0.5)).then(|| pick(&SizeName::ALL, rng)),
            color: rng.random_bool(0.5).then(|| pick(&Color::ALL, rng)),
            kind: pick(&ShapeKind::ALL, rng),
        };
        let (subject, other) = (phrase(true), phrase(false));
        Caption {
            subject,
            relation: rng.random_bool(0.5).then(|| (pick(&Relation::ALL, rng), other)),
            place: rng.random_bool(0.5).then(|| pick(&Place::ALL, rng)),
            background: rng.random_bool(0.5).then(|| pick(&Color::ALL, rng)),
            style: rng.random_bool(0.5).then(|| pick(&Style::ALL, rng)),
        }
    }

    /// Whether the caption is true: some object fits the subject and its place, another the second phrase, and the
    /// relation holds between them.
    pub fn describes(&self, scene: &Scene) -> bool {
        let related = |i: usize, a: &Object| match &self.relation {
            None => true,
            Some((relation, phrase)) => {
                let others = scene.objects.iter().enumerate().filter(|&(j, _)| j != i);
                others.into_iter().any(|(_, b)| phrase.fits(b) && relation.holds(a, b))
            }
        };
        let subject = |(i, a): (usize, &Object)| {
            self.subject.fits(a) && self.place.is_none_or(|place| place == Place::of(a)) && related(i, a)
        };
        scene.objects.iter().enumerate().any(subject)
            && self.background.is_none_or(|color| color == scene.backdrop.color())
            && self.style.is_none_or(|style| style == scene.style)
    }

    /// All words that occur in captions, each once, for tokenizers.
    pub fn vocabulary() -> Vec<&'static str> {
        let mut words = vec!["a", "an", "at", "the", "on", "background", "in", "style"];
        let names = Relation::ALL.map(Relation::name).into_iter().chain(Place::ALL.map(Place::name));
        for word in names
            .flat_map(str::split_whitespace)
            .chain(SizeName::ALL.map(SizeName::name))
            .chain(Color::ALL.map(Color::name))
            .chain(ShapeKind::ALL.map(ShapeKind::name))
            .chain(Style::ALL.map(Style::name))
        {
            if !words.contains(&word) {
                words.push(word);
            }
        }
        words
    }
}

/// "a" or "an".
fn article(next: &str) -> &'static str {
    if next.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" }
}

impl Display for NounPhrase {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        let words = [self.size.map(SizeName::name), self.color.map(Color::name), Some(self.kind.name())];
        let words: Vec<&str> = words.into_iter().flatten().collect();
        write!(f, "{} {}", article(words[0]), words.join(" "))
    }
}

impl Display for Caption {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        write!(f, "{}", self.subject)?;
        if let Some((relation, phrase)) = &self.relation {
            write!(f, " {} {phrase}", relation.name())?;
        }
        if let Some(place) = self.place {
            write!(f, " at the {}", place.name())?;
        }
        if let Some(color) = self.background {
            write!(f, " on {} {} background", article(color.name()), color.name())?;
        }
        if let Some(style) = self.style {
            write!(f, " in {} style", style.name())?;
        }
        Ok(())
    }
}

/// A recursive-descent reader of words.
struct Words<'a> {
    words: Vec<&'a str>,
    next: usize,
}

impl Words<'_> {
    /// Takes the words of `phrase` if they come next.
    fn take(&mut self, phrase: &str) -> bool {
        let wanted: Vec<&str> = phrase.split_whitespace().collect();
        let found = self.words[self.next..].starts_with(&wanted);
        self.next += if found { wanted.len() } else { 0 };
        found
    }

    /// Takes whichever of the items comes next, by its name.
    fn one_of<T: Copy>(&mut self, items: &[T], name: impl Fn(T) -> &'static str) -> Option<T> {
        items.iter().copied().find(|&item| self.take(name(item)))
    }

    fn error(&self, expected: &'static str) -> CaptionError {
        let found = self.words.get(self.next).map_or("the end".to_string(), |word| format!("\"{word}\""));
        CaptionError { word: self.next, found, expected }
    }

    fn phrase(&mut self) -> Result<NounPhrase, CaptionError> {
        if !self.take("a") && !self.take("an") {
            return Err(self.error("\"a\" or \"an\""));
        }
        let size = self.one_of(&SizeName::ALL, SizeName::name);
        let color = self.one_of(&Color::ALL, Color::name);
        let kind = self.one_of(&ShapeKind::ALL, ShapeKind::name).ok_or_else(|| self.error("a noun"))?;
        Ok(NounPhrase { size, color, kind })
    }
}

impl FromStr for Caption {
    type Err = CaptionError;

    fn from_str(text: &str) -> Result<Caption, CaptionError> {
        let mut words = Words { words: text.split_whitespace().collect(), next: 0 };
        let subject = words.phrase()?;
        let relation = words.one_of(&Relation::ALL, Relation::name);
        let relation = relation.map(|relation| Ok((relation, words.phrase()?))).transpose()?;
        let mut place = None;
        if words.take("at the") {
            place = Some(words.one_of(&Place::ALL, Place::name).ok_or_else(|| words.error("a place"))?);
        }
        let mut background = None;
        if words.take("on a") || words.take("on an") {
            background = Some(words.one_of(&Color::ALL, Color::name).ok_or_else(|| words.error("a colour"))?);
            if !words.take("background") {
                return Err(words.error("\"background\""));
            }
        }
        let mut style = None;
        if words.take("in") {
            style = Some(words.one_of(&Style::ALL, Style::name).ok_or_else(|| words.error("a style"))?);
            if !words.take("style") {
                return Err(words.error("\"style\""));
            }
        }
        if words.next < words.words.len() {
            return Err(words.error("the end"));
        }
        Ok(Caption { subject, relation, place, background, style })
    }
}
