//! The attacks by name, with their published settings.
//!
//! ```
//! use perturb_attack::registry::{attacks, find};
//!
//! assert_eq!(find("apgd-ce").unwrap().title, "Auto-PGD on the cross-entropy (Croce and Hein 2020)");
//! assert_eq!(find("pdg").unwrap_err().nearest[0], "pgd");
//! assert!(attacks().iter().all(|entry| !entry.norms.is_empty()));
//! ```

use crate::{
    Apgd, ApgdT, Ascent, Attack, AutoAttack, Boundary, CarliniWagner, Ddn, DeepFool, ElasticNet, Estimated, Fab, Fgsm,
    HopSkipJump, Jsma, Norm, OnePixel, Pgd, Spatial, Square, Version,
};

/// What an attack must be able to ask the model for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Gradients.
    Gradient,
    /// The scores of all classes.
    Score,
    /// The predicted class.
    Decision,
}

impl Access {
    /// Name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Access::Gradient => "gradients",
            Access::Score => "scores",
            Access::Decision => "decisions",
        }
    }
}

/// A known attack.
#[derive(Debug)]
pub struct Entry {
    /// Name on the command line: small letters, digits and hyphens.
    pub name: &'static str,
    /// What it is, in one line.
    pub title: &'static str,
    /// Norms of the balls that it works in, the usual one first.
    pub norms: &'static [Norm],
    /// What it asks the model for.
    pub access: Access,
    make: fn() -> Box<dyn Attack>,
}

impl Entry {
    /// The attack with the settings of its paper.
    pub fn attack(&self) -> Box<dyn Attack> {
        (self.make)()
    }
}

/// No attack has this name.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("there is no attack named '{name}'; did you mean {}?", .nearest.join(", "))]
pub struct UnknownAttack {
    /// The name asked for.
    pub name: String,
    /// The most similar names, the nearest first.
    pub nearest: Vec<&'static str>,
}

const ALL: &[Norm] = &[Norm::Linf, Norm::L2, Norm::L1, Norm::L0];
const CONVEX: &[Norm] = &[Norm::Linf, Norm::L2, Norm::L1];

macro_rules! entry {
    ($name:literal, $title:literal, $norms:expr, $access:ident, $attack:expr) => {
        Entry { name: $name, title: $title, norms: $norms, access: Access::$access, make: || Box::new($attack) }
    };
}

