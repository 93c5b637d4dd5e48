//! Which attacks an audit runs.

use super::args::AuditArgs;
use crate::CliError;
use crate::attack::{check_norm, known};
use perturb::attack::registry::{Access, Entry as Known};
use perturb::attack::{Attack, Ddn, Fab, Fgsm, Loss, Pgd, Square};
use perturb::attack::{AutoAttack, Norm, Version};
use perturb::report::audit::{AttackKind, MethodSetting};

const SQUARE_QUERIES: u64 = 200;

/// What `--attacks` asks for.
#[derive(Clone, Debug)]
pub enum Roster {
    /// A few seconds for each hundred examples.
    Standard,
    /// With everything that AutoAttack runs.
    Thorough,
    /// Attacks by their names, without repetition.
    Named(Vec<&'static Known>),
}

/// One attack of the audit.
pub struct Entry {
    /// Name in the report.
    pub name: String,
    /// What runs.
    pub attack: Box<dyn Attack>,
    /// What it sees of the model.
    pub kind: AttackKind,
    /// In words.
    pub hyperparameters: String,
}

impl Entry {
    fn white(name: &str, attack: Box<dyn Attack>, hyperparameters: String) -> Entry {
        Entry { name: name.into(), attack, kind: AttackKind::WhiteBox, hyperparameters }
    }

    fn square(queries: u64) -> Entry {
        let attack = Box::new(Square { queries, ..Square::default() });
        let hyperparameters = format!("{queries} queries of the scores");
        Entry { name: "Square".into(), attack, kind: AttackKind::BlackBox, hyperparameters }
    }

    fn of(known: &Known) -> Entry {
        let kind = if known.access == Access::Gradient { AttackKind::WhiteBox } else { AttackKind::BlackBox };
        let attack = known.attack();
        Entry { name: attack.name().into(), attack, kind, hyperparameters: known.title.into() }
    }
}

impl Roster {
    /// The roster of an option's value.
    ///
    /// # Errors
    /// If a name is unknown; the message has the nearest ones.
    pub fn parse(text: &str) -> Result<Roster, String> {
        match text.trim() {
            "standard" => return Ok(Roster::Standard),
            "thorough" => return Ok(Roster::Thorough),
            _ => {}
        }
        let mut named: Vec<&'static Known> = Vec::new();
        for name in text.split(',') {
            let entry = known(name).map_err(|e| format!("{e}; `standard` and `thorough` stand alone"))?;
            if named.iter().all(|earlier| earlier.name != entry.name) {
                named.push(entry);
            }
        }
        Ok(Roster::Named(named))
    }

    /// The attacks, in the order in which they run.
    ///
    /// # Errors
    /// If one of them does not work in the norm.
    pub fn entries(&self, norm: Norm) -> Result<Vec<Entry>, CliError> {
        let named = match self {
            Roster::Standard => {
                let mut all = gradient_attacks();
                all.push(Entry::square(SQUARE_QUERIES));
                return Ok(all);
            }
            Roster::Thorough => return Ok(thorough(norm)),
            Roster::Named(named) => named,
        };
        named.iter().try_for_each(|entry| check_norm(entry, norm))?;
        Ok(named.iter().map(|entry| Entry::of(entry)).collect())
    }
}

fn gradient_attacks() -> Vec<Entry> {
    let pgd = Pgd { relative_step: 0.1, ..Pgd::default() };
    let margin = Pgd { loss: Loss::Margin, ..pgd };
    let steps = format!("{} steps of {} ε from a random start", pgd.steps, pgd.relative_step);
    vec![
        Entry::white("FGSM", Box::new(Fgsm), "one step of the whole budget".into()),
        Entry::white("PGD", Box::new(pgd), format!("{steps}, cross-entropy")),
        // Where scores are large the cross-entropy has almost no gradient; their difference always has.
        Entry::white("PGD, margin", Box::new(margin), format!("{steps}, difference of scores")),
    ]
}

fn thorough(norm: Norm) -> Vec<Entry> {
    let mut all = gradient_attacks();
    for member in (AutoAttack { version: Version::Standard }).members(norm) {
        let name = member.name();
        if name != "Square" {
            all.push(Entry::white(name, member, "as in AutoAttack".into()));
        }
    }
    all.push(Entry::white("FAB", Box::new(Fab::default()), "100 steps to the nearest of all boundaries".into()));
    if norm == Norm::L2 {
        all.push(Entry::white("DDN", Box::new(Ddn::default()), "100 steps".into()));
    }
    all.push(Entry::square(Square::default().queries));
    all
}

/// What the settings of the report say of the attacks.
///
/// # Errors
/// If an attack does not work in the norm.
pub fn settings(args: &AuditArgs) -> Result<Vec<MethodSetting>, CliError> {
    let carried = "; an input that fell at a smaller budget counts as fallen at a larger one";
    let mut all: Vec<MethodSetting> = args
        .attacks
        .entries(args.graph_norm().into())?
        .into_iter()
        .map(|e| MethodSetting { name: e.name, hyperparameters: e.hyperparameters + carried })
        .collect();
    all.push(MethodSetting {
        name: "nearest: DeepFool".into(),
        hyperparameters: "50 steps, overshoot 0.02, ten nearest classes; no budget".into(),
    });
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rosters_are_words_or_lists() {
        assert!(matches!(Roster::parse("standard"), Ok(Roster::Standard)));
        let Ok(Roster::Named(named)) = Roster::parse("pgd, apgd-ce,PGD") else { panic!("a list") };
        assert_eq!(named.iter().map(|e| e.name).collect::<Vec<_>>(), ["pgd", "apgd-ce"]);
        let error = Roster::parse("pgd,apgdce").unwrap_err();
        assert!(error.contains("apgdce") && error.contains("apgd-ce"), "{error}");
        assert!(Roster::parse("").is_err() && Roster::parse("pgd,").is_err());
    }

    #[test]
    fn names_in_a_roster_are_unique() {
        for norm in [Norm::Linf, Norm::L2] {
            for roster in [Roster::Standard, Roster::Thorough] {
                let names: Vec<String> = roster.entries(norm).unwrap().into_iter().map(|e| e.name).collect();
                assert!(names.iter().enumerate().all(|(i, name)| !names[..i].contains(name)), "{names:?}");
            }
        }
    }
}
