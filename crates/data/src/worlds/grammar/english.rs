//! A grammar of English opinions.

use super::pcfg::Pcfg;
use super::tree::Tree;

/// Sentences such as "the critics did not enjoy this long film but the plot is really clever".
///
/// One topic per sentence, one clause (probability 0.6) or two joined by "and" or "but". A clause is an experience
/// ("the guest loved the soup") or a judgement ("the soup was not bad"), in the singular or plural and the present or
/// past, all with equal probabilities; a thing is located by another one ("the room near the pool") with probability
/// 0.2, which makes trees of any depth. Words are uniform within their class. Symbols tell number and tense:
/// `CLAUSE.food.PL.PAST`, `VERB+.SG.PRES`.
#[derive(Clone, Debug)]
pub struct English {
    pcfg: Pcfg,
}

/// What a sentence is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Topic {
    /// Meals.
    Food,
    /// Films.
    Film,
    /// Hotels.
    Hotel,
    /// Music.
    Music,
}

/// What a sentence says about its topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Sentiment {
    /// Disapproval.
    Negative,
    /// No opinion.
    Neutral,
    /// Approval.
    Positive,
}

/// Grammatical number of a subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Number {
    /// One.
    Singular,
    /// Several.
    Plural,
}

/// Tense of a clause.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Tense {
    /// Now.
    Present,
    /// Before.
    Past,
}

/// Singular and plural; groups that are joined by `=` are synonyms.
const NOUNS: [(Topic, &str); 4] = [
    (Topic::Food, "soup soups,meal meals=dish dishes,dessert desserts=pudding puddings,sauce sauces"),
    (Topic::Film, "film films=movie movies,plot plots=story stories,scene scenes,actor actors"),
    (Topic::Hotel, "room rooms,bed beds,hotel hotels=inn inns,lobby lobbies,pool pools"),
    (Topic::Music, "song songs=tune tunes,album albums=record records,band bands,singer singers=vocalist vocalists"),
];
const PEOPLE: &str =
    "critic critics=reviewer reviewers,guest guests=visitor visitors,student students,tourist tourists";
const DETERMINERS: [(&str, &str); 2] = [("SG", "the,this,every"), ("PL", "the,these,some")];
const PLAIN_ADJECTIVES: &str = "big=large,small=little,new,old,long,famous=renowned";
const GOOD_ADJECTIVES: &str = "good,great=wonderful=excellent,lovely=charming,clever";
const BAD_ADJECTIVES: &str = "bad=poor,terrible=awful=horrible,boring=dull,silly";
const ADVERBS: &str = "really=truly,rather=quite";
const PREPOSITIONS: &str = "near,with,without,after";
/// Third person singular, base form, past.
const GOOD_VERBS: &str =
    "loves love loved=adores adore adored,enjoys enjoy enjoyed,praises praise praised=admires admire admired";
const BAD_VERBS: &str =
    "hates hate hated=loathes loathe loathed,criticizes criticize criticized,dislikes dislike disliked";
const PLAIN_VERBS: &str =
    "notices notice noticed,chooses choose chose=selects select selected,mentions mention mentioned";