static ATTACKS: &[Entry] = &[
    entry!("fgsm", "Fast gradient sign method (Goodfellow et al. 2015)", ALL, Gradient, Fgsm),
    entry!("bim", "Basic iterative method, I-FGSM (Kurakin et al. 2017)", ALL, Gradient, Ascent::bim()),
    entry!("mi-fgsm", "I-FGSM with momentum (Dong et al. 2018)", ALL, Gradient, Ascent::mi_fgsm()),
    entry!("ni-fgsm", "I-FGSM with Nesterov momentum (Lin et al. 2020)", ALL, Gradient, Ascent::ni_fgsm()),
    entry!("di-fgsm", "I-FGSM on resized and padded views (Xie et al. 2019)", ALL, Gradient, Ascent::di_fgsm()),
    entry!("ti-fgsm", "I-FGSM with smoothed gradients (Dong et al. 2019)", ALL, Gradient, Ascent::ti_fgsm()),
    entry!("pgd", "Projected gradient descent, 40 steps (Madry et al. 2018)", ALL, Gradient, Pgd::default()),
    entry!("apgd-ce", "Auto-PGD on the cross-entropy (Croce and Hein 2020)", CONVEX, Gradient, Apgd::ce()),
    entry!("apgd-dlr", "Auto-PGD on the difference of logits ratio", CONVEX, Gradient, Apgd::dlr()),
    entry!("apgd-t", "Auto-PGD towards the nine likeliest classes", CONVEX, Gradient, ApgdT::default()),
    entry!("fab", "Fast adaptive boundary attack (Croce and Hein 2020)", CONVEX, Gradient, Fab::default()),
    entry!("fab-t", "Fast adaptive boundary towards the nine likeliest classes", CONVEX, Gradient, Fab::targeted()),
    entry!(
        "square",
        "Random search over square windows, 5000 queries (Andriushchenko et al. 2020)",
        CONVEX,
        Score,
        Square::default()
    ),
    entry!(
        "autoattack",
        "APGD-CE, APGD-T, FAB-T and Square in turn (Croce and Hein 2020)",
        CONVEX,
        Gradient,
        AutoAttack { version: Version::Standard }
    ),
    entry!(
        "autoattack-plus",
        "AutoAttack with more restarts, APGD-DLR and FAB",
        CONVEX,
        Gradient,
        AutoAttack { version: Version::Plus }
    ),
    entry!(
        "autoattack-rand",
        "AutoAttack for randomised models: APGD with gradients averaged over 20 runs",
        CONVEX,
        Gradient,
        AutoAttack { version: Version::Rand }
    ),
    entry!(
        "deepfool",
        "Steps over the nearest linearised boundary (Moosavi-Dezfooli et al. 2016)",
        &[Norm::L2, Norm::Linf],
        Gradient,
        DeepFool::default()
    ),
    // Of the paper's settings without rounding to 256 levels, which adds its error to every distance.
    entry!(
        "ddn",
        "Decoupled direction and norm (Rony et al. 2019)",
        &[Norm::L2],
        Gradient,
        Ddn { levels: None, ..Ddn::default() }
    ),
    entry!("cw", "Carlini and Wagner's attack (2017)", &[Norm::L2], Gradient, CarliniWagner::default()),
    entry!("ead", "Elastic-net attack (Chen et al. 2018)", &[Norm::L1, Norm::L2], Gradient, ElasticNet::default()),
    entry!("jsma", "Pairs of salient coordinates (Papernot et al. 2016)", &[Norm::L0], Gradient, Jsma::default()),
    entry!(
        "one-pixel",
        "Differential evolution of one pixel (Su et al. 2019)",
        &[Norm::L0],
        Score,
        OnePixel::default()
    ),
    entry!(
        "spsa",
        "Gradients estimated along random signs (Uesato et al. 2018)",
        &[Norm::Linf],
        Score,
        Estimated::spsa()
    ),
    entry!(
        "nes",
        "Gradients estimated along normal directions (Ilyas et al. 2018)",
        &[Norm::Linf],
        Score,
        Estimated::nes()
    ),
    entry!(
        "boundary",
        "Random walk along the boundary (Brendel et al. 2018)",
        &[Norm::L2],
        Decision,
        Boundary::default()
    ),
    entry!(
        "hop-skip-jump",
        "Boundary steps along estimated gradients (Chen et al. 2020)",
        &[Norm::L2, Norm::Linf],
        Decision,
        HopSkipJump::default()
    ),
    entry!("stadv", "Spatial transformation by a smooth flow (Xiao et al. 2018)", ALL, Gradient, Spatial::default()),
];

/// All attacks, in the order in which they are listed.
pub fn attacks() -> &'static [Entry] {
    ATTACKS
}

/// The attack of a name, whatever its case.
///
/// # Errors
/// If there is none; the error names the most similar ones.
pub fn find(name: &str) -> Result<&'static Entry, UnknownAttack> {
    let wanted = name.trim().to_lowercase().replace(['_', ' '], "-");
    if let Some(entry) = ATTACKS.iter().find(|entry| entry.name == wanted) {
        return Ok(entry);
    }
    let mut nearest: Vec<&'static str> = ATTACKS.iter().map(|entry| entry.name).collect();
    // Letters left out, added, changed or swapped.
    nearest.sort_by_key(|known| strsim::damerau_levenshtein(known, &wanted));
    nearest.truncate(3);
    Err(UnknownAttack { name: name.to_string(), nearest })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_found() {
        for (i, entry) in attacks().iter().enumerate() {
            assert!(attacks()[i + 1..].iter().all(|other| other.name != entry.name));
            assert!(std::ptr::eq(find(&entry.name.to_uppercase()).unwrap(), entry));
        }
        assert_eq!(find("deep_fool").unwrap_err().nearest[0], "deepfool");
        assert_eq!(find("autoatack").unwrap_err().nearest[0], "autoattack");
    }
}
