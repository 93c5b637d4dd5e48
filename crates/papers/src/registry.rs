//! The reproductions that exist.

use crate::{Reproduction, attack, certify, defend, embed, explain, generate, science, ssl, theory};

/// All reproductions, by family.
pub fn reproductions() -> impl Iterator<Item = &'static dyn Reproduction> {
    let families = [
        attack::REPRODUCTIONS,
        certify::REPRODUCTIONS,
        defend::REPRODUCTIONS,
        embed::REPRODUCTIONS,
        explain::REPRODUCTIONS,
        generate::REPRODUCTIONS,
        science::REPRODUCTIONS,
        ssl::REPRODUCTIONS,
        theory::REPRODUCTIONS,
    ];
    families.into_iter().flatten().copied()
}

/// The reproduction of a system, if it is built.
pub fn reproduction(slug: &str) -> Option<&'static dyn Reproduction> {
    reproductions().find(|r| r.slug() == slug)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue;

    #[test]
    fn every_reproduction_is_in_the_catalogue_once_and_can_fail() {
        let mut seen = std::collections::BTreeSet::new();
        for reproduction in reproductions() {
            assert!(catalogue::system(reproduction.slug()).is_some(), "{}", reproduction.slug());
            assert!(seen.insert(reproduction.slug()), "{} twice", reproduction.slug());
            let claim = reproduction.claim();
            claim.check(claim.seeds).unwrap_or_else(|e| panic!("{}: {e}", reproduction.slug()));
        }
    }
}