/// All forms of a class: groups of synonyms, each a list of words, each a list of forms.
fn forms(class: &'static str) -> Vec<Vec<Vec<&'static str>>> {
    let group = |group: &'static str| group.split('=').map(|word| word.split(' ').collect()).collect();
    class.split(',').map(group).collect()
}

/// A rule to the given form of each word of a class, uniformly.
fn lexical(head: &str, class: &'static str, form: usize) -> String {
    let words: Vec<&str> = forms(class).into_iter().flatten().map(|word| word[form]).collect();
    let share = 1.0 / words.len() as f64;
    let bodies: Vec<String> = words.iter().map(|word| format!("'{word}' [{share}]")).collect();
    format!("{head} -> {}\n", bodies.join(" | "))
}

/// The grammar's text.
fn text() -> String {
    let topics: Vec<&str> = Topic::ALL.iter().map(|topic| topic.name()).collect();
    let starts: Vec<String> = topics.iter().map(|topic| format!("S.{topic} [0.25]")).collect();
    let mut text = format!("S -> {}\nJOIN -> 'and' [0.5] | 'but' [0.5]\nNOT -> 'not' [1.0]\n", starts.join(" | "));
    for topic in &topics {
        let clauses: Vec<String> =
            ["SG.PRES", "SG.PAST", "PL.PRES", "PL.PAST"].map(|form| format!("CLAUSE.{topic}.{form} [0.25]")).to_vec();
        text += &format!("S.{topic} -> ONE.{topic} [0.6] | ONE.{topic} JOIN ONE.{topic} [0.4]\n");
        text += &format!("ONE.{topic} -> {}\n", clauses.join(" | "));
        text += &format!("THING.{topic} -> NP.{topic}.SG [0.5] | NP.{topic}.PL [0.5]\n");
        text += &format!("PP.{topic} -> PREPOSITION THING.{topic} [1.0]\n");
    }
    for (form, (number, determiners)) in DETERMINERS.into_iter().enumerate() {
        text += &lexical(&format!("DET.{number}"), determiners, 0);
        let mut noun_phrase = |name: &str, nouns| {
            let (determiner, noun) = (format!("DET.{number}"), format!("NOUN.{name}.{number}"));
            let place =
                if name == "people" { String::new() } else { format!(" | {determiner} {noun} PP.{name} [0.2]") };
            let bare = if name == "people" { 0.7 } else { 0.5 };
            text +=
                &format!("NP.{name}.{number} -> {determiner} {noun} [{bare}] | {determiner} ADJ {noun} [0.3]{place}\n");
            text += &lexical(&format!("NOUN.{name}.{number}"), nouns, form);
        };
        noun_phrase("people", PEOPLE);
        NOUNS.iter().for_each(|(topic, nouns)| noun_phrase(topic.name(), nouns));
        for (tense, copula, auxiliary) in
            [("PRES", ["is", "are"][form], ["does", "do"][form]), ("PAST", ["was", "were"][form], "did")]
        {
            let agreement = format!("{number}.{tense}");
            for topic in &topics {
                text += &format!(
                    "CLAUSE.{topic}.{agreement} -> NP.people.{number} VP.{topic}.{agreement} [0.5] | NP.{topic}.{number} IS.{agreement} [0.5]\n"
                );
                text += &format!(
                    "VP.{topic}.{agreement} -> VERB.{agreement} THING.{topic} [0.75] | AUX.{agreement} NOT VERB.BASE THING.{topic} [0.25]\n"
                );
            }
            text += &format!("IS.{agreement} -> COPULA.{agreement} OPINION [1.0]\n");
            text += &format!("COPULA.{agreement} -> '{copula}' [1.0]\nAUX.{agreement} -> '{auxiliary}' [1.0]\n");
            text += &verbs(&agreement, if tense == "PAST" { 2 } else { form });
        }
    }
    text += &verbs("BASE", 1);
    text += "OPINION -> JUDGEMENT [0.5] | NOT JUDGEMENT [0.25] | ADVERB JUDGEMENT [0.25]\n";
    text += "JUDGEMENT -> ADJ+ [0.5] | ADJ- [0.5]\n";
    text += &lexical("ADJ", PLAIN_ADJECTIVES, 0);
    text += &lexical("ADJ+", GOOD_ADJECTIVES, 0);
    text += &lexical("ADJ-", BAD_ADJECTIVES, 0);
    text += &lexical("ADVERB", ADVERBS, 0);
    text += &lexical("PREPOSITION", PREPOSITIONS, 0);
    text
}

/// Verbs of the three polarities in one form.
fn verbs(name: &str, form: usize) -> String {
    let mut text = format!("VERB.{name} -> VERB+.{name} [0.4] | VERB-.{name} [0.4] | VERB0.{name} [0.2]\n");
    for (polarity, class) in [("+", GOOD_VERBS), ("-", BAD_VERBS), ("0", PLAIN_VERBS)] {
        text += &lexical(&format!("VERB{polarity}.{name}"), class, form);
    }
    text
}

impl Topic {
    /// All topics.
    pub const ALL: [Topic; 4] = [Topic::Food, Topic::Film, Topic::Hotel, Topic::Music];

    /// The topic's name, as it stands in symbols.
    pub fn name(self) -> &'static str {
        ["food", "film", "hotel", "music"][self as usize]
    }
}

impl Default for English {
    fn default() -> Self {
        English::new()
    }
}

impl English {
    /// The grammar.
    pub fn new() -> English {
        English { pcfg: text().parse().expect("the grammar is well formed") }
    }

    /// The grammar as such.
    pub fn pcfg(&self) -> &Pcfg {
        &self.pcfg
    }

    /// Sentence `index` of `seed`, which depends on nothing else.
    pub fn sample(&self, seed: u64, index: u64) -> Tree {
        self.pcfg.sample(seed, index)
    }

    /// What a sentence is about.
    pub fn topic(&self, sentence: &Tree) -> Option<Topic> {
        let name = sentence.top_constituents().first()?.strip_prefix("S.")?;
        Topic::ALL.into_iter().find(|topic| topic.name() == name)
    }

    /// Number of the subject and tense of the first clause.
    pub fn agreement(&self, sentence: &Tree) -> Option<(Number, Tense)> {
        let clause = *sentence.find(|symbol| symbol.starts_with("CLAUSE.")).first()?;
        let mut parts = clause.label().rsplit('.');
        let tense = if parts.next()? == "PAST" { Tense::Past } else { Tense::Present };
        let number = if parts.next()? == "PL" { Number::Plural } else { Number::Singular };
        Some((number, tense))
    }

    /// The latent rule: the last clause decides; its verb or adjective is positive, negative or neutral, and "not" turns
    /// it around.
    pub fn sentiment(&self, sentence: &Tree) -> Sentiment {
        let clauses = sentence.find(|symbol| symbol.starts_with("CLAUSE."));
        let Some(clause) = clauses.last() else { return Sentiment::Neutral };
        let holds = |prefixes: [&str; 2]| {
            !clause.find(|symbol| prefixes.iter().any(|prefix| symbol.starts_with(prefix))).is_empty()
        };
        let negated = holds(["NOT", "NOT"]);
        match (holds(["VERB+", "ADJ+"]), holds(["VERB-", "ADJ-"])) {
            (true, _) => {
                if negated {
                    Sentiment::Negative
                } else {
                    Sentiment::Positive
                }
            }
            (_, true) => {
                if negated {
                    Sentiment::Positive
                } else {
                    Sentiment::Negative
                }
            }
            _ => Sentiment::Neutral,
        }
    }

    /// Other words for a word, of the same form: exchanging them changes neither the tree (but for the word), nor its
    /// probability, nor topic, agreement or sentiment.
    pub fn synonyms(&self, word: &str) -> Vec<&'static str> {
        let classes =
            [PEOPLE, PLAIN_ADJECTIVES, GOOD_ADJECTIVES, BAD_ADJECTIVES, ADVERBS, GOOD_VERBS, BAD_VERBS, PLAIN_VERBS];
        let groups = NOUNS.iter().map(|n| n.1).chain(classes).flat_map(forms);
        for group in groups {
            if let Some((own, form)) = place(&group, word) {
                let others = group.iter().enumerate().filter(|&(other, _)| other != own);
                return others.map(|(_, forms)| forms[form]).collect();
            }
        }
        Vec::new()
    }
}

/// Which word of a group it is, in which form.
fn place(group: &[Vec<&str>], word: &str) -> Option<(usize, usize)> {
    group.iter().enumerate().find_map(|(i, forms)| Some((i, forms.iter().position(|form| *form == word)?)))
}
